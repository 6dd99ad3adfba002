//! From the pipeline's clock to the time of a file: where a recording begins,
//! what pauses and gaps become.
//!
//! Recording goes in *stretches*: one from `begin` to `pause`. A stretch opens
//! when everything that is expected has arrived, or after a while with what is
//! there; with video it opens at a keyframe. What follows a pause continues
//! where the media before it ended, for all tracks together, so that picture
//! and sound keep their distance.

use std::collections::VecDeque;

use rivero_plugin_api::MediaKind;

use crate::{kinds::PerKind, sample::Frame};

const MS: i64 = 1_000_000;
/// A kind that is expected is waited for so long.
const PATIENCE: i64 = 1000 * MS;
/// A kind that might still be announced is waited for so long.
const SETTLING: i64 = 250 * MS;
/// A joining consumer is shown what came since the latest keyframe. Pictures
/// that are older than the stretch by more than this have no sound beside them.
const RECENT: i64 = 100 * MS;
/// Silence of all tracks that [`Gaps::Close`] takes out. Above the 400 ms
/// between packets of Opus in silence (DTX).
const GAP: i64 = 500 * MS;
/// Nothing for so long is silence that belongs to the recording, and not the time between two frames.
const SILENCE: i64 = 100 * MS;
/// Picture without sound-like durations: what a frame lasts where nothing says.
const USUAL_FRAME: i64 = 33 * MS;
/// Frames held while a stretch has not opened, per kind.
const MOST_HELD: usize = 512;

/// What becomes of times in which nothing came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Gaps {
    /// They stay.
    #[default]
    Keep,
    /// What follows moves up.
    Close,
}

/// A frame with its place in the file.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) kind: MediaKind,
    /// ns from the beginning of the recording.
    pub(crate) time: i64,
    pub(crate) frame: Frame,
}

#[derive(Debug, Default)]
enum Stretch {
    #[default]
    Paused,
    /// Frames wait for the rest; `since`: when the first came. `begun`: when
    /// recording was asked for.
    Opening {
        begun: i64,
        since: Option<i64>,
        held: VecDeque<(MediaKind, Frame)>,
    },
    /// `shift`: what to take from a presentation time.
    Open { shift: i64 },
}

/// One track's way through time.
#[derive(Debug, Default)]
struct Lane {
    /// The format that comes, or nothing.
    expected: bool,
    /// Video waits for a keyframe: at its beginning, after a pause, after loss.
    needs_keyframe: bool,
    /// Frames come after this: all that was there before the latest keyframe, or
    /// that keyframe or the frame before them if it had to move.
    floor: Option<i64>,
    /// Time of the latest frame.
    latest: Option<i64>,
}

/// The timeline of a recording.
#[derive(Debug)]
pub(crate) struct Timeline {
    gaps: Gaps,
    stretch: Stretch,
    lanes: PerKind<Lane>,
    /// Kinds that the profile has.
    wanted: PerKind<bool>,
    /// Where what was placed ends.
    end: i64,
    /// Time of the frame that came last in this stretch, and when it came.
    latest: Option<(i64, i64)>,
}

impl Timeline {
    pub(crate) fn new(gaps: Gaps, wanted: PerKind<bool>) -> Self {
        Self {
            gaps,
            stretch: Stretch::Paused,
            lanes: PerKind::default(),
            wanted,
            end: 0,
            latest: None,
        }
    }

    /// A stretch begins. `now`: pipeline clock.
    pub(crate) fn begin(&mut self, now: i64) {
        if !matches!(self.stretch, Stretch::Paused) {
            return;
        }
        self.lanes.video.needs_keyframe = true;
        self.stretch = Stretch::Opening {
            begun: now,
            since: None,
            held: VecDeque::new(),
        };
    }

    /// A stretch ends. What waited for its opening is given out: it is all there is.
    pub(crate) fn pause(&mut self, now: i64) -> Vec<Placed> {
        self.pass(now);
        let rest = self.open();
        self.stretch = Stretch::Paused;
        self.latest = None;
        rest
    }

    /// Time goes on while a source is there and nothing comes of it: silence that is left out (DTX), a
    /// picture that stands still. At its end no further frame tells how long that was.
    fn pass(&mut self, now: i64) {
        let is_expected = self.lanes.audio.expected || self.lanes.video.expected;
        let Some((time, came)) = self.latest.filter(|_| is_expected) else {
            return;
        };
        let reached = time + (now - came);
        if self.gaps == Gaps::Keep && reached - self.end > SILENCE {
            self.end = reached;
        }
    }

    /// Something of this kind will come, or not any more.
    pub(crate) fn expect(&mut self, kind: MediaKind, expected: bool) {
        if let Some(lane) = self.lanes.of_mut(kind) {
            lane.expected = expected;
            // Whatever comes next is another stream.
            lane.needs_keyframe |= !expected && kind == MediaKind::Video;
        }
    }

    /// Whether video that comes has a place: not on hold, and not without a source.
    pub(crate) fn takes_video(&self) -> bool {
        !matches!(self.stretch, Stretch::Paused) && self.lanes.video.expected
    }

    /// Whether video cannot go on without a keyframe.
    pub(crate) fn needs_keyframe(&self) -> bool {
        self.takes_video() && self.lanes.video.needs_keyframe
    }

