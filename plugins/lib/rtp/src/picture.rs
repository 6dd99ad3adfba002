//! Picture numbers of one continuous outgoing stream (RFC 7741 §4.2, RFC 9628 §4.2).
//!
//! Decoders order VP8 and VP9 frames by the picture id, and tell by the number of the last base
//! layer frame whether one is missing. Both have to go on where the source changes, and picture
//! ids have to close up where frames of upper temporal layers are left out.

use std::collections::VecDeque;

use crate::{codec::VideoCodec, sequence::SequenceExtender};

/// Bytes at the front of a payload that may be replaced.
pub const MAX_FRONT: usize = 8;
/// Left-out pictures that late packets are placed by.
const REMEMBERED_SKIPS: usize = 1024;

/// Where a payload descriptor has its numbers.
#[derive(Debug, Clone, Copy, Default)]
struct Fields {
    picture: Option<Picture>,
    /// Offset and value of TL0PICIDX.
    base_index: Option<(usize, u8)>,
}

#[derive(Debug, Clone, Copy)]
struct Picture {
    offset: usize,
    /// 15 bits rather than 7.
    wide: bool,
    id: u16,
}

impl Picture {
    #[inline]
    fn at(payload: &[u8], offset: usize) -> Option<Self> {
        let first = *payload.get(offset)?;
        let wide = first & 0x80 != 0;
        let id = if wide {
            u16::from(first & 0x7f) << 8 | u16::from(*payload.get(offset + 1)?)
        } else {
            u16::from(first)
        };
        Some(Self { offset, wide, id })
    }

    fn len(self) -> usize {
        1 + usize::from(self.wide)
    }
}

impl Fields {
    #[inline]
    fn of(codec: VideoCodec, payload: &[u8]) -> Option<Self> {
        match codec {
            VideoCodec::Vp8 => Self::of_vp8(payload),
            VideoCodec::Vp9 => Self::of_vp9(payload),
            _ => None,
        }
    }

    #[inline]
    fn of_vp8(payload: &[u8]) -> Option<Self> {
        let [first, flags, ..] = *payload else {
            return None;
        };
        if first & 0x80 == 0 {
            return Some(Self::default());
        }
        let picture = match flags & 0x80 {
            0 => None,
            _ => Some(Picture::at(payload, 2)?),
        };
        let offset = 2 + picture.map_or(0, Picture::len);
        let base_index = match flags & 0x40 {
            0 => None,
            _ => Some((offset, *payload.get(offset)?)),
        };
        Some(Self {
            picture,
            base_index,
        })
    }

    #[inline]
    fn of_vp9(payload: &[u8]) -> Option<Self> {
        let flags = *payload.first()?;
        let picture = match flags & 0x80 {
            0 => None,
            _ => Some(Picture::at(payload, 1)?),
        };
        // The layers' byte is followed by the index, but for flexible mode.
        let offset = 2 + picture.map_or(0, Picture::len);
        let base_index = match flags & 0x30 {
            0x20 => Some((offset, *payload.get(offset)?)),
            _ => None,
        };
        Some(Self {
            picture,
            base_index,
        })
    }
}

/// Rewrites picture ids and base layer indices so that a decoder sees one stream.
#[derive(Debug, Clone, Default)]
pub struct PictureNumbers {
    source: Option<u64>,
    /// Whether the present source has ids of 15 bits.
    wide: Option<bool>,
    input: SequenceExtender,
    /// Outgoing id minus incoming, for pictures newer than all before.
    offset: u16,
    base_offset: u8,
    /// Pictures that were left out, oldest first.
    skips: VecDeque<u64>,
    /// The newest outgoing numbers.
    latest: Option<u16>,
    latest_base: Option<u8>,
    begins: bool,
}

impl PictureNumbers {
    /// Rewrites the descriptor at the front of `payload`, which comes from `source` (any name of
    /// it that stays the same). The first *n* bytes are to be replaced by those of `front`, 0 when
    /// nothing changes. `None` for a packet of a picture that has no number: it was left out
    /// before, or is too old to tell.
    #[inline]
    pub fn rewrite(
        &mut self,
        source: u64,
        codec: VideoCodec,
        payload: &[u8],
        front: &mut [u8; MAX_FRONT],
    ) -> Option<usize> {
        let Some(fields) = Fields::of(codec, payload) else {
            return Some(0);
        };
        if self.source != Some(source) {
            self.switch(source);
        }
        if std::mem::take(&mut self.begins) {
            self.begin(fields);
        }
        if let Some(number) = self.number(fields.picture) {
            let is_newest = self.input.highest().is_none_or(|highest| number > highest);
            if is_newest {
                self.input.extend(shifted(fields.picture));
                self.latest = fields.picture.map(|p| p.id.wrapping_add(self.offset));
                self.latest_base = fields
                    .base_index
                    .map(|b| b.1.wrapping_add(self.base_offset));
            }
        }
        self.replace(fields, payload, front)
    }

