//! The index of MP4 and MOV (`moov`), mended before `qtdemux` reads it: where that leaves out what it takes for a preview
//! ([`short_tracks`]), and where it gets lost in a table ([`raw_sound`]). No property says otherwise. The index keeps its length,
//! since it says of samples where in the file they are.

mod raw_sound;
mod short_tracks;

use gstreamer as gst;
use gstreamer::prelude::*;
use std::{ops::Range, sync::Mutex};

use rivero_plugin_api::supervise::lock;

/// Larger indices are read as they are: nothing is kept for longer.
const LARGEST_MOVIE: u64 = 64 << 20;
/// Size and type of a box (ISO/IEC 14496-12 §4.2).
const BOX_HEAD: usize = 8;

/// Has `demuxer`, a `qtdemux`, read mended indexes.
pub(crate) fn mend(demuxer: &gst::Element) {
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
                mend_pulled(buffer);
                gst::PadProbeReturn::Ok
            }
            Some(gst::PadProbeData::Buffer(buffer)) => push(&mut lock(&reader), buffer),
            _ => gst::PadProbeReturn::Ok,
        }
    });
}

/// What is pulled has the whole index at once, or only looks at its beginning.
fn mend_pulled(buffer: &mut gst::Buffer) {
    let is_whole = buffer.map_readable().is_ok_and(|bytes| {
        boxes(&bytes, 0..bytes.len())
            .first()
            .is_some_and(|(kind, body)| kind == b"moov" && body.end == bytes.len())
    });
    if is_whole && let Ok(mut bytes) = buffer.make_mut().map_writable() {
        mend_contents(bytes.get_mut(BOX_HEAD..).unwrap_or_default());
    }
}

/// In the contents of a `moov`.
fn mend_contents(movie: &mut [u8]) {
    short_tracks::lengthen(movie);
    raw_sound::divide(movie);
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
                mend_contents(body);
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

#[cfg(test)]
mod tests;
