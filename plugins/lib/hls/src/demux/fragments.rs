//! Fragmented MP4 (ISO/IEC 14496-12 §8.8): a header, and then fragments that each tell what is in the data behind them.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::{
    Event, Frame, MOST_KEPT,
    boxes::{self, boxes, child, i32_at, u32_at, u64_at},
    movie::{self, Track, flags, nanoseconds},
};
use crate::Error;

/// Samples of one fragment at most.
const MOST_SAMPLES: usize = 100_000;
/// Others are needed to decode a sample (§8.8.3.1).
const IS_NO_SYNC: u32 = 0x0001_0000;

/// Whether bytes begin such a file, or a segment of one.
pub(super) fn begins(bytes: &[u8]) -> bool {
    let kind = boxes::kind(bytes);
    kind.is_some_and(|kind| {
        matches!(
            &kind,
            b"ftyp" | b"styp" | b"moov" | b"moof" | b"sidx" | b"emsg" | b"prft" | b"free"
        )
    })
}

/// See the head of this file.
#[derive(Default)]
pub(super) struct Fragments {
    /// From the beginning of a box on.
    bytes: BytesMut,
    /// What is left of a box that is of no interest.
    skipping: u64,
    tracks: Vec<Track>,
    /// Of the fragment whose data comes next.
    samples: Vec<Sample>,
    /// Bytes from the beginning of that fragment up to what comes next.
    passed: u64,
}

/// A sample of a fragment.
struct Sample {
    /// Bytes from the beginning of the fragment.
    offset: u64,
    size: u32,
    frame: Frame,
}

impl Fragments {
    pub(super) fn push(&mut self, bytes: &[u8], found: &mut VecDeque<Event>) -> Result<(), Error> {
        self.bytes.extend_from_slice(bytes);
        loop {
            if self.skipping > 0 {
                let length = self
                    .bytes
                    .len()
                    .min(usize::try_from(self.skipping).unwrap_or(usize::MAX));
                let _ = self.bytes.split_to(length);
                self.skipping -= length as u64;
            }
            let Some((size, head)) = boxes::size(&self.bytes) else {
                return Ok(());
            };
            let Some(kind) = boxes::kind(&self.bytes) else {
                return Ok(());
            };
            let size = size.ok_or(Error::Segment("a box of it has no size"))?;
            if !matches!(&kind, b"moov" | b"moof" | b"mdat") {
                self.passed = self.passed.saturating_add(size);
                self.skipping = size;
                continue;
            }
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if size > MOST_KEPT {
                return Err(Error::Segment("a box of it has more than 64 MB"));
            }
            if self.bytes.len() < size {
                return Ok(());
            }
            let mut body = self.bytes.split_to(size).freeze();
            let whole = size as u64;
            let body = body.split_off(head);
            match &kind {
                b"moov" => self.read_movie(&body, found)?,
                b"moof" => {
                    self.samples = self.read_fragment(&body)?;
                    self.passed = whole;
                    continue;
                }
                _ => self.read_data(&body, self.passed + head as u64, found),
            }
            self.passed = self.passed.saturating_add(whole);
        }
    }

    pub(super) fn end_segment(&mut self) -> Result<(), Error> {
        self.samples.clear();
        let is_whole = self.bytes.is_empty() && self.skipping == 0;
        self.bytes.clear();
        self.skipping = 0;
        if !is_whole {
            return Err(Error::Segment("its last box is not whole"));
        }
        Ok(())
    }

    fn read_movie(&mut self, body: &[u8], found: &mut VecDeque<Event>) -> Result<(), Error> {
        self.tracks = movie::tracks(body)?;
        found.extend({ self.tracks.iter() }.map(|track| Event::Track(track.codec.clone())));
        Ok(())
    }

    fn read_fragment(&self, body: &[u8]) -> Result<Vec<Sample>, Error> {
        if self.tracks.is_empty() {
            return Err(Error::Segment(
                "there is no header before its fragments (EXT-X-MAP)",
            ));
        }
        let mut samples = Vec::new();
        // Where the data of the track before ends (§8.8.7.1).
        let mut end = 0;
        for own in boxes(body).filter(|own| own.kind == *b"traf") {
            let header = child(own.body, b"tfhd").unwrap_or_default();
            let track =
                u32_at(header, 4).and_then(|id| self.tracks.iter().find(|track| track.id == id));
            end = Run::new(header, track, own.body, end)?.read(own.body, track, &mut samples)?;
        }
        Ok(samples)
    }

