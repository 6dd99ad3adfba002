//! The parameter sets of a stream, by their number, and keyframes that have all of them.
//!
//! A stream may send a set once and never again (ITU-T H.264 §7.4.1.2.1, H.265 §7.4.2.4.2), while
//! whoever begins in the middle needs it before the first picture.

use crate::{Codec, annex_b, bits::BitReader, h264, h265};

/// Sets that are kept of a stream. The numbers would allow for some hundreds; encoders use a few.
const MOST_SETS: usize = 64;
/// Bytes of a set that is kept; those with all scaling lists have less than 2000.
const LARGEST_SET: usize = 4096;

/// A set and what it is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Set {
    /// NAL unit type.
    unit_type: u8,
    id: u32,
    bytes: Vec<u8>,
}

impl Set {
    /// Whether one takes the place of the other.
    fn is_of(&self, other: &Self) -> bool {
        (self.unit_type, self.id) == (other.unit_type, other.id)
    }
}

/// See the head of this file.
#[derive(Debug, Clone)]
pub struct ParameterSets {
    codec: Codec,
    sets: Vec<Set>,
}

impl ParameterSets {
    /// For a stream of a codec that has parameter sets; `None` for the others.
    #[must_use]
    pub fn new(codec: Codec) -> Option<Self> {
        let has_sets = matches!(codec, Codec::H264 | Codec::H265);
        has_sets.then_some(Self {
            codec,
            sets: Vec::new(),
        })
    }

    /// The codec whose sets these are.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Keeps the sets of a frame (a byte stream, Annex B). A keyframe that lacks one of those which are
    /// known comes back with all of them; `None` where it is whole, and for other frames.
    pub fn complete(&mut self, frame: &[u8], keyframe: bool) -> Option<Vec<u8>> {
        let units = annex_b::units_before(frame, |header| self.is_slice(header));
        let own: Vec<Set> = units.filter_map(|unit| self.read(unit)).collect();
        for set in &own {
            self.keep(set);
        }
        let is_whole = |known: &Set| own.iter().any(|set| set.is_of(known));
        if !keyframe || self.sets.iter().all(is_whole) {
            return None;
        }
        let mut whole = Vec::with_capacity(frame.len() + 256);
        for unit_type in self.types() {
            let of_type = self.sets.iter().filter(|set| set.unit_type == *unit_type);
            of_type.for_each(|set| annex_b::append(&mut whole, &set.bytes));
        }
        // A set that is damaged, or too large to be kept, stays where it was.
        annex_b::units_or_bare(frame)
            .filter(|unit| !self.has(unit))
            .for_each(|unit| annex_b::append(&mut whole, unit));
        Some(whole)
    }

    /// Unit types of sets, in the order in which they build upon each other.
    fn types(&self) -> &'static [u8] {
        match self.codec {
            Codec::H265 => &[
                h265::VIDEO_PARAMETER_SET,
                h265::SEQUENCE_PARAMETER_SET,
                h265::PICTURE_PARAMETER_SET,
            ],
            _ => &[h264::SEQUENCE_PARAMETER_SET, h264::PICTURE_PARAMETER_SET],
        }
    }

    fn type_of(&self, header: u8) -> u8 {
        match self.codec {
            Codec::H265 => h265::unit_type(header),
            _ => h264::unit_type(header),
        }
    }

    fn is_slice(&self, header: u8) -> bool {
        let unit_type = self.type_of(header);
        match self.codec {
            Codec::H265 => unit_type <= h265::LAST_SLICE,
            _ => (h264::SLICE..=h264::IDR_SLICE).contains(&unit_type),
        }
    }

    /// A unit as a set; `None` where it is none, or not to be kept.
    fn read(&self, unit: &[u8]) -> Option<Set> {
        let unit_type = self.type_of(*unit.first()?);
        if !self.types().contains(&unit_type) || unit.len() > LARGEST_SET {
            return None;
        }
        let id = match self.codec {
            Codec::H265 => h265::parameter_set_id(unit_type, unit)?,
            _ => h264::parameter_set_id(unit_type, unit)?,
        };
        Some(Set {
            unit_type,
            id,
            bytes: unit.to_vec(),
        })
    }

    /// Whether a unit is a set of which one is kept.
    fn has(&self, unit: &[u8]) -> bool {
        let set = self.read(unit);
        set.is_some_and(|set| self.sets.iter().any(|known| known.is_of(&set)))
    }

    /// A set takes the place of the former one of its number.
    fn keep(&mut self, set: &Set) {
        if let Some(known) = self.sets.iter_mut().find(|known| known.is_of(set)) {
            *known = set.clone();
        } else if self.sets.len() < MOST_SETS {
            self.sets.push(set.clone());
        }
    }
}