    /// The same for a packet that is sent again, of the present source.
    pub fn rewrite_again(
        &self,
        codec: VideoCodec,
        payload: &[u8],
        front: &mut [u8; MAX_FRONT],
    ) -> Option<usize> {
        match Fields::of(codec, payload) {
            Some(fields) => self.replace(fields, payload, front),
            None => Some(0),
        }
    }

    /// A packet of the present source is left out on purpose. If it is the first one of its
    /// picture, later pictures move up.
    pub fn skipped(&mut self, source: u64, codec: VideoCodec, payload: &[u8]) {
        let fields = Fields::of(codec, payload);
        let (Some(fields), true) = (fields, self.source == Some(source) && !self.begins) else {
            return;
        };
        let Some(number) = self.number(fields.picture) else {
            return;
        };
        if self
            .input
            .highest()
            .is_some_and(|highest| number <= highest)
        {
            return;
        }
        self.input.extend(shifted(fields.picture));
        self.offset = self.offset.wrapping_sub(1);
        if self.skips.len() >= REMEMBERED_SKIPS {
            self.skips.pop_front();
        }
        self.skips.push_back(number);
    }

    /// Whatever comes next is a new source.
    pub fn forget_source(&mut self) {
        self.source = None;
    }

    fn switch(&mut self, source: u64) {
        self.source = Some(source);
        self.begins = true;
        self.input = SequenceExtender::default();
        self.skips.clear();
    }

    /// The first packet of a source: its numbers follow the latest ones.
    fn begin(&mut self, fields: Fields) {
        self.wide = fields.picture.map(|picture| picture.wide);
        if let (Some(latest), Some(picture)) = (self.latest, fields.picture) {
            self.offset = latest.wrapping_add(1).wrapping_sub(picture.id);
        }
        if let (Some(latest), Some((_, index))) = (self.latest_base, fields.base_index) {
            self.base_offset = latest.wrapping_add(1).wrapping_sub(index);
        }
    }

    /// The extended number of a picture; `None` for one without, or of another width than the
    /// first one had.
    #[inline]
    fn number(&self, picture: Option<Picture>) -> Option<u64> {
        let wide = picture?.wide;
        (self.wide == Some(wide)).then(|| self.input.peek(shifted(picture)))
    }

    #[inline]
    fn replace(
        &self,
        fields: Fields,
        payload: &[u8],
        front: &mut [u8; MAX_FRONT],
    ) -> Option<usize> {
        if self.offset == 0 && self.base_offset == 0 && self.skips.is_empty() {
            return Some(0);
        }
        let length = payload.len().min(MAX_FRONT);
        let (copied, original) = (front.get_mut(..length)?, payload.get(..length)?);
        copied.copy_from_slice(original);
        if let (Some(number), Some(picture)) = (self.number(fields.picture), fields.picture) {
            let id = picture.id.wrapping_add(self.offset_of(number)?);
            let [high, low] = id.to_be_bytes();
            if picture.wide {
                *front.get_mut(picture.offset)? = 0x80 | high;
                *front.get_mut(picture.offset + 1)? = low;
            } else {
                *front.get_mut(picture.offset)? = low & 0x7f;
            }
        }
        if let Some((offset, index)) = fields.base_index {
            *front.get_mut(offset)? = index.wrapping_add(self.base_offset);
        }
        Some(length)
    }

    /// The offset that was valid when the picture was due.
    fn offset_of(&self, number: u64) -> Option<u16> {
        if self.skips.back().is_none_or(|newest| number > *newest) {
            return Some(self.offset);
        }
        let forgotten = self.skips.len() == REMEMBERED_SKIPS
            && self.skips.front().is_some_and(|oldest| number < *oldest);
        let newer = self.skips.iter().rev().take_while(|skip| **skip > number);
        let count = u16::try_from(newer.count()).ok()?;
        (!forgotten && !self.skips.contains(&number)).then(|| self.offset.wrapping_add(count))
    }
}

