//! FLV files: where tags go and what time they have. What is in them is `rivero-flv`'s.

use std::io;

use rivero_codec::{Codec, Track};
use rivero_flv::{
    FLAGS_OFFSET, TAG_HEADER_LENGTH, TagType, audio, file_header, flags, script, tag, video,
};
use rivero_plugin_api::MediaKind;

use super::{Container, Output, track_index};
use crate::{kinds::PerKind, sample::Sample, track::kind_of};

/// An FLV file.
#[derive(Default)]
pub(crate) struct Flv {
    tracks: Vec<Track>,
    /// Where the file begins in its output, once it has begun.
    begins: Option<u64>,
    /// Where the value of `duration` stands.
    duration_at: u64,
    /// Timestamp of the latest tag, ms, of each kind for itself: one may be behind the other.
    latest: PerKind<u32>,
}

impl Flv {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn flags(&self) -> u8 {
        let has = |kind| track_index(&self.tracks, kind).is_some();
        flags(has(MediaKind::Audio), has(MediaKind::Video))
    }

    fn sequence_header(&self, track: &Track) -> Vec<u8> {
        let (kind, body) = match track.codec {
            Codec::H264 => (
                TagType::Video,
                video::avc_sequence_header(&track.configuration),
            ),
            _ => (
                TagType::Audio,
                audio::aac_sequence_header(&track.configuration),
            ),
        };
        let latest = self.latest.of(kind_of(track.codec));
        tag(kind, latest.copied().unwrap_or_default(), &body)
    }

    fn begin(&mut self, output: &mut dyn Output) -> io::Result<()> {
        let begins = output.length();
        // An upload promises both kinds: its flags cannot be changed when the other track joins.
        let flags = if output.can_patch() {
            self.flags()
        } else {
            flags(true, true)
        };
        let mut bytes = file_header(flags).to_vec();
        let metadata = script::Metadata::new();
        let duration_at = bytes.len() + TAG_HEADER_LENGTH + metadata.duration_offset;
        self.duration_at = begins + duration_at as u64;
        bytes.extend(tag(TagType::Script, 0, &metadata.body));
        output.append(&bytes)?;
        self.begins = Some(begins);
        Ok(())
    }
}

impl Container for Flv {
    fn set_tracks(&mut self, tracks: &[Track], output: &mut dyn Output) -> io::Result<bool> {
        let known = self.tracks.len();
        self.tracks = tracks.to_vec();
        match self.begins {
            None => self.begin(output)?,
            Some(begins) => output.patch(begins + FLAGS_OFFSET, &[self.flags()])?,
        }
        let headers = self.tracks.iter().skip(known);
        let headers: Vec<u8> = headers
            .flat_map(|track| self.sequence_header(track))
            .collect();
        output.append(&headers)?;
        Ok(true)
    }

    /// A sequence header in mid-stream holds for what follows it.
    fn change_track(&mut self, track: &Track, output: &mut dyn Output) -> io::Result<()> {
        output.append(&self.sequence_header(track))
    }

    fn write(&mut self, chunk: &[Sample], output: &mut dyn Output) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut latest = self.latest;
        for (sample, decoding_time) in in_decoding_order(chunk) {
            let Some(latest) = latest.of_mut(sample.kind) else {
                continue;
            };
            // A picture that is shown before one of the chunk before is decoded behind it all the same.
            *latest = decoding_time.max(*latest);
            let (kind, body) = match sample.kind {
                MediaKind::Video => {
                    let shown = i64::from(milliseconds(sample.time));
                    let offset = i32::try_from(shown - i64::from(*latest)).unwrap_or_default();
                    let body = video::avc_frame(sample.keyframe, offset, &sample.data);
                    (TagType::Video, body)
                }
                _ => (TagType::Audio, audio::aac_frame(&sample.data)),
            };
            bytes.extend(tag(kind, *latest, &body));
        }
        output.append(&bytes)?;
        // Nothing counts of a chunk that could not be written.
        self.latest = latest;
        // With every chunk, so that what a killed server leaves says its length.
        let seconds = f64::from(latest.audio.max(latest.video)) / 1000.0;
        output.patch(self.duration_at, &script::number(seconds))
    }

    fn finish(&mut self, end: i64, output: &mut dyn Output) -> io::Result<()> {
        match self.begins {
            Some(_) => output.patch(self.duration_at, &script::number(end as f64 / 1e9)),
            None => Ok(()),
        }
    }
}

/// A time in ns, to the nearest ms.
fn milliseconds(time: i64) -> u32 {
    u32::try_from((time + 500_000) / 1_000_000).unwrap_or_default()
}

/// Samples by the time at which they are decoded: video in its own order, at
/// its sorted presentation times. Sound and pictures are interleaved by it.
fn in_decoding_order(chunk: &[Sample]) -> Vec<(&Sample, u32)> {
    let of = |kind| chunk.iter().filter(move |sample| sample.kind == kind);
    let mut times: Vec<u32> = of(MediaKind::Video)
        .map(|sample| milliseconds(sample.time))
        .collect();
    times.sort_unstable();
    let video = of(MediaKind::Video).zip(times);
    let audio = of(MediaKind::Audio).map(|sample| (sample, milliseconds(sample.time)));
    let mut all: Vec<_> = video.chain(audio).collect();
    // A stable sort: pictures of equal times keep their order.
    all.sort_by_key(|(_, time)| *time);
    all
}
