//! RTP header extensions (RFC 8285): reading, writing, and the ones a forwarder knows by name.

use smallvec::SmallVec;

use crate::cursor::Cursor;

/// `profile` of the one-byte form. RFC 8285 §4.2.
const ONE_BYTE_PROFILE: u16 = 0xbede;
/// `profile` of the two-byte form without application bits. RFC 8285 §4.3.
const TWO_BYTE_PROFILE: u16 = 0x1000;
/// Elements that one packet of ours may carry, in bytes with their headers.
const MAX_BLOCK_LEN: usize = 512;
/// As many as nearly all packets carry.
const USUAL_BLOCK_LEN: usize = 64;

/// Iterates `(id, data)` over the elements of a header extension.
///
/// A malformed rest ends the iteration; an unknown profile has no elements.
#[derive(Clone)]
pub struct ExtensionElements<'a> {
    cursor: Cursor<'a>,
    two_byte: bool,
}

impl<'a> ExtensionElements<'a> {
    /// `bytes` are the extension's content after `profile` and length.
    #[must_use]
    pub fn new(profile: u16, bytes: &'a [u8]) -> Self {
        let two_byte = profile & 0xfff0 == TWO_BYTE_PROFILE;
        let known = two_byte || profile == ONE_BYTE_PROFILE;
        Self {
            cursor: Cursor::new(if known { bytes } else { &[] }),
            two_byte,
        }
    }
}

impl<'a> Iterator for ExtensionElements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let first = self.cursor.u8()?;
            let (id, len) = if self.two_byte {
                if first == 0 {
                    continue;
                }
                (first, usize::from(self.cursor.u8()?))
            } else {
                match first >> 4 {
                    0 => continue,
                    // RFC 8285 §4.2: id 15 ends processing of the whole extension.
                    15 => {
                        self.cursor = Cursor::new(&[]);
                        return None;
                    }
                    id => (id, usize::from(first & 0x0f) + 1),
                }
            };
            return Some((id, self.cursor.take(len)?));
        }
    }
}

/// The extension elements of a packet to be sent. Those of nearly all packets fit into the block
/// itself, so that it can be made on the stack for each packet.
#[derive(Debug, Clone, Default)]
pub struct ExtensionBlock {
    /// `id, length, data…` per element.
    elements: SmallVec<[u8; USUAL_BLOCK_LEN]>,
    needs_two_byte: bool,
    count: usize,
}

impl ExtensionBlock {
    /// Removes all elements and keeps the memory.
    pub fn clear(&mut self) {
        self.elements.clear();
        self.needs_two_byte = false;
        self.count = 0;
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Appends an element of at most 255 bytes under `id` (1–255 except 15).
    ///
    /// Returns false, and leaves the block alone, for an id or a length that has no encoding or
    /// when the block is full. The two-byte form is chosen as soon as one element needs it.
    #[inline]
    pub fn push(&mut self, id: u8, data: &[u8]) -> bool {
        self.push_parts(id, &[], data)
    }

    /// The same for an element that lies in two places.
    #[inline]
    pub fn push_parts(&mut self, id: u8, front: &[u8], rest: &[u8]) -> bool {
        let length = front.len() + rest.len();
        let Ok(len) = u8::try_from(length) else {
            return false;
        };
        if id == 0 || id == 15 || self.elements.len() + length + 2 > MAX_BLOCK_LEN {
            return false;
        }
        self.needs_two_byte |= id > 14 || !(1..=16).contains(&len);
        self.elements.extend_from_slice(&[id, len]);
        self.elements.extend_from_slice(front);
        self.elements.extend_from_slice(rest);
        self.count += 1;
        true
    }

    fn content_len(&self) -> usize {
        let saved = if self.needs_two_byte { 0 } else { self.count };
        self.elements.len() - saved
    }

    /// Bytes that [`Self::write_to`] appends, a multiple of four.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        4 + self.content_len().next_multiple_of(4)
    }

    /// Appends the extension with its preamble and padding; nothing when empty.
    #[inline]
    pub fn write_to(&self, out: &mut Vec<u8>) {
        if self.is_empty() {
            return;
        }
        let profile = if self.needs_two_byte {
            TWO_BYTE_PROFILE
        } else {
            ONE_BYTE_PROFILE
        };
        let padded = self.content_len().next_multiple_of(4);
        let words = u16::try_from(padded / 4).unwrap_or(0);
        let end = out.len() + 4 + padded;
        out.extend_from_slice(&profile.to_be_bytes());
        out.extend_from_slice(&words.to_be_bytes());
        let mut cursor = Cursor::new(&self.elements);
        while let (Some(id), Some(len)) = (cursor.u8(), cursor.u8()) {
            let data = cursor.take(usize::from(len)).unwrap_or(&[]);
            if self.needs_two_byte {
                out.extend_from_slice(&[id, len]);
            } else {
                out.push(id << 4 | len.wrapping_sub(1) & 0x0f);
            }
            out.extend_from_slice(data);
        }
        out.resize(end, 0);
    }
}

