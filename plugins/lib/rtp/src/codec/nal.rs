//! What packets of H.264 and H.265 hold of NAL units, as far as parameter sets are concerned.

use rivero_codec::{annex_b::without_emulation_prevention, bits::BitReader, h264, h265};

use super::VideoCodec;
use crate::payload::aggregated;

/// The number of a parameter set among those of its kind, and its kind. Sets of a smaller kind are
/// referred to by those of a greater one, so that they go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SetId {
    /// The unit's type.
    pub kind: u8,
    /// `seq_parameter_set_id` and the like.
    pub number: u32,
}

/// Types of units that packets have and bitstreams do not (RFC 6184 table 1, RFC 7798 §4.4).
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const AGGREGATION: u8 = 48;
const FRAGMENTATION: u8 = 49;

/// Kinds of parameter sets, in the order in which they go.
#[must_use]
pub fn set_kinds(codec: VideoCodec) -> &'static [u8] {
    match codec {
        VideoCodec::H264 => &[h264::SEQUENCE_PARAMETER_SET, h264::PICTURE_PARAMETER_SET],
        VideoCodec::H265 => &[
            h265::VIDEO_PARAMETER_SET,
            h265::SEQUENCE_PARAMETER_SET,
            h265::PICTURE_PARAMETER_SET,
        ],
        _ => &[],
    }
}

/// The units that lie whole in a packet.
pub fn whole_units(codec: VideoCodec, payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    let kind = kind_of(codec, payload);
    let (alone, together) = match (codec, kind) {
        (VideoCodec::H264, Some(1..STAP_A)) | (VideoCodec::H265, Some(0..AGGREGATION)) => {
            (Some(payload), &[][..])
        }
        (VideoCodec::H264, Some(STAP_A)) => (None, payload.get(1..).unwrap_or_default()),
        (VideoCodec::H265, Some(AGGREGATION)) => (None, payload.get(2..).unwrap_or_default()),
        _ => (None, &[][..]),
    };
    let together = aggregated(together).map_while(Result::ok);
    alone.into_iter().chain(together)
}

/// A part of a unit, in a packet of its own (RFC 6184 §5.8, RFC 7798 §4.4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The type of the whole unit.
    pub kind: u8,
    /// The unit begins here.
    pub begins: bool,
    /// The unit ends here.
    pub ends: bool,
    /// The header of the unit: one byte of H.264, two of H.265.
    header: [u8; 2],
    header_length: usize,
    /// What follows the header of the unit.
    pub content: &'a [u8],
}

impl Fragment<'_> {
    /// The header of the whole unit.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        self.header.get(..self.header_length).unwrap_or_default()
    }
}

/// The part of a unit that a packet holds, if it holds one.
#[inline]
#[must_use]
pub fn fragment(codec: VideoCodec, payload: &[u8]) -> Option<Fragment<'_>> {
    let (fu, kind, header, header_length, content) = match (codec, payload) {
        (VideoCodec::H264, [indicator, fu, content @ ..]) if indicator & 0x1f == FU_A => {
            let kind = fu & 0x1f;
            (*fu, kind, [indicator & 0xe0 | kind, 0], 1, content)
        }
        (VideoCodec::H265, [first, second, fu, content @ ..])
            if h265::unit_type(*first) == FRAGMENTATION =>
        {
            let kind = fu & 0x3f;
            (*fu, kind, [first & 0x81 | kind << 1, *second], 2, content)
        }
        _ => return None,
    };
    Some(Fragment {
        kind,
        begins: fu & 0x80 != 0,
        ends: fu & 0x40 != 0,
        header,
        header_length,
        content,
    })
}

/// Whether a slice begins in this packet with whose picture a decoder can begin, if it has the
/// parameter sets.
#[inline]
#[must_use]
pub fn begins_random_access(codec: VideoCodec, payload: &[u8]) -> bool {
    let is_one = |kind: u8| match codec {
        VideoCodec::H264 => kind == h264::IDR_SLICE,
        _ => h265::RANDOM_ACCESS.contains(&kind),
    };
    if !matches!(codec, VideoCodec::H264 | VideoCodec::H265) {
        return false;
    }
    match fragment(codec, payload) {
        Some(fragment) => fragment.begins && is_one(fragment.kind),
        None => whole_units(codec, payload).any(|unit| kind_of(codec, unit).is_some_and(is_one)),
    }
}

#[inline]
fn kind_of(codec: VideoCodec, unit: &[u8]) -> Option<u8> {
    let header = *unit.first()?;
    Some(match codec {
        VideoCodec::H264 => h264::unit_type(header),
        _ => h265::unit_type(header),
    })
}

/// Which parameter set a unit is; `None` for one that is none, or cut off.
#[must_use]
pub fn set_id(codec: VideoCodec, unit: &[u8]) -> Option<SetId> {
    let kind = kind_of(codec, unit).filter(|kind| set_kinds(codec).contains(kind))?;
    let header = if codec == VideoCodec::H264 { 1 } else { 2 };
    let plain = without_emulation_prevention(unit.get(header..)?);
    let mut bits = BitReader::new(&plain);
    let number = match (codec, kind) {
        // ITU-T H.264 §7.3.2.1.1: profile, constraints and level go before.
        (VideoCodec::H264, h264::SEQUENCE_PARAMETER_SET) => {
            bits.skip(24)?;
            bits.exp_golomb()?
        }
        (VideoCodec::H265, h265::VIDEO_PARAMETER_SET) => bits.read(4)?,
        (VideoCodec::H265, h265::SEQUENCE_PARAMETER_SET) => h265_sequence_set(&mut bits)?,
        _ => bits.exp_golomb()?,
    };
    Some(SetId { kind, number })
}

