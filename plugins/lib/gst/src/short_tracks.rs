//! Tracks of MP4 and MOV that are much shorter than their film.
//!
//! `qtdemux` takes a track shorter than a fifth of its film for a preview, and leaves it out without a word: a call whose
//! camera was on for its last minute has no picture. There is no property that says otherwise, so the track's header is
//! made to say that it lasts for that fifth before `qtdemux` reads it. Samples keep their times, and the track ends after the last of them.

use gstreamer as gst;
use gstreamer::prelude::*;
use std::{ops::Range, sync::Mutex};

use rivero_plugin_api::supervise::lock;

/// Larger indices are read as they are: nothing is kept for longer.
const LARGEST_MOVIE: u64 = 64 << 20;
/// Size and type of a box (ISO/IEC 14496-12 §4.2).
const BOX_HEAD: usize = 8;

/// Lets `demuxer`, a `qtdemux`, have the short tracks of what it reads.
pub(crate) fn keep(demuxer: &gst::Element) {
    let Some(pad) = demuxer.static_pad("sink") else {
        return;
    };
    let reader = Mutex::new(Reader::default());
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(kinds, move |_, info| {
        let is_pulled = info.mask.contains(gst::PadProbeType::PULL);
        match &mut info.data {
            Some(gst::PadProbeData::Event(event)) => {
                if event.type_() == gst::EventType::Segment {
                    lock(&reader).begin();
                }
                gst::PadProbeReturn::Ok
            }
            Some(gst::PadProbeData::Buffer(buffer)) if is_pulled => {
                lengthen_pulled(buffer);
                gst::PadProbeReturn::Ok
            }
            Some(gst::PadProbeData::Buffer(buffer)) => push(&mut lock(&reader), buffer),
            _ => gst::PadProbeReturn::Ok,
        }
    });
}

/// What is pulled has the whole index at once, or only looks at its beginning.
fn lengthen_pulled(buffer: &mut gst::Buffer) {
    let is_whole = buffer.map_readable().is_ok_and(|bytes| {
        boxes(&bytes, 0..bytes.len())
            .first()
            .is_some_and(|(kind, body)| kind == b"moov" && body.end == bytes.len())
    });
    if is_whole && let Ok(mut bytes) = buffer.make_mut().map_writable() {
        lengthen(bytes.get_mut(BOX_HEAD..).unwrap_or_default());
    }
}

fn push(reader: &mut Reader, buffer: &mut gst::Buffer) -> gst::PadProbeReturn {
    let read = match buffer.map_readable() {
        Ok(bytes) => reader.read(&bytes),
        Err(_) => Read::Pass,
    };
    match read {
        Read::Pass => gst::PadProbeReturn::Ok,
        Read::Instead(bytes) if bytes.is_empty() => gst::PadProbeReturn::Drop,
        Read::Instead(bytes) => {
            let mut other = gst::Buffer::from_mut_slice(bytes);
            if let Some(other) = other.get_mut() {
                // Flags and times; it begins where it would have.
                let _ = buffer.copy_into(
                    other,
                    gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS,
                    ..,
                );
            }
            *buffer = other;
            gst::PadProbeReturn::Ok
        }
    }
}

/// Finds the index in a file that comes piece by piece.
#[derive(Default)]
struct Reader {
    place: Place,
}

/// Where the reader is among the boxes of the file.
enum Place {
    /// In the head of a box, of which this much is known.
    Head(Vec<u8>),
    /// In a box that is of no interest, so many bytes before its end.
    Skipping(u64),
    /// In the index, which is kept until it is whole.
    Movie { body: Vec<u8>, length: usize },
    /// The index was found, or cannot be.
    Done,
}

impl Default for Place {
    fn default() -> Self {
        Self::Head(Vec::new())
    }
}

/// What is to be given on in place of a piece.
enum Read {
    /// The same.
    Pass,
    /// These.
    Instead(Vec<u8>),
}

impl Reader {
    /// What comes next is from another place: a box begins there as long as the index was not found.
    fn begin(&mut self) {
        if !matches!(self.place, Place::Done) {
            self.place = Place::default();
        }
    }

