//! Who speaks: activity over three spans of time, after Volfin and Cohen, "Dominant speaker identification for
//! multipoint videoconferencing" (2012), in counts of frames instead of likelihoods.

use std::collections::BTreeMap;

use super::{FRAME, Frame};

/// Root mean square, of full scale, below which nobody speaks: −46 dB.
const QUIET: f32 = 0.005;
/// Speech is so much louder than what a voice has in its pauses.
const ABOVE_NOISE: f32 = 2.0;
/// The noise of a voice is learnt within so many frames upwards; downwards at once.
const NOISE_PACE: f32 = 1.0 / 500.0;
/// Frames over which speech is told from a cough: a third of a second.
const MEDIUM: f32 = 30.0;
/// Frames over which somebody counts as part of a conversation: a second, so that pauses of four lose the floor.
const LONG: f32 = 100.0;
/// Whoever has spoken for this part of the medium span takes the floor from somebody …
const SPEAKS: f32 = 0.6;
/// … who has spoken that much less.
const MARGIN: f32 = 0.3;
/// Whoever has spoken for less of the long span loses the floor, to nobody.
const SILENT: f32 = 0.01;

/// Follows who speaks among voices that are told apart by `K`.
#[derive(Debug)]
pub struct Speakers<K> {
    voices: BTreeMap<K, Activity>,
    current: Option<K>,
}

/// How much somebody has spoken lately, 0 to 1.
#[derive(Clone, Copy, Debug, Default)]
struct Activity {
    medium: f32,
    long: f32,
    noise: f32,
    is_heard: bool,
}

impl<K> Default for Speakers<K> {
    fn default() -> Self {
        Self {
            voices: BTreeMap::new(),
            current: None,
        }
    }
}

impl<K: Ord + Clone> Speakers<K> {
    /// How loud a voice is in a frame of 10 ms: root mean square, of full scale. Its [`loudness`], or what its sender says
    /// of it (RFC 6464).
    pub fn hear(&mut self, voice: &K, level: f32) {
        let activity = match self.voices.get_mut(voice) {
            Some(activity) => activity,
            None => self.voices.entry(voice.clone()).or_default(),
        };
        activity.noise = if level < activity.noise {
            level
        } else {
            activity.noise + (level - activity.noise).min(QUIET) * NOISE_PACE
        };
        let speaks = level > QUIET && level > ABOVE_NOISE * activity.noise;
        activity.step(speaks);
        activity.is_heard = true;
    }

    /// The frame is over; gives who has the floor now, if that is somebody else than before. Voices that were not heard
    /// were silent.
    pub fn step(&mut self) -> Option<Option<K>> {
        for activity in self.voices.values_mut() {
            if !std::mem::replace(&mut activity.is_heard, false) {
                activity.step(false);
            }
        }
        let current = self.current.as_ref();
        let of = |voice: &K| self.voices.get(voice).copied().unwrap_or_default();
        let present = current.map(of).unwrap_or_default();
        let others = self
            .voices
            .iter()
            .filter(|(voice, _)| Some(*voice) != current);
        let loudest = others.max_by(|(_, one), (_, other)| one.medium.total_cmp(&other.medium));
        let next = match loudest {
            Some((voice, activity)) if activity.takes_from(present) => Some(voice.clone()),
            _ if current.is_some() && present.long < SILENT => None,
            _ => return None,
        };
        self.current.clone_from(&next);
        Some(next)
    }

    /// A voice is gone, and with it its claim to the floor.
    pub fn forget(&mut self, voice: &K) {
        self.voices.remove(voice);
    }
}

/// How loud a frame is: root mean square, of full scale.
#[must_use]
pub fn loudness(frame: &Frame) -> f32 {
    let sum: f32 = frame.iter().flatten().map(|sample| sample * sample).sum();
    (sum / (2 * FRAME) as f32).sqrt()
}

impl Activity {
    fn step(&mut self, speaks: bool) {
        let speaks = if speaks { 1.0 } else { 0.0 };
        self.medium += (speaks - self.medium) / MEDIUM;
        self.long += (speaks - self.long) / LONG;
    }

    fn takes_from(self, present: Self) -> bool {
        self.medium > SPEAKS && self.medium > present.medium + MARGIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEECH: f32 = 0.2;
    const HUM: f32 = 0.004;

    /// Frames in which each voice has a level; gives the changes.
    fn hear(speakers: &mut Speakers<u8>, frames: usize, levels: &[(u8, f32)]) -> Vec<Option<u8>> {
        let mut changes = Vec::new();
        for _ in 0..frames {
            for (voice, level) in levels {
                speakers.hear(voice, *level);
            }
            changes.extend(speakers.step());
        }
        changes
    }

    #[test]
    fn who_speaks_has_the_floor_and_it_is_told_once() {
        let mut speakers = Speakers::default();
        assert_eq!(
            hear(&mut speakers, 200, &[(1, SPEECH), (2, HUM)]),
            [Some(1)]
        );
        assert_eq!(
            hear(&mut speakers, 200, &[(1, HUM), (2, SPEECH)]),
            [Some(2)]
        );
        assert_eq!(hear(&mut speakers, 200, &[(1, HUM), (2, SPEECH)]), []);
    }

    #[test]
    fn frames_are_as_loud_as_their_samples() {
        assert_eq!(loudness(&[[0.0; 2]; FRAME]), 0.0);
        assert!((loudness(&[[SPEECH, -SPEECH]; FRAME]) - SPEECH).abs() < 1e-4);
    }

    #[test]
    fn a_cough_switches_nobody() {
        let mut speakers = Speakers::default();
        hear(&mut speakers, 200, &[(1, SPEECH)]);
        for _ in 0..10 {
            assert_eq!(
                hear(&mut speakers, 20, &[(1, SPEECH), (2, 0.9), (3, HUM)]),
                []
            );
            assert_eq!(
                hear(&mut speakers, 100, &[(1, SPEECH), (2, HUM), (3, HUM)]),
                []
            );
        }
        // Nor in a pause of the one who speaks.
        assert_eq!(hear(&mut speakers, 20, &[(1, HUM), (2, 0.9)]), []);
    }

    #[test]
    fn two_at_once_do_not_flap() {
        let mut speakers = Speakers::default();
        hear(&mut speakers, 200, &[(1, SPEECH)]);
        assert_eq!(hear(&mut speakers, 1000, &[(1, SPEECH), (2, SPEECH)]), []);
    }

    #[test]
    fn the_muted_and_those_who_left_lose_the_floor() {
        let mut speakers = Speakers::default();
        hear(&mut speakers, 200, &[(1, SPEECH)]);
        assert_eq!(hear(&mut speakers, 2000, &[(2, HUM)]), [None]);
        hear(&mut speakers, 200, &[(1, SPEECH)]);
        speakers.forget(&1);
        assert_eq!(hear(&mut speakers, 1, &[]), [None]);
    }
}
