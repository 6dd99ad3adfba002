//! Picture numbers of one continuous outgoing stream (RFC 7741 §4.2, RFC 9628 §4.2).
//!
//! Decoders order VP8 and VP9 frames by the picture id, and tell by the number of the last base
//! layer frame whether one is missing. What senders write there cannot be relied on: ids of 7 bits
//! that go round every four seconds, one id for all pictures, none at all, ids that begin anew, and
//! all of these after a switch from another source. Receivers take all ids of a stream for ids of 15 bits
//! that count pictures, and stop where they do not. So each picture gets our own number of 15 bits,
//! one after the other; what the sender wrote is only looked at where packets are missing, to see how
//! many pictures those were.

mod fields;

use std::collections::VecDeque;

use crate::codec::VideoCodec;
use fields::{Fields, Picture};

pub use fields::Front;

/// Frames that late packets and retransmissions are placed by: 2 s at 60 a second.
const REMEMBERED: usize = 128;
/// Numbers have 15 bits.
const MASK: u16 = 0x7fff;

/// A frame of the present source.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Of the source: what tells frames apart.
    timestamp: u32,
    /// The highest sequence number of its packets, as far as they have come.
    last: u16,
    /// The source's own id.
    id: Option<Picture>,
    /// The outgoing number; that of the one before where later ones move up.
    number: u16,
    left_out: bool,
    /// It was left out, and those behind it move up.
    closed_up: bool,
}

impl Frame {
    /// The number of the next frame, at the least.
    fn next_number(&self) -> u16 {
        self.number.wrapping_add(1) & MASK
    }
}

/// The numbers of a packet that a picture's number depends on.
#[derive(Debug, Clone, Copy)]
pub struct PacketNumbers {
    /// Any name of the source that stays the same.
    pub source: u64,
    /// The source's sequence number.
    pub sequence: u16,
    /// The source's timestamp.
    pub timestamp: u32,
}

/// Rewrites picture ids and base layer indices so that a decoder sees one stream.
#[derive(Debug, Clone, Default)]
pub struct PictureNumbers {
    source: Option<u64>,
    /// The latest frames of the source, in the order of their packets.
    frames: VecDeque<Frame>,
    /// Timestamp units between two frames of which nothing was missing, 0 before that is known.
    interval: u32,
    /// The newest outgoing numbers.
    latest: Option<u16>,
    latest_base: Option<u8>,
    /// Outgoing index of the base layer minus incoming.
    base_offset: u8,
}

impl PictureNumbers {
    /// Gives what the descriptor at the front of `payload` is to be replaced by. `None` for a packet of
    /// a picture that has no number: it was left out before, or is too old to tell.
    #[inline]
    pub fn rewrite(
        &mut self,
        numbers: PacketNumbers,
        codec: VideoCodec,
        payload: &[u8],
    ) -> Option<Front> {
        let Some(fields) = Fields::of(codec, payload) else {
            return Some(Front::default());
        };
        let frame = self.frame_of(numbers, fields, false)?;
        if frame.left_out {
            return None;
        }
        fields.front(payload, frame.number, self.base_offset)
    }

    /// The same for a packet that is sent again, of the present source.
    #[must_use]
    pub fn rewrite_again(
        &self,
        timestamp: u32,
        codec: VideoCodec,
        payload: &[u8],
    ) -> Option<Front> {
        let Some(fields) = Fields::of(codec, payload) else {
            return Some(Front::default());
        };
        let mut frames = self.frames.iter().rev();
        let frame = frames.find(|frame| frame.timestamp == timestamp && !frame.left_out)?;
        fields.front(payload, frame.number, self.base_offset)
    }

    /// A packet of the present source is left out on purpose. If it is the first one of its
    /// picture, later pictures move up, unless they count in ids what they refer to: those of the
    /// pictures that remain would be wrong, and nobody waits for an id that none refers to.
    pub fn skipped(&mut self, numbers: PacketNumbers, codec: VideoCodec, payload: &[u8]) {
        if self.source == Some(numbers.source)
            && let Some(fields) = Fields::of(codec, payload)
        {
            self.frame_of(numbers, fields, true);
        }
    }

    /// Whatever comes next is a new source.
    pub fn forget_source(&mut self) {
        self.source = None;
    }

    /// The frame of a packet, which may begin with it.
    #[inline]
    fn frame_of(
        &mut self,
        numbers: PacketNumbers,
        fields: Fields,
        left_out: bool,
    ) -> Option<Frame> {
        if self.source == Some(numbers.source)
            && let Some(newest) = self.frames.back_mut()
        {
            let ahead = numbers.sequence.wrapping_sub(newest.last).cast_signed();
            if newest.timestamp == numbers.timestamp {
                if ahead > 0 {
                    newest.last = numbers.sequence;
                }
                return Some(*newest);
            }
            if ahead <= 0 {
                return self.late_frame(numbers, fields, left_out);
            }
        }
        Some(self.begin_frame(numbers, fields, left_out))
    }

