//! Matroska and WebM (RFC 9559).
//!
//! ```text
//! EBML │ Segment: SeekHead (padded) │ Info │ Tracks (padded) │ Cluster │ Cluster … │ Cues
//! ```
//!
//! A cluster is written whole, and `Duration` is brought up to date with each,
//! so a file that ends in mid-stream lacks nothing but its index. The padding
//! lets a track join later, and the index be announced at the end.

mod cluster;
mod ebml;
mod header;

use std::{io, time::SystemTime};

use rivero_codec::Track;
use rivero_plugin_api::MediaKind;

use self::{cluster::Cluster, ebml::size_of_width, header::Places};
use super::{Container, Output, pictures::Pictures, track_index};
use crate::{sample::Sample, track::kind_of};

/// Sound alone is indexed this often, ms.
const CUE_DISTANCE: i64 = 2000;

/// A Matroska file.
pub(crate) struct Matroska {
    document_type: &'static str,
    created: SystemTime,
    tracks: Vec<Track>,
    /// Those of the track of video, if there is one.
    pictures: Option<Pictures>,
    places: Option<Places>,
    cues: Vec<Cue>,
}

/// A place from which playing can begin.
struct Cue {
    /// ms
    time: i64,
    track: usize,
    /// Of the cluster, from the segment's first byte of data.
    position: u64,
}

impl Matroska {
    pub(crate) fn webm(created: SystemTime) -> Self {
        Self::new("webm", created)
    }

    pub(crate) fn mkv(created: SystemTime) -> Self {
        Self::new("matroska", created)
    }

    fn new(document_type: &'static str, created: SystemTime) -> Self {
        Self {
            document_type,
            created,
            tracks: Vec::new(),
            pictures: None,
            places: None,
            cues: Vec::new(),
        }
    }

    /// The tracks as the file says they are: there is one description of each.
    fn announced(&self, tracks: &[Track]) -> Vec<Track> {
        let announced = |track: &Track| match &self.pictures {
            Some(pictures) if kind_of(track.codec) == MediaKind::Video => pictures.announced(),
            _ => track.clone(),
        };
        tracks.iter().map(announced).collect()
    }

    /// Brings what the file says of its tracks up to date. `false` where that cannot be.
    fn announce(&self, tracks: &[Track], output: &mut dyn Output) -> io::Result<bool> {
        let Some(places) = self.places.as_ref().filter(|_| output.can_patch()) else {
            return Ok(false);
        };
        match header::padded_tracks(&self.announced(tracks)) {
            Some(bytes) => output.patch(places.tracks, &bytes).map(|()| true),
            None => Ok(false),
        }
    }

    fn note(&mut self, cluster: &Cluster, places: &Places, at: u64) {
        let cue = cluster.keyframe.or_else(|| {
            let latest = self.cues.last().map_or(-CUE_DISTANCE, |cue| cue.time);
            let has_video = self
                .tracks
                .iter()
                .any(|track| kind_of(track.codec) == MediaKind::Video);
            let is_due = !has_video && cluster.time - latest >= CUE_DISTANCE;
            is_due.then_some((0, cluster.time))
        });
        if let Some((track, time)) = cue {
            self.cues.push(Cue {
                time,
                track,
                position: at - places.segment,
            });
        }
    }
}

impl Container for Matroska {
    fn set_tracks(&mut self, tracks: &[Track], output: &mut dyn Output) -> io::Result<bool> {
        if self.pictures.is_none() {
            let video = track_index(tracks, MediaKind::Video).and_then(|index| tracks.get(index));
            self.pictures = video.map(Pictures::new);
        }
        if self.places.is_none() {
            let announced = self.announced(tracks);
            let length = output.length();
            let (bytes, places) =
                header::beginning(self.document_type, self.created, &announced, length);
            output.append(&bytes)?;
            self.places = Some(places);
        } else if !self.announce(tracks, output)? {
            return Ok(false);
        }
        self.tracks = tracks.to_vec();
        Ok(true)
    }

    /// The largest picture is announced at once, since a server that is killed cannot do so at the end. All
    /// bring their parameter sets.
    fn change_track(&mut self, track: &Track, output: &mut dyn Output) -> io::Result<()> {
        if let Some(pictures) = &mut self.pictures {
            let former = pictures.announced();
            pictures.change(track);
            if pictures.announced() != former {
                self.announce(&self.tracks, output)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, chunk: &[Sample], output: &mut dyn Output) -> io::Result<()> {
        let Some(places) = self.places.clone() else {
            return Ok(());
        };
        let is_picture = |sample: &&Sample| sample.kind == MediaKind::Video;
        if let Some(pictures) = &mut self.pictures {
            pictures.count(chunk.iter().filter(is_picture).count());
        }
        for cluster in cluster::clusters(chunk, &self.tracks) {
            let at = output.length();
            output.append(&cluster.bytes)?;
            self.note(&cluster, &places, at);
            output.patch(places.duration, &header::duration(cluster.end))?;
        }
        Ok(())
    }

    fn finish(&mut self, end: i64, output: &mut dyn Output) -> io::Result<()> {
        let Some(places) = &self.places else {
            return Ok(());
        };
        // First what needs no further space.
        output.patch(places.duration, &header::duration(end))?;
        if !output.can_patch() {
            return Ok(());
        }
        self.announce(&self.tracks, output)?;
        let cues = output.length();
        output.append(&header::cues(&self.cues))?;
        // What points to the index must not outlast it.
        output.sync()?;
        output.patch(places.seek_head, &header::seek_head(places, Some(cues)))?;
        let size = output.length() - places.segment;
        output.patch(places.segment - 8, &size_of_width(size, 8))
    }
}
