//! The `moov` box: empty, before fragments, and as the index of a whole file.

use std::time::{SystemTime, UNIX_EPOCH};

use rivero_codec::{Codec, Shape};

use super::{
    boxes::Boxes,
    sample_entry::{self, ParameterSets},
    table::{Block, Run, Table},
};

/// Ticks a second of the movie as a whole.
const TIMESCALE: u64 = 1000;
const UNDETERMINED: u16 = 0x55c4; // "und"
/// From the beginning of 1904, with which times of files begin (§8.2.2), to that of 1970, s.
const BEFORE_1970: u64 = 2_082_844_800;
/// A track that ends before the others lasts for so much after its last sample, ns.
const LONGEST_END: i64 = 1_000_000_000;

/// A moment as boxes have it.
pub(super) fn time(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() + BEFORE_1970
}

/// The movie of a file in fragments: tracks without samples. `sets`: where those of the samples are that
/// are still to come.
pub(super) fn of_fragments(tables: &[Table], created: u64, sets: ParameterSets) -> Boxes {
    let mut content = header(created, 0, tables.len());
    let mut extends = Boxes::new();
    for (table, id) in tables.iter().zip(1..) {
        let no_samples = Boxes::new()
            .bytes(&sample_entry::descriptions(table.entries.iter(), sets).into_bytes())
            .full(b"stts", 0, 0, Boxes::new().u32(0))
            .full(b"stsc", 0, 0, Boxes::new().u32(0))
            .full(b"stsz", 0, 0, Boxes::new().u32(0).u32(0))
            .full(b"stco", 0, 0, Boxes::new().u32(0));
        let times = Times {
            skipped: table.pre_skip(),
            ..Times::default()
        };
        content = content.child(b"trak", track(table, id, created, times, no_samples));
        let defaults = Boxes::new().u32(id).u32(1).u32(0).u32(0).u32(0);
        extends = extends.full(b"trex", 0, 0, defaults);
    }
    Boxes::new().child(b"moov", content.child(b"mvex", extends))
}

/// The movie of a whole file. `end`: ns.
pub(super) fn of_file(tables: &mut [Table], created: u64, end: i64) -> Boxes {
    let mut tracks = Boxes::new();
    let mut longest = 0;
    let count = tables.len();
    let last = tables.iter().filter_map(Table::latest).max();
    for (table, id) in tables.iter_mut().zip(1..) {
        let Some(first) = table.first else { continue };
        // Silence, or a picture that stands still, is as much of the recording as what was before; but sound
        // that ended long before the pictures does not go on with them.
        let latest = table.latest();
        let own_end = latest.filter(|_| latest != last).map(|at| at + LONGEST_END);
        let length = table.close(own_end.map_or(end, |own| own.min(end)));
        let in_movie = |ticks: u64| ticks * TIMESCALE / u64::from(table.timescale);
        let skipped = table.pre_skip().min(length);
        let times = Times {
            delay: in_movie(first),
            skipped,
            played: in_movie(length - skipped),
            length,
        };
        longest = longest.max(times.in_movie());
        let tables = sample_tables(table);
        let content = track(table, id, created, times, tables);
        tracks = tracks.child(b"trak", content);
    }
    let content = header(created, longest, count).bytes(&tracks.into_bytes());
    Boxes::new().child(b"moov", content)
}

fn header(created: u64, duration: u64, tracks: usize) -> Boxes {
    let content = Boxes::new()
        .u64(created)
        .u64(created)
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

/// When a track is played; a length of 0 for one whose samples are still to come.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    /// How long after the movie it begins, in the movie's ticks.
    delay: u64,
    /// What is not played of its beginning, in its own ticks.
    skipped: u64,
    /// How long it is played, in the movie's ticks.
    played: u64,
    /// All of it, in its own ticks.
    length: u64,
}

impl Times {
    fn in_movie(&self) -> u64 {
        self.delay + self.played
    }
}

