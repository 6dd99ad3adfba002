//! A recording: frames in, a container's bytes out. No clock and no I/O of its own.

mod tracks;

use std::{
    io,
    time::{Duration, SystemTime},
};

use rivero_codec::{Codec, ParameterSets, Track};
use rivero_plugin_api::{Format, MediaKind};

use crate::{
    container::{Container, Output},
    kinds::PerKind,
    profile::Profile,
    sample::{Frame, Sample},
    timeline::{Gaps, Placed, Timeline},
    track::{container_form, track_of},
};

const MS: i64 = 1_000_000;
/// Media is written in chunks of so long: what a killed server loses.
const CHUNK: i64 = 500 * MS;
/// A chunk that a keyframe ends is at least so long.
const SHORTEST_CHUNK: i64 = 100 * MS;
/// Bytes of a chunk.
const LARGEST_CHUNK: usize = 8 << 20;
/// Keyframes are asked for again after this, ns.
const KEYFRAME_RETRY: i64 = 500 * MS;

/// How a recording is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) profile: Profile,
    pub(crate) gaps: Gaps,
    /// A keyframe is asked for when the latest is older, ns: places to seek to.
    pub(crate) keyframe_interval: i64,
    /// Length of the files of a split recording, ns.
    pub(crate) split: i64,
    /// When recording was asked for, as files say it.
    pub(crate) asked: SystemTime,
    /// What is written is on the disk after so long, ns; 0: when the file is finished.
    pub(crate) sync_interval: i64,
}

/// What a recording has to say to the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// For the rest of the file a kind is in this codec, sound at this rate (Hz) with so many channels.
    Settled(Codec, u32, u8),
    /// A track that the output cannot take any more.
    TooLate(MediaKind),
    /// Video cannot go on, or cannot be sought in, without a keyframe.
    WantsKeyframe,
}

/// Finds the format behind a number.
pub(crate) type Formats = Box<dyn Fn(u32) -> Option<Format> + Send>;

/// What a kind of media has become.
#[derive(Default)]
struct Lane {
    track: Option<Track>,
    /// Format of the latest frame, and whether it fits the track.
    format: Option<(u32, bool)>,
    /// Format of the frames that the track describes.
    described: Option<u32>,
    /// It came too late to be recorded.
    is_refused: bool,
}

/// See the head of this file.
pub(crate) struct Recording {
    plan: Plan,
    formats: Formats,
    timeline: Timeline,
    /// Those of the video that comes, and its format.
    sets: Option<ParameterSets>,
    sets_of: Option<u32>,
    lanes: PerKind<Lane>,
    container: Box<dyn Container>,
    tracks: Vec<Track>,
    has_begun: bool,
    /// By their time on the timeline; they get that of the file when they are written.
    chunk: Vec<Sample>,
    chunk_bytes: usize,
    /// When the first sample of the chunk came.
    chunk_since: i64,
    /// Where the present file begins on the timeline.
    file_start: i64,
    /// Where the next file of a split recording begins, while sound from before it is waited for.
    next_start: Option<i64>,
    /// Where the sound that came ends, on the timeline.
    sound_end: i64,
    /// Bytes of the files before it.
    former_bytes: u64,
    /// The pipeline's time when recording was asked for, and now.
    asked: Option<i64>,
    now: i64,
    /// On the timeline.
    latest_keyframe: Option<i64>,
    /// When what was written was brought to the disk.
    synced: i64,
    asked_keyframe: Option<i64>,
    notices: Vec<Notice>,
}

impl Recording {
    pub(crate) fn new(plan: Plan, formats: Formats) -> Self {
        Self {
            timeline: Timeline::new(plan.gaps, plan.profile.media()),
            container: plan.profile.container(plan.asked),
            plan,
            formats,
            sets: None,
            sets_of: None,
            lanes: PerKind::default(),
            tracks: Vec::new(),
            has_begun: false,
            chunk: Vec::new(),
            chunk_bytes: 0,
            chunk_since: 0,
            file_start: 0,
            next_start: None,
            sound_end: 0,
            former_bytes: 0,
            asked: None,
            now: 0,
            latest_keyframe: None,
            synced: 0,
            asked_keyframe: None,
            notices: Vec::new(),
        }
    }

    /// What is to be told since the last call.
    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Length of what was recorded, ns.
    pub(crate) fn duration(&self) -> i64 {
        self.timeline.end()
    }

    /// Bytes of all files; `output`: the present one.
    pub(crate) fn bytes(&self, output: &dyn Output) -> u64 {
        self.former_bytes + output.length()
    }

    pub(crate) fn expect(&mut self, kind: MediaKind, expected: bool) {
        self.timeline.expect(kind, expected);
    }

    /// `now`: pipeline clock, as everywhere here.
    pub(crate) fn begin(&mut self, now: i64) {
        self.now = now;
        self.asked.get_or_insert(now);
        self.timeline.begin(now);
        self.asked_keyframe = None;
    }

