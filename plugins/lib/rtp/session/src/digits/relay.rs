//! Digits on their way from one peer to another, through the server: a packet for each packet that came, whose durations count
//! in one clock, whatever those of the two peers are.

use rivero_plugin_api::{Bytes, Layer, MediaKind, Packet, Rtp};
use rivero_rtp::RtpHeader;

use super::{Heard, Name, character};

/// The format of such packets.
pub const RELAYED_FORMAT: &str = "telephone-event";
/// Units a second in which their durations count: that of telephones, so that nothing is lost on the way between two.
pub const RELAYED_CLOCK_RATE: u32 = 8000;

/// What others get of a peer's packet of an event; `None` for what is no digit. `format`: the number of that of all such
/// packets.
pub(super) fn packet(
    header: &RtpHeader,
    payload: &[u8],
    clock_rate: u32,
    format: u32,
) -> Option<Packet> {
    let [event, flags, high, low, ..] = *payload else {
        return None;
    };
    character(event)?;
    let duration = u64::from(u16::from_be_bytes([high, low])) * u64::from(RELAYED_CLOCK_RATE);
    let duration = duration / u64::from(clock_rate.max(1));
    let [high, low] = u16::try_from(duration).unwrap_or(u16::MAX).to_be_bytes();
    Some(Packet {
        bytes: Bytes::copy_from(&[event, flags, high, low]),
        format,
        origin: 0,
        kind: MediaKind::Audio,
        flags: Packet::EVENT,
        layer: Layer::default(),
        presentation_time: 0,
        ingress_time: 0,
        duration: 0,
        rtp: Rtp {
            timestamp: header.timestamp,
            // A source of its own: none of its numbers are those of the sound.
            ssrc: !header.ssrc,
            sequence: header.sequence,
            marker: header.marker,
            ..Rtp::default()
        },
        ..Packet::default()
    })
}

/// What such a packet says.
pub(super) fn heard(packet: &Packet) -> Option<Heard> {
    let [event, flags, high, low] = *packet.payload() else {
        return None;
    };
    character(event)?;
    let duration =
        u64::from(u16::from_be_bytes([high, low])) * 1_000_000 / u64::from(RELAYED_CLOCK_RATE);
    Some(Heard {
        name: Name {
            origin: packet.origin,
            ssrc: packet.rtp.ssrc,
            timestamp: packet.rtp.timestamp,
        },
        event,
        duration: std::time::Duration::from_micros(duration),
        has_ended: flags & 0x80 != 0,
    })
}