/// The edit list (§8.6.6): nothing at first, then the track without what is not of it. Sound that is
/// decoded late by its pre-skip is thereby early by as much, and in time.
fn edits(times: Times) -> Boxes {
    const EMPTY: u64 = u64::MAX;
    const RATE: u32 = 0x1_0000;
    if times.length == 0 && times.skipped == 0 {
        return Boxes::new();
    }
    let mut entries = Boxes::new();
    let mut count = 1;
    if times.delay > 0 {
        entries = entries.u64(times.delay).u64(EMPTY).u32(RATE);
        count = 2;
    }
    let entries = entries.u64(times.played).u64(times.skipped).u32(RATE);
    let content = Boxes::new().u32(count).bytes(&entries.into_bytes());
    Boxes::new().child(b"edts", Boxes::new().full(b"elst", 1, 0, content))
}

fn track(table: &Table, id: u32, created: u64, times: Times, samples: Boxes) -> Boxes {
    let announced = table.pictures.announced();
    let (width, height, volume) = match announced.shape {
        Shape::Video { width, height } => (width, height, 0),
        Shape::Audio { .. } => (0, 0, 0x100),
    };
    let head = Boxes::new()
        .u64(created)
        .u64(created)
        .u32(id)
        .u32(0)
        .u64(times.in_movie())
        .zeros(8)
        .u16(0)
        .u16(0)
        .u16(volume)
        .u16(0)
        .turned(announced.quarter_turns, width, height)
        .u32(u32::from(width) << 16)
        .u32(u32::from(height) << 16);
    const ENABLED_IN_MOVIE: u32 = 3;
    Boxes::new()
        .full(b"tkhd", 1, ENABLED_IN_MOVIE, head)
        .bytes(&edits(times).into_bytes())
        .child(b"mdia", media(table, created, times.length, samples))
}

fn media(table: &Table, created: u64, length: u64, samples: Boxes) -> Boxes {
    let is_video = !table.track().codec.is_audio();
    let head = Boxes::new()
        .u64(created)
        .u64(created)
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
    let sets = match table.entries.len() {
        1 => ParameterSets::InEntry,
        _ => ParameterSets::InSamples,
    };
    let mut tables = sample_entry::descriptions(table.entries.iter(), sets).full(
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
    if table.track().codec == Codec::Opus {
        tables = pre_roll(tables, length(table.sizes.len()));
    }
    let sizes = list(&table.sizes).into_bytes();
    tables
        .full(b"stsc", 0, 0, samples_to_blocks(table))
        .full(b"stsz", 0, 0, Boxes::new().u32(0).bytes(&sizes))
        .full(b"co64", 0, 0, positions(table))
}

/// How many samples a decoder has to be fed before a place sounds right (§10.1; Encapsulation of Opus
/// §4.3.6.2): 80 ms, of packets as short as senders have them.
fn pre_roll(tables: Boxes, samples: u32) -> Boxes {
    const PACKETS: i16 = -8;
    let roll = || Boxes::new().bytes(b"roll");
    let description = roll().u32(2).u32(1).u16(PACKETS.cast_unsigned());
    let all = roll().u32(1).u32(samples).u32(1);
    tables
        .full(b"sgpd", 1, 0, description)
        .full(b"sbgp", 0, 0, all)
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

/// First block of each run of blocks with as many samples of one entry, from 1.
fn samples_to_blocks(table: &Table) -> Boxes {
    let mut entries: Vec<(u32, &Block)> = Vec::new();
    for (block, number) in table.blocks.iter().zip(1..) {
        let is_like =
            |former: &Block| (former.samples, former.entry) == (block.samples, block.entry);
        if !entries.last().is_some_and(|(_, former)| is_like(former)) {
            entries.push((number, block));
        }
    }
    entries.iter().fold(
        Boxes::new().u32(length(entries.len())),
        |boxes, (first, block)| boxes.u32(*first).u32(block.samples).u32(block.entry),
    )
}

fn positions(table: &Table) -> Boxes {
    let start = Boxes::new().u32(length(table.blocks.len()));
    table
        .blocks
        .iter()
        .fold(start, |boxes, block| boxes.u64(block.offset))
}