/// The number that stands as an exp-Golomb code behind `before` bytes of a unit: those of its header
/// and of what has a fixed length.
pub(crate) fn number_at(unit: &[u8], before: usize) -> Option<u32> {
    // The code has 9 bits at most for sets' numbers (up to 255), and emulation prevention stands in between.
    let head = unit.get(..unit.len().min(before + 16))?;
    let payload = annex_b::without_emulation_prevention(head);
    BitReader::new(payload.get(before..)?).exp_golomb()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    const PPS_1: [u8; 4] = [0x68, 0x5e, 0x0f, 0xc8];
    const SLICE: [u8; 4] = [0x65, 0x88, 0x84, 0x21];

    fn stream(units: &[&[u8]]) -> Vec<u8> {
        let mut stream = Vec::new();
        units
            .iter()
            .for_each(|unit| annex_b::append(&mut stream, unit));
        stream
    }

    fn sets() -> ParameterSets {
        ParameterSets::new(Codec::H264).unwrap()
    }

    fn sps() -> &'static [u8] {
        &h264::tests::SPS[..22]
    }

    #[test]
    fn sets_that_came_once_stand_before_each_later_keyframe() {
        let pps = &h264::tests::PPS;
        for first in [
            stream(&[sps(), pps, &SLICE]),
            stream(&[sps(), pps]),
            stream(&[&[9, 0x10], sps(), pps, &SLICE]),
        ] {
            let mut sets = sets();
            assert_eq!(sets.complete(&first, true), None);
            assert_eq!(sets.complete(&stream(&[&[0x41, 5, 6]]), false), None);
            let whole = sets.complete(&stream(&[&SLICE]), true).unwrap();
            assert_eq!(whole, stream(&[sps(), pps, &SLICE]));
            // The picture parameter set alone came once.
            let whole = sets.complete(&stream(&[sps(), &SLICE]), true).unwrap();
            assert_eq!(whole, stream(&[sps(), pps, &SLICE]));
        }
    }

    #[test]
    fn sets_of_frames_before_the_first_keyframe_count() {
        let mut sets = sets();
        sets.complete(&stream(&[sps(), &h264::tests::PPS, &[0x41, 5]]), false);
        assert!(sets.complete(&stream(&[&SLICE]), true).is_some());
    }

    #[test]
    fn sets_have_numbers_and_take_the_place_of_their_former() {
        let mut sets = sets();
        let other = [&sps()[..21], &[0xab]].concat();
        sets.complete(&stream(&[sps(), &h264::tests::PPS, &SLICE]), true);
        sets.complete(&stream(&[&PPS_1, &[0x41, 5]]), false);
        sets.complete(&stream(&[&other, &SLICE]), true);
        let whole = sets.complete(&stream(&[&SLICE]), true).unwrap();
        let expected = stream(&[&other, &h264::tests::PPS, &PPS_1, &SLICE]);
        assert_eq!(whole, expected);
    }

    #[test]
    fn h265_has_three_kinds() {
        let keyframe = h265::tests::keyframe();
        let mut sets = ParameterSets::new(Codec::H265).unwrap();
        assert_eq!(sets.complete(&keyframe, true), None);
        let slice = stream(&[&[0x28, 0x01, 0xac]]);
        assert_eq!(sets.complete(&slice, true), Some(keyframe));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_and_little_is_kept(frames in vec(vec(prop_oneof![
            4 => 0u8..2, 1 => Just(0x67), 1 => Just(0x68), 1 => Just(0x42), 1 => any::<u8>(),
        ], 0..60), 0..12)) {
            for codec in [Codec::H264, Codec::H265] {
                let mut sets = ParameterSets::new(codec).unwrap();
                for frame in &frames {
                    sets.complete(frame, true);
                }
                prop_assert!(sets.sets.len() <= MOST_SETS);
                // A whole keyframe stays as it is.
                if let Some(whole) = sets.complete(&[0, 0, 1, 0x65, 3], true) {
                    prop_assert_eq!(sets.complete(&whole, true), None);
                }
            }
        }
    }
}
