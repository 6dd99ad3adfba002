//! The unit of media that crosses module boundaries.

use abi_stable::StableAbi;

use super::{
    bytes::Bytes,
    details::{Details, Metadata},
    types::MediaKind,
};

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
    /// How loud it is, as far as somebody said so.
    pub audio_level: AudioLevel,
    /// Presentation time on the pipeline clock, ns.
    pub presentation_time: i64,
    /// When it entered the server, ns on the pipeline clock.
    pub ingress_time: i64,
    /// Duration in ns, 0 where unknown.
    pub duration: i64,
    /// What few packets have: times of decoding and of capture, metadata. Shared by all clones.
    pub details: Details,
    /// Valid when the format's packaging is RTP.
    pub rtp: Rtp,
    /// For later versions of the ABI: 0.
    pub reserved: u32,
}

/// To begin with: without bytes, format and times, of kind [`MediaKind::Data`]. What makes packets names the
/// fields that it knows and takes the others from here, so that it need not change when fields are added.
impl Default for Packet {
    fn default() -> Self {
        Self {
            bytes: Bytes::default(),
            format: 0,
            origin: 0,
            kind: MediaKind::Data,
            flags: 0,
            layer: Layer::default(),
            audio_level: AudioLevel::UNKNOWN,
            presentation_time: 0,
            ingress_time: 0,
            duration: 0,
            details: Details::NONE,
            rtp: Rtp::default(),
            reserved: 0,
        }
    }
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

    /// When it is to be decoded, ns on the pipeline clock: as it is presented, unless it has a time of its own
    /// for that, as pictures have which others between them refer to.
    pub fn decode_time(&self) -> i64 {
        self.details.decode_time().unwrap_or(self.presentation_time)
    }

    /// Gives it a time of decoding of its own, ns on the pipeline clock.
    pub fn set_decode_time(&mut self, time: i64) {
        self.details = self.details.with_decode_time(time);
    }

    /// When a camera or a microphone took it, ns on the pipeline clock, where that is known.
    pub fn capture_time(&self) -> Option<i64> {
        self.details.capture_time()
    }

    /// Says when a camera or a microphone took it, ns on the pipeline clock.
    pub fn set_capture_time(&mut self, time: i64) {
        self.details = self.details.with_capture_time(time);
    }

    /// What somebody on the way has noted about it under this key.
    pub fn metadata(&self, key: &str) -> Option<&[u8]> {
        self.details.metadata(key)
    }

    /// Notes something about it: whoever gets it, or what it is converted to, can read that. Replaces what
    /// was there under this key. Clones that were made before do not have it.
    ///
    /// # Errors
    /// [`Metadata`] when the key or all of it would be too long, or there is no room for another key; then
    /// nothing is changed.
    pub fn set_metadata(&mut self, key: &str, value: &[u8]) -> Result<(), Metadata> {
        self.details = self.details.with_metadata(key, value)?;
        Ok(())
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

/// How loud the sound of a packet is (RFC 6464).
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AudioLevel {
    /// 1 where the level is known.
    known: u8,
    /// Bit 7: it has a voice; below it the level, −dBov.
    value: u8,
}

impl AudioLevel {
    /// Nobody said how loud it is.
    pub const UNKNOWN: Self = Self { known: 0, value: 0 };

    /// Of the one byte of the header extension: the V bit, and the level in −dBov, 0 being loudest.
    pub const fn from_byte(value: u8) -> Self {
        Self { known: 1, value }
    }

    /// The byte of the header extension, where the level is known.
    pub const fn byte(self) -> Option<u8> {
        if self.known == 0 {
            None
        } else {
            Some(self.value)
        }
    }

    /// From 0 for the loudest to −127 for silence, dBov.
    pub fn decibels(self) -> Option<i8> {
        let level = i8::try_from(self.byte()? & 0x7f).ok()?;
        Some(-level)
    }

    /// Whether the sender takes it for speech.
    pub fn is_voice(self) -> Option<bool> {
        Some(self.byte()? & 0x80 != 0)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Two lines of a cache: whoever lets it grow slows down all that is switched.
    #[test]
    fn a_packet_has_128_bytes() {
        assert_eq!(size_of::<Packet>(), 128);
    }

    #[test]
    fn levels_are_as_rfc_6464_has_them() {
        let level = AudioLevel::from_byte(0x80 | 30);
        assert_eq!(
            (level.decibels(), level.is_voice()),
            (Some(-30), Some(true))
        );
        let silence = AudioLevel::from_byte(127);
        assert_eq!(
            (silence.decibels(), silence.is_voice()),
            (Some(-127), Some(false))
        );
        assert_eq!(AudioLevel::UNKNOWN.decibels(), None);
        assert_eq!(AudioLevel::default(), AudioLevel::UNKNOWN);
    }

    #[test]
    fn a_packet_is_decoded_when_it_is_presented_unless_it_says_otherwise() {
        let mut packet = Packet {
            presentation_time: 80,
            ..Packet::default()
        };
        assert_eq!(packet.decode_time(), 80);
        packet.set_decode_time(40);
        packet.set_capture_time(-7);
        assert_eq!(
            (packet.decode_time(), packet.capture_time()),
            (40, Some(-7))
        );
    }
}
