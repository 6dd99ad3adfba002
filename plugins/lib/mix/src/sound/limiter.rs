//! Sums of voices within full scale.

use super::{FRAME, Frame};

/// Nothing goes beyond this, of full scale.
const CEILING: f32 = 0.98;
/// Of what is missing to full loudness so much comes back with each frame: nine tenths in 140 ms.
const RELEASE: f32 = 0.15;
/// The gain goes down within so many samples, 1 ms: a step would click.
const ATTACK: usize = 48;

/// Turns a sum down where it would be beyond full scale, by as much as its loudest sample needs and for as
/// long as it does. That keeps the form of the wave, which cutting off its tops would not.
#[derive(Clone, Debug)]
pub struct Limiter {
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

impl Limiter {
    /// The samples of a frame, little endian and interleaved, within their range.
    pub fn write(&mut self, frame: &Frame, bytes: &mut [u8]) {
        let peak = frame
            .iter()
            .flatten()
            .fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        let allowed = if peak > CEILING { CEILING / peak } else { 1.0 };
        let from = self.gain;
        // A frame is looked at before it goes out, so it can be turned down before its loudest sample.
        let to = allowed.min(from + (1.0 - from) * RELEASE);
        let ramp = if to < from { ATTACK } else { FRAME };
        for (place, (sample, bytes)) in frame.iter().zip(bytes.chunks_exact_mut(4)).enumerate() {
            let part = ((place + 1) as f32 / ramp as f32).min(1.0);
            let gain = from + (to - from) * part;
            let (left, right) = bytes.split_at_mut(2);
            left.copy_from_slice(&to_integer(sample[0] * gain).to_le_bytes());
            right.copy_from_slice(&to_integer(sample[1] * gain).to_le_bytes());
        }
        self.gain = to;
    }
}

/// Conversions of floats to integers stay within the integer's range, so what the ramp lets through
/// beyond full scale is cut off there and does not wrap.
fn to_integer(sample: f32) -> i16 {
    (sample * 32767.0).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn tone(level: f32, frame: usize) -> Frame {
        std::array::from_fn(|sample| {
            let time = (frame * FRAME + sample) as f32 / 48_000.0;
            [level * (TAU * 1000.0 * time).sin(); 2]
        })
    }

    fn limited(limiter: &mut Limiter, frame: &Frame) -> Vec<i16> {
        let mut bytes = vec![0; FRAME * 4];
        limiter.write(frame, &mut bytes);
        let samples = bytes.chunks_exact(4);
        samples
            .map(|two| i16::from_le_bytes([two[0], two[1]]))
            .collect()
    }

    #[test]
    fn four_loud_voices_in_phase_do_not_wrap() {
        let mut limiter = Limiter::default();
        let mut last = 0i16;
        for frame in 0..50 {
            for sample in limited(&mut limiter, &tone(4.0 * 0.89, frame)) {
                let step = (i32::from(sample) - i32::from(last)).abs();
                // Where the gain goes down tops are cut, but nothing jumps from one end to the other.
                assert!(step < 20_000, "{last} {sample} in frame {frame}");
                last = sample;
            }
        }
        let peak = limited(&mut limiter, &tone(3.56, 50))
            .into_iter()
            .max()
            .unwrap();
        assert!((31_500..=32_200).contains(&peak), "{peak}");
    }

    #[test]
    fn what_is_quiet_stays_as_it_is_and_the_level_comes_back() {
        let mut limiter = Limiter::default();
        let quiet = tone(0.5, 0);
        let peak = |samples: Vec<i16>| samples.into_iter().max().unwrap();
        assert!((16_300..=16_400).contains(&peak(limited(&mut limiter, &quiet))));
        limited(&mut limiter, &tone(4.0, 1));
        assert!(peak(limited(&mut limiter, &quiet)) < 8000);
        for frame in 0..20 {
            limited(&mut limiter, &tone(0.5, frame));
        }
        assert!(peak(limited(&mut limiter, &quiet)) > 15_500);
    }
}