    /// A frame that is newer than all before.
    fn begin_frame(&mut self, numbers: PacketNumbers, fields: Fields, left_out: bool) -> Frame {
        let is_switch = self.source.replace(numbers.source) != Some(numbers.source);
        if is_switch {
            self.frames.clear();
            self.interval = 0;
            if let (Some(latest), Some(index)) = (self.latest_base, fields.base_index()) {
                self.base_offset = latest.wrapping_add(1).wrapping_sub(index);
            }
        }
        let step = match self.frames.back().copied() {
            Some(newest) => self.step(newest, numbers, fields),
            None => 1,
        };
        let next = match (self.latest, fields.picture) {
            (Some(latest), _) => latest.wrapping_add(step),
            // The first one of all: any will do, and the source's own shows where it came from.
            (None, Some(picture)) => picture.id,
            (None, None) => 0,
        };
        let closed_up = left_out && !fields.counts_references;
        let number = next.wrapping_sub(u16::from(closed_up)) & MASK;
        self.latest = Some(number);
        if !left_out && let Some(index) = fields.base_index() {
            self.latest_base = Some(index.wrapping_add(self.base_offset));
        }
        let frame = Frame {
            timestamp: numbers.timestamp,
            last: numbers.sequence,
            id: fields.picture,
            number,
            left_out,
            closed_up,
        };
        if self.frames.len() >= REMEMBERED {
            self.frames.pop_front();
        }
        self.frames.push_back(frame);
        frame
    }

    /// By how much a frame's number is higher than that of the newest one before: 1, and one more for each
    /// frame between them of which nothing came.
    fn step(&mut self, newest: Frame, numbers: PacketNumbers, fields: Fields) -> u16 {
        let missing = numbers.sequence.wrapping_sub(newest.last).wrapping_sub(1);
        let passed = numbers.timestamp.wrapping_sub(newest.timestamp);
        let by_id = fields.pictures_since(newest.id);
        if missing == 0 {
            self.interval = passed;
            // The references of such a picture are counted in ids, so that they have to stay as they are.
            return match by_id {
                Some(by_id) if fields.counts_references => by_id.max(1),
                _ => 1,
            };
        }
        let most = missing.saturating_add(1);
        by_id
            .filter(|by_id| (1..=most).contains(by_id))
            .unwrap_or_else(|| self.frames_in(passed).clamp(1, most))
    }

    /// How many frames come in so many timestamp units, by the latest two that were whole.
    fn frames_in(&self, units: u32) -> u16 {
        let half = self.interval / 2;
        let frames = units.saturating_add(half).checked_div(self.interval);
        frames.map_or(1, |frames| u16::try_from(frames).unwrap_or(u16::MAX))
    }

    /// The frame of a packet that is older than the newest one. One of which nothing came before has a
    /// number if there is one left between its neighbours.
    fn late_frame(
        &mut self,
        numbers: PacketNumbers,
        fields: Fields,
        left_out: bool,
    ) -> Option<Frame> {
        let mut frames = self.frames.iter().rev();
        if let Some(frame) = frames.find(|frame| frame.timestamp == numbers.timestamp) {
            return Some(*frame);
        }
        let is_after = |sequence: u16| numbers.sequence.wrapping_sub(sequence).cast_signed() > 0;
        let later = self.frames.iter().rposition(|frame| is_after(frame.last))? + 1;
        let (before, after) = (self.frames.get(later - 1)?, self.frames.get(later)?);
        let end = match after.closed_up {
            true => after.next_number(),
            false => after.number,
        };
        let room = end.wrapping_sub(before.next_number()) & MASK;
        if room == 0 {
            return None;
        }
        let by_time = || {
            let passed = u64::from(numbers.timestamp.wrapping_sub(before.timestamp));
            let all = u64::from(after.timestamp.wrapping_sub(before.timestamp)).max(1);
            let steps = (passed * (u64::from(room) + 1) + all / 2) / all;
            u16::try_from(steps).unwrap_or(room).clamp(1, room)
        };
        let step = fields
            .pictures_since(before.id)
            .filter(|step| (1..=room).contains(step))
            .unwrap_or_else(by_time);
        let frame = Frame {
            timestamp: numbers.timestamp,
            last: numbers.sequence,
            id: fields.picture,
            number: before.number.wrapping_add(step) & MASK,
            left_out,
            closed_up: false,
        };
        self.frames.insert(later, frame);
        if self.frames.len() > REMEMBERED {
            self.frames.pop_front();
        }
        Some(frame)
    }
}

#[cfg(test)]
mod tests;
