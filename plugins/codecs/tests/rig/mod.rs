//! The module as a host sees it, with synthetic pictures and tones.

#![allow(unreachable_pub, reason = "what is for all tests reads like a library")]

pub mod host;
pub mod pan;
pub mod picture;
pub mod tone;

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rivero_codecs::conversions;
use rivero_plugin_api::abi::abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, RResult, RSlice},
};
use rivero_plugin_api::abi::traits::{self, AbiConverterOutput, AbiConverterOutput_TO};
use rivero_plugin_api::abi::types::{AbiError, AbiUpstream};
use rivero_plugin_api::{Error, Format, MediaKind, Packaging, Packet, Upstream};
use serde_json::Value;

/// Frames or raw media of an encoding.
pub fn format(encoding: &str, packaging: Packaging, rate: u32, channels: u8) -> Format {
    Format {
        packaging,
        ..Format::rtp(encoding, rate, channels)
    }
}

/// RTP as WebRTC negotiates it.
pub fn rtp(encoding: &str) -> Format {
    match encoding {
        "H264" => Format::rtp("H264", 90_000, 0)
            .with("packetization-mode", "1")
            .with("profile", "constrained-baseline"),
        "OPUS" => Format::rtp("OPUS", 48_000, 2),
        "PCMU" | "PCMA" | "G722" => Format::rtp(encoding, 8_000, 1),
        "AMR" => Format::rtp("AMR", 8_000, 1).with("octet-align", "0"),
        "AMR-WB" => Format::rtp("AMR-WB", 16_000, 1).with("octet-align", "1"),
        "L16" => Format::rtp("L16", 16_000, 1),
        "MPEG4-GENERIC" => Format::rtp("MPEG4-GENERIC", 48_000, 2),
        video => Format::rtp(video, 90_000, 0),
    }
}

/// The frames of an RTP format.
pub fn frames(rtp: &Format) -> Format {
    let encoding = match rtp.encoding.as_str() {
        "MPEG4-GENERIC" => "AAC",
        other => other,
    };
    Format {
        encoding: encoding.to_owned(),
        packaging: Packaging::Frame,
        ..rtp.clone()
    }
}

/// Raw media of any size or rate.
pub fn raw(kind: MediaKind) -> Format {
    match kind {
        MediaKind::Video => format("I420", Packaging::Raw, 0, 0),
        _ => format("S16LE", Packaging::Raw, 0, 0),
    }
}

/// What a converter gave out.
#[derive(Default)]
pub struct Given {
    pub packets: Vec<Packet>,
    pub upstream: Vec<Upstream>,
    pub failures: Vec<Error>,
}

#[derive(Clone, Default)]
struct Collector(Arc<(Mutex<Given>, Condvar)>);

impl Collector {
    fn change(&self, change: impl FnOnce(&mut Given)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }
}

impl AbiConverterOutput for Collector {
    fn push(&self, packets: RSlice<'_, Packet>) {
        self.change(|given| given.packets.extend_from_slice(packets.as_slice()));
    }

    fn upstream(&self, message: AbiUpstream) {
        self.change(|given| given.upstream.extend(message.message()));
    }

    fn failed(&self, error: AbiError) {
        self.change(|given| given.failures.push(error.into()));
    }
}

/// A running converter.
pub struct Running {
    converter: traits::Converter,
    collector: Collector,
}

impl Running {
    /// # Errors
    /// The module's.
    pub fn new(input: &Format, output: &Format, settings: &Value) -> Result<Self, Error> {
        let index = index(input, output);
        let collector = Collector::default();
        let sink = AbiConverterOutput_TO::from_ptr(RArc::new(collector.clone()), TD_Opaque);
        let created = host::module().create_converter(
            index,
            host::format_id(input),
            host::format_id(output),
            settings.to_string().as_str().into(),
            sink,
        );
        match created {
            RResult::ROk(converter) => Ok(Self {
                converter,
                collector,
            }),
            RResult::RErr(error) => Err(error.into()),
        }
    }

    pub fn packets(&self, packets: &[Packet]) {
        self.converter.packets(RSlice::from_slice(packets));
    }

    pub fn upstream(&self, message: Upstream) {
        self.converter.upstream(AbiUpstream::from(message));
    }

    pub fn stop(&self) {
        self.converter.stop();
    }

    /// What it gave out since the last time.
    pub fn take(&self) -> Given {
        std::mem::take(&mut *self.collector.0.0.lock().unwrap())
    }

    /// Puts packets in and takes what comes out at once.
    pub fn convert(&self, packets: &[Packet]) -> Vec<Packet> {
        self.packets(packets);
        let given = self.take();
        assert!(given.failures.is_empty(), "{:?}", given.failures);
        given.packets
    }

    /// Waits until something comes out.
    pub fn wait(&self) -> Given {
        let given = self.collector.0.0.lock().unwrap();
        let empty = |given: &mut Given| given.packets.is_empty() && given.failures.is_empty();
        let (mut given, waited) = self
            .collector
            .0
            .1
            .wait_timeout_while(given, Duration::from_secs(30), empty)
            .unwrap();
        assert!(!waited.timed_out(), "nothing came out");
        std::mem::take(&mut *given)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.converter.stop();
    }
}

fn index(input: &Format, output: &Format) -> u32 {
    let end = |format: &Format| (format.encoding.clone(), format.packaging);
    let wanted = (end(input), end(output));
    let found = conversions::all().iter().position(|factory| {
        (
            factory.conversion.input.clone(),
            factory.conversion.output.clone(),
        ) == wanted
    });
    let index = found.unwrap_or_else(|| panic!("no conversion from {input} to {output}"));
    u32::try_from(index).unwrap()
}
