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

use std::io;

use rivero_codec::Track;
use rivero_plugin_api::MediaKind;

use self::{cluster::Cluster, ebml::size_of_width, header::Places};
use super::{Container, Output};
use crate::{sample::Sample, track::kind_of};

/// Sound alone is indexed this often, ms.
const CUE_DISTANCE: i64 = 2000;

/// A Matroska file.
pub(crate) struct Matroska {
    document_type: &'static str,
    tracks: Vec<Track>,
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
    pub(crate) fn webm() -> Self {
        Self::new("webm")
    }

    pub(crate) fn mkv() -> Self {
        Self::new("matroska")
    }

    fn new(document_type: &'static str) -> Self {
        Self {
            document_type,
            tracks: Vec::new(),
            places: None,
            cues: Vec::new(),
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
        match &self.places {
            None => {
                let (bytes, places) =
                    header::beginning(self.document_type, tracks, output.length());
                output.append(&bytes)?;
                self.places = Some(places);
            }
            Some(places) if output.can_patch() => {
                let Some(bytes) = header::padded_tracks(tracks) else {
                    return Ok(false);
                };
                output.patch(places.tracks, &bytes)?;
            }
            Some(_) => return Ok(false),
        }
        self.tracks = tracks.to_vec();
        Ok(true)
    }

    fn write(&mut self, chunk: &[Sample], output: &mut dyn Output) -> io::Result<()> {
        let Some(places) = self.places.clone() else {
            return Ok(());
        };
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
        let cues = output.length();
        output.append(&header::cues(&self.cues))?;
        output.patch(places.seek_head, &header::seek_head(places, Some(cues)))?;
        let size = output.length() - places.segment;
        output.patch(places.segment - 8, &size_of_width(size, 8))
    }
}