    pub(crate) fn pause(&mut self, now: i64, output: &mut dyn Output) -> io::Result<()> {
        self.now = now;
        let rest = self.timeline.pause(now);
        self.add(rest, now, output)?;
        self.write_chunk(output)
    }

    pub(crate) fn push(
        &mut self,
        kind: MediaKind,
        mut frame: Frame,
        now: i64,
        output: &mut dyn Output,
    ) -> io::Result<()> {
        self.now = now;
        if kind == MediaKind::Video {
            self.complete(&mut frame);
        }
        if frame.duration <= 0 {
            frame.duration = self.sound_duration(kind, &frame);
        }
        let placed = self.timeline.push(kind, frame, now);
        self.add(placed, now, output)
    }

    /// What a frame of sound itself tells of its length, ns; 0 for video. RTP says nothing of it.
    fn sound_duration(&self, kind: MediaKind, frame: &Frame) -> i64 {
        if kind != MediaKind::Audio {
            return 0;
        }
        if let Some(track) = &self.lanes.audio.track {
            return track.duration(&frame.data);
        }
        let format = (self.formats)(frame.format);
        let track = format.and_then(|format| track_of(&format, &frame.data));
        track.map_or(0, |track| track.duration(&frame.data))
    }

    /// What time alone brings about; to be called a few times a second.
    pub(crate) fn tick(&mut self, now: i64, output: &mut dyn Output) -> io::Result<()> {
        self.now = now;
        let placed = self.timeline.tick(now);
        self.add(placed, now, output)?;
        self.ask_for_keyframe(now);
        if now - self.chunk_since >= CHUNK {
            self.write_chunk(output)?;
        }
        let is_due = now - self.synced >= self.plan.sync_interval;
        if self.plan.sync_interval > 0 && self.has_begun && is_due {
            self.synced = now;
            output.sync()?;
        }
        Ok(())
    }

    /// Writes what is left and the index.
    pub(crate) fn finish(&mut self, now: i64, output: &mut dyn Output) -> io::Result<()> {
        self.pause(now, output)?;
        self.finish_file(output)
    }

    /// Ends the file as well as it can be after a failure.
    pub(crate) fn abandon(&mut self, output: &mut dyn Output) -> io::Result<()> {
        self.chunk.clear();
        self.finish_file(output)
    }

    fn finish_file(&mut self, output: &mut dyn Output) -> io::Result<()> {
        let end = self.timeline.end() - self.file_start;
        self.container.finish(end, output)
    }

    fn ask_for_keyframe(&mut self, now: i64) {
        let is_old = self
            .latest_keyframe
            .is_some_and(|at| self.timeline.end() - at >= self.plan.keyframe_interval);
        let is_time = self
            .asked_keyframe
            .is_none_or(|asked| now - asked >= KEYFRAME_RETRY);
        let is_wanted = self.timeline.needs_keyframe() || (self.timeline.takes_video() && is_old);
        if is_time && is_wanted {
            self.asked_keyframe = Some(now);
            self.notices.push(Notice::WantsKeyframe);
        }
    }

    fn add(&mut self, placed: Vec<Placed>, now: i64, output: &mut dyn Output) -> io::Result<()> {
        for Placed { kind, time, frame } in placed {
            if self.fits(kind, &frame) && self.goes_on(kind, time, &frame, output)? {
                self.join(kind, &frame, output)?;
                self.follow(kind, &frame, output)?;
                self.append(kind, time, &frame, now, output)?;
            }
        }
        Ok(())
    }

    fn append(
        &mut self,
        kind: MediaKind,
        time: i64,
        frame: &Frame,
        now: i64,
        output: &mut dyn Output,
    ) -> io::Result<()> {
        let is_cut = kind == MediaKind::Video && frame.keyframe;
        if is_cut {
            self.latest_keyframe = Some(time);
        }
        let Some(lane) = self.lanes.of(kind).filter(|lane| !lane.is_refused) else {
            return Ok(());
        };
        let Some(track) = &lane.track else {
            // Video without its headers: the next keyframe may have them.
            self.notices.push(Notice::WantsKeyframe);
            return Ok(());
        };
        let data = container_form(track, &frame.data);
        if data.is_empty() {
            return Ok(());
        }
        let sample = Sample {
            kind,
            time,
            duration: frame.duration,
            keyframe: frame.keyframe || kind == MediaKind::Audio,
            data,
        };
        self.cut(time, is_cut, now, output)?;
        self.keep(sample, now);
        let is_complete = |start| self.lanes.audio.track.is_none() || self.sound_end >= start;
        if self.next_start.is_some_and(is_complete) {
            self.split(output)?;
        }
        Ok(())
    }

