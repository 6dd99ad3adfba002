//! Sound of MOV that is not compressed, and that QuickTime's older descriptions cannot tell: more than 64 kHz, say.
//!
//! Each frame is a sample, of one size and one duration. `qtdemux` makes a sample of each chunk of such a track, and gives that up where
//! the table of chunks does not suit it. By then it has read the table of durations (in Debian's 1.22.0-5+deb12u4), and reads on
//! behind its end: times are what lies there in memory, and often the track is over after its first buffer. It does not
//! try where not all durations are in one entry. So the one entry becomes two, for the first sample and for all others,
//! which says the same.
//!
//! The eight bytes of the second come from the handler of the data (`hdlr` in `minf`), which QuickTime's files have before the
//! tables and nobody reads: they are of its name.

use std::ops::Range;

use super::{BOX_HEAD, boxes, child};

/// An entry of the table: how many samples, and how long each lasts.
const ENTRY: usize = 8;
/// Version and flags, and how many entries there are.
const TABLE_HEAD: usize = 8;
/// What a handler has before its name.
const HANDLER_HEAD: usize = 24;

/// Where the boxes are that change, in the contents of a `moov`: their contents.
struct Tables {
    handler: Range<usize>,
    table: Range<usize>,
    durations: Range<usize>,
}

/// Divides the table of durations of each track of such sound.
pub(super) fn divide(movie: &mut [u8]) {
    for (kind, track) in boxes(movie, 0..movie.len()) {
        if &kind == b"trak"
            && let Some(tables) = Tables::find(movie, &track)
        {
            tables.divide(movie);
        }
    }
}

impl Tables {
    fn find(movie: &[u8], track: &Range<usize>) -> Option<Self> {
        let media = child(movie, track, b"mdia")?;
        let information = child(movie, &media, b"minf")?;
        let handler = child(movie, &information, b"hdlr")?;
        let table = child(movie, &information, b"stbl")?;
        let description = child(movie, &table, b"stsd")?;
        let durations = child(movie, &table, b"stts")?;
        // Behind the head of the table and the size of its first entry.
        let codec = movie.get(description.start + TABLE_HEAD + 4..)?;
        let fits = codec.starts_with(b"lpcm")
            && handler.len() >= HANDLER_HEAD + ENTRY
            && handler.end <= table.start - BOX_HEAD
            && durations.len() == TABLE_HEAD + ENTRY
            && number(movie, durations.start + 4)? == 1
            && number(movie, durations.start + TABLE_HEAD)? > 1;
        fits.then_some(Self {
            handler,
            table,
            durations,
        })
    }

    fn divide(&self, movie: &mut [u8]) -> Option<()> {
        let Self {
            handler,
            table,
            durations,
        } = self;
        let samples = number(movie, durations.start + TABLE_HEAD)?;
        let duration = number(movie, durations.start + TABLE_HEAD + 4)?;
        // What is between moves over the end of the name.
        movie.copy_within(handler.end..durations.end, handler.end - ENTRY);
        // A name of no letters.
        movie
            .get_mut(handler.start + HANDLER_HEAD..handler.end - ENTRY)?
            .fill(0);
        let sizes = [
            (handler.start, handler.len() - ENTRY),
            (table.start - ENTRY, table.len() + ENTRY),
            (durations.start - ENTRY, durations.len() + ENTRY),
        ];
        for (contents, length) in sizes {
            let size = u32::try_from(length + BOX_HEAD).ok()?;
            write(movie, contents - BOX_HEAD, &[size])?;
        }
        let entries = [2, 1, duration, samples - 1, duration];
        write(movie, durations.start - ENTRY + 4, &entries)
    }
}

fn number(bytes: &[u8], place: usize) -> Option<u32> {
    let bytes = bytes.get(place..place + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

fn write(bytes: &mut [u8], place: usize, numbers: &[u32]) -> Option<()> {
    let places = bytes.get_mut(place..)?.chunks_exact_mut(4);
    for (place, number) in places.zip(numbers) {
        place.copy_from_slice(&number.to_be_bytes());
    }
    Some(())
}
