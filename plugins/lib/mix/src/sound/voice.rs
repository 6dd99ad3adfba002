//! One input of a mix: sound as it comes, made into a frame whenever one is due.
//!
//! What comes is placed by when it comes and not by its times, which senders may have wrong by seconds. A
//! reserve is kept of it, as large as packets were late; clocks that run apart are followed by reading a little
//! faster or slower; what has piled up beyond that is left out at once, over a short cross-fade.

use std::sync::Arc;

use super::{
    FRAME, Frame, SAMPLE_RATE,
    kernel::{Kernel, TAPS},
};

/// The reserve at first and at least, s: one packet of 20 ms may come as late as the next one.
const LEAST_RESERVE: f64 = 0.02;
/// Packets that come later than this, s, are lost.
const MOST_RESERVE: f64 = 0.2;
/// What is left of the reserve is looked at so often, frames: a second, so that it spans blocks of any
/// length that players give out.
const WINDOW: u32 = 100;
/// More than this beyond the reserve, s, is left out; clocks make up for less.
const SURPLUS: f64 = 0.015;
/// The fastest that clocks are followed, parts of one.
const FASTEST: f64 = 500e-6;
/// Per s that the reserve is too large: 10 ms are made up for at full speed.
const STEEPNESS: f64 = 0.05;
/// Of the reserve so much is given up with each window in which it was not needed, s.
const RELAXATION: f64 = 0.001;
/// Sound begins, and is turned up or down, within so many samples, 5 ms: a step would click.
const RAMP: usize = 240;
/// Where it ends, which nobody knows before, its last sample goes to zero by this part with each sample, which
/// takes 5 ms, too.
const DECAY: f32 = 0.98;
/// More than this, s, is never kept.
const MOST_KEPT: f64 = 1.5;

/// The sound of one input.
pub struct Voice {
    rate: u32,
    kernel: Arc<Kernel>,
    /// As they came; half of the kernel's taps of them lie before `position`.
    samples: Vec<[f32; 2]>,
    /// Where the next sample is read.
    position: f64,
    state: State,
    /// How long it is waited for more before it begins, s, which is what is left then when a packet
    /// comes that is not late.
    reserve: f64,
    window: Window,
    /// How much faster than its rate says it is read, parts of one.
    speed: f64,
    /// As it is, and as it is to be.
    gain: f32,
    volume: f32,
    /// The last sample that was given out.
    last: [f32; 2],
    /// How often a packet was not there in time.
    late: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is there, for so many frames.
    Dry(u32),
    /// It came, and begins in so many frames.
    Filling(u32),
    Playing,
}

/// What is known of the reserve lately.
#[derive(Clone, Copy, Debug)]
struct Window {
    frames: u32,
    /// The least that was left, s.
    lowest: f64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            frames: 0,
            lowest: f64::MAX,
        }
    }
}

impl Default for Voice {
    fn default() -> Self {
        Self {
            rate: SAMPLE_RATE,
            kernel: Arc::new(Kernel::new(SAMPLE_RATE)),
            samples: vec![[0.0; 2]; TAPS],
            position: TAPS as f64 / 2.0,
            state: State::Dry(u32::MAX),
            reserve: LEAST_RESERVE,
            window: Window::default(),
            speed: 0.0,
            gain: 0.0,
            volume: 1.0,
            last: [0.0; 2],
            late: 0,
        }
    }
}

impl Voice {
    /// How loud it is: 0 is silence, 1 as it comes.
    pub fn set_volume(&mut self, volume: f32) {
        self.volume = volume;
    }

    /// How often packets were not there in time, and how much faster than its sender says it is read, parts of one.
    #[must_use]
    pub fn counts(&self) -> (i64, f64) {
        (self.late, self.speed)
    }

    /// What has come and is still to be heard, ns.
    #[must_use]
    pub fn kept(&self) -> i64 {
        // Less than `MOST_KEPT`.
        (self.left().max(0.0) * 1e9) as i64
    }

    /// Sound comes: interleaved samples of 16 bits, little endian, `rate` a second. Of more than two
    /// channels the first two count; a single one is heard in both ears.
    pub fn push(&mut self, bytes: &[u8], rate: u32, channels: usize) {
        if rate == 0 || channels == 0 {
            return;
        }
        if rate != self.rate {
            // What is left of the former rate is milliseconds.
            *self = Self {
                rate,
                kernel: Arc::new(Kernel::new(rate)),
                reserve: self.reserve,
                gain: 0.0,
                volume: self.volume,
                last: self.last,
                late: self.late,
                ..Self::default()
            };
        }
        let sample = |bytes: Option<&[u8]>| {
            let value = bytes.and_then(|bytes| bytes.first_chunk()).copied();
            f32::from(i16::from_le_bytes(value.unwrap_or_default())) / 32768.0
        };
        for frame in bytes.chunks_exact(2 * channels) {
            let left = sample(frame.get(..2));
            let right = if channels > 1 {
                sample(frame.get(2..4))
            } else {
                left
            };
            self.samples.push([left, right]);
        }
        self.on_arrival();
        let kept = self.left();
        if kept > MOST_KEPT {
            self.skip(kept - self.reserve);
        }
    }

