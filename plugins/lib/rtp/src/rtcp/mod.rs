//! RTCP: compound packets (RFC 3550 §6), feedback (RFC 4585, RFC 5104), and the two messages of
//! congestion control that browsers use (REMB, transport-wide feedback).
//!
//! Parsing borrows from the received bytes and allocates nothing: [`packets`] iterates over a
//! compound packet. [`CompoundBuilder`] writes one.

mod builder;
mod feedback;
mod report;
#[cfg(test)]
mod tests;
mod transport_cc;

pub use builder::CompoundBuilder;
pub use feedback::{FirEntries, LostSequences, Ssrcs};
pub use report::{ReportBlock, ReportBlocks, SdesChunks, SenderInfo};
pub use transport_cc::{PacketStatuses, TransportFeedback};

use crate::cursor::Cursor;

/// RTCP packet types and feedback formats that are understood here.
mod packet_type {
    pub(super) const SENDER_REPORT: u8 = 200;
    pub(super) const RECEIVER_REPORT: u8 = 201;
    pub(super) const SOURCE_DESCRIPTION: u8 = 202;
    pub(super) const GOODBYE: u8 = 203;
    pub(super) const TRANSPORT_FEEDBACK: u8 = 205;
    pub(super) const PAYLOAD_FEEDBACK: u8 = 206;

    pub(super) const FORMAT_NACK: u8 = 1;
    pub(super) const FORMAT_TRANSPORT_CC: u8 = 15;
    pub(super) const FORMAT_PLI: u8 = 1;
    pub(super) const FORMAT_FIR: u8 = 4;
    pub(super) const FORMAT_APPLICATION: u8 = 15;
}

/// Marks a REMB among application layer feedback.
const REMB_IDENTIFIER: [u8; 4] = *b"REMB";

/// One packet of a compound packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RtcpPacket<'a> {
    /// SR (RFC 3550 §6.4.1).
    SenderReport {
        /// Who sends.
        ssrc: u32,
        /// What was sent so far, and the clocks at that moment.
        info: SenderInfo,
        /// What the sender received from others.
        reports: ReportBlocks<'a>,
    },
    /// RR (RFC 3550 §6.4.2).
    ReceiverReport {
        /// Who reports.
        ssrc: u32,
        /// What it received.
        reports: ReportBlocks<'a>,
    },
    /// SDES (RFC 3550 §6.5).
    SourceDescription {
        /// One chunk per source.
        chunks: SdesChunks<'a>,
    },
    /// BYE (RFC 3550 §6.6).
    Goodbye {
        /// The sources that left.
        sources: Ssrcs<'a>,
    },
    /// Generic NACK (RFC 4585 §6.2.1).
    Nack {
        /// The stream that packets are missing of.
        media_ssrc: u32,
        /// Their sequence numbers.
        lost: LostSequences<'a>,
    },
    /// Picture loss indication (RFC 4585 §6.3.1): a keyframe is needed.
    PictureLoss {
        /// Of this stream.
        media_ssrc: u32,
    },
    /// Full intra request (RFC 5104 §4.3.1): a keyframe is wanted.
    FullIntraRequest {
        /// Of these streams, each with the number of the command.
        entries: FirEntries<'a>,
    },
    /// Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb).
    ReceiverEstimatedBitrate {
        /// Bits per second of all `streams` together.
        bitrate: u64,
        /// The streams that it is about.
        streams: Ssrcs<'a>,
    },
    /// Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc).
    TransportFeedback(TransportFeedback<'a>),
    /// Well-formed, but of a kind that is not understood here.
    Other {
        /// The packet type.
        packet_type: u8,
        /// Count or feedback format, 0–31.
        format: u8,
    },
}

/// Iterates over the packets of the compound packet `compound`.
///
/// Packets that are malformed in themselves are left out; a malformed length ends the iteration.
#[must_use]
pub fn packets(compound: &[u8]) -> Packets<'_> {
    Packets {
        cursor: Cursor::new(compound),
    }
}

/// Iterator made by [`packets`].
#[derive(Clone)]
pub struct Packets<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Iterator for Packets<'a> {
    type Item = RtcpPacket<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let first = self.cursor.u8()?;
            let packet_type = self.cursor.u8()?;
            let len = usize::from(self.cursor.u16()?) * 4;
            if first >> 6 != 2 {
                return None;
            }
            let mut body = self.cursor.take(len)?;
            if first & 0x20 != 0 {
                let padding = usize::from(*body.last()?);
                body = body.get(..len.checked_sub(padding)?)?;
            }
            if let Some(packet) = parse(packet_type, first & 0x1f, Cursor::new(body)) {
                return Some(packet);
            }
        }
    }
}

/// Parses the body of one packet; `format` is the count or feedback format of its first byte.
fn parse(kind: u8, format: u8, mut body: Cursor<'_>) -> Option<RtcpPacket<'_>> {
    Some(match kind {
        packet_type::SENDER_REPORT => RtcpPacket::SenderReport {
            ssrc: body.u32()?,
            info: SenderInfo::parse(&mut body)?,
            reports: ReportBlocks::new(format, body),
        },
        packet_type::RECEIVER_REPORT => RtcpPacket::ReceiverReport {
            ssrc: body.u32()?,
            reports: ReportBlocks::new(format, body),
        },
        packet_type::SOURCE_DESCRIPTION => RtcpPacket::SourceDescription {
            chunks: SdesChunks::new(format, body),
        },
        packet_type::GOODBYE => RtcpPacket::Goodbye {
            sources: Ssrcs::new(usize::from(format), body),
        },
        packet_type::TRANSPORT_FEEDBACK => {
            let _sender = body.u32()?;
            let media_ssrc = body.u32()?;
            match format {
                packet_type::FORMAT_NACK => RtcpPacket::Nack {
                    media_ssrc,
                    lost: LostSequences::new(body),
                },
                packet_type::FORMAT_TRANSPORT_CC => {
                    RtcpPacket::TransportFeedback(TransportFeedback::parse(body)?)
                }
                _ => other(kind, format),
            }
        }
        packet_type::PAYLOAD_FEEDBACK => {
            let _sender = body.u32()?;
            let media_ssrc = body.u32()?;
            match format {
                packet_type::FORMAT_PLI => RtcpPacket::PictureLoss { media_ssrc },
                packet_type::FORMAT_FIR => RtcpPacket::FullIntraRequest {
                    entries: FirEntries::new(body),
                },
                packet_type::FORMAT_APPLICATION => match parse_remb(body) {
                    Some(remb) => remb,
                    None => other(kind, format),
                },
                _ => other(kind, format),
            }
        }
        _ => other(kind, format),
    })
}

fn other(packet_type: u8, format: u8) -> RtcpPacket<'static> {
    RtcpPacket::Other {
        packet_type,
        format,
    }
}

fn parse_remb(mut body: Cursor<'_>) -> Option<RtcpPacket<'_>> {
    if body.take(4)? != REMB_IDENTIFIER {
        return None;
    }
    let count = usize::from(body.u8()?);
    let value = body.u24()?;
    let (exponent, mantissa) = (value >> 18, u64::from(value & 0x3_ffff));
    Some(RtcpPacket::ReceiverEstimatedBitrate {
        // An exponent that shifts bits out says "more than can be counted".
        bitrate: mantissa.saturating_mul(1 << exponent.min(63)),
        streams: Ssrcs::new(count, body),
    })
}
