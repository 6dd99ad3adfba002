//! Tracks that are much shorter than their film.
//!
//! `qtdemux` takes a track shorter than a fifth of its film for a preview, and leaves it out without a word: a call whose
//! camera was on for its last minute has no picture. So the track's header says that it lasts for that fifth. Samples keep
//! their times, and the track ends after the last of them.

use std::ops::Range;

use super::{boxes, child};

/// What `mvhd` and `mdhd` say (ISO/IEC 14496-12 §8.2.2, §8.4.2).
pub(super) struct Length {
    /// Units of a second.
    timescale: u64,
    pub(super) duration: u64,
    /// Where the duration is written, with 4 or 8 bytes.
    place: Range<usize>,
}

impl Length {
    pub(super) fn read(data: &[u8], body: &Range<usize>) -> Option<Self> {
        let is_long = *data.get(body.start)? == 1;
        // Version and flags, two dates, then these two.
        let (timescale, width) = if is_long {
            (body.start + 20, 8)
        } else {
            (body.start + 12, 4)
        };
        let place = timescale + 4..timescale + 4 + width;
        if place.end > body.end {
            return None;
        }
        let number = |place: Range<usize>| {
            let bytes = data.get(place)?;
            Some(
                bytes
                    .iter()
                    .fold(0u64, |number, byte| number << 8 | u64::from(*byte)),
            )
        };
        Some(Self {
            timescale: number(timescale..timescale + 4)?,
            duration: number(place.clone())?,
            place,
        })
    }
}

/// A track of an index.
struct Track {
    /// `vide`, `soun` …
    handler: [u8; 4],
    length: Length,
    /// How long it has to be for `qtdemux`, in units of its own.
    least: u64,
}

impl Track {
    fn read(data: &[u8], part: &Range<usize>, movie: &Length) -> Option<Self> {
        let media = child(data, part, b"mdia")?;
        let handler = child(data, &media, b"hdlr")?;
        let handler = data
            .get(handler.start + 8..handler.start + 12)?
            .try_into()
            .ok()?;
        let length = Length::read(data, &child(data, &media, b"mdhd")?)?;
        let fifth = u128::from(movie.duration) * u128::from(length.timescale);
        let least = fifth.div_ceil(5 * u128::from(movie.timescale.max(1)));
        Some(Self {
            handler,
            length,
            least: u64::try_from(least).ok()?,
        })
    }

    fn is_short(&self) -> bool {
        self.length.duration < self.least
    }
}

/// Has every track last for a fifth of the film, in the contents of a `moov`. Not one beside a longer one of its kind,
/// which may well be a preview.
pub(super) fn lengthen(movie: &mut [u8]) {
    let all = 0..movie.len();
    let length = child(movie, &all, b"mvhd").and_then(|body| Length::read(movie, &body));
    let Some(length) = length else {
        return;
    };
    let tracks: Vec<Track> = boxes(movie, all)
        .into_iter()
        .filter(|(kind, _)| kind == b"trak")
        .filter_map(|(_, body)| Track::read(movie, &body, &length))
        .collect();
    for track in tracks
        .iter()
        .filter(|track| track.is_short() && track.length.duration > 0)
    {
        let has_longer =
            { tracks.iter() }.any(|other| other.handler == track.handler && !other.is_short());
        let place = track.length.place.clone();
        let bytes = track.least.to_be_bytes();
        let written = bytes.get(bytes.len() - place.len()..).unwrap_or_default();
        let fits = track.least >> (8 * place.len() - 1) <= 1;
        if !has_longer
            && fits
            && let Some(field) = movie.get_mut(place)
        {
            field.copy_from_slice(written);
        }
    }
}
