//! What was negotiated about what a peer is sent.

use std::{sync::Arc, time::SystemTime};

use rivero_plugin_api::Packet;
use rivero_rtp::{ExtensionMap, HeaderExtension, codec::VideoCodec, ntp};
use smallvec::SmallVec;

use super::{SendBounds, mid::Mid};

/// A format that the peer accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentFormat {
    /// The server's number for it, the same for all peers.
    pub format: u32,
    /// The peer's number for it.
    pub payload_type: u8,
    /// Timestamp units a second.
    pub clock_rate: u32,
    /// `None` for what has no picture numbers that would have to go on.
    pub codec: Option<VideoCodec>,
    /// Of retransmissions in a stream of their own.
    pub rtx_payload_type: Option<u8>,
    /// The peer sends transport-wide feedback.
    pub transport_cc: bool,
}

/// A stream of retransmissions (RFC 4588).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retransmissions {
    /// Its SSRC.
    pub ssrc: u32,
    /// Where it begins: chosen at random below 32768, so that the peer cannot miss the first
    /// roll-over, on which SRTP's packet index depends (RFC 3711 §3.3.1).
    pub sequence: u16,
}

/// What was negotiated about what the peer is sent.
pub struct SenderConfig {
    /// Of the stream.
    pub ssrc: u32,
    /// The canonical name of our end (RFC 3550 §6.5.1), the same for all streams of one.
    pub cname: Arc<str>,
    /// What the peer accepts, in the order of preference.
    pub formats: Vec<SentFormat>,
    /// The server's number for events beside the media, where the peer takes them.
    pub events: Option<u32>,
    /// Header extensions under the peer's ids.
    pub extensions: ExtensionMap,
    /// Where the stream begins, chosen at random; below 32768, as [`Retransmissions::sequence`].
    pub sequence: u16,
    /// Where its timestamps begin, chosen at random (RFC 3550 §5.1).
    pub timestamp: u32,
    /// The wall clock at pipeline time 0, the same for all streams of the process: a receiver plays
    /// sound and pictures together by it.
    pub epoch: SystemTime,
    /// Retransmissions have a stream of their own.
    pub retransmissions: Option<Retransmissions>,
    /// Bounds of what the source is asked for.
    pub bounds: SendBounds,
    /// Bit/s that the peer's description takes at most.
    pub described_limit: Option<u64>,
}

/// Formats that one kind of media has, but for peers that offer very many: they lie in the sender then,
/// so that a packet needs no further line of cache.
const USUAL_FORMATS: usize = 4;

/// The part of a negotiation that every packet is written by.
pub(super) struct Negotiated {
    /// It lets us send.
    pub(super) enabled: bool,
    pub(super) formats: SmallVec<[SentFormat; USUAL_FORMATS]>,
    pub(super) extensions: ExtensionMap,
    /// The extension for the time of sending.
    pub(super) send_time_id: Option<u8>,
    /// The extension for transport-wide sequence numbers, where the peer reports about them.
    pub(super) transport_id: Option<u8>,
    /// The peer takes dependency descriptors.
    pub(super) takes_descriptors: bool,
    /// The format of events that are taken beside the media.
    pub(super) events: Option<u32>,
    /// The name of the section, for peers that want it with packets.
    pub(super) mid: Option<Mid>,
}

impl Negotiated {
    pub(super) fn new(formats: &[SentFormat], extensions: ExtensionMap) -> Self {
        let transport_id = extensions.id(HeaderExtension::TransportSequence);
        let is_reported = formats.iter().any(|format| format.transport_cc);
        Self {
            enabled: true,
            formats: SmallVec::from_slice(formats),
            send_time_id: extensions.id(HeaderExtension::AbsSendTime),
            takes_descriptors: extensions
                .id(HeaderExtension::DependencyDescriptor)
                .is_some(),
            extensions,
            transport_id: transport_id.filter(|_| is_reported),
            events: None,
            mid: None,
        }
    }

    /// The peer's description names the section so.
    pub(super) fn set_mid(&mut self, mid: &str) {
        let id = self.extensions.id(HeaderExtension::Mid);
        self.mid = id.and_then(|id| Mid::new(id, mid));
    }

    /// Whether packets are written in another way than by `other`.
    pub(super) fn writes_otherwise(&self, other: &Self) -> bool {
        let mids = self.mid.as_ref().zip(other.mid.as_ref());
        let same_mid = mids.map_or(self.mid.is_none() && other.mid.is_none(), |(one, two)| {
            one.is_written_as(two)
        });
        self.formats != other.formats || self.extensions != other.extensions || !same_mid
    }

    /// As what a packet is sent, if it may be.
    #[inline]
    pub(super) fn format_of(&self, packet: &Packet) -> Option<SentFormat> {
        let of_packet = |format: &&SentFormat| self.enabled && format.format == packet.format;
        self.formats.iter().find(of_packet).copied()
    }
}

/// The wall clock at pipeline time 0. Fixed, and not read anew: a packet that is sent again under its
/// number must be the same to the bit, the time of sending in it included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epoch {
    pub(super) wall: SystemTime,
    /// The same in ns since 1900, which is cheaper to reckon with.
    pub(super) nanoseconds: u64,
}

impl Epoch {
    pub(super) fn new(wall: SystemTime) -> Self {
        Self {
            wall,
            nanoseconds: ntp::nanoseconds(wall),
        }
    }
}
