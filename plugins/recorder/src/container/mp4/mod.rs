//! MP4 (ISO/IEC 14496-12), of which at every moment a part is playable.
//!
//! ```text
//! while recording   ftyp │ free │ moov, no samples │ moof mdat │ moof mdat …
//! when finished     ftyp │ mdat ────────────────────────────────────────────│ moov
//! ```
//!
//! While a recording lasts it is a file in fragments, which needs no index. To
//! finish it, an index of everything is appended, and then the header of the
//! `free` box becomes that of an `mdat` box which covers all fragments: one
//! write of 16 bytes, before which the file is one in fragments and after
//! which it is an ordinary one. Nothing is copied, whatever its length.

mod boxes;
mod movie;
mod sample_entry;
mod table;

use std::{io, time::SystemTime};

use rivero_codec::Track;
use rivero_plugin_api::MediaKind;

use self::{
    boxes::Boxes,
    sample_entry::ParameterSets,
    table::{Table, Timed},
};
use super::{Container, Output};
use crate::{sample::Sample, track::kind_of};

/// Room for the empty movie with two tracks.
const MOVIE_LENGTH: usize = 4096;
const FILE_TYPE_LENGTH: u64 = 32;

/// An MP4 file.
pub(crate) struct Mp4 {
    /// When it was recorded, as boxes have it.
    created: u64,
    tables: Vec<Table>,
    /// Where the file begins in its output, once it has.
    begins: Option<u64>,
    fragments: u32,
}

impl Mp4 {
    pub(crate) fn new(created: SystemTime) -> Self {
        Self {
            created: movie::time(created),
            tables: Vec::new(),
            begins: None,
            fragments: 0,
        }
    }

    fn movie_of_fragments(&self, can_patch: bool) -> Boxes {
        let is_settled = can_patch && self.tables.iter().all(|table| table.entries.len() == 1);
        let sets = if is_settled {
            ParameterSets::InEntry
        } else {
            ParameterSets::InSamples
        };
        movie::of_fragments(&self.tables, self.created, sets)
    }

