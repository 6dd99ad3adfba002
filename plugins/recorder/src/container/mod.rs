//! Containers: samples in, bytes at places out. No I/O of their own.

mod flv;
mod jpeg;
mod matroska;
mod mp4;
mod pictures;

use std::io;

use rivero_codec::Track;
use rivero_plugin_api::MediaKind;

use crate::{sample::Sample, track::kind_of};

pub(crate) use flv::Flv;
pub(crate) use jpeg::JpegStream;
pub(crate) use matroska::Matroska;
pub(crate) use mp4::Mp4;

/// Where the bytes of a container go.
pub(crate) trait Output: Send {
    /// At the end. Nothing of it counts when this fails.
    fn append(&mut self, data: &[u8]) -> io::Result<()>;
    /// Over what is there; nothing where the output cannot go back.
    fn patch(&mut self, position: u64, data: &[u8]) -> io::Result<()>;
    /// Bytes so far.
    fn length(&self) -> u64;
    /// Whether [`Output::patch`] has an effect.
    fn can_patch(&self) -> bool;
    /// Returns when everything so far is where it outlasts the machine, so that what is written next may
    /// refer to it.
    fn sync(&mut self) -> io::Result<()>;
    /// Ends what there is and begins the next file of a split recording.
    fn next_file(&mut self) -> io::Result<()>;
    /// Nothing more comes; returns when everything is where it belongs.
    fn close(&mut self) -> io::Result<()>;
}

/// A file format. After every call that succeeds, the output is a file that
/// plays as far as it goes.
pub(crate) trait Container: Send {
    /// Sets the tracks, before the first chunk or, where the output can go
    /// back, whenever one joins. The tracks that were there stay as they are.
    ///
    /// `false` when it is too late for another track.
    fn set_tracks(&mut self, tracks: &[Track], output: &mut dyn Output) -> io::Result<bool>;

    /// The track of this kind goes on with other parameter sets, in another size or otherwise turned; the
    /// codec is the same. What is written from now on is like that.
    fn change_track(&mut self, track: &Track, output: &mut dyn Output) -> io::Result<()>;

    /// Samples of about half a second, in the order in which they are decoded;
    /// with video that begins with a keyframe as often as there is one.
    fn write(&mut self, chunk: &[Sample], output: &mut dyn Output) -> io::Result<()>;

    /// Index and duration (`end`, ns).
    fn finish(&mut self, end: i64, output: &mut dyn Output) -> io::Result<()>;
}

/// The place of a kind's track among all.
fn track_index(tracks: &[Track], kind: MediaKind) -> Option<usize> {
    tracks.iter().position(|track| kind_of(track.codec) == kind)
}

