//! What the index has to say of a track's samples: collected while fragments
//! are written, in a few bytes a sample.

use rivero_codec::{Shape, Track};

use super::super::pictures::Pictures;

/// Entries of a sample description. A stream that is described otherwise with every keyframe gets no
/// further ones: its samples have their parameter sets in themselves.
const MOST_ENTRIES: usize = 32;

/// A run of equal values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run<T> {
    pub(super) count: u32,
    pub(super) value: T,
}

fn extend<T: PartialEq + Copy>(runs: &mut Vec<Run<T>>, value: T) {
    match runs.last_mut() {
        Some(run) if run.value == value => run.count += 1,
        _ => runs.push(Run { count: 1, value }),
    }
}

/// Samples that lie one behind the other in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) offset: u64,
    pub(super) samples: u32,
    /// Number of the entry that describes them, from 1.
    pub(super) entry: u32,
}

/// The samples of one track.
pub(super) struct Table {
    /// What samples are like, one after the other; never empty.
    pub(super) entries: Vec<Track>,
    /// What those are like that come now, among the entries.
    current: usize,
    /// How many of them the movie before the fragments has.
    pub(super) announced: usize,
    pub(super) pictures: Pictures,
    /// Ticks a second.
    pub(super) timescale: u32,
    pub(super) durations: Vec<Run<u32>>,
    /// Presentation less decoding time.
    pub(super) offsets: Vec<Run<i32>>,
    pub(super) sizes: Vec<u32>,
    /// Numbers of the keyframes, from 1.
    pub(super) keyframes: Vec<u32>,
    pub(super) blocks: Vec<Block>,
    /// Decoding times of the first and the latest sample.
    pub(super) first: Option<u64>,
    latest: u64,
}

/// A sample with its times in ticks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timed {
    pub(super) decoding_time: u64,
    pub(super) offset: i32,
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) keyframe: bool,
}

impl Table {
    pub(super) fn new(track: &Track) -> Self {
        let timescale = match track.shape {
            Shape::Video { .. } => 90_000,
            Shape::Audio { rate, .. } => rate.max(1),
        };
        Self {
            entries: vec![track.clone()],
            current: 0,
            announced: 1,
            pictures: Pictures::new(track),
            timescale,
            durations: Vec::new(),
            offsets: Vec::new(),
            sizes: Vec::new(),
            keyframes: Vec::new(),
            blocks: Vec::new(),
            first: None,
            latest: 0,
        }
    }

    /// The track as it is now.
    pub(super) fn track(&self) -> &Track {
        self.entries
            .get(self.current)
            .unwrap_or(self.pictures.largest())
    }

    /// Number of the entry of the samples that come now, from 1.
    pub(super) fn entry(&self) -> u32 {
        u32::try_from(self.current + 1).unwrap_or(1)
    }

    /// The same in the movie before the fragments, which may have fewer of them.
    pub(super) fn announced_entry(&self) -> u32 {
        if self.current < self.announced {
            self.entry()
        } else {
            1
        }
    }

    /// The samples that come are like this. Whether there is a new entry.
    pub(super) fn change(&mut self, track: &Track) -> bool {
        self.pictures.change(track);
        let is_like = |entry: &Track| {
            Track {
                quarter_turns: entry.quarter_turns,
                ..track.clone()
            } == *entry
        };
        let has_shape = |entry: &Track| entry.shape == track.shape;
        let known = self.entries.iter().position(is_like);
        if known.is_none() && self.entries.len() < MOST_ENTRIES {
            self.current = self.entries.len();
            self.entries.push(track.clone());
            return true;
        }
        let nearest = known.or_else(|| self.entries.iter().position(has_shape));
        self.current = nearest.unwrap_or_default();
        false
    }

    /// By how much decoded sound is behind the times of its samples, in ticks.
    pub(super) fn pre_skip(&self) -> u64 {
        u64::from(self.track().pre_skip)
    }

    pub(super) fn ticks(&self, nanoseconds: i64) -> u64 {
        let ticks = i128::from(nanoseconds.max(0)) * i128::from(self.timescale) / 1_000_000_000;
        u64::try_from(ticks).unwrap_or_default()
    }

