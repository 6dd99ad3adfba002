//! A recording: frames in, a container's bytes out. No clock and no I/O of its own.

use std::io;

use rivero_plugin_api::{Format, MediaKind, Packaging};

use crate::{
    codec::{Codec, Track},
    container::{Container, Output},
    kinds::PerKind,
    profile::Profile,
    sample::{Frame, Sample},
    timeline::{Gaps, Placed, Timeline},
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
    /// It came too late to be recorded.
    is_refused: bool,
}

/// See the head of this file.
pub(crate) struct Recording {
    plan: Plan,
    formats: Formats,
    timeline: Timeline,
    lanes: PerKind<Lane>,
    container: Box<dyn Container>,
    tracks: Vec<Track>,
    has_begun: bool,
    chunk: Vec<Sample>,
    chunk_bytes: usize,
    /// When the first sample of the chunk came.
    chunk_since: i64,
    /// Where the present file begins on the timeline.
    file_start: i64,
    /// Bytes of the files before it.
    former_bytes: u64,
    /// On the timeline.
    latest_keyframe: Option<i64>,
    asked_keyframe: Option<i64>,
    notices: Vec<Notice>,
}

impl Recording {
    pub(crate) fn new(plan: Plan, formats: Formats) -> Self {
        Self {
            timeline: Timeline::new(plan.gaps, plan.profile.media()),
            container: plan.profile.container(),
            plan,
            formats,
            lanes: PerKind::default(),
            tracks: Vec::new(),
            has_begun: false,
            chunk: Vec::new(),
            chunk_bytes: 0,
            chunk_since: 0,
            file_start: 0,
            former_bytes: 0,
            latest_keyframe: None,
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
        self.timeline.begin(now);
        self.asked_keyframe = None;
    }

    pub(crate) fn pause(&mut self, now: i64, output: &mut dyn Output) -> io::Result<()> {
        let rest = self.timeline.pause();
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
        let track = format.and_then(|format| Track::of(&format, &frame.data));
        track.map_or(0, |track| track.duration(&frame.data))
    }

    /// What time alone brings about; to be called a few times a second.
    pub(crate) fn tick(&mut self, now: i64, output: &mut dyn Output) -> io::Result<()> {
        let placed = self.timeline.tick(now);
        self.add(placed, now, output)?;
        self.ask_for_keyframe(now);
        if now - self.chunk_since >= CHUNK {
            self.write_chunk(output)?;
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
            if self.fits(kind, &frame) {
                self.join(kind, &frame, output)?;
                self.append(kind, time, &frame, now, output)?;
            }
        }
        Ok(())
    }

    /// Whether a frame is of the codec that its track has, or may have.
    fn fits(&mut self, kind: MediaKind, frame: &Frame) -> bool {
        let Some(lane) = self.lanes.of_mut(kind) else {
            return false;
        };
        if lane.is_refused {
            return false;
        }
        if let Some((format, fits)) = lane.format
            && format == frame.format
        {
            return fits;
        }
        // While links change there may be others than were asked for.
        let format =
            (self.formats)(frame.format).filter(|format| format.packaging == Packaging::Frame);
        let codec = format.and_then(|format| Codec::from_name(&format.encoding));
        let fits = match (&lane.track, codec) {
            (Some(track), Some(codec)) => track.codec == codec,
            (None, Some(codec)) => self.plan.profile.codecs(kind).contains(&codec),
            (_, None) => false,
        };
        lane.format = Some((frame.format, fits));
        fits
    }

    /// Makes the track of a kind when this is its first frame.
    fn join(&mut self, kind: MediaKind, frame: &Frame, output: &mut dyn Output) -> io::Result<()> {
        let Some(lane) = self.lanes.of_mut(kind) else {
            return Ok(());
        };
        if lane.track.is_some() {
            return Ok(());
        }
        let Some(format) = (self.formats)(frame.format) else {
            return Ok(());
        };
        let Some(track) = Track::of(&format, &frame.data) else {
            return Ok(());
        };
        lane.track = Some(track.clone());
        let settled = Notice::Settled(track.codec, format.clock_rate, format.channels);
        self.notices.push(settled);
        self.tracks.push(track);
        if !self.has_begun {
            return Ok(());
        }
        self.write_chunk(output)?;
        if !self.container.set_tracks(&self.tracks, output)? {
            self.tracks.pop();
            if let Some(lane) = self.lanes.of_mut(kind) {
                lane.is_refused = true;
            }
            self.notices.push(Notice::TooLate(kind));
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
        let data = track.repack(&frame.data);
        if data.is_empty() {
            return Ok(());
        }
        let length = self
            .chunk
            .first()
            .map_or(0, |first| time - self.file_start - first.time);
        if length >= CHUNK
            || self.chunk_bytes >= LARGEST_CHUNK
            || (is_cut && length >= SHORTEST_CHUNK)
        {
            self.write_chunk(output)?;
        }
        if self.plan.profile.is_split
            && (is_cut || !self.has_video())
            && time - self.file_start >= self.plan.split
        {
            self.split(time, output)?;
        }
        if self.chunk.is_empty() {
            self.chunk_since = now;
        }
        self.chunk_bytes += data.len();
        self.chunk.push(Sample {
            kind,
            time: (time - self.file_start).max(0),
            duration: frame.duration,
            keyframe: frame.keyframe || kind == MediaKind::Audio,
            data,
        });
        Ok(())
    }

    fn has_video(&self) -> bool {
        self.lanes.video.track.is_some()
    }

    /// Goes on in another file.
    fn split(&mut self, time: i64, output: &mut dyn Output) -> io::Result<()> {
        self.write_chunk(output)?;
        self.container.finish(time - self.file_start, output)?;
        self.former_bytes += output.length();
        output.next_file()?;
        self.container = self.plan.profile.container();
        self.has_begun = false;
        self.file_start = time;
        Ok(())
    }

    fn write_chunk(&mut self, output: &mut dyn Output) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        if !self.has_begun {
            self.container.set_tracks(&self.tracks, output)?;
            self.has_begun = true;
        }
        let chunk = interleaved(std::mem::take(&mut self.chunk));
        self.chunk_bytes = 0;
        self.container.write(&chunk, output)
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
