//! What is to be sent and was not sent yet: one order for sound and pictures, and a bound.

use std::collections::VecDeque;

use super::{
    Frame, Kind, MS,
    clock::{LaneClock, Times},
};

/// Pictures that wait for longer than this are too many: more than the burst of a keyframe, less than viewers notice.
const MOST_VIDEO: i64 = 1500 * MS;
/// Sound is small, and a hole in it is heard: it may wait longer.
const MOST_AUDIO: i64 = 5000 * MS;
/// Of pictures, whatever their times say.
const MOST_BYTES: usize = 16 << 20;
/// A frame waits so long for one of the other kind that belongs before it: converters and jitter buffers take their time.
const PATIENCE: i64 = 400 * MS;
/// A kind that has not come for so long is not waited for. Above the 400 ms between packets of Opus in silence (DTX).
const SILENCE: i64 = 1000 * MS;

/// A stream begins when so many pictures are there, or the first has waited so long: they tell how far pictures are
/// reordered, and what comes later need not wait for that. As many as an encoder with three B-pictures in a row needs.
const FIRST_PICTURES: usize = 6;
const FIRST_PATIENCE: i64 = 300 * MS;

/// A frame with its place among the messages.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) frame: Frame,
    /// ns since the beginning of the stream; never less than that of the frame before, of either kind.
    pub(crate) time: i64,
    /// When it is shown, in the same way.
    pub(crate) shown: i64,
}

#[derive(Debug)]
struct Waiting {
    frame: Frame,
    times: Times,
    /// When it came.
    since: i64,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Waiting>,
    clock: LaneClock,
    /// The pad has a source.
    is_expected: bool,
    /// When a frame came last, or is expected since.
    alive: i64,
}

/// See the head of this file. All times are ns on the pipeline's clock.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    audio: Lane,
    video: Lane,
    /// Pictures begin with a keyframe, and again when some were left out.
    needs_keyframe: bool,
    /// Bytes of pictures.
    bytes: usize,
    /// What is 0 in the stream, once it has begun.
    begin: Option<i64>,
    /// Time of the latest frame that was taken out.
    latest: i64,
    /// The same, of sound.
    sound_taken: Option<i64>,
    dropped: u64,
}

impl Backlog {
    /// For a stream that begins now.
    pub(crate) fn new() -> Self {
        Self {
            needs_keyframe: true,
            ..Self::default()
        }
    }

    /// A kind of media is to come, or not any more.
    pub(crate) fn expect(&mut self, kind: Kind, is_expected: bool, now: i64) {
        let lane = self.lane(kind);
        if is_expected && !lane.is_expected {
            lane.alive = now;
        }
        lane.is_expected = is_expected;
    }

    /// Something before the next picture is missing.
    pub(crate) fn broken(&mut self) {
        self.needs_keyframe = true;
    }

    /// Takes a frame that came at `now`.
    pub(crate) fn push(&mut self, frame: Frame, now: i64) {
        let kind = frame.kind;
        self.lane(kind).alive = now;
        if kind == Kind::Video {
            if self.needs_keyframe && !frame.is_keyframe {
                // What came before a stream has begun is no loss of it.
                self.dropped += u64::from(self.begin.is_some());
                return;
            }
            self.needs_keyframe = false;
            self.bytes += frame.data.len();
        }
        let lane = self.lane(kind);
        let times = lane.clock.place(kind, frame.presentation_time, now);
        lane.waiting.push_back(Waiting {
            frame,
            times,
            since: now,
        });
        self.shorten();
    }

    /// The next frame to be sent, if its turn has come.
    pub(crate) fn pop(&mut self, now: i64) -> Option<Outgoing> {
        let begin = match self.begin {
            Some(begin) => begin,
            None => self.open(now)?,
        };
        let kind = self.turn(now)?;
        let waiting = self.lane(kind).waiting.pop_front()?;
        if kind == Kind::Video {
            self.bytes = self.bytes.saturating_sub(waiting.frame.data.len());
        }
        let since_begin = |time: i64| time.saturating_sub(begin);
        self.latest = since_begin(waiting.times.decoded).max(self.latest);
        if kind == Kind::Audio {
            // Players take two frames of sound with the same time, in the milliseconds that are sent, for an error.
            let after = self.sound_taken.map_or(0, |taken| taken + MS);
            self.latest = self.latest.max(after);
            self.sound_taken = Some(self.latest);
        }
        Some(Outgoing {
            frame: waiting.frame,
            time: self.latest,
            shown: since_begin(waiting.times.shown).max(self.latest),
        })
    }

