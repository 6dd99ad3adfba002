//! The unit of media that crosses module boundaries.

use abi_stable::StableAbi;

use super::{bytes::Bytes, types::MediaKind};

/// A packet of media: an RTP packet, an encoded frame, a raw picture, samples
/// or a data-channel message. Cloning shares the bytes.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Packet {
    /// The whole RTP packet with its header, or the payload of any other packaging.
    pub bytes: Bytes,
    /// What the bytes are; a number that [`format_id`](crate::Host::format_id) gave.
    pub format: u32,
    /// The source pad that pushed it, unique in the process.
    pub origin: u32,
    pub kind: MediaKind,
    /// [`Packet::KEYFRAME`] and the other constants.
    pub flags: u8,
    pub layer: Layer,
    /// Presentation time on the pipeline clock, ns.
    pub presentation_time: i64,
    /// When it entered the server, ns on the pipeline clock.
    pub ingress_time: i64,
    /// Duration in ns, 0 where unknown.
    pub duration: i64,
    /// Valid when the format's packaging is RTP.
    pub rtp: Rtp,
}

impl Packet {
    /// First packet from which a decoder can start. Formats without keyframes
    /// set it on every packet.
    pub const KEYFRAME: u8 = 1;
    /// Something before this packet is missing or was cut out on purpose.
    pub const DISCONTINUITY: u8 = 2;
    /// A data-channel message that is text.
    pub const TEXT: u8 = 4;
    /// Begins a frame of an upper temporal layer with which a consumer of lower ones may go up
    /// to this one.
    pub const LAYER_SYNC: u8 = 8;
    /// Belongs to a frame that no other depends on: it may be left out.
    pub const DISCARDABLE: u8 = 16;
    /// No media but something that happens beside it, such as a digit that is dialled among speech (RFC 4733). It is
    /// pushed in a burst of its own, goes past conversions, and reaches the sinks that accept its format
    /// beside that of the media. It never decides what format a pad has.
    pub const EVENT: u8 = 32;

    pub fn is_keyframe(&self) -> bool {
        self.flags & Self::KEYFRAME != 0
    }

    pub fn is_event(&self) -> bool {
        self.flags & Self::EVENT != 0
    }

    /// The RTP payload; the whole bytes of other packagings.
    pub fn payload(&self) -> &[u8] {
        let start = usize::from(self.rtp.payload_offset);
        let end = self
            .bytes
            .len()
            .saturating_sub(usize::from(self.rtp.padding));
        self.bytes.get(start..end).unwrap_or_default()
    }
}

/// Where a packet stands among the encodings of its source.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    /// Index into the encodings of the source pad (simulcast).
    pub encoding: u8,
    pub spatial: u8,
    pub temporal: u8,
}

/// RTP header fields, parsed once on the way in (RFC 3550, RFC 8285).
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, Default)]
pub struct Rtp {
    pub timestamp: u32,
    pub ssrc: u32,
    pub sequence: u16,
    pub marker: bool,
    pub payload_offset: u16,
    /// Bytes of padding at the end, which are no payload.
    pub padding: u8,
    pub extensions: Extensions,
}

/// The header extensions that mean something beyond one hop.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, Default)]
pub struct Extensions {
    entries: [Extension; 6],
    count: u8,
}

impl Extensions {
    /// Adds one; beyond six they are left out.
    pub fn push(&mut self, extension: Extension) {
        if let Some(entry) = self.entries.get_mut(usize::from(self.count)) {
            *entry = extension;
            self.count += 1;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Extension> {
        self.entries.iter().take(usize::from(self.count))
    }
}

/// One header extension: which, and where its value lies in the packet.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extension {
    /// One of the constants of [`ExtensionKind`].
    pub kind: u8,
    pub length: u8,
    pub offset: u16,
}

/// Extensions by meaning; their numbers on the wire belong to each peer.
pub struct ExtensionKind;

impl ExtensionKind {
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level`, RFC 6464.
    pub const AUDIO_LEVEL: u8 = 1;
    /// `urn:3gpp:video-orientation`.
    pub const VIDEO_ORIENTATION: u8 = 2;
    /// `https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension`.
    pub const DEPENDENCY_DESCRIPTOR: u8 = 3;
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time`.
    pub const ABSOLUTE_CAPTURE_TIME: u8 = 4;
    /// `http://www.webrtc.org/experiments/rtp-hdrext/playout-delay`.
    pub const PLAYOUT_DELAY: u8 = 5;
    /// `http://www.webrtc.org/experiments/rtp-hdrext/color-space`.
    pub const COLOR_SPACE: u8 = 6;
    /// `http://www.webrtc.org/experiments/rtp-hdrext/video-content-type`.
    pub const VIDEO_CONTENT_TYPE: u8 = 7;
}