    /// Decoding times for presentation times in decoding order: the same
    /// times, in order, each after the one before it.
    ///
    /// `samples`: time and duration in ns, size, keyframe.
    pub(super) fn time(&self, samples: &[(i64, i64, usize, bool)]) -> Vec<Timed> {
        let mut sorted: Vec<u64> = samples.iter().map(|sample| self.ticks(sample.0)).collect();
        sorted.sort_unstable();
        let mut earliest = if self.first.is_some() {
            self.latest + 1
        } else {
            0
        };
        for time in &mut sorted {
            *time = (*time).max(earliest);
            earliest = *time + 1;
        }
        let mut last_distance = self.timescale / 30;
        let mut timed: Vec<Timed> = Vec::with_capacity(samples.len());
        for (index, (time, duration, size, keyframe)) in samples.iter().enumerate() {
            let decoding_time = sorted.get(index).copied().unwrap_or_default();
            let distance = match sorted.get(index + 1) {
                Some(next) => u32::try_from(next - decoding_time).unwrap_or(u32::MAX),
                None if *duration > 0 => u32::try_from(self.ticks(*duration)).unwrap_or(u32::MAX),
                None => last_distance,
            };
            last_distance = distance;
            let offset = self.ticks(*time).cast_signed() - decoding_time.cast_signed();
            timed.push(Timed {
                decoding_time,
                offset: i32::try_from(offset).unwrap_or_default(),
                duration: distance,
                size: u32::try_from(*size).unwrap_or(u32::MAX),
                keyframe: *keyframe,
            });
        }
        timed
    }

    /// Notes samples that were written one behind the other at `offset`.
    pub(super) fn note(&mut self, samples: &[Timed], offset: u64) {
        for sample in samples {
            if self.first.is_none() {
                self.first = Some(sample.decoding_time);
            } else {
                let distance = sample.decoding_time.saturating_sub(self.latest);
                extend(
                    &mut self.durations,
                    u32::try_from(distance).unwrap_or(u32::MAX),
                );
            }
            self.latest = sample.decoding_time;
            self.sizes.push(sample.size);
            extend(&mut self.offsets, sample.offset);
            if sample.keyframe {
                self.keyframes
                    .push(u32::try_from(self.sizes.len()).unwrap_or(u32::MAX));
            }
        }
        self.pictures.count(samples.len());
        self.blocks.push(Block {
            offset,
            samples: u32::try_from(samples.len()).unwrap_or(u32::MAX),
            entry: self.entry(),
        });
    }

    /// Decoding time of the latest sample, ns; `None` without one.
    pub(super) fn latest(&self) -> Option<i64> {
        self.first?;
        let time = u128::from(self.latest) * 1_000_000_000 / u128::from(self.timescale);
        i64::try_from(time).ok()
    }

    /// Gives the last sample its duration: up to `end`, ns. Returns the length
    /// of the track in ticks.
    pub(super) fn close(&mut self, end: i64) -> u64 {
        let Some(first) = self.first else { return 0 };
        let rest = self.ticks(end).saturating_sub(self.latest).max(1);
        extend(&mut self.durations, u32::try_from(rest).unwrap_or(u32::MAX));
        self.latest - first + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::testing::picture_track;

    const MS: i64 = 1_000_000;

    fn table() -> Table {
        Table::new(&picture_track(320, 240, 0))
    }

    #[test]
    fn decoding_times_grow_and_offsets_restore_presentation_times() {
        let mut table = table();
        let times = [0, 160, 80, 40, 120];
        let samples = times.map(|time| (time * MS, 0, 10, time == 0));
        let timed = table.time(&samples);
        table.note(&timed, 100);
        // The next fragment begins in the middle of a reordered group.
        let next = table.time(&[(240 * MS, 0, 10, false), (200 * MS, 0, 10, false)]);
        let all: Vec<_> = timed.iter().chain(&next).collect();
        assert!(
            all.windows(2)
                .all(|two| two[0].decoding_time < two[1].decoding_time)
        );
        let presented: Vec<_> = all
            .iter()
            .map(|sample| (sample.decoding_time.cast_signed() + i64::from(sample.offset)) / 90)
            .collect();
        assert_eq!(presented, [0, 160, 80, 40, 120, 240, 200]);
    }

    #[test]
    fn each_description_has_one_entry() {
        let mut table = table();
        let large = picture_track(1280, 720, 0);
        assert!(table.change(&large));
        assert_eq!(table.entry(), 2);
        assert!(!table.change(&picture_track(320, 240, 1)), "turned alone");
        assert_eq!(table.entry(), 1);
        for number in 0..100u8 {
            let configuration = vec![number];
            table.change(&Track {
                configuration,
                ..large.clone()
            });
        }
        assert_eq!((table.entries.len(), table.entry()), (MOST_ENTRIES, 2));
    }

    #[test]
    fn durations_reach_from_sample_to_sample_and_to_the_end() {
        let mut table = table();
        for at in [0, 40, 80] {
            let timed = table.time(&[(at * MS, 0, 10, at == 0)]);
            table.note(&timed, 0);
        }
        assert_eq!(table.close(130 * MS), 130 * 90);
        assert_eq!(
            table.durations,
            [
                Run {
                    count: 2,
                    value: 3600
                },
                Run {
                    count: 1,
                    value: 4500
                }
            ]
        );
    }
}