    /// The sound that is sent next.
    pub(crate) fn next_sound(&self) -> Option<&Frame> {
        self.audio.waiting.front().map(|waiting| &waiting.frame)
    }

    /// How long the oldest picture, or the oldest sound where there are none, waits at `now`.
    pub(crate) fn age(&self, now: i64) -> i64 {
        let oldest = self.video.waiting.front().or(self.audio.waiting.front());
        oldest.map_or(0, |waiting| now.saturating_sub(waiting.since))
    }

    /// Whether nothing more can be sent before a keyframe.
    pub(crate) fn needs_keyframe(&self) -> bool {
        self.needs_keyframe && self.video.is_expected
    }

    /// Whether sound comes, or has come a moment ago.
    pub(crate) fn has_sound(&self, now: i64) -> bool {
        !self.audio.waiting.is_empty() || !self.audio.is_silent(now)
    }

    /// Frames that were left out since this was asked last.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn lane(&mut self, kind: Kind) -> &mut Lane {
        match kind {
            Kind::Audio => &mut self.audio,
            Kind::Video => &mut self.video,
        }
    }

    /// Begins the stream: with a keyframe, or with sound where no picture comes within [`SILENCE`].
    fn open(&mut self, now: i64) -> Option<i64> {
        let begin = match (self.video.waiting.front(), self.audio.waiting.front()) {
            (Some(picture), _) => {
                let waited = now.saturating_sub(picture.since) >= FIRST_PATIENCE;
                if !waited && self.video.waiting.len() < FIRST_PICTURES {
                    return None;
                }
                self.video.place_again()?
            }
            (None, Some(sound)) => {
                let waited = now.saturating_sub(sound.since) >= SILENCE;
                if self.video.is_expected && !waited {
                    return None;
                }
                sound.times.decoded
            }
            (None, None) => return None,
        };
        // Sound from before the first picture would have times below 0.
        let is_early = |waiting: &Waiting| waiting.times.decoded < begin;
        while self.audio.waiting.front().is_some_and(is_early) {
            self.audio.waiting.pop_front();
        }
        self.begin = Some(begin);
        Some(begin)
    }

    /// Whose frame comes next, if it need not wait for one of the other kind.
    fn turn(&self, now: i64) -> Option<Kind> {
        let (kind, front, other) = match (self.audio.waiting.front(), self.video.waiting.front()) {
            (Some(sound), Some(picture)) => {
                let sound_first = sound.times.decoded < picture.times.decoded;
                return Some(if sound_first {
                    Kind::Audio
                } else {
                    Kind::Video
                });
            }
            (Some(sound), None) => (Kind::Audio, sound, &self.video),
            (None, Some(picture)) => (Kind::Video, picture, &self.audio),
            (None, None) => return None,
        };
        let waited = now.saturating_sub(front.since) >= PATIENCE;
        (waited || other.is_silent(now)).then_some(kind)
    }

    /// Leaves out what is too much: pictures up to the latest keyframe, or all of them up to the next one.
    fn shorten(&mut self) {
        if self.video.length() > MOST_VIDEO || self.bytes > MOST_BYTES {
            let waiting = &mut self.video.waiting;
            let latest = waiting
                .iter()
                .rposition(|waiting| waiting.frame.is_keyframe);
            let left_out = match latest {
                Some(index @ 1..) => index,
                // Only one group: what has not gone of it is given up.
                _ => {
                    self.needs_keyframe = true;
                    waiting.len()
                }
            };
            let drained = waiting.drain(..left_out);
            let bytes: usize = drained.map(|waiting| waiting.frame.data.len()).sum();
            self.bytes = self.bytes.saturating_sub(bytes);
            self.dropped += left_out as u64;
        }
        while self.audio.length() > MOST_AUDIO {
            self.audio.waiting.pop_front();
            self.dropped += 1;
        }
    }
}

impl Lane {
    fn is_silent(&self, now: i64) -> bool {
        !self.is_expected || now.saturating_sub(self.alive) >= SILENCE
    }

    /// Gives what waits its times once more, now that it is known how far it is reordered; that of the first frame.
    fn place_again(&mut self) -> Option<i64> {
        self.clock = LaneClock::knowing(&self.clock);
        for waiting in &mut self.waiting {
            let shown = waiting.frame.presentation_time;
            waiting.times = self.clock.place(waiting.frame.kind, shown, waiting.since);
        }
        Some(self.waiting.front()?.times.decoded)
    }

    /// From the oldest frame to the latest.
    fn length(&self) -> i64 {
        match (self.waiting.front(), self.waiting.back()) {
            (Some(first), Some(last)) => last.since.saturating_sub(first.since),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests;