    /// Ends the chunk, or the file, where it is to end before a sample at `time`.
    fn cut(
        &mut self,
        time: i64,
        is_cut: bool,
        now: i64,
        output: &mut dyn Output,
    ) -> io::Result<()> {
        let length = self.chunk.first().map_or(0, |first| time - first.time);
        let is_waiting = self.next_start.is_some();
        if !is_waiting && self.is_next_file(is_cut, time) {
            self.wait_for_sound(time, now, output)
        } else if length >= CHUNK
            || self.chunk_bytes >= LARGEST_CHUNK
            || (is_cut && !is_waiting && length >= SHORTEST_CHUNK)
        {
            self.write_chunk(output)
        } else {
            Ok(())
        }
    }

    fn keep(&mut self, sample: Sample, now: i64) {
        if sample.kind == MediaKind::Audio {
            self.sound_end = sample.end();
        }
        if self.is_too_late(&sample) {
            return;
        }
        if self.chunk.is_empty() {
            self.chunk_since = now;
        }
        self.chunk_bytes += sample.data.len();
        self.chunk.push(sample);
    }

    fn is_next_file(&self, is_cut: bool, time: i64) -> bool {
        self.plan.profile.is_split
            && (is_cut || !self.has_video())
            && time - self.file_start >= self.plan.split
    }

    /// Whether the file that a sample belongs to is finished.
    fn is_too_late(&self, sample: &Sample) -> bool {
        match sample.kind {
            // Behind the keyframe, but shown before it: it needs pictures of the file before.
            MediaKind::Video => sample.time < self.next_start.unwrap_or(self.file_start),
            _ => sample.time < self.file_start && sample.end() <= self.file_start,
        }
    }

    fn has_video(&self) -> bool {
        self.lanes.video.track.is_some()
    }

    /// The next file begins at `time`. Sound may be behind: the file before is
    /// finished when it has come, or as soon as a chunk is due.
    fn wait_for_sound(&mut self, time: i64, now: i64, output: &mut dyn Output) -> io::Result<()> {
        let is_next = |sample: &Sample| sample.kind == MediaKind::Audio && sample.time >= time;
        self.write_samples(|sample| !is_next(sample), output)?;
        self.next_start = Some(time);
        self.chunk_since = now;
        Ok(())
    }

    /// Goes on in another file, if that is due.
    fn split(&mut self, output: &mut dyn Output) -> io::Result<()> {
        let Some(start) = self.next_start.take() else {
            return Ok(());
        };
        let is_former = |sample: &Sample| sample.kind == MediaKind::Audio && sample.time < start;
        self.write_samples(is_former, output)?;
        self.begin_file(start, output)
    }

    /// Ends the file at `start`, and begins the next one there.
    fn begin_file(&mut self, start: i64, output: &mut dyn Output) -> io::Result<()> {
        self.container.finish(start - self.file_start, output)?;
        self.former_bytes += output.length();
        output.next_file()?;
        self.container = self.plan.profile.container(self.moment());
        self.has_begun = false;
        self.file_start = start;
        Ok(())
    }

    /// What it is now, as files say it.
    fn moment(&self) -> SystemTime {
        let since = self.now - self.asked.unwrap_or(self.now);
        self.plan.asked + Duration::from_nanos(u64::try_from(since).unwrap_or_default())
    }

    fn write_chunk(&mut self, output: &mut dyn Output) -> io::Result<()> {
        self.split(output)?;
        self.write_samples(|_| true, output)
    }

    /// Writes those samples of the chunk that belong into the present file.
    fn write_samples(
        &mut self,
        belongs: impl Fn(&Sample) -> bool,
        output: &mut dyn Output,
    ) -> io::Result<()> {
        let (mut samples, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.chunk)
            .into_iter()
            .partition(belongs);
        self.chunk_bytes = rest.iter().map(|sample: &Sample| sample.data.len()).sum();
        self.chunk = rest;
        if samples.is_empty() {
            return Ok(());
        }
        if !self.has_begun {
            self.container.set_tracks(&self.tracks, output)?;
            self.has_begun = true;
        }
        for sample in &mut samples {
            sample.time = (sample.time - self.file_start).max(0);
        }
        self.container.write(&interleaved(samples), output)
    }
}

/// Samples by time, those of a track in the order in which they are decoded.
fn interleaved(samples: Vec<Sample>) -> Vec<Sample> {
    let mut latest = PerKind {
        audio: i64::MIN,
        video: i64::MIN,
    };
    let mut keyed: Vec<(i64, Sample)> = Vec::with_capacity(samples.len());
    for sample in samples {
        let Some(latest) = latest.of_mut(sample.kind) else {
            continue;
        };
        *latest = sample.time.max(*latest);
        keyed.push((*latest, sample));
    }
    keyed.sort_by_key(|(time, _)| *time);
    keyed.into_iter().map(|(_, sample)| sample).collect()
}

#[cfg(test)]
mod tests;