    /// `begin`: bytes from the beginning of the fragment.
    fn read_data(&mut self, data: &Bytes, begin: u64, found: &mut VecDeque<Event>) {
        for Sample {
            offset,
            size,
            mut frame,
        } in std::mem::take(&mut self.samples)
        {
            let begin = offset
                .checked_sub(begin)
                .and_then(|begin| usize::try_from(begin).ok());
            let range = begin.and_then(|begin| Some(begin..begin.checked_add(size as usize)?));
            // A sample in another box of data, or beyond the end of this one, is lost.
            if let Some(range) = range.filter(|range| range.end <= data.len() && !range.is_empty())
            {
                frame.bytes = data.slice(range);
                found.push_back(Event::Frame(frame));
            }
        }
    }
}

/// Reads what a fragment says of a track.
struct Run {
    defaults: movie::Defaults,
    /// Of the next sample, in units of the track.
    time: i64,
    /// What offsets of runs count from.
    base: u64,
    /// Where the next sample is, where its run does not say.
    next: u64,
}

impl Run {
    fn new(header: &[u8], track: Option<&Track>, body: &[u8], end: u64) -> Result<Self, Error> {
        let flags = flags(header);
        let mut at = 8;
        let mut defaults = track.map(|track| track.defaults).unwrap_or_default();
        if flags & 1 != 0 {
            at += 8;
        }
        if flags & 2 != 0 {
            at += 4;
        }
        for (flag, value) in [
            (0x08, &mut defaults.duration),
            (0x10, &mut defaults.size),
            (0x20, &mut defaults.flags),
        ] {
            if flags & flag != 0 {
                *value = u32_at(header, at).ok_or(BROKEN)?;
                at += 4;
            }
        }
        let begins = child(body, b"tfdt").unwrap_or_default();
        let time = if begins.first() == Some(&1) {
            u64_at(begins, 4)
        } else {
            u32_at(begins, 4).map(u64::from)
        };
        // From the fragment on, or from the end of the track before. A place in the whole file, of which only a part
        // has come, is that of the fragment as well, whoever writes it.
        let base = if flags & 0x02_0001 != 0 { 0 } else { end };
        Ok(Self {
            defaults,
            time: i64::try_from(time.unwrap_or(0)).unwrap_or(i64::MAX),
            base,
            next: base,
        })
    }

    /// Gives where the data of the track ends.
    fn read(
        mut self,
        body: &[u8],
        track: Option<&Track>,
        samples: &mut Vec<Sample>,
    ) -> Result<u64, Error> {
        for own in boxes(body).filter(|own| own.kind == *b"trun") {
            self.run(own.body, track, samples)?;
        }
        Ok(self.next)
    }

    /// §8.8.8
    fn run(
        &mut self,
        run: &[u8],
        track: Option<&Track>,
        samples: &mut Vec<Sample>,
    ) -> Result<(), Error> {
        let flags = flags(run);
        let count = u32_at(run, 4).ok_or(BROKEN)? as usize;
        if samples.len() + count > MOST_SAMPLES {
            return Err(Error::Segment("a fragment of it has too many samples"));
        }
        let mut at = 8;
        let mut next = |is_there: bool| {
            is_there.then(|| {
                at += 4;
                i32_at(run, at - 4).ok_or(BROKEN)
            })
        };
        if let Some(offset) = next(flags & 0x1 != 0) {
            self.next = self.base.saturating_add_signed(i64::from(offset?));
        }
        let mut first_flags = next(flags & 0x4 != 0).transpose()?;
        for _ in 0..count {
            let mut number = |flag: u32, default: u32| match next(flags & flag != 0) {
                Some(number) => number.map(i32::cast_unsigned),
                None => Ok(default),
            };
            let duration = number(0x100, self.defaults.duration)?;
            let size = number(0x200, self.defaults.size)?;
            let own_flags = number(0x400, self.defaults.flags)?;
            let delay = number(0x800, 0)?.cast_signed();
            let own_flags = first_flags.take().map_or(own_flags, i32::cast_unsigned);
            if let Some(track) = track {
                let time = self.time.saturating_add(i64::from(delay));
                samples.push(Sample {
                    offset: self.next,
                    size,
                    frame: frame(track, time, self.time, duration, own_flags),
                });
            }
            self.time = self.time.saturating_add(i64::from(duration));
            self.next = self.next.saturating_add(u64::from(size));
        }
        Ok(())
    }
}

const BROKEN: Error = Error::Segment("a fragment of it ends before it says all");

/// Times in units of the track.
fn frame(track: &Track, time: i64, decode_time: i64, duration: u32, flags: u32) -> Frame {
    let ns = |units| nanoseconds(units, track.timescale);
    Frame {
        kind: track.codec.kind(),
        time: Some(ns(time).saturating_add(track.shift)),
        decode_time: Some(ns(decode_time).saturating_add(track.shift)),
        duration: ns(i64::from(duration)),
        is_delta: flags & IS_NO_SYNC != 0,
        bytes: Bytes::new(),
    }
}