/// ITU-T H.265 §7.3.2.2.1 and §7.3.3: the number stands behind the profiles and levels of all layers.
fn h265_sequence_set(bits: &mut BitReader<'_>) -> Option<u32> {
    bits.skip(4)?;
    let layers = bits.read(3)?;
    // Nesting; then the profile of all, and its level.
    bits.skip(1 + 88 + 8)?;
    let mut length = 0;
    for _ in 0..layers {
        length += if bits.flag()? { 88 } else { 0 };
        length += if bits.flag()? { 8 } else { 0 };
    }
    if layers > 0 {
        bits.skip(2 * (8 - usize::try_from(layers).ok()?))?;
    }
    bits.skip(length)?;
    bits.exp_golomb()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(kind: u8, number: u32) -> Option<SetId> {
        Some(SetId { kind, number })
    }

    #[test]
    fn sets_are_told_apart_by_their_numbers() {
        let h264 = |unit: &[u8]| set_id(VideoCodec::H264, unit);
        // Number 0 is the bit 1; number 1 is 010.
        assert_eq!(h264(&[0x67, 0x42, 0xe0, 0x1f, 0x80]), id(7, 0));
        assert_eq!(h264(&[0x67, 0x42, 0xe0, 0x1f, 0x40]), id(7, 1));
        assert_eq!(h264(&[0x68, 0xce]), id(8, 0));
        assert_eq!(h264(&[0x68, 0x4e]), id(8, 1));
        assert_eq!(h264(&[0x65, 0x80]), None, "a slice");
        assert_eq!(h264(&[0x67, 0x42]), None, "cut off");
        let h265 = |unit: &[u8]| set_id(VideoCodec::H265, unit);
        assert_eq!(h265(&[0x40, 1, 0x2c]), id(32, 2));
        let plain = [&[0x42, 1, 0x01][..], &[1; 12], &[0x40]].concat();
        assert_eq!(h265(&plain), id(33, 1));
        // One layer below, with a level of its own: 2 bits for it, 14 to fill up, 8 of the level.
        let layered = [&[0x42, 1, 0x03][..], &[1; 12], &[0x40, 0, 0x5d, 0x60]].concat();
        assert_eq!(h265(&layered), id(33, 2));
        assert_eq!(h265(&[0x44, 1, 0xc0]), id(34, 0));
        assert_eq!(set_id(VideoCodec::Vp8, &[0x67, 1, 2, 3, 4]), None);
    }

    #[test]
    fn pictures_to_begin_with_are_seen_alone_together_and_in_pieces() {
        let begins = |payload: &[u8]| begins_random_access(VideoCodec::H264, payload);
        assert!(begins(&[0x65, 1]) && begins(&[0x7c, 0x85]));
        assert!(begins(&[0x78, 0, 2, 0x67, 1, 0, 2, 0x65, 9]));
        assert!(!begins(&[0x67, 1]) && !begins(&[0x7c, 0x05]) && !begins(&[0x41, 1]));
        assert!(!begins(&[]) && !begins(&[0x78, 0, 9, 0x65]) && !begins(&[0x7c]));
        let begins = |payload: &[u8]| begins_random_access(VideoCodec::H265, payload);
        assert!(begins(&[19 << 1, 1, 0]) && begins(&[49 << 1, 1, 0x80 | 21]));
        assert!(begins(&[48 << 1, 1, 0, 2, 33 << 1, 1, 0, 2, 20 << 1, 1]));
        assert!(!begins(&[33 << 1, 1]) && !begins(&[49 << 1, 1, 21]) && !begins(&[2, 1]));
        assert!(!begins_random_access(VideoCodec::Vp8, &[0x65, 1]));
        let units: Vec<&[u8]> =
            whole_units(VideoCodec::H264, &[0x78, 0, 2, 0x67, 1, 0, 1, 0x68]).collect();
        assert_eq!(units, [&[0x67, 1][..], &[0x68]]);
    }

    #[test]
    fn units_in_pieces_have_the_header_of_the_whole() {
        let first = fragment(VideoCodec::H264, &[0x7c, 0x87, 0x42, 0xe0]).unwrap();
        assert_eq!(
            (first.header(), first.content),
            (&[0x67][..], &[0x42, 0xe0][..])
        );
        assert!(first.begins && !first.ends && first.kind == 7);
        let last = fragment(VideoCodec::H265, &[49 << 1, 1, 0x40 | 33, 9]).unwrap();
        assert_eq!((last.header(), last.content), (&[33 << 1, 1][..], &[9][..]));
        assert!(!last.begins && last.ends && last.kind == 33);
        for payload in [&[0x7c][..], &[0x65, 0x80], &[]] {
            assert_eq!(fragment(VideoCodec::H264, payload), None);
        }
        assert_eq!(fragment(VideoCodec::H265, &[49 << 1, 1]), None);
        assert_eq!(fragment(VideoCodec::Vp8, &[0x7c, 0x87, 1]), None);
    }
}
