//! The `moov` box: empty, before fragments, and as the index of a whole file.

use rivero_codec::Shape;

use super::{
    boxes::Boxes,
    sample_entry,
    table::{Run, Table},
};

/// Ticks a second of the movie as a whole.
const TIMESCALE: u64 = 1000;
const UNDETERMINED: u16 = 0x55c4; // "und"

/// The movie of a file in fragments: tracks without samples.
pub(super) fn of_fragments(tables: &[Table]) -> Boxes {
    let mut content = header(0, tables.len());
    let mut extends = Boxes::new();
    for (table, id) in tables.iter().zip(1..) {
        let no_samples = Boxes::new()
            .bytes(&sample_entry::description(&table.track).into_bytes())
            .full(b"stts", 0, 0, Boxes::new().u32(0))
            .full(b"stsc", 0, 0, Boxes::new().u32(0))
            .full(b"stsz", 0, 0, Boxes::new().u32(0).u32(0))
            .full(b"stco", 0, 0, Boxes::new().u32(0));
        content = content.child(b"trak", track(table, id, 0, Boxes::new(), 0, no_samples));
        let defaults = Boxes::new().u32(id).u32(1).u32(0).u32(0).u32(0);
        extends = extends.full(b"trex", 0, 0, defaults);
    }
    Boxes::new().child(b"moov", content.child(b"mvex", extends))
}

/// The movie of a whole file. `end`: ns.
pub(super) fn of_file(tables: &mut [Table], end: i64) -> Boxes {
    let mut tracks = Boxes::new();
    let mut longest = 0;
    let count = tables.len();
    for (table, id) in tables.iter_mut().zip(1..) {
        let Some(first) = table.first else { continue };
        let length = table.close(end);
        let in_movie = |ticks: u64| ticks * TIMESCALE / u64::from(table.timescale);
        let (delay, played) = (in_movie(first), in_movie(length));
        longest = longest.max(delay + played);
        let tables = sample_tables(table);
        let content = track(
            table,
            id,
            delay + played,
            edits(delay, played),
            length,
            tables,
        );
        tracks = tracks.child(b"trak", content);
    }
    let content = header(longest, count).bytes(&tracks.into_bytes());
    Boxes::new().child(b"moov", content)
}

fn header(duration: u64, tracks: usize) -> Boxes {
    let content = Boxes::new()
        .u64(0)
        .u64(0)
        .u32(TIMESCALE as u32)
        .u64(duration)
        .u32(0x1_0000) // rate
        .u16(0x100) // volume
        .zeros(10)
        .matrix()
        .zeros(24)
        .u32(u32::try_from(tracks + 1).unwrap_or(u32::MAX));
    Boxes::new().full(b"mvhd", 1, 0, content)
}

/// A track that begins `delay` after the movie (§8.6.6), in its ticks.
fn edits(delay: u64, played: u64) -> Boxes {
    const EMPTY: u64 = u64::MAX;
    const RATE: u32 = 0x1_0000;
    let mut entries = Boxes::new();
    let mut count = 1;
    if delay > 0 {
        entries = entries.u64(delay).u64(EMPTY).u32(RATE);
        count = 2;
    }
    let entries = entries.u64(played).u64(0).u32(RATE);
    let content = Boxes::new().u32(count).bytes(&entries.into_bytes());
    Boxes::new().child(b"edts", Boxes::new().full(b"elst", 1, 0, content))
}

/// `duration` in the movie's ticks, `length` in the track's.
fn track(
    table: &Table,
    id: u32,
    duration: u64,
    edits: Boxes,
    length: u64,
    samples: Boxes,
) -> Boxes {
    let (width, height, volume) = match table.track.shape {
        Shape::Video { width, height } => (u32::from(width) << 16, u32::from(height) << 16, 0),
        Shape::Audio { .. } => (0, 0, 0x100),
    };
    let head = Boxes::new()
        .u64(0)
        .u64(0)
        .u32(id)
        .u32(0)
        .u64(duration)
        .zeros(8)
        .u16(0)
        .u16(0)
        .u16(volume)
        .u16(0)
        .matrix()
        .u32(width)
        .u32(height);
    const ENABLED_IN_MOVIE: u32 = 3;
    Boxes::new()
        .full(b"tkhd", 1, ENABLED_IN_MOVIE, head)
        .bytes(&edits.into_bytes())
        .child(b"mdia", media(table, length, samples))
}

