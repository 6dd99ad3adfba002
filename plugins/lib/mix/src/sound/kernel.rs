//! Samples between samples: a windowed sinc, for any ratio of rates.
//!
//! Our own, and not rubato's: the ratio changes with every frame by a few millionths, and what is read may jump
//! by any time, which its resamplers have no call for. 32 taps and 128 phases with a line between two leave
//! less than −70 dB of error to tones up to 0.4 of the lower rate, at 64 multiplications a sample.

use super::SAMPLE_RATE;

/// Samples that one is made of.
pub(crate) const TAPS: usize = 32;
/// Places between two samples that have weights of their own.
const PHASES: usize = 128;
/// Of the lower of both rates; the rest is the slope of the filter.
const PASS_BAND: f64 = 0.92;

/// The weights for one rate of what comes in.
pub(crate) struct Kernel {
    phases: Vec<[f32; TAPS]>,
}

impl Kernel {
    pub(crate) fn new(rate: u32) -> Self {
        let cutoff = PASS_BAND * (f64::from(SAMPLE_RATE) / f64::from(rate.max(1))).min(1.0);
        let phases = (0..=PHASES).map(|phase| weights(phase as f64 / PHASES as f64, cutoff));
        Self {
            phases: phases.collect(),
        }
    }

    /// The sample at `position` of `samples`, which has half of the taps before it and behind it; silence
    /// where it has not.
    pub(crate) fn at(&self, samples: &[[f32; 2]], position: f64) -> [f32; 2] {
        // Positions are those of samples, and within their number.
        let (whole, part) = (position.floor(), position.fract());
        let place = part * PHASES as f64;
        let (phase, between) = (place.floor() as usize, place.fract() as f32);
        let begin = (whole as usize).saturating_sub(TAPS / 2 - 1);
        let window = samples.get(begin..begin + TAPS);
        let weights = self.phases.get(phase).zip(self.phases.get(phase + 1));
        let (Some(window), Some((near, far))) = (window, weights) else {
            return [0.0; 2];
        };
        let mut sum = [0.0f32; 2];
        for ((sample, near), far) in window.iter().zip(near).zip(far) {
            let weight = near + (far - near) * between;
            sum[0] += sample[0] * weight;
            sum[1] += sample[1] * weight;
        }
        sum
    }
}

/// Weights for a sample that lies `part` behind the one in the middle.
fn weights(part: f64, cutoff: f64) -> [f32; TAPS] {
    let half = TAPS as f64 / 2.0;
    let mut weights = [0.0f64; TAPS];
    for (tap, weight) in weights.iter_mut().enumerate() {
        let distance = tap as f64 - (half - 1.0) - part;
        let angle = std::f64::consts::PI * distance / half;
        // Blackman's window.
        let window = 0.42 + 0.5 * angle.cos() + 0.08 * (2.0 * angle).cos();
        *weight = if distance.abs() >= half {
            0.0
        } else {
            sinc(distance * cutoff) * cutoff * window
        };
    }
    // A constant stays what it is, at each phase.
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| (weight / sum) as f32)
}

fn sinc(x: f64) -> f64 {
    let angle = std::f64::consts::PI * x;
    if angle.abs() < 1e-9 {
        1.0
    } else {
        angle.sin() / angle
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    /// The greatest error of a tone that is read at another rate, of full scale.
    fn error(rate: u32, hz: f64) -> f32 {
        let kernel = Kernel::new(rate);
        let tone = |time: f64| (TAU * hz * time).sin() as f32;
        let samples: Vec<[f32; 2]> = (0..4000)
            .map(|sample| [tone(f64::from(sample) / f64::from(rate)), 1.0])
            .collect();
        let mut worst = 0.0f32;
        for step in 0..2000 {
            let position = 40.0 + f64::from(step) * 0.713;
            let [left, right] = kernel.at(&samples, position);
            worst = worst.max((left - tone(position / f64::from(rate))).abs());
            worst = worst.max((right - 1.0).abs());
        }
        worst
    }

    #[test]
    fn tones_are_what_they_were() {
        for (rate, hz) in [
            (48_000, 1000.0),
            (48_000, 15_000.0),
            (8000, 3000.0),
            (44_100, 440.0),
            (96_000, 5000.0),
        ] {
            let error = error(rate, hz);
            assert!(error < 0.002, "{rate} {hz}: {error}");
        }
    }

    #[test]
    fn outside_of_what_there_is_is_silence() {
        let kernel = Kernel::new(48_000);
        assert_eq!(kernel.at(&[[1.0; 2]; 8], 3.0), [0.0; 2]);
        assert_eq!(kernel.at(&[], 0.0), [0.0; 2]);
    }
}
