//! VP9 (RFC 9628).

use rivero_codec::vp9::is_keyframe;

use super::packetiser::even_pieces;
use super::picture_id::PictureId;
use super::{Assemble, Assembled, Cut, Damaged, Packets};
use crate::codec::vp9::Descriptor;

/// A picture with all its spatial layers, one after the other as the decoder takes them.
#[derive(Default)]
pub(super) struct Assembler {
    picture: Vec<u8>,
    keyframe: bool,
}

impl Assemble for Assembler {
    fn begins_frame(&self, payload: &[u8]) -> bool {
        Descriptor::parse(payload).is_some_and(|d| d.frame_start && !d.inter_layer_dependency)
    }

    fn append(&mut self, payload: &[u8]) -> Result<(), Damaged> {
        let descriptor = Descriptor::parse(payload).ok_or(Damaged)?;
        let data = payload.get(descriptor.len..).ok_or(Damaged)?;
        if self.picture.is_empty() {
            self.keyframe = descriptor.is_keyframe_start();
        }
        self.picture.extend_from_slice(data);
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<Assembled>, Damaged> {
        let data = std::mem::take(&mut self.picture);
        Ok((!data.is_empty()).then_some(Assembled {
            data,
            keyframe: self.keyframe,
            offset: 0,
        }))
    }

    fn abandon(&mut self) {
        self.picture = Vec::new();
    }
}

/// Descriptor in flexible mode, with a picture id of 15 bits and one reference.
const DESCRIPTOR: usize = 4;

/// In flexible mode, where a frame names its references itself, receivers need no scalability
/// structure.
#[derive(Default)]
pub(super) struct Cutter {
    picture_id: PictureId,
}

impl Cut for Cutter {
    fn cut(&mut self, frame: &[u8], limit: usize, packets: &mut Packets) -> bool {
        let keyframe = is_keyframe(frame);
        let [high, low] = self.picture_id.next();
        let pieces = even_pieces(frame, limit.saturating_sub(DESCRIPTOR));
        let last = pieces.len().saturating_sub(1);
        for (index, piece) in pieces.enumerate() {
            let predicted = if keyframe { 0 } else { 0x40 };
            let start = if index == 0 { 0x08 } else { 0 };
            let end = if index == last { 0x04 } else { 0 };
            packets.begin(0);
            // I (picture id), F (flexible); not a reference of upper layers (Z).
            packets.write(&[0x91 | predicted | start | end, high, low]);
            if !keyframe {
                // The picture before; no further reference.
                packets.write(&[1 << 1]);
            }
            packets.write(piece);
        }
        keyframe
    }
}
