//! VP8 (RFC 7741).

use rivero_codec::vp8::is_keyframe;

use super::packetiser::even_pieces;
use super::picture_id::PictureId;
use super::{Assemble, Assembled, Cut, Damaged, Packets};
use crate::codec::vp8::Descriptor;

#[derive(Default)]
pub(super) struct Assembler {
    frame: Vec<u8>,
}

impl Assemble for Assembler {
    fn begins_frame(&self, payload: &[u8]) -> bool {
        Descriptor::parse(payload).is_some_and(|d| d.partition_start && d.partition == 0)
    }

    fn append(&mut self, payload: &[u8]) -> Result<(), Damaged> {
        let descriptor = Descriptor::parse(payload).ok_or(Damaged)?;
        let data = payload.get(descriptor.len..).ok_or(Damaged)?;
        self.frame.extend_from_slice(data);
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<Assembled>, Damaged> {
        let data = std::mem::take(&mut self.frame);
        Ok((!data.is_empty()).then(|| Assembled {
            keyframe: is_keyframe(&data),
            data,
            offset: 0,
        }))
    }

    fn abandon(&mut self) {
        self.frame = Vec::new();
    }
}

/// Descriptor with a picture id of 15 bits.
const DESCRIPTOR: usize = 4;

#[derive(Default)]
pub(super) struct Cutter {
    picture_id: PictureId,
}

impl Cut for Cutter {
    fn cut(&mut self, frame: &[u8], limit: usize, packets: &mut Packets) -> bool {
        let [high, low] = self.picture_id.next();
        for (index, piece) in even_pieces(frame, limit.saturating_sub(DESCRIPTOR)).enumerate() {
            // Partitions are not told apart: only the frame's begin counts for receivers.
            let start = if index == 0 { 0x10 } else { 0 };
            packets.begin(0);
            packets.write(&[0x80 | start, 0x80, high, low]);
            packets.write(piece);
        }
        is_keyframe(frame)
    }
}
