//! Voices in virtual time.

use super::*;
use std::f64::consts::TAU;

/// A sender with a clock of its own, and the ears at the other end.
struct Bench {
    voice: Voice,
    rate: u32,
    hz: f64,
    /// Samples sent so far.
    sent: u64,
    heard: Vec<f32>,
}

impl Bench {
    fn new(rate: u32, hz: f64) -> Self {
        Self {
            voice: Voice::default(),
            rate,
            hz,
            sent: 0,
            heard: Vec::new(),
        }
    }

    fn send(&mut self, milliseconds: u32) {
        let count = self.rate * milliseconds / 1000;
        let mut bytes = Vec::new();
        for sample in 0..u64::from(count) {
            let time = (self.sent + sample) as f64 / f64::from(self.rate);
            let value = ((TAU * self.hz * time).sin() * 16_000.0) as i16;
            bytes.extend(value.to_le_bytes());
        }
        self.sent += u64::from(count);
        self.voice.push(&bytes, self.rate, 1);
    }

    fn listen(&mut self, frames: usize) {
        let mut frame = [[0.0; 2]; FRAME];
        for _ in 0..frames {
            self.voice.pull(&mut frame);
            assert!(
                frame.iter().all(|[left, right]| left == right),
                "one channel is heard in both ears"
            );
            self.heard.extend(frame.iter().map(|sample| sample[0]));
        }
    }

    /// 20 ms at a time, for so long.
    fn talk(&mut self, milliseconds: u32) {
        for _ in 0..milliseconds / 20 {
            self.send(20);
            self.listen(2);
        }
    }

    /// The part of the sound from `from` s on that is the tone, and its level.
    fn tone(&self, from: f64, hz: f64) -> f64 {
        let begin = (from * 48_000.0) as usize;
        let part = &self.heard[begin..begin + 4800];
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (place, sample) in part.iter().enumerate() {
            let angle = TAU * hz * place as f64 / 48_000.0;
            real += f64::from(*sample) * angle.cos();
            imaginary += f64::from(*sample) * angle.sin();
        }
        (real.powi(2) + imaginary.powi(2)).sqrt() * 2.0 / part.len() as f64
    }

    /// Steps that no tone has: clicks.
    fn clicks(&self) -> usize {
        let slope = (TAU * self.hz / 48_000.0 * 0.49 * 1.5) as f32 + 0.01;
        self.heard
            .windows(2)
            .filter(|two| (two[1] - two[0]).abs() > slope)
            .count()
    }

    /// The longest silence after `from` s, s.
    fn silence(&self, from: f64) -> f64 {
        let (mut longest, mut present) = (0, 0);
        for sample in &self.heard[(from * 48_000.0) as usize..] {
            present = if sample.abs() < 0.001 { present + 1 } else { 0 };
            longest = longest.max(present);
        }
        f64::from(longest) / 48_000.0
    }

    fn delay(&self) -> f64 {
        self.voice.left()
    }
}

#[test]
fn a_newcomer_is_heard_soon_and_as_it_is_at_any_rate() {
    for rate in [8000, 16_000, 44_100, 48_000] {
        let mut bench = Bench::new(rate, 1000.0);
        bench.listen(60_000);
        bench.heard.clear();
        bench.talk(2000);
        let begin = bench.heard.iter().position(|sample| sample.abs() > 0.1);
        assert!(
            begin.is_some_and(|begin| begin < 48 * 60),
            "{rate}: {begin:?}"
        );
        let level = bench.tone(1.0, 1000.0);
        assert!((0.47..0.5).contains(&level), "{rate}: {level}");
        assert_eq!(bench.clicks(), 0, "{rate}");
    }
}

#[test]
fn blocks_of_any_length_are_one_sine() {
    for block in [20, 100, 512] {
        let mut bench = Bench::new(48_000, 500.0);
        for sent in 1..=10_000 / block {
            bench.send(block);
            let due = sent * block / 10;
            bench.listen(due as usize - bench.heard.len() / FRAME);
        }
        assert!(bench.silence(0.5) < 0.01, "{block}: {}", bench.silence(0.5));
        assert_eq!(bench.clicks(), 0, "{block}");
    }
}