/// Header extensions that have a meaning for a forwarder, by the URI of their `a=extmap` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeaderExtension {
    /// 24-bit sender time in 6.18 fixed point seconds.
    AbsSendTime,
    /// Transport-wide sequence number, 16 bits.
    TransportSequence,
    /// Client-to-mixer audio level (RFC 6464).
    AudioLevel,
    /// `a=mid` of the stream (RFC 8843 §15).
    Mid,
    /// RTP stream id of a simulcast layer (RFC 8852).
    RtpStreamId,
    /// The stream that a repair stream repairs (RFC 8852).
    RepairedRtpStreamId,
    /// Rotation of the picture (3GPP TS 26.114).
    VideoOrientation,
    /// Playout delay limits, two 12-bit values in 10 ms.
    PlayoutDelay,
    /// Camera or screen.
    VideoContentType,
    /// Capture and encode times.
    VideoTiming,
    /// Absolute capture time.
    AbsCaptureTime,
    /// Colour space and HDR metadata.
    ColorSpace,
    /// Frame dependencies of scalable streams (AV1 RTP payload specification, appendix A).
    DependencyDescriptor,
    /// Target bitrates of all layers.
    VideoLayersAllocation,
}

impl HeaderExtension {
    const URIS: [(Self, &'static str); 14] = [
        (
            Self::AbsSendTime,
            "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        ),
        (
            Self::TransportSequence,
            "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        ),
        (
            Self::AudioLevel,
            "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        ),
        (Self::Mid, "urn:ietf:params:rtp-hdrext:sdes:mid"),
        (
            Self::RtpStreamId,
            "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
        ),
        (
            Self::RepairedRtpStreamId,
            "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
        ),
        (Self::VideoOrientation, "urn:3gpp:video-orientation"),
        (
            Self::PlayoutDelay,
            "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
        ),
        (
            Self::VideoContentType,
            "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type",
        ),
        (
            Self::VideoTiming,
            "http://www.webrtc.org/experiments/rtp-hdrext/video-timing",
        ),
        (
            Self::AbsCaptureTime,
            "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
        ),
        (
            Self::ColorSpace,
            "http://www.webrtc.org/experiments/rtp-hdrext/color-space",
        ),
        (
            Self::DependencyDescriptor,
            "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
        ),
        (
            Self::VideoLayersAllocation,
            "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00",
        ),
    ];

    /// The extension that an `a=extmap` URI names, if it is one of these.
    #[must_use]
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::URIS
            .iter()
            .find(|(_, known)| *known == uri)
            .map(|(extension, _)| *extension)
    }

    /// The URI for an `a=extmap` line.
    #[must_use]
    pub fn uri(self) -> &'static str {
        Self::URIS
            .iter()
            .find(|(extension, _)| *extension == self)
            .map_or("", |(_, uri)| uri)
    }

    /// Whether the value describes the media, so that it stays true on the way from one sender to
    /// many receivers. The others belong to one transport or one negotiation.
    #[must_use]
    pub fn is_forwarded(self) -> bool {
        matches!(
            self,
            Self::AudioLevel
                | Self::VideoOrientation
                | Self::PlayoutDelay
                | Self::VideoContentType
                | Self::VideoTiming
                | Self::AbsCaptureTime
                | Self::ColorSpace
                | Self::DependencyDescriptor
        )
    }
}

/// The numbers that one negotiation gave to header extensions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtensionMap {
    ids: Vec<(u8, HeaderExtension)>,
}

impl ExtensionMap {
    /// Maps `id` (1–255 except 15) to `extension`, replacing older entries of either.
    pub fn insert(&mut self, id: u8, extension: HeaderExtension) {
        self.ids
            .retain(|&(known, kind)| known != id && kind != extension);
        if id != 0 && id != 15 {
            self.ids.push((id, extension));
        }
    }

    /// What `id` stands for.
    #[must_use]
    pub fn extension(&self, id: u8) -> Option<HeaderExtension> {
        self.ids.iter().find(|(i, _)| *i == id).map(|(_, e)| *e)
    }

