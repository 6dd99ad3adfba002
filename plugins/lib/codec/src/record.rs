//! The records that decoders of H.264 and H.265 are set up with, read (ISO/IEC 14496-15 §5.3.3, §8.3.3).

use crate::{Codec, annex_b, h264, h265};

/// Sets that are taken out of a record; more than the numbers of H.264's sequence parameter sets allow for.
const MOST_SETS: usize = 64;

/// What `avcC` or `hvcC` says: how long the lengths before units are, and the parameter sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecoderRecord {
    /// H.264 or H.265, which may be another one than the record was sent as.
    pub codec: Codec,
    /// Bytes of the length before each unit of a frame, 1 to 4.
    pub length_size: usize,
    /// The parameter sets as a byte stream (Annex B), in the order of the record; may be empty.
    pub sets: Vec<u8>,
}

impl DecoderRecord {
    /// Reads a record that a sender says is H.264's: some send H.265 under that number, and it is recognised by its
    /// sets. `None` where it is neither.
    #[must_use]
    pub fn of_h264(record: &[u8]) -> Option<Self> {
        Self::read_avc(record).or_else(|| Self::of_h265(record))
    }

    fn read_avc(record: &[u8]) -> Option<Self> {
        let mut rest = Reader(record);
        let [version, _profile, _constraints, _level, lengths, sequence] = rest.array()?;
        if version != 1 {
            return None;
        }
        let mut sets = Vec::new();
        for _ in 0..sequence & 0x1f {
            rest.set(&mut sets, |header| {
                h264::unit_type(header) == h264::SEQUENCE_PARAMETER_SET
            })?;
        }
        // Left out by some where the sets come in the frames.
        let [picture] = rest.array().unwrap_or([0]);
        for _ in 0..picture {
            rest.set(&mut sets, |header| {
                h264::unit_type(header) == h264::PICTURE_PARAMETER_SET
            })?;
        }
        Some(Self {
            codec: Codec::H264,
            length_size: usize::from(lengths & 3) + 1,
            sets,
        })
    }

    /// Reads `hvcC`.
    #[must_use]
    pub fn of_h265(record: &[u8]) -> Option<Self> {
        let mut rest = Reader(record);
        // Profile, level and what follows from the sets; lengths and arrays are the last two bytes.
        let [version, .., lengths, arrays] = rest.array::<23>()?;
        // Encoders of the time before the standard wrote 0.
        if version > 1 {
            return None;
        }
        let mut sets = Vec::new();
        for _ in 0..arrays {
            let [unit_type, high, low] = rest.array()?;
            for _ in 0..u16::from_be_bytes([high, low]) {
                let expected = unit_type & 0x3f;
                rest.set(&mut sets, |header| h265::unit_type(header) == expected)?;
            }
        }
        Some(Self {
            codec: Codec::H265,
            length_size: usize::from(lengths & 3) + 1,
            sets,
        })
    }

    /// A frame whose units are behind their lengths as a byte stream. Units of length 0 are left out, and so is what
    /// is cut off.
    #[must_use]
    pub fn byte_stream(&self, frame: &[u8]) -> Vec<u8> {
        let mut stream = Vec::with_capacity(frame.len() + 64);
        let mut rest = frame;
        while let Some((length, behind)) = rest.split_at_checked(self.length_size) {
            let length = length
                .iter()
                .fold(0usize, |number, byte| number << 8 | usize::from(*byte));
            let Some((unit, behind)) = behind.split_at_checked(length) else {
                break;
            };
            if !unit.is_empty() {
                annex_b::append(&mut stream, unit);
            }
            rest = behind;
        }
        stream
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    /// A set behind its length, whose first byte has to fit. Only so many are kept.
    fn set(&mut self, sets: &mut Vec<u8>, fits: impl Fn(u8) -> bool) -> Option<()> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        let (unit, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        if !fits(*unit.first()?) {
            return None;
        }
        if annex_b::units(sets).count() < MOST_SETS {
            annex_b::append(sets, unit);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AudioParameters, Track};
    use proptest::{collection::vec, prelude::*};

    fn record_of(codec: Codec, keyframe: &[u8]) -> Vec<u8> {
        let track = Track::of(codec, AudioParameters::default(), keyframe).unwrap();
        track.configuration
    }

    #[test]
    fn a_record_gives_back_the_sets_that_it_was_made_of() {
        for (codec, keyframe) in [
            (Codec::H264, h264::tests::keyframe()),
            (Codec::H265, h265::tests::keyframe()),
        ] {
            // As a sender that marks everything as H.264 has them.
            let record = DecoderRecord::of_h264(&record_of(codec, &keyframe)).unwrap();
            assert_eq!((record.codec, record.length_size), (codec, 4));
            let own: Vec<&[u8]> = annex_b::units(&keyframe).collect();
            let sets: Vec<&[u8]> = annex_b::units(&record.sets).collect();
            assert!(!sets.is_empty());
            assert!(sets.iter().all(|set| own.contains(set)), "{codec:?}");
        }
    }

    #[test]
    fn frames_become_a_byte_stream() {
        let record = DecoderRecord {
            codec: Codec::H264,
            length_size: 2,
            sets: Vec::new(),
        };
        let frame = [0, 2, 0x65, 7, 0, 0, 0, 1, 0x06, 0, 9, 1];
        assert_eq!(
            record.byte_stream(&frame),
            [0, 0, 0, 1, 0x65, 7, 0, 0, 0, 1, 0x06]
        );
    }

    #[test]
    fn a_record_without_sets_is_one_too() {
        let record = DecoderRecord::of_h264(&[1, 0x42, 0xc0, 0x1f, 0xff, 0xe0, 0]).unwrap();
        assert_eq!((record.codec, record.sets.len()), (Codec::H264, 0));
        assert_eq!(DecoderRecord::of_h264(&[0, 0, 0, 1, 0x67, 0x42]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..400), size in 1usize..5) {
            if let Some(record) = DecoderRecord::of_h264(&bytes) {
                prop_assert!(record.sets.len() <= 3 * bytes.len());
                prop_assert!((1..=4).contains(&record.length_size));
            }
            let record = DecoderRecord { codec: Codec::H264, length_size: size, sets: Vec::new() };
            // A unit of one byte behind a length of one becomes five.
            prop_assert!(record.byte_stream(&bytes).len() <= 5 * bytes.len());
        }
    }
}