#[test]
fn packets_that_come_late_are_waited_for_after_a_while() {
    let mut bench = Bench::new(48_000, 500.0);
    // Every fifth is 60 ms late, with those behind it.
    for round in 0..100 {
        for _ in 0..2 {
            bench.talk(20);
        }
        bench.listen(6);
        (0..3).for_each(|_| bench.send(20));
        if round == 20 {
            bench.heard.clear();
        }
    }
    assert!(bench.silence(0.5) < 0.01, "{}", bench.silence(0.5));
}

#[test]
fn delay_does_not_stay_after_a_stall() {
    let mut bench = Bench::new(48_000, 500.0);
    bench.talk(2000);
    let before = bench.delay();
    (0..15).for_each(|_| bench.send(20));
    assert!(bench.delay() > before + 0.29);
    bench.talk(2000);
    assert!(
        (bench.delay() - before).abs() < 0.02,
        "{} {before}",
        bench.delay()
    );
    assert!(bench.silence(0.5) < 0.01);
    assert_eq!(bench.clicks(), 0);
}

#[test]
fn clocks_that_run_apart_are_followed_without_a_click() {
    for parts_per_million in [-200.0, 200.0] {
        let mut bench = Bench::new(48_000, 500.0);
        let mut due = 0.0;
        // Three minutes; the sender's 20 ms are a little shorter or longer than ours.
        for _ in 0..9000 {
            bench.send(20);
            due += 2.0 * (1.0 - parts_per_million * 1e-6);
            bench.listen(due as usize);
            due -= f64::trunc(due);
        }
        assert!((0.0..0.07).contains(&bench.delay()), "{}", bench.delay());
        assert_eq!(bench.clicks(), 0);
        assert!(bench.silence(0.5) < 0.01, "{}", bench.silence(0.5));
    }
}

#[test]
fn sound_that_pauses_does_not_come_later_afterwards() {
    let mut bench = Bench::new(48_000, 500.0);
    bench.talk(1000);
    let before = bench.delay();
    for _ in 0..100 {
        bench.listen(40);
        bench.talk(100);
    }
    assert!(
        (bench.delay() - before).abs() <= 0.021,
        "{} {before}",
        bench.delay()
    );
    assert_eq!(bench.clicks(), 0, "it begins and ends softly");
}

#[test]
fn what_floods_in_is_bounded() {
    let mut bench = Bench::new(48_000, 500.0);
    for _ in 0..500 {
        bench.send(100);
    }
    assert!(bench.delay() <= MOST_KEPT && bench.voice.samples.len() < 100_000);
    bench.talk(2000);
    assert!(bench.delay() < 0.06);
}

#[test]
fn a_muted_voice_is_silent_and_comes_back_without_delay() {
    let mut bench = Bench::new(48_000, 500.0);
    bench.talk(500);
    let before = bench.delay();
    for round in 0..20u8 {
        bench.voice.set_volume(f32::from(round % 2));
        bench.talk(500);
        assert!(
            bench.tone(bench.heard.len() as f64 / 48_000.0 - 0.2, 500.0) < 0.02 || round % 2 == 1
        );
    }
    assert!((bench.delay() - before).abs() < 0.02);
    assert_eq!(bench.clicks(), 0);
}

#[test]
fn rubbish_is_no_sound() {
    let mut voice = Voice::default();
    voice.push(&[1, 2, 3], 48_000, 1);
    voice.push(&[1, 2, 3], 0, 1);
    voice.push(&[1, 2, 3], 48_000, 0);
    let mut frame = [[1.0; 2]; FRAME];
    for _ in 0..10 {
        voice.pull(&mut frame);
    }
    assert!(frame.iter().flatten().all(|sample| *sample == 0.0));
}