/// A picture id in the upper bits, so that all 16 wrap when it does.
fn shifted(picture: Option<Picture>) -> u16 {
    picture.map_or(0, |picture| {
        if picture.wide {
            picture.id << 1
        } else {
            picture.id << 9
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vp8(picture: u16, base: u8) -> [u8; 7] {
        let [high, low] = picture.to_be_bytes();
        [0x90, 0xe0, 0x80 | high, low, base, 0x20, 0xaa]
    }

    fn sent(numbers: &mut PictureNumbers, source: u64, payload: &[u8]) -> Option<(u16, u8)> {
        let mut front = [0; MAX_FRONT];
        let replaced = numbers.rewrite(source, VideoCodec::Vp8, payload, &mut front)?;
        Some(read(payload, &front, replaced))
    }

    fn read(payload: &[u8], front: &[u8], replaced: usize) -> (u16, u8) {
        let bytes = [&front[..replaced], &payload[replaced..]].concat();
        assert_eq!(bytes.last(), Some(&0xaa), "only the numbers change");
        let fields = Fields::of(VideoCodec::Vp8, &bytes).unwrap();
        (fields.picture.unwrap().id, fields.base_index.unwrap().1)
    }

    #[test]
    fn pictures_left_out_long_ago_do_not_count_for_a_source_that_comes_back() {
        let mut numbers = PictureNumbers::default();
        sent(&mut numbers, 1, &vp8(0, 0));
        for picture in 1..=1024 {
            numbers.skipped(1, VideoCodec::Vp8, &vp8(picture, 0));
        }
        assert_eq!(sent(&mut numbers, 1, &vp8(1025, 1)), Some((1, 1)));
        let back = vp8(1025 + 20_000, 9);
        assert_eq!(sent(&mut numbers.clone(), 1, &back), None, "seems old");
        numbers.forget_source();
        assert_eq!(sent(&mut numbers, 1, &back), Some((2, 2)));
    }

    #[test]
    fn a_switch_goes_on_with_the_next_numbers() {
        let mut numbers = PictureNumbers::default();
        assert_eq!(
            sent(&mut numbers, 1, &vp8(0x7ffe, 254)),
            Some((0x7ffe, 254))
        );
        assert_eq!(
            sent(&mut numbers, 1, &vp8(0x7fff, 255)),
            Some((0x7fff, 255))
        );
        assert_eq!(sent(&mut numbers, 2, &vp8(500, 7)), Some((0, 0)));
        assert_eq!(sent(&mut numbers, 2, &vp8(501, 8)), Some((1, 1)));
        assert_eq!(
            sent(&mut numbers, 2, &vp8(499, 6)),
            Some((0x7fff, 255)),
            "late"
        );
        assert_eq!(sent(&mut numbers, 1, &vp8(3, 3)), Some((2, 2)));
    }

    #[test]
    fn left_out_pictures_are_closed_up_also_for_late_packets() {
        let mut numbers = PictureNumbers::default();
        let skip = |numbers: &mut PictureNumbers, picture| {
            numbers.skipped(1, VideoCodec::Vp8, &vp8(picture, 0));
        };
        assert_eq!(sent(&mut numbers, 1, &vp8(10, 0)), Some((10, 0)));
        skip(&mut numbers, 11);
        skip(&mut numbers, 11);
        assert_eq!(sent(&mut numbers, 1, &vp8(12, 1)), Some((11, 1)));
        skip(&mut numbers, 12);
        assert_eq!(sent(&mut numbers, 1, &vp8(13, 1)), Some((12, 1)));
        assert_eq!(sent(&mut numbers, 1, &vp8(12, 1)), Some((11, 1)));
        assert_eq!(sent(&mut numbers, 1, &vp8(10, 0)), Some((10, 0)));
        assert_eq!(sent(&mut numbers, 1, &vp8(11, 0)), None, "was left out");
        let mut front = [0; MAX_FRONT];
        let again = vp8(12, 1);
        let replaced = numbers.rewrite_again(VideoCodec::Vp8, &again, &mut front);
        assert_eq!(read(&again, &front, replaced.unwrap()), (11, 1));
    }

    #[test]
    fn vp9_and_narrow_ids_keep_their_form() {
        let mut numbers = PictureNumbers::default();
        let mut front = [0; MAX_FRONT];
        let narrow = |id: u8| [0xa8, id, 0x00, 9, 0xaa];
        assert_eq!(
            numbers.rewrite(1, VideoCodec::Vp9, &narrow(127), &mut front),
            Some(0)
        );
        let replaced = numbers.rewrite(2, VideoCodec::Vp9, &narrow(50), &mut front);
        assert_eq!(replaced, Some(5));
        assert_eq!(front[..5], [0xa8, 0, 0x00, 10, 0xaa]);
    }

    #[test]
    fn short_payloads_and_other_codecs_are_left_alone() {
        let mut numbers = PictureNumbers::default();
        let mut front = [0; MAX_FRONT];
        for payload in [&[][..], &[0x90], &[0x90, 0xf0], &[0x90, 0xf0, 0x80]] {
            assert_eq!(
                numbers.rewrite(1, VideoCodec::Vp8, payload, &mut front),
                Some(0)
            );
            assert_eq!(
                numbers.rewrite(1, VideoCodec::Vp9, payload, &mut front),
                Some(0)
            );
        }
        assert_eq!(
            numbers.rewrite(1, VideoCodec::H264, &[1, 2, 3], &mut front),
            Some(0)
        );
    }

    #[test]
    fn many_skips_take_bounded_memory() {
        let mut numbers = PictureNumbers::default();
        assert!(sent(&mut numbers, 1, &vp8(0, 0)).is_some());
        for picture in 1..30_000u16 {
            if picture % 4 == 0 {
                let expected = picture / 4;
                assert_eq!(sent(&mut numbers, 1, &vp8(picture, 0)), Some((expected, 0)));
            } else {
                numbers.skipped(1, VideoCodec::Vp8, &vp8(picture, 0));
            }
        }
        assert_eq!(numbers.skips.len(), REMEMBERED_SKIPS);
    }
}
