//! AAC as mpeg4-generic in mode AAC-hbr (RFC 3640 §3.3.6): sizes of 13 bits, indices of 3.

use std::collections::VecDeque;

use rivero_codec::aac::SAMPLES_PER_FRAME;

use super::packetiser::even_pieces;
use super::{Assemble, Assembled, Cut, Damaged, Packets};
use crate::cursor::Cursor;

/// What 13 bits can say.
const LARGEST: usize = 0x1fff;

#[derive(Default)]
pub(super) struct Assembler {
    frames: VecDeque<Assembled>,
    /// Fragments of an access unit, and its size.
    open: Option<(Vec<u8>, usize)>,
}

impl Assembler {
    fn fragment(&mut self, piece: &[u8], size: usize) -> Result<(), Damaged> {
        let (mut unit, whole) = self.open.take().unwrap_or((Vec::new(), size));
        unit.extend_from_slice(piece);
        if whole != size || unit.len() > size {
            return Err(Damaged);
        }
        if unit.len() < size {
            self.open = Some((unit, size));
        } else {
            self.push(unit);
        }
        Ok(())
    }

    fn push(&mut self, data: Vec<u8>) {
        let index = u32::try_from(self.frames.len()).unwrap_or(0);
        self.frames.push_back(Assembled {
            data,
            keyframe: true,
            offset: index * SAMPLES_PER_FRAME,
        });
    }
}

impl Assemble for Assembler {
    fn begins_frame(&self, _: &[u8]) -> bool {
        true
    }

    fn append(&mut self, payload: &[u8]) -> Result<(), Damaged> {
        let mut cursor = Cursor::new(payload);
        let bits = usize::from(cursor.u16().ok_or(Damaged)?);
        let headers = cursor.take(bits.div_ceil(8)).ok_or(Damaged)?;
        let (headers, _) = headers.as_chunks::<2>();
        let sizes = headers
            .iter()
            .map(|header| usize::from(u16::from_be_bytes(*header) >> 3));
        if let ([header], true) = (headers, self.open.is_some() || bits == 16) {
            let size = usize::from(u16::from_be_bytes(*header) >> 3);
            return self.fragment(cursor.rest(), size);
        }
        for size in sizes {
            let unit = cursor.take(size).ok_or(Damaged)?;
            self.push(unit.to_vec());
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<Assembled>, Damaged> {
        Ok(self.frames.pop_front())
    }

    fn abandon(&mut self) {
        *self = Self::default();
    }
}

/// One access unit a packet, in fragments if it is too large.
pub(super) struct Cutter;

impl Cut for Cutter {
    fn cut(&mut self, frame: &[u8], limit: usize, packets: &mut Packets) -> bool {
        let Ok(size) = u16::try_from(frame.len().min(LARGEST)) else {
            return true;
        };
        let frame = frame.get(..usize::from(size)).unwrap_or_default();
        if frame.is_empty() {
            return true;
        }
        for piece in even_pieces(frame, limit.saturating_sub(4)) {
            packets.begin(0);
            packets.write(&16u16.to_be_bytes());
            packets.write(&(size << 3).to_be_bytes());
            packets.write(piece);
        }
        true
    }
}