fn media(table: &Table, length: u64, samples: Boxes) -> Boxes {
    let is_video = matches!(table.track.shape, Shape::Video { .. });
    let head = Boxes::new()
        .u64(0)
        .u64(0)
        .u32(table.timescale)
        .u64(length)
        .u16(UNDETERMINED)
        .u16(0);
    let (handler, name): (&[u8; 4], &[u8]) = if is_video {
        (b"vide", b"Video\0")
    } else {
        (b"soun", b"Sound\0")
    };
    let handler = Boxes::new().u32(0).bytes(handler).zeros(12).bytes(name);
    let kind = if is_video {
        Boxes::new().full(b"vmhd", 0, 1, Boxes::new().zeros(8))
    } else {
        Boxes::new().full(b"smhd", 0, 0, Boxes::new().zeros(4))
    };
    const SAME_FILE: u32 = 1;
    let location = Boxes::new().full(b"url ", 0, SAME_FILE, Boxes::new());
    let references = Boxes::new().u32(1).bytes(&location.into_bytes());
    let information = kind
        .child(b"dinf", Boxes::new().full(b"dref", 0, 0, references))
        .child(b"stbl", samples);
    Boxes::new()
        .full(b"mdhd", 1, 0, head)
        .full(b"hdlr", 0, 0, handler)
        .child(b"minf", information)
}

/// Everything below `stbl` (§8.5 to §8.7).
fn sample_tables(table: &Table) -> Boxes {
    let mut tables = sample_entry::description(&table.track).full(
        b"stts",
        0,
        0,
        runs(&table.durations, |value| *value),
    );
    if table.offsets.iter().any(|run| run.value != 0) {
        tables = tables.full(
            b"ctts",
            1,
            0,
            runs(&table.offsets, |value| value.cast_unsigned()),
        );
    }
    if table.keyframes.len() < table.sizes.len() {
        tables = tables.full(b"stss", 0, 0, list(&table.keyframes));
    }
    let sizes = list(&table.sizes).into_bytes();
    tables
        .full(b"stsc", 0, 0, samples_to_blocks(table))
        .full(b"stsz", 0, 0, Boxes::new().u32(0).bytes(&sizes))
        .full(b"co64", 0, 0, positions(table))
}

fn length(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

fn runs<T>(runs: &[Run<T>], bits: impl Fn(&T) -> u32) -> Boxes {
    runs.iter()
        .fold(Boxes::new().u32(length(runs.len())), |boxes, run| {
            boxes.u32(run.count).u32(bits(&run.value))
        })
}

fn list(values: &[u32]) -> Boxes {
    values
        .iter()
        .copied()
        .fold(Boxes::new().u32(length(values.len())), Boxes::u32)
}

/// First block of each run of blocks with as many samples, from 1.
fn samples_to_blocks(table: &Table) -> Boxes {
    let mut entries: Vec<(u32, u32)> = Vec::new();
    for (block, number) in table.blocks.iter().zip(1..) {
        if entries
            .last()
            .is_none_or(|(_, samples)| *samples != block.samples)
        {
            entries.push((number, block.samples));
        }
    }
    entries.iter().fold(
        Boxes::new().u32(length(entries.len())),
        |boxes, (first, samples)| boxes.u32(*first).u32(*samples).u32(1),
    )
}

fn positions(table: &Table) -> Boxes {
    let start = Boxes::new().u32(length(table.blocks.len()));
    table
        .blocks
        .iter()
        .fold(start, |boxes, block| boxes.u64(block.offset))
}
