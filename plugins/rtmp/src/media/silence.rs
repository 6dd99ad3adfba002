//! Frames of AAC in which nothing is heard, for services that show nothing without a sound track.

use rivero_codec::aac::SAMPLES_PER_FRAME;

const RATE: u32 = 48_000;
/// ns
const FRAME: i64 = SAMPLES_PER_FRAME as i64 * 1_000_000_000 / RATE as i64;
/// What a hole is filled with at most, ns: after a longer one silence begins anew.
const LONGEST: i64 = 10_000_000_000;

/// Rate and channels of the frames.
pub(crate) const SHAPE: (u32, u8) = (RATE, 2);

/// A raw data block (ISO/IEC 14496-3 §4.4.2.1): one pair of channels without a common window, whose bits are all 0 (a gain
/// of 0, long windows, no bands), and the element that ends the block.
pub(crate) const SILENT_FRAME: [u8; 7] = [0b0010_0000, 0, 0, 0, 0, 0, 0b0000_1110];

/// Gives silence its times.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    next: Option<i64>,
}

impl Silence {
    /// Sound is there: silence, should it come again, goes on from then.
    pub(crate) fn interrupt(&mut self) {
        self.next = None;
    }

    /// The times of silent frames up to a picture's, ns. `latest`: that of the frame before the picture.
    pub(crate) fn up_to(&mut self, time: i64, latest: i64) -> Vec<i64> {
        let mut next = self.next.unwrap_or(latest).max(time - LONGEST);
        let mut times = Vec::new();
        while next <= time {
            times.push(next);
            next += FRAME;
        }
        self.next = Some(next);
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field report 33.
    #[test]
    fn silence_has_no_holes() {
        let mut silence = Silence::default();
        let mut times = Vec::new();
        for picture in 0..250 {
            times.extend(silence.up_to(picture * 40_000_000, (picture - 1).max(0) * 40_000_000));
        }
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == FRAME));
        assert_eq!(
            times.len(),
            usize::try_from(249 * 40_000_000 / FRAME).unwrap() + 1
        );
        silence.interrupt();
        assert_eq!(
            silence.up_to(20_000_000_000, 19_990_000_000)[0],
            19_990_000_000
        );
    }

    #[test]
    fn a_long_hole_is_not_filled() {
        let mut silence = Silence::default();
        silence.up_to(0, 0);
        let filled = silence.up_to(i64::MAX / 2, 0).len();
        assert!(filled < 500, "{filled}");
    }
}
