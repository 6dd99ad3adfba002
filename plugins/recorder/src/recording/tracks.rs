//! What a recording learns of its tracks from their frames: the codec, the parameter sets, the size, and that
//! these change.

use std::io;

use rivero_codec::{Codec, ParameterSets, Track};
use rivero_plugin_api::{MediaKind, Packaging};

use super::{Notice, Recording};
use crate::{
    container::Output,
    sample::Frame,
    track::{as_stated, kind_of, track_of},
};

impl Recording {
    /// Gives a keyframe the parameter sets that came before it, be it while there was nothing to record: a
    /// file, or its next part, begins with it, and so does a player that goes there.
    pub(super) fn complete(&mut self, frame: &mut Frame) {
        if self.sets_of != Some(frame.format) {
            self.sets_of = Some(frame.format);
            let format =
                (self.formats)(frame.format).filter(|format| format.packaging == Packaging::Frame);
            let codec = format.and_then(|format| Codec::from_name(&format.encoding));
            if codec != self.sets.as_ref().map(ParameterSets::codec) {
                self.sets = codec.and_then(ParameterSets::new);
            }
        }
        let sets = self.sets.as_mut();
        if let Some(whole) = sets.and_then(|sets| sets.complete(&frame.data, frame.keyframe)) {
            frame.data = whole.into();
        }
    }

    /// Whether a frame is of the codec that its track has, or may have.
    pub(super) fn fits(&mut self, kind: MediaKind, frame: &Frame) -> bool {
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
            (Some(track), Some(codec)) if !self.plan.profile.is_split => track.codec == codec,
            (_, Some(codec)) => self.plan.profile.codecs(kind).contains(&codec),
            (_, None) => false,
        };
        lane.format = Some((frame.format, fits));
        fits
    }

    /// Whether a frame can follow what there is. Where a recording is several files, another codec begins the
    /// next of them; a file has one codec for each kind, since players expect no more.
    pub(super) fn goes_on(
        &mut self,
        kind: MediaKind,
        time: i64,
        frame: &Frame,
        output: &mut dyn Output,
    ) -> io::Result<bool> {
        let Some(lane) = self.lanes.of_mut(kind) else {
            return Ok(false);
        };
        let Some(former) = lane.track.as_ref() else {
            return Ok(true);
        };
        if lane.described == Some(frame.format) {
            return Ok(true);
        }
        let Some(format) = (self.formats)(frame.format) else {
            return Ok(false);
        };
        if Codec::from_name(&format.encoding) == Some(former.codec) {
            return Ok(true);
        }
        let begins = frame.keyframe || kind == MediaKind::Audio;
        let Some(track) = track_of(&format, &frame.data).filter(|_| begins) else {
            self.notices.push(Notice::WantsKeyframe);
            return Ok(false);
        };
        self.split(output)?;
        self.write_samples(|sample| sample.time < time, output)?;
        if self.has_begun {
            self.begin_file(time, output)?;
        }
        let settled = Notice::Settled(track.codec, format.clock_rate, format.channels);
        self.notices.push(settled);
        self.replace(kind, frame.format, track);
        Ok(true)
    }

    fn replace(&mut self, kind: MediaKind, format: u32, track: Track) {
        for known in &mut self.tracks {
            if kind_of(known.codec) == kind {
                *known = track.clone();
            }
        }
        if let Some(lane) = self.lanes.of_mut(kind) {
            lane.described = Some(format);
            lane.track = Some(track);
        }
    }

    /// Makes the track of a kind when this is its first frame.
    pub(super) fn join(
        &mut self,
        kind: MediaKind,
        frame: &Frame,
        output: &mut dyn Output,
    ) -> io::Result<()> {
        let Some(lane) = self.lanes.of_mut(kind) else {
            return Ok(());
        };
        if lane.track.is_some() {
            return Ok(());
        }
        let Some(format) = (self.formats)(frame.format) else {
            return Ok(());
        };
        let Some(track) = track_of(&format, &frame.data) else {
            return Ok(());
        };
        lane.track = Some(track.clone());
        lane.described = Some(frame.format);
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

    /// Notices that video goes on with other parameter sets, in another size or otherwise turned.
    pub(super) fn follow(
        &mut self,
        kind: MediaKind,
        frame: &Frame,
        output: &mut dyn Output,
    ) -> io::Result<()> {
        let Some(lane) = self.lanes.of_mut(kind).filter(|lane| !lane.is_refused) else {
            return Ok(());
        };
        let is_described = lane.described == Some(frame.format) && !frame.keyframe;
        let (Some(former), false) = (&lane.track, is_described || kind != MediaKind::Video) else {
            return Ok(());
        };
        let Some(format) = (self.formats)(frame.format) else {
            return Ok(());
        };
        // A turn needs no keyframe: a phone says it with any frame.
        let track = track_of(&format, &frame.data).filter(|_| frame.keyframe);
        let track = track.unwrap_or_else(|| as_stated(&format, former.clone()));
        let is_same = track == *former;
        lane.described = Some(frame.format);
        if is_same {
            return Ok(());
        }
        // What came before is as it was.
        self.write_chunk(output)?;
        self.replace(kind, frame.format, track.clone());
        if self.has_begun {
            self.container.change_track(&track, output)?;
        }
        Ok(())
    }
}