#[cfg(test)]
mod players;

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A file in memory.
    #[derive(Default)]
    pub(crate) struct Memory {
        pub(crate) data: Vec<u8>,
        /// Those before the present one.
        pub(crate) files: Vec<Vec<u8>>,
        /// It is an upload.
        pub(crate) streams: bool,
        /// Fails when it would grow beyond.
        pub(crate) limit: Option<usize>,
        /// What is done, in its order.
        pub(crate) steps: Vec<Step>,
    }

    /// What matters of the order of things.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Step {
        Append,
        Patch,
        Sync,
    }

    /// Video of a size, turned by so many quarters.
    pub(crate) fn picture_track(width: u16, height: u16, quarter_turns: u8) -> Track {
        Track {
            codec: rivero_codec::Codec::H264,
            shape: rivero_codec::Shape::Video { width, height },
            configuration: Vec::new(),
            colour: None,
            quarter_turns,
            pre_skip: 0,
        }
    }

    impl Output for Memory {
        fn append(&mut self, data: &[u8]) -> io::Result<()> {
            if self
                .limit
                .is_some_and(|limit| self.data.len() + data.len() > limit)
            {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.data.extend_from_slice(data);
            self.steps.push(Step::Append);
            Ok(())
        }

        fn patch(&mut self, position: u64, data: &[u8]) -> io::Result<()> {
            if !self.streams {
                let start = usize::try_from(position).unwrap();
                self.data[start..start + data.len()].copy_from_slice(data);
                self.steps.push(Step::Patch);
            }
            Ok(())
        }

        fn length(&self) -> u64 {
            self.data.len() as u64
        }

        fn can_patch(&self) -> bool {
            !self.streams
        }

        fn sync(&mut self) -> io::Result<()> {
            self.steps.push(Step::Sync);
            Ok(())
        }

        fn next_file(&mut self) -> io::Result<()> {
            let file = std::mem::take(&mut self.data);
            self.files.push(file);
            Ok(())
        }

        fn close(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is in a file, read without the code that wrote it.
    pub(crate) mod elements {
        /// An element or box and the bytes of its content.
        #[derive(Debug)]
        pub(crate) struct Element {
            pub(crate) id: u32,
            pub(crate) kind: String,
            pub(crate) start: usize,
            pub(crate) end: usize,
        }

        const MASTERS: [u32; 11] = [
            0x1a45_dfa3,
            0x1853_8067,
            0x1549_a966,
            0x1654_ae6b,
            0xae,
            0x1f43_b675,
            0x1c53_bb6b,
            0xbb,
            0xb7,
            0x114d_9b74,
            0x4dbb,
        ];

        /// All elements of a Matroska file, each before those in it.
        pub(crate) fn of_matroska(file: &[u8]) -> Vec<Element> {
            let mut found = Vec::new();
            walk(file, 0, file.len(), &mut found);
            found
        }

        fn walk(file: &[u8], mut at: usize, end: usize, found: &mut Vec<Element>) {
            while at < end {
                let width = file[at].leading_zeros() as usize + 1;
                let id = file[at..at + width]
                    .iter()
                    .fold(0, |id, byte| id << 8 | u32::from(*byte));
                at += width;
                let width = file[at].leading_zeros() as usize + 1;
                let size = file[at..at + width]
                    .iter()
                    .fold(0usize, |size, byte| size << 8 | usize::from(*byte));
                let size = size & ((1 << (7 * width)) - 1);
                at += width;
                found.push(Element {
                    id,
                    kind: String::new(),
                    start: at,
                    end: at + size,
                });
                if MASTERS.contains(&id) {
                    walk(file, at, at + size, found);
                }
                at += size;
            }
            assert_eq!(at, end);
        }

        /// The boxes of an MP4 file, not those in them.
        pub(crate) fn of_mp4(file: &[u8]) -> Vec<Element> {
            let mut found = Vec::new();
            let mut at = 0;
            while at < file.len() {
                let word =
                    |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
                let (size, head) = match word(at) {
                    1 => (word(at + 12), 16),
                    size => (size, 8),
                };
                found.push(Element {
                    id: 0,
                    kind: String::from_utf8(file[at + 4..at + 8].to_vec()).unwrap(),
                    start: at + head,
                    end: at + size,
                });
                at += size;
            }
            assert_eq!(at, file.len());
            found
        }

        /// The entries of all tables of a kind; `skip`: bytes between the box's head and its count.
        pub(crate) fn table_u32(movie: &[u8], kind: &[u8; 4], skip: usize) -> Vec<Vec<u32>> {
            tables(movie, kind, skip, 4)
                .into_iter()
                .map(|table| table.into_iter().map(|value| value as u32).collect())
                .collect()
        }

        pub(crate) fn table_u64(movie: &[u8], kind: &[u8; 4]) -> Vec<Vec<u64>> {
            tables(movie, kind, 4, 8)
        }

        fn tables(movie: &[u8], kind: &[u8; 4], skip: usize, width: usize) -> Vec<Vec<u64>> {
            let heads = movie
                .windows(4)
                .enumerate()
                .filter(|(_, four)| four == kind);
            heads
                .map(|(at, _)| {
                    let number = |at: usize, width: usize| {
                        movie[at..at + width]
                            .iter()
                            .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
                    };
                    let count = at + 4 + skip;
                    let entries = 0..number(count, 4) as usize;
                    entries
                        .map(|index| number(count + 4 + index * width, width))
                        .collect()
                })
                .collect()
        }
    }
}