    fn read(&mut self, piece: &[u8]) -> Read {
        let (mut rest, mut out, mut holds) = (piece, Vec::new(), false);
        while !rest.is_empty() {
            let taken = match &mut self.place {
                Place::Done => rest.len(),
                Place::Skipping(left) => {
                    let taken = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= taken as u64;
                    taken
                }
                Place::Head(head) => {
                    // The size may be written out behind the type.
                    let whole = if head.starts_with(&[0, 0, 0, 1]) {
                        2 * BOX_HEAD
                    } else {
                        BOX_HEAD
                    };
                    let taken = rest.len().min(whole - head.len().min(whole));
                    head.extend(rest.iter().take(taken));
                    taken
                }
                Place::Movie { body, length } => {
                    holds = true;
                    let taken = rest.len().min(*length - body.len());
                    body.extend(rest.iter().take(taken));
                    taken
                }
            };
            let (part, after) = rest.split_at(taken);
            if !matches!(self.place, Place::Movie { .. }) {
                out.extend_from_slice(part);
            }
            rest = after;
            self.advance(&mut out);
        }
        if holds {
            Read::Instead(out)
        } else {
            Read::Pass
        }
    }

    /// Goes on to the next place where this one is at its end.
    fn advance(&mut self, out: &mut Vec<u8>) {
        match &mut self.place {
            Place::Head(head) => {
                if let Some(next) = after_head(head) {
                    self.place = next;
                }
            }
            Place::Skipping(0) => self.place = Place::default(),
            Place::Movie { body, length } if body.len() == *length => {
                lengthen(body);
                out.append(body);
                self.place = Place::Done;
            }
            _ => {}
        }
    }
}

/// What follows a head, as soon as that is whole.
fn after_head(head: &[u8]) -> Option<Place> {
    let short: [u8; 4] = head.get(..4)?.try_into().ok()?;
    let kind = head.get(4..BOX_HEAD)?;
    let (size, length) = match u32::from_be_bytes(short) {
        1 => {
            let long: [u8; 8] = head.get(BOX_HEAD..2 * BOX_HEAD)?.try_into().ok()?;
            (u64::from_be_bytes(long), 2 * BOX_HEAD)
        }
        // Up to the end of the file.
        0 => return Some(Place::Done),
        size => (u64::from(size), BOX_HEAD),
    };
    let Some(left) = size.checked_sub(length as u64) else {
        return Some(Place::Done);
    };
    Some(match (kind, usize::try_from(left)) {
        (_, _) if left == 0 => Place::default(),
        (b"moov", Ok(length)) if left <= LARGEST_MOVIE => Place::Movie {
            body: Vec::new(),
            length,
        },
        (b"moov", _) => Place::Done,
        _ => Place::Skipping(left),
    })
}

/// The boxes in a part of `data`: types and where their contents are. Those that are not whole are left out.
fn boxes(data: &[u8], mut part: Range<usize>) -> Vec<([u8; 4], Range<usize>)> {
    let mut found = Vec::new();
    while let Some(head) = data.get(part.start..part.start.saturating_add(BOX_HEAD)) {
        let (Ok(size), Ok(kind)) = (
            <[u8; 4]>::try_from(head.get(..4).unwrap_or_default()),
            <[u8; 4]>::try_from(head.get(4..).unwrap_or_default()),
        ) else {
            break;
        };
        // Nothing in an index needs more than 32 bits of size.
        let size = usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX);
        let end = part.start.saturating_add(size);
        if size < BOX_HEAD || end > part.end {
            break;
        }
        found.push((kind, part.start + BOX_HEAD..end));
        part.start = end;
    }
    found
}

fn child(data: &[u8], part: &Range<usize>, kind: &[u8; 4]) -> Option<Range<usize>> {
    let children = boxes(data, part.clone());
    children
        .into_iter()
        .find(|(own, _)| own == kind)
        .map(|(_, body)| body)
}

/// What `mvhd` and `mdhd` say (ISO/IEC 14496-12 §8.2.2, §8.4.2).
struct Length {
    /// Units of a second.
    timescale: u64,
    duration: u64,
    /// Where the duration is written, with 4 or 8 bytes.
    place: Range<usize>,
}

impl Length {
    fn read(data: &[u8], body: &Range<usize>) -> Option<Self> {
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
fn lengthen(movie: &mut [u8]) {
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

#[cfg(test)]
mod tests;