    fn on_arrival(&mut self) {
        let State::Dry(frames) = self.state else {
            return;
        };
        // Whoever was silent for long paused; for a short time a packet was late, and the next ones may be.
        let late = f64::from(frames) * 0.01;
        if late < MOST_RESERVE {
            self.reserve = (self.reserve + late + 0.005).min(MOST_RESERVE);
            self.late += 1;
        }
        self.state = State::Filling((self.reserve * 100.0).round() as u32);
        self.window = Window::default();
    }

    /// The sound of the next 10 ms; `false` where that is silence.
    pub fn pull(&mut self, frame: &mut Frame) -> bool {
        *frame = [[0.0; 2]; FRAME];
        let count = match self.state {
            State::Dry(frames) => {
                self.state = State::Dry(frames.saturating_add(1));
                0
            }
            State::Filling(frames @ 1..) => {
                self.state = State::Filling(frames - 1);
                0
            }
            State::Filling(0) | State::Playing => self.play(frame),
        };
        let is_fading = self.last != [0.0; 2];
        self.fade(frame, count);
        count > 0 || is_fading
    }

    /// Reads as much of a frame as there is.
    fn play(&mut self, frame: &mut Frame) -> usize {
        self.state = State::Playing;
        let surplus = self.surplus();
        let step = self.step();
        // Whole samples, less than a frame has.
        let readable = (self.left() * f64::from(self.rate) / step).floor().max(0.0) as usize;
        let count = readable.min(FRAME);
        self.read(frame, count);
        if let Some(surplus) = surplus.filter(|_| count == FRAME) {
            self.cross_over(frame, surplus);
        }
        self.apply_gain(frame, count);
        self.position += step * count as f64;
        if count < FRAME {
            self.state = State::Dry(0);
            self.gain = 0.0;
            self.speed = 0.0;
        }
        self.window.lowest = self.window.lowest.min(self.left());
        self.forget();
        count
    }

    /// Lets what was heard end softly where there is no more.
    fn fade(&mut self, frame: &mut Frame, count: usize) {
        if let Some(sample) = count.checked_sub(1).and_then(|place| frame.get(place)) {
            self.last = *sample;
        }
        for sample in frame.iter_mut().skip(count) {
            let decayed = self.last.map(|last| last * DECAY);
            self.last = decayed.map(|last| if last.abs() < 1e-5 { 0.0 } else { last });
            *sample = self.last;
        }
    }

    /// Samples that are there to be read, s.
    fn left(&self) -> f64 {
        let readable = self.samples.len() as f64 - self.position - TAPS as f64 / 2.0;
        readable / f64::from(self.rate)
    }

    fn step(&self) -> f64 {
        f64::from(self.rate) / f64::from(SAMPLE_RATE) * (1.0 + self.speed)
    }

    fn read(&self, frame: &mut Frame, count: usize) {
        let step = self.step();
        for (place, sample) in frame.iter_mut().take(count).enumerate() {
            *sample = self
                .kernel
                .at(&self.samples, self.position + step * place as f64);
        }
    }

    /// At the end of a window: what is to be left out, s. Less is a matter of clocks.
    fn surplus(&mut self) -> Option<f64> {
        self.window.frames += 1;
        if self.window.frames < WINDOW {
            return None;
        }
        let lowest = std::mem::take(&mut self.window).lowest;
        let beyond = lowest - self.reserve;
        if beyond > SURPLUS {
            self.speed = 0.0;
            return Some(beyond);
        }
        // Between the least and what late packets have needed nothing has to change.
        let missing = (lowest - LEAST_RESERVE).min(0.0);
        self.speed = ((beyond.max(0.0) + missing) * STEEPNESS).clamp(-FASTEST, FASTEST);
        if lowest > LEAST_RESERVE {
            self.reserve = (self.reserve - RELAXATION).max(LEAST_RESERVE);
        }
        None
    }

    /// Goes over to what comes `surplus` s later, in the course of this frame.
    fn cross_over(&mut self, frame: &mut Frame, surplus: f64) {
        let mut later = [[0.0; 2]; FRAME];
        self.skip(surplus);
        self.read(&mut later, FRAME);
        for (place, (sample, later)) in frame.iter_mut().zip(later).enumerate() {
            let part = (place + 1) as f32 / FRAME as f32;
            sample[0] += (later[0] - sample[0]) * part;
            sample[1] += (later[1] - sample[1]) * part;
        }
    }

    fn skip(&mut self, seconds: f64) {
        self.position += (seconds * f64::from(self.rate)).floor().max(0.0);
        self.forget();
    }

    fn apply_gain(&mut self, frame: &mut Frame, count: usize) {
        let pace = 1.0 / RAMP as f32;
        for sample in frame.iter_mut().take(count) {
            self.gain += (self.volume - self.gain).clamp(-pace, pace);
            sample[0] *= self.gain;
            sample[1] *= self.gain;
        }
    }

    /// Lets go of samples that have been read, not with every frame.
    fn forget(&mut self) {
        let read = (self.position as usize).saturating_sub(TAPS);
        if read > 4096 {
            self.samples.drain(..read.min(self.samples.len()));
            self.position -= read as f64;
        }
    }
}

#[cfg(test)]
mod tests;
