//! Frames into RTP packets.

use std::sync::{Mutex, OnceLock};

use rivero_plugin_api::{
    Bytes, Converter, ConverterOutput, Error, Extensions, Format, Packet, Result, Rtp, Upstream,
    host, supervise::lock,
};
use rivero_rtp::header::FIXED_HEADER_LEN;
use rivero_rtp::payload::{CutPacket, DEFAULT_MTU, Packetiser};
use serde::Deserialize;
use serde_json::Value;

use crate::formats;

/// A payload type for the header; each peer gets its own number at the way out.
const PAYLOAD_TYPE: u8 = 96;

/// A new RTP stream.
pub(crate) fn create(
    _: u32,
    output: u32,
    _: Value,
    sink: ConverterOutput,
) -> Result<Box<dyn Converter>> {
    let format = formats::format(output)?;
    Ok(Box::new(Packetise {
        output,
        clock: Clock::new(&format),
        packetiser: Mutex::new(packetiser(&format)?),
        sink,
    }))
}

struct Packetise {
    output: u32,
    clock: Clock,
    packetiser: Mutex<Packetiser>,
    sink: ConverterOutput,
}

impl Converter for Packetise {
    fn packets(&self, frames: &[Packet]) {
        for frame in frames {
            let packets = self.cut(frame);
            for burst in packets.chunks(64) {
                self.sink.push(burst);
            }
        }
    }

    fn upstream(&self, message: Upstream) {
        self.sink.upstream(message);
    }

    fn stop(&self) {}
}

impl Packetise {
    fn cut(&self, frame: &Packet) -> Vec<Packet> {
        let timestamp = self.clock.timestamp(frame.presentation_time);
        let mut packetiser = lock(&self.packetiser);
        let (bytes, cut) = packetiser.packetise(frame.payload(), timestamp);
        let ssrc = packetiser.ssrc();
        drop(packetiser);
        let bytes = Bytes::from(bytes);
        let packets = cut
            .iter()
            .map(|packet| self.packet(frame, packet, ssrc, &bytes));
        packets.collect()
    }

    fn packet(&self, frame: &Packet, cut: &CutPacket, ssrc: u32, bytes: &Bytes) -> Packet {
        Packet {
            bytes: bytes.slice(cut.range.clone()),
            format: self.output,
            // The numbers go on, so nothing is missing in this stream.
            flags: if cut.keyframe_start || !self.clock.is_video() {
                Packet::KEYFRAME
            } else {
                0
            },
            rtp: Rtp {
                timestamp: cut.timestamp,
                ssrc,
                sequence: cut.sequence,
                marker: cut.marker,
                payload_offset: u16::try_from(FIXED_HEADER_LEN).unwrap_or(12),
                padding: 0,
                extensions: Extensions::default(),
            },
            ..frame.clone()
        }
    }
}

fn packetiser(format: &Format) -> Result<Packetiser> {
    let (ssrc, sequence) = (rand::random(), rand::random());
    Packetiser::new(
        &format.encoding,
        formats::payload_parameters(format),
        ssrc,
        sequence,
        PAYLOAD_TYPE,
    )
    .map(|packetiser| packetiser.with_mtu(mtu()))
    .ok_or_else(|| Error::unexpected(format!("there is no RTP payload format for {format}")))
}

/// `mtu` of BaseRtpEndpoint in the configuration: packets are shared by all that are sent them, so
/// the property of one endpoint cannot count.
fn mtu() -> u16 {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct BaseRtpEndpoint {
        mtu: Value,
    }
    static MTU: OnceLock<u16> = OnceLock::new();
    *MTU.get_or_init(|| {
        let configured = host().map(|host| host.configuration("BaseRtpEndpoint"));
        let BaseRtpEndpoint { mtu } = configured.and_then(Result::ok).unwrap_or_default();
        // Files without types have text.
        let number = mtu.as_u64().or_else(|| mtu.as_str()?.trim().parse().ok());
        number
            .and_then(|mtu| u16::try_from(mtu).ok())
            .unwrap_or(DEFAULT_MTU)
    })
}

/// RTP timestamps out of presentation times.
struct Clock {
    rate: u32,
    channels: u8,
    offset: u32,
}

impl Clock {
    fn new(format: &Format) -> Self {
        Self {
            rate: format.clock_rate,
            channels: format.channels,
            offset: rand::random(),
        }
    }

    fn is_video(&self) -> bool {
        self.channels == 0
    }

    fn timestamp(&self, presentation_time: i64) -> u32 {
        let units = i128::from(presentation_time) * i128::from(self.rate) / 1_000_000_000;
        // Modulo 2^32, as RTP counts.
        let low = u32::try_from(units.rem_euclid(1 << 32)).unwrap_or(0);
        low.wrapping_add(self.offset)
    }
}
