//! What the index has to say of a track's samples: collected while fragments
//! are written, in a few bytes a sample.

use rivero_codec::{Shape, Track};

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
}

/// The samples of one track.
pub(super) struct Table {
    pub(super) track: Track,
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
            track: track.clone(),
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
        self.blocks.push(Block {
            offset,
            samples: u32::try_from(samples.len()).unwrap_or(u32::MAX),
        });
    }

    /// Gives the last sample its duration: up to `end`, ns. Returns the length
    /// of the track in ticks.
    pub(super) fn close(&mut self, end: i64) -> u64 {
        let Some(first) = self.first else { return 0 };
        let end = self.ticks(end).max(self.latest + 1);
        // Sound that ended long before the rest does not last until the end.
        let longest = u64::from(self.timescale);
        let rest = (end - self.latest).min(longest);
        extend(&mut self.durations, u32::try_from(rest).unwrap_or(u32::MAX));
        self.latest - first + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivero_codec::Codec;

    const MS: i64 = 1_000_000;

    fn table() -> Table {
        Table::new(&Track {
            codec: Codec::H264,
            shape: Shape::Video {
                width: 320,
                height: 240,
            },
            configuration: Vec::new(),
        })
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