    /// Where what was placed ends, ns.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// Takes a frame; gives what has its place now. `now`: pipeline clock.
    pub(crate) fn push(&mut self, kind: MediaKind, frame: Frame, now: i64) -> Vec<Placed> {
        if self.lanes.of(kind).is_none() || !self.admits(kind, &frame, now) {
            return Vec::new();
        }
        match &mut self.stretch {
            Stretch::Paused => Vec::new(),
            Stretch::Open { .. } => {
                let placed = self.place(kind, frame);
                let came = placed.as_ref().map(|placed| (placed.time, now));
                self.latest = came.or(self.latest);
                placed.into_iter().collect()
            }
            Stretch::Opening { since, held, .. } => {
                since.get_or_insert(now);
                if held.len() >= 2 * MOST_HELD {
                    held.pop_front();
                }
                held.push_back((kind, frame));
                self.tick(now)
            }
        }
    }

    /// Opens a stretch that has waited long enough.
    pub(crate) fn tick(&mut self, now: i64) -> Vec<Placed> {
        let Stretch::Opening {
            since: Some(since),
            held,
            ..
        } = &self.stretch
        else {
            return Vec::new();
        };
        let waited = now - since;
        let has = |kind| held.iter().any(|(of, _)| *of == kind);
        let lacks = |kind, wanted: bool, lane: &Lane| {
            wanted && !has(kind) && { waited < if lane.expected { PATIENCE } else { SETTLING } }
        };
        let audio = lacks(MediaKind::Audio, self.wanted.audio, &self.lanes.audio);
        let video = lacks(MediaKind::Video, self.wanted.video, &self.lanes.video);
        if audio || video {
            Vec::new()
        } else {
            self.open()
        }
    }

    /// Whether a frame of video may follow what was before it.
    fn admits(&mut self, kind: MediaKind, frame: &Frame, now: i64) -> bool {
        if kind != MediaKind::Video {
            return true;
        }
        let is_past = match self.stretch {
            // Not for ever: the source may stamp its frames like that.
            Stretch::Opening { begun, .. } if now - begun < PATIENCE => {
                frame.presentation_time < begun - RECENT
            }
            _ => false,
        };
        let lane = &mut self.lanes.video;
        let is_start = frame.keyframe && !is_past;
        lane.needs_keyframe = (lane.needs_keyframe || frame.discontinuity) && !is_start;
        !lane.needs_keyframe
    }

    fn open(&mut self) -> Vec<Placed> {
        let Stretch::Opening { held, .. } = &mut self.stretch else {
            return Vec::new();
        };
        let held = std::mem::take(held);
        let first_of = |kind| held.iter().find(|(of, _)| *of == kind);
        let first = first_of(MediaKind::Video).or(held.front());
        let Some(start) = first.map(|(_, frame)| frame.presentation_time) else {
            return Vec::new();
        };
        self.stretch = Stretch::Open {
            shift: start - self.end,
        };
        // Sound from before the picture has no place.
        let in_time = held
            .into_iter()
            .filter(|(_, frame)| frame.presentation_time >= start);
        in_time
            .filter_map(|(kind, frame)| self.place(kind, frame))
            .collect()
    }

    fn place(&mut self, kind: MediaKind, frame: Frame) -> Option<Placed> {
        let Stretch::Open { shift } = &mut self.stretch else {
            return None;
        };
        let mut time = frame.presentation_time - *shift;
        let silence = time - self.end;
        if self.gaps == Gaps::Close && silence > GAP {
            *shift += silence;
            time = self.end;
        }
        let lane = self.lanes.of_mut(kind)?;
        let time = lane.put(kind, time, &frame)?;
        let lasts = if frame.duration > 0 {
            frame.duration
        } else {
            lane.usual_duration(kind)
        };
        self.end = self.end.max(time + lasts);
        Some(Placed { kind, time, frame })
    }
}

impl Lane {
    /// The place of a frame whose time would be `time`; `None` when it overlaps
    /// what is there. A new source may lag behind the former one.
    fn put(&mut self, kind: MediaKind, time: i64, frame: &Frame) -> Option<i64> {
        let latest = self.latest.unwrap_or(-MS);
        let time = match (kind, frame.keyframe) {
            (MediaKind::Video, true) => {
                let placed = time.max(latest + MS).max(0);
                // What is shown before the keyframe it comes after (an open GOP) is behind
                // what was there; of another source there is nothing before.
                let is_next = placed == time && self.latest.is_some();
                self.floor = Some(if is_next { latest } else { placed });
                placed
            }
            // Frames may be presented in another order than they are decoded.
            (MediaKind::Video, false) if time > self.floor? => time,
            (MediaKind::Video, false) => {
                let time = self.floor? + MS;
                self.floor = Some(time);
                time
            }
            _ if time + frame.duration.max(2 * MS) / 2 < latest => return None,
            _ => time.max(latest + MS).max(0),
        };
        self.latest = Some(latest.max(time));
        Some(time)
    }

    fn usual_duration(&self, kind: MediaKind) -> i64 {
        if kind == MediaKind::Video {
            USUAL_FRAME
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests;
