//! MPEG-2 transport streams (ISO/IEC 13818-1 §2.4.3), as segments have them: one program.

use std::collections::VecDeque;

use super::{
    Clock, Event, MOST_KEPT,
    pes::{Packet, Pes},
    sections::{self, Elementary, Section},
};
use crate::Error;

const PACKET: usize = 188;
const SYNC: u8 = 0x47;
/// Of the program association table.
const ASSOCIATION: u16 = 0;

/// Whether bytes begin such a stream.
pub(super) fn begins(bytes: &[u8]) -> bool {
    bytes.first() == Some(&SYNC) && bytes.get(PACKET).is_none_or(|byte| *byte == SYNC)
}

/// See the head of this file.
#[derive(Default)]
pub(super) struct Transport {
    /// Less than a packet.
    partial: Vec<u8>,
    association: Section,
    map: Section,
    /// Packets with the program's map have this identifier.
    map_pid: Option<u16>,
    tracks: Vec<Track>,
    clock: Clock,
}

struct Track {
    own: Elementary,
    pes: Pes,
    /// Of the latest packet with media.
    counter: Option<u8>,
}

impl Transport {
    pub(super) fn new(near: Option<i64>) -> Self {
        Self {
            clock: Clock::near(near),
            ..Self::default()
        }
    }

    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        found: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        let mut packet = std::mem::take(&mut self.partial);
        while !bytes.is_empty() {
            let missing = PACKET - packet.len();
            let (part, rest) = bytes.split_at(missing.min(bytes.len()));
            packet.extend_from_slice(part);
            bytes = rest;
            if packet.first() != Some(&SYNC) {
                // Where packets are lost in part, the next one begins at the next such byte.
                let skipped = packet.iter().position(|byte| *byte == SYNC);
                packet.drain(..skipped.unwrap_or(packet.len()));
            }
            if packet.len() == PACKET {
                self.packet(&packet, found)?;
                packet.clear();
            }
        }
        self.partial = packet;
        Ok(())
    }

    /// Gives out what has no end of its own.
    pub(super) fn end_segment(&mut self, found: &mut VecDeque<Event>) -> Result<(), Error> {
        self.partial.clear();
        for index in 0..self.tracks.len() {
            self.give(index, found);
            if let Some(track) = self.tracks.get_mut(index) {
                track.counter = None;
            }
        }
        if self.tracks.is_empty() {
            return Err(Error::Segment(
                "there is no sound and no picture that is known in its transport stream",
            ));
        }
        Ok(())
    }

    fn packet(&mut self, packet: &[u8], found: &mut VecDeque<Event>) -> Result<(), Error> {
        let Some((head, rest)) = packet.split_first_chunk::<4>() else {
            return Ok(());
        };
        let [_, high, low, flags] = *head;
        let pid = u16::from_be_bytes([high & 0x1f, low]);
        let (is_broken, is_start) = (high & 0x80 != 0, high & 0x40 != 0);
        let has_payload = flags & 0x10 != 0;
        if is_broken || !has_payload {
            return Ok(());
        }
        let payload = if flags & 0x20 == 0 {
            rest
        } else {
            // What an adaptation field tells is of no use here.
            let length = rest.first().map_or(0, |length| usize::from(*length));
            rest.get(1 + length..).unwrap_or_default()
        };
        if pid == ASSOCIATION {
            if let Some(table) = self.association.push(payload, is_start) {
                self.map_pid = sections::map_pid(&table).or(self.map_pid);
            }
        } else if Some(pid) == self.map_pid {
            if let Some(table) = self.map.push(payload, is_start) {
                self.read_map(&table, found)?;
            }
        } else if let Some(index) = self.tracks.iter().position(|track| track.own.pid == pid) {
            if flags & 0xc0 != 0 {
                return Err(Error::Encryption(
                    "scrambled packets of its transport stream".to_owned(),
                ));
            }
            self.media(index, payload, is_start, flags & 0x0f, found)?;
        }
        Ok(())
    }

    fn read_map(&mut self, table: &[u8], found: &mut VecDeque<Event>) -> Result<(), Error> {
        let streams = sections::streams(table)?;
        let is_known = |own: &Elementary| self.tracks.iter().any(|track| track.own == *own);
        if streams.len() == self.tracks.len() && streams.iter().all(is_known) {
            return Ok(());
        }
        for index in 0..self.tracks.len() {
            self.give(index, found);
        }
        found.extend({ streams.iter() }.map(|own| Event::Track(own.codec.clone())));
        let track = |own| Track {
            own,
            pes: Pes::default(),
            counter: None,
        };
        self.tracks = streams.into_iter().map(track).collect();
        Ok(())
    }

    fn media(
        &mut self,
        index: usize,
        payload: &[u8],
        is_start: bool,
        counter: u8,
        found: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        if is_start {
            self.give(index, found);
        }
        let Some(track) = self.tracks.get_mut(index) else {
            return Ok(());
        };
        // A packet may be sent twice (§2.4.3.3).
        if !is_start && track.counter.replace(counter) == Some(counter) {
            return Ok(());
        }
        track.counter = Some(counter);
        track.pes.push(payload, is_start);
        if track.pes.len() > MOST_KEPT {
            return Err(Error::Segment("a picture of it is larger than is accepted"));
        }
        if track.pes.is_whole() {
            self.give(index, found);
        }
        Ok(())
    }

    /// Gives out what a track has.
    fn give(&mut self, index: usize, found: &mut VecDeque<Event>) {
        if let Some(track) = self.tracks.get_mut(index)
            && let Some(Packet {
                time,
                decode_time,
                bytes,
            }) = track.pes.take()
        {
            found.push_back(Event::Frame(super::Frame {
                kind: track.own.codec.kind(),
                // In the order in which they are coded near each other.
                decode_time: decode_time.map(|time| self.clock.read(time)),
                time: time.map(|time| self.clock.read(time)),
                duration: 0,
                is_delta: false,
                bytes,
            }));
        }
    }
}
