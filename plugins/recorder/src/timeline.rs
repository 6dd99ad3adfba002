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
}

impl Timeline {
    pub(crate) fn new(gaps: Gaps, wanted: PerKind<bool>) -> Self {
        Self {
            gaps,
            stretch: Stretch::Paused,
            lanes: PerKind::default(),
            wanted,
            end: 0,
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
    pub(crate) fn pause(&mut self) -> Vec<Placed> {
        let rest = self.open();
        self.stretch = Stretch::Paused;
        rest
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
            Stretch::Open { .. } => self.place(kind, frame).into_iter().collect(),
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
mod tests {
    use MediaKind::{Audio, Video};

    use super::*;

    fn frame(at: i64, duration: i64, keyframe: bool) -> Frame {
        Frame {
            format: 1,
            presentation_time: at * MS,
            duration: duration * MS,
            keyframe,
            discontinuity: false,
            data: rivero_plugin_api::Bytes::default(),
        }
    }

    fn both() -> PerKind<bool> {
        PerKind {
            audio: true,
            video: true,
        }
    }

    fn timeline(gaps: Gaps, expected: &[MediaKind]) -> Timeline {
        let mut timeline = Timeline::new(gaps, both());
        expected
            .iter()
            .for_each(|kind| timeline.expect(*kind, true));
        timeline.begin(0);
        timeline
    }

    /// Pushes sound and pictures of the milliseconds `range`, as a live source
    /// does: 20 ms of sound, pictures every 40 ms, a keyframe at the first.
    fn live(timeline: &mut Timeline, range: std::ops::Range<i64>) -> Vec<(MediaKind, i64)> {
        let mut placed = Vec::new();
        for at in (range.start..range.end).step_by(20) {
            placed.extend(timeline.push(Audio, frame(at, 20, true), at * MS));
            if (at - range.start) % 40 == 0 {
                let keyframe = at == range.start;
                placed.extend(timeline.push(Video, frame(at, 40, keyframe), at * MS));
            }
        }
        placed
            .into_iter()
            .map(|placed| (placed.kind, placed.time / MS))
            .collect()
    }

    fn of(placed: &[(MediaKind, i64)], kind: MediaKind) -> Vec<i64> {
        placed
            .iter()
            .filter(|(of, _)| *of == kind)
            .map(|(_, time)| *time)
            .collect()
    }

    fn pushed(timeline: &mut Timeline, kind: MediaKind, frame: Frame) -> Vec<i64> {
        let now = frame.presentation_time;
        timeline
            .push(kind, frame, now)
            .iter()
            .map(|placed| placed.time / MS)
            .collect()
    }

    #[test]
    fn it_begins_at_zero_with_the_keyframe() {
        let mut timeline = timeline(Gaps::Keep, &[Audio, Video]);
        for at in [0, 20, 40] {
            assert!(pushed(&mut timeline, Audio, frame(at, 20, true)).is_empty());
        }
        assert!(pushed(&mut timeline, Video, frame(30, 40, false)).is_empty());
        assert!(timeline.needs_keyframe());
        let placed = timeline.push(Video, frame(30, 40, true), 60 * MS);
        let placed: Vec<_> = placed
            .iter()
            .map(|placed| (placed.kind, placed.time / MS))
            .collect();
        assert_eq!(placed, [(Audio, 10), (Video, 0)]);
    }

    #[test]
    fn what_does_not_come_is_not_waited_for_long() {
        let mut timeline = timeline(Gaps::Keep, &[Audio]);
        let placed: Vec<i64> = (0..20)
            .flat_map(|n| pushed(&mut timeline, Audio, frame(n * 20, 20, true)))
            .collect();
        assert_eq!(placed, (0..20).map(|n| n * 20).collect::<Vec<_>>());
        // Late video keeps its distance to the sound.
        assert_eq!(pushed(&mut timeline, Video, frame(5000, 40, true)), [5000]);
    }

    #[test]
    fn a_stretch_opens_by_time_alone() {
        let mut timeline = timeline(Gaps::Keep, &[Audio, Video]);
        assert!(pushed(&mut timeline, Audio, frame(0, 20, true)).is_empty());
        assert!(timeline.tick(999 * MS).is_empty());
        assert_eq!(timeline.tick(1000 * MS).len(), 1);
    }

    #[test]
    fn pauses_leave_no_hole_and_no_offset() {
        let mut timeline = timeline(Gaps::Keep, &[Audio, Video]);
        live(&mut timeline, 0..1000);
        assert!(timeline.pause().is_empty());
        assert!(live(&mut timeline, 1000..5000).is_empty());
        timeline.begin(5000 * MS);
        let resumed = live(&mut timeline, 5007..6000);
        assert_eq!(of(&resumed, Audio)[..3], [1000, 1020, 1040]);
        assert_eq!(of(&resumed, Video)[..3], [1000, 1040, 1080]);
    }

    #[test]
    fn a_pause_before_the_opening_keeps_what_came() {
        let mut timeline = timeline(Gaps::Keep, &[Audio, Video]);
        pushed(&mut timeline, Audio, frame(0, 20, true));
        assert_eq!(timeline.pause().len(), 1);
    }

    #[test]
    fn pictures_from_before_the_recording_are_left_out() {
        let mut timeline = Timeline::new(Gaps::Keep, both());
        timeline.expect(Audio, true);
        timeline.expect(Video, true);
        timeline.begin(1000 * MS);
        let mut push = |kind, frame| timeline.push(kind, frame, 1010 * MS).len();
        assert_eq!(push(Video, frame(500, 40, true)), 0);
        assert_eq!(push(Video, frame(540, 40, false)), 0);
        assert_eq!(push(Audio, frame(1000, 20, true)), 0);
        assert_eq!(push(Video, frame(990, 40, true)), 2);
    }

    #[test]
    fn gaps_stay_or_are_closed() {
        let mut kept = timeline(Gaps::Keep, &[Audio, Video]);
        live(&mut kept, 0..1000);
        assert_eq!(of(&live(&mut kept, 3000..4000), Audio)[0], 3000);

        let mut closed = timeline(Gaps::Close, &[Audio, Video]);
        live(&mut closed, 0..1000);
        let after = live(&mut closed, 3000..4000);
        assert_eq!((of(&after, Audio)[0], of(&after, Video)[0]), (1000, 1000));
        assert_eq!(of(&after, Audio).last(), Some(&1980));
    }

    #[test]
    fn a_gap_of_one_track_stays_for_the_sake_of_the_other() {
        let mut timeline = timeline(Gaps::Close, &[Audio, Video]);
        live(&mut timeline, 0..1000);
        for at in (1000..3000).step_by(20) {
            assert_eq!(pushed(&mut timeline, Audio, frame(at, 20, true)), [at]);
        }
        assert_eq!(pushed(&mut timeline, Video, frame(3000, 40, false)), [3000]);
    }

    #[test]
    fn frames_after_loss_wait_for_a_keyframe() {
        let mut timeline = timeline(Gaps::Keep, &[Audio, Video]);
        live(&mut timeline, 0..1000);
        let mut broken = frame(1000, 40, false);
        broken.discontinuity = true;
        assert!(pushed(&mut timeline, Video, broken).is_empty());
        assert!(timeline.needs_keyframe());
        assert!(pushed(&mut timeline, Video, frame(1040, 40, false)).is_empty());
        assert_eq!(pushed(&mut timeline, Video, frame(1080, 40, true)), [1080]);
    }

    #[test]
    fn another_source_may_lag_behind() {
        let mut timeline = timeline(Gaps::Keep, &[Audio, Video]);
        live(&mut timeline, 0..1000);
        timeline.expect(Video, false);
        timeline.expect(Video, true);
        assert!(pushed(&mut timeline, Video, frame(900, 40, false)).is_empty());
        assert_eq!(pushed(&mut timeline, Video, frame(900, 40, true)), [961]);
        assert_eq!(pushed(&mut timeline, Video, frame(930, 40, false)), [962]);
        assert_eq!(pushed(&mut timeline, Video, frame(940, 40, false)), [963]);
        assert_eq!(pushed(&mut timeline, Video, frame(980, 40, false)), [980]);
        assert!(pushed(&mut timeline, Audio, frame(940, 20, true)).is_empty());
        assert_eq!(pushed(&mut timeline, Audio, frame(990, 20, true)), [990]);
    }

    #[test]
    fn pictures_that_lead_a_keyframe_keep_their_times() {
        let mut timeline = timeline(Gaps::Keep, &[Video]);
        let order = [
            (0, true),
            (120, false),
            (40, false),
            (80, false),
            (240, true),
            (160, false),
            (200, false),
            (280, false),
        ];
        let mut placed = Vec::new();
        for (at, keyframe) in order {
            placed.extend(timeline.push(Video, frame(at, 40, keyframe), 300 * MS));
        }
        placed.extend(timeline.tick(2000 * MS));
        let times: Vec<_> = placed.iter().map(|placed| placed.time / MS).collect();
        assert_eq!(times, order.map(|(at, _)| at));
    }

    #[test]
    fn reordered_pictures_keep_their_times() {
        let mut timeline = timeline(Gaps::Keep, &[Video]);
        let order = [
            (0, true),
            (160, false),
            (80, false),
            (40, false),
            (120, false),
        ];
        let mut placed = Vec::new();
        for (at, keyframe) in order {
            let now = (300 + at) * MS;
            placed.extend(timeline.push(Video, frame(at, 40, keyframe), now));
        }
        placed.extend(timeline.tick(2000 * MS));
        let times: Vec<_> = placed.iter().map(|placed| placed.time / MS).collect();
        assert_eq!(times, [0, 160, 80, 40, 120]);
    }
}