    /// Brings the movie before the fragments up to date. `false` where that cannot be.
    fn announce(&mut self, output: &mut dyn Output) -> io::Result<bool> {
        let movie = self.movie_of_fragments(true).padded(MOVIE_LENGTH);
        match (self.begins, movie) {
            (Some(begins), Some(movie)) if output.can_patch() => {
                output.patch(begins + FILE_TYPE_LENGTH + 16, &movie)?;
                for table in &mut self.tables {
                    table.announced = table.entries.len();
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn beginning(&self, can_patch: bool) -> Vec<u8> {
        let brands = Boxes::new()
            .bytes(b"isom")
            .u32(0x200)
            .bytes(b"isomiso6mp41mp42");
        let movie = self.movie_of_fragments(can_patch);
        let movie = if movie.len() + 8 > MOVIE_LENGTH {
            movie.into_bytes()
        } else {
            movie.padded(MOVIE_LENGTH).unwrap_or_default()
        };
        Boxes::new()
            .child(b"ftyp", brands)
            .child(b"free", Boxes::new().zeros(8))
            .bytes(&movie)
            .into_bytes()
    }
}

impl Container for Mp4 {
    fn set_tracks(&mut self, tracks: &[Track], output: &mut dyn Output) -> io::Result<bool> {
        let known = self.tables.len();
        let added = tracks.iter().skip(known).map(Table::new);
        self.tables.extend(added);
        if self.begins.is_none() {
            let begins = output.length();
            output.append(&self.beginning(output.can_patch()))?;
            self.begins = Some(begins);
            return Ok(true);
        }
        let joins = self.announce(output)?;
        if !joins {
            self.tables.truncate(known);
        }
        Ok(joins)
    }

    /// Where the movie before the fragments cannot say it, the samples do: those have parameter sets in
    /// themselves.
    fn change_track(&mut self, track: &Track, output: &mut dyn Output) -> io::Result<()> {
        let kind = kind_of(track.codec);
        let mut tables = self.tables.iter_mut();
        let changed = tables.find(|table| kind_of(table.track().codec) == kind);
        if changed.is_some_and(|table| table.change(track)) {
            self.announce(output)?;
        }
        Ok(())
    }

    fn write(&mut self, chunk: &[Sample], output: &mut dyn Output) -> io::Result<()> {
        let mut runs: Vec<FragmentTrack<'_>> = Vec::new();
        for (index, table) in self.tables.iter().enumerate() {
            let samples: Vec<&Sample> = chunk
                .iter()
                .filter(|sample| sample.kind == kind_of(table.track().codec))
                .collect();
            if !samples.is_empty() {
                runs.push(FragmentTrack::new(index, table, samples));
            }
        }
        if runs.is_empty() {
            return Ok(());
        }
        self.fragments += 1;
        let bytes = fragment(self.fragments, &runs);
        let payload: usize = runs.iter().map(FragmentTrack::length).sum();
        let mut offset = output.length() + (bytes.len() - payload) as u64;
        output.append(&bytes)?;
        for run in &runs {
            if let Some(table) = self.tables.get_mut(run.table) {
                table.note(&run.timed, offset);
            }
            offset += run.length() as u64;
        }
        Ok(())
    }

    fn finish(&mut self, end: i64, output: &mut dyn Output) -> io::Result<()> {
        let Some(begins) = self
            .begins
            .filter(|_| output.can_patch() && self.fragments > 0)
        else {
            return Ok(());
        };
        let free = begins + FILE_TYPE_LENGTH;
        let covered = output.length() - free;
        let movie = movie::of_file(&mut self.tables, self.created, end);
        output.append(&movie.into_bytes())?;
        // Until everything is there for good, the file is to be one in fragments.
        output.sync()?;
        // Size 1: the real one is in the 8 bytes behind (§4.2).
        let header = Boxes::new().u32(1).bytes(b"mdat").u64(covered).into_bytes();
        output.patch(free, &header)
    }
}

/// The samples of one track in a fragment.
struct FragmentTrack<'a> {
    table: usize,
    /// Number of the entry in the movie before the fragments.
    entry: u32,
    timed: Vec<Timed>,
    samples: Vec<&'a Sample>,
}

impl<'a> FragmentTrack<'a> {
    fn new(index: usize, table: &Table, samples: Vec<&'a Sample>) -> Self {
        let times: Vec<_> = samples
            .iter()
            .map(|sample| {
                (
                    sample.time,
                    sample.duration,
                    sample.data.len(),
                    sample.keyframe,
                )
            })
            .collect();
        Self {
            table: index,
            entry: table.announced_entry(),
            timed: table.time(&times),
            samples,
        }
    }

    fn length(&self) -> usize {
        self.samples.iter().map(|sample| sample.data.len()).sum()
    }

    /// `position`: of the first sample, from the start of the fragment.
    fn traf(&self, position: usize) -> Boxes {
        const BASE_IS_MOOF: u32 = 0x2_0000;
        const SAMPLE_ENTRY: u32 = 2;
        const DATA_OFFSET: u32 = 1;
        const DURATION_SIZE_FLAGS_OFFSET: u32 = 0xf00;
        const SYNC: u32 = 0x0200_0000;
        const NO_SYNC: u32 = 0x0101_0000;
        let start = self.timed.first().map_or(0, |sample| sample.decoding_time);
        let mut run = Boxes::new()
            .u32(u32::try_from(self.timed.len()).unwrap_or(u32::MAX))
            .u32(u32::try_from(position).unwrap_or(u32::MAX));
        let is_audio = self
            .samples
            .first()
            .is_some_and(|sample| sample.kind == MediaKind::Audio);
        for sample in &self.timed {
            run = run
                .u32(sample.duration)
                .u32(sample.size)
                .u32(if sample.keyframe || is_audio {
                    SYNC
                } else {
                    NO_SYNC
                })
                .u32(sample.offset.cast_unsigned());
        }
        let id = u32::try_from(self.table + 1).unwrap_or(1);
        let content = Boxes::new()
            .full(
                b"tfhd",
                0,
                BASE_IS_MOOF | SAMPLE_ENTRY,
                Boxes::new().u32(id).u32(self.entry),
            )
            .full(b"tfdt", 1, 0, Boxes::new().u64(start))
            .full(b"trun", 1, DATA_OFFSET | DURATION_SIZE_FLAGS_OFFSET, run);
        Boxes::new().child(b"traf", content)
    }
}

/// A fragment: its `moof` and `mdat` (§8.8).
fn fragment(number: u32, runs: &[FragmentTrack<'_>]) -> Vec<u8> {
    // The positions of the samples depend on the length of what tells them.
    let length = moof(number, runs, 0).len();
    let moof = moof(number, runs, length + 8);
    let data = runs.iter().flat_map(|run| &run.samples);
    let data = data.fold(Boxes::new(), |data, sample| data.bytes(&sample.data));
    moof.child(b"mdat", data).into_bytes()
}

fn moof(number: u32, runs: &[FragmentTrack<'_>], mut position: usize) -> Boxes {
    let mut content = Boxes::new().full(b"mfhd", 0, 0, Boxes::new().u32(number));
    for run in runs {
        content = content.bytes(&run.traf(position).into_bytes());
        position += run.length();
    }
    Boxes::new().child(b"moof", content)
}
