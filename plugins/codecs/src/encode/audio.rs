//! Samples into frames.

use std::sync::Mutex;

use rivero_gst::{caps, element, gst};
use rivero_plugin_api::{
    Converter, ConverterOutput, Error, Format, MediaKind, Packet, Result, Upstream, supervise::lock,
};

use super::{encode_each, encoder::Encoder};
use crate::decode::filter;
use crate::formats::PerFormat;
use crate::passage::Passage;
use crate::settings::Settings;

/// By so much, ns, times may differ from those that follow from the samples before. What differs less keeps its distance from the picture
/// that belongs to it, and what made the samples may have left some, too: with the 40 ms that are usual it is seen.
const TOLERANCE: &str = "15000000";

/// Samples by which an encoder of AAC is behind: a window has two frames, and the first has only silence before it. The elements do
/// not say so, and nothing in AAC does, unlike the pre-skip of Opus.
const AAC_DELAY: u64 = 1024;

pub(super) struct AudioEncode {
    target: Format,
    settings: Settings,
    passage: Passage,
    encoder: Mutex<Option<Encoder>>,
    samples: Mutex<PerFormat<gst::Caps>>,
}

impl AudioEncode {
    pub(super) fn new(
        output: u32,
        target: Format,
        settings: Settings,
        sink: ConverterOutput,
    ) -> Result<Self> {
        let encode = Self {
            target,
            settings,
            passage: Passage::new(output, MediaKind::Audio, sink),
            encoder: Mutex::new(None),
            samples: Mutex::default(),
        };
        if encode.target.encoding == "AAC" {
            encode.passage.set_delay(AAC_DELAY);
        }
        // Without its plugin it fails here, not at the first samples.
        encode.passage.chain(|| encode.elements())?;
        Ok(encode)
    }

    fn elements(&self) -> Result<Vec<gst::Element>> {
        let encoder = Encoder::new(&self.target, &self.settings, None)?;
        if let Some(bitrate) = self.settings.audio_bitrate() {
            encoder.set_bitrate(bitrate);
        }
        element::set(&encoder.element, "tolerance", TOLERANCE);
        let mut elements = vec![
            element::make("audioconvert")?,
            element::make("audioresample")?,
            filter(&self.sample_caps())?,
            encoder.element.clone(),
        ];
        if let Some(caps) = encoder.output_caps(&self.target)? {
            elements.push(filter(&caps)?);
        }
        *self.slot() = Some(encoder);
        Ok(elements)
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Encoder>> {
        lock(&self.encoder)
    }

    /// Rate and channels that the encoder gets: those of the target, unless settings say otherwise.
    /// Opus is called 48000/2 whatever it carries (RFC 7587 §4.2), so 2 channels are no wish for
    /// stereo: mono stays mono.
    fn sample_caps(&self) -> gst::Caps {
        let wished = |setting: u32, target: u32| if setting > 0 { setting } else { target };
        let (rate, channels) = match self.target.encoding.as_str() {
            // Nothing else can be encoded, whatever their clocks count.
            "G722" | "AMR-WB" => (16_000, 1),
            "AMR" => (8000, 1),
            _ => (
                wished(self.settings.sample_rate, self.target.clock_rate),
                wished(self.settings.channels, u32::from(self.target.channels)),
            ),
        };
        let mut caps = gst::Caps::builder("audio/x-raw").field("layout", "interleaved");
        if self.target.encoding == "L16" {
            caps = caps.field("format", "S16BE");
        }
        let caps = match i32::try_from(rate) {
            Ok(rate @ 1..) => caps.field("rate", rate),
            _ => caps,
        };
        let opus = self.target.encoding == "OPUS" && self.settings.channels != 1;
        match i32::try_from(channels) {
            _ if opus => caps.field("channels", gst::IntRange::new(1, 2)).build(),
            Ok(channels @ 1..) => caps.field("channels", channels).build(),
            _ if matches!(self.target.encoding.as_str(), "PCMU" | "PCMA" | "L16") => {
                caps.field("channels", 1).build()
            }
            _ => caps.build(),
        }
    }

    fn encode(&self, samples: &mut PerFormat<gst::Caps>, packet: &Packet) -> Result<()> {
        let Some(chain) = self.passage.chain(|| self.elements())? else {
            return Ok(());
        };
        let (caps, changed) = samples.get(packet.format, |format| {
            caps::from_format(format)
                .filter(|_| format.clock_rate > 0)
                .ok_or_else(|| Error::unexpected(format!("{format} is no raw audio")))
        })?;
        if changed {
            chain.set_caps(caps);
        }
        let buffer = rivero_gst::buffer::from_bytes(packet.bytes.clone());
        chain.push(self.passage.enter(packet, buffer))?;
        Ok(())
    }
}

impl Converter for AudioEncode {
    fn packets(&self, packets: &[Packet]) {
        let mut samples = lock(&self.samples);
        encode_each(packets, &self.passage, |packet| {
            self.encode(&mut samples, packet)
                .inspect_err(|_| samples.forget())
        });
    }

    /// A target holds for what follows; there is nothing to begin anew in audio.
    fn upstream(&self, message: Upstream) {
        if let (Upstream::TargetBitrate { bits_per_second }, Some(encoder)) =
            (message, self.slot().as_ref())
        {
            encoder.set_bitrate(bits_per_second);
        }
    }

    fn stop(&self) {
        self.passage.stop();
        *self.slot() = None;
    }
}