    /// The number of `extension`, if it was negotiated.
    #[must_use]
    pub fn id(&self, extension: HeaderExtension) -> Option<u8> {
        self.ids
            .iter()
            .find(|(_, e)| *e == extension)
            .map(|(i, _)| *i)
    }

    /// The data of `extension` among `elements`.
    #[must_use]
    pub fn find<'a>(
        &self,
        extension: HeaderExtension,
        mut elements: ExtensionElements<'a>,
    ) -> Option<&'a [u8]> {
        let id = self.id(extension)?;
        elements.find(|(i, _)| *i == id).map(|(_, data)| data)
    }

    /// Puts into `out` those `elements` (numbered by this map) that describe the media and that
    /// the receiver behind `target` negotiated too, under the receiver's numbers.
    pub fn translate(
        &self,
        elements: ExtensionElements<'_>,
        target: &ExtensionMap,
        out: &mut ExtensionBlock,
    ) {
        for (id, data) in elements {
            let forwarded = self.extension(id).filter(|e| e.is_forwarded());
            if let Some(target_id) = forwarded.and_then(|e| target.id(e)) {
                out.push(target_id, data);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(block: &ExtensionBlock) -> Vec<(u8, Vec<u8>)> {
        let mut out = Vec::new();
        block.write_to(&mut out);
        assert_eq!(out.len(), block.encoded_len());
        let profile = u16::from_be_bytes([out[0], out[1]]);
        ExtensionElements::new(profile, &out[4..])
            .map(|(id, data)| (id, data.to_vec()))
            .collect()
    }

    #[test]
    fn small_elements_use_the_one_byte_form() {
        let mut block = ExtensionBlock::default();
        assert!(block.push_parts(1, &[7; 3], &[7; 13]));
        assert!(block.push(14, &[1]));
        let mut out = Vec::new();
        block.write_to(&mut out);
        assert_eq!(out[..2], [0xbe, 0xde]);
        assert_eq!(round_trip(&block), [(1, vec![7; 16]), (14, vec![1])]);
    }

    #[test]
    fn long_empty_or_high_elements_use_the_two_byte_form() {
        let mut block = ExtensionBlock::default();
        block.push(2, &[]);
        block.push(200, &[5; 100]);
        let mut out = Vec::new();
        block.write_to(&mut out);
        assert_eq!(out[..2], [0x10, 0x00]);
        assert_eq!(round_trip(&block), [(2, vec![]), (200, vec![5; 100])]);
    }

    #[test]
    fn refuses_what_has_no_encoding() {
        let mut block = ExtensionBlock::default();
        assert!(!block.push(0, &[1]));
        assert!(!block.push(15, &[1]));
        assert!(!block.push(1, &[0; 256]));
        assert!(block.push(1, &[0; 255]));
        assert!(!block.push(2, &[0; 255]), "the block is bounded");
        block.clear();
        assert_eq!(block.encoded_len(), 0);
    }

    #[test]
    fn id_fifteen_and_truncation_end_the_one_byte_form() {
        let elements: Vec<_> = ExtensionElements::new(0xbede, &[0x10, 1, 0xf0, 0x20, 2]).collect();
        assert_eq!(elements, [(1, &[1u8][..])]);
        assert_eq!(ExtensionElements::new(0xbede, &[0x13, 1]).count(), 0);
        assert_eq!(ExtensionElements::new(0x1234, &[0x10, 1]).count(), 0);
    }

    #[test]
    fn translation_renumbers_media_extensions_and_drops_transport_ones() {
        let mut source = ExtensionMap::default();
        source.insert(1, HeaderExtension::AudioLevel);
        source.insert(2, HeaderExtension::AbsSendTime);
        source.insert(3, HeaderExtension::VideoOrientation);
        let mut viewer = ExtensionMap::default();
        viewer.insert(9, HeaderExtension::AudioLevel);
        viewer.insert(4, HeaderExtension::AbsSendTime);

        let bytes = [0x10, 0x55, 0x22, 1, 2, 3, 0x30, 1];
        let mut out = ExtensionBlock::default();
        source.translate(ExtensionElements::new(0xbede, &bytes), &viewer, &mut out);
        assert_eq!(round_trip(&out), [(9, vec![0x55])]);
    }

    #[test]
    fn uris_map_both_ways() {
        for (extension, uri) in HeaderExtension::URIS {
            assert_eq!(HeaderExtension::from_uri(uri), Some(extension));
            assert_eq!(extension.uri(), uri);
        }
        assert_eq!(HeaderExtension::from_uri("urn:nothing"), None);
    }
}
