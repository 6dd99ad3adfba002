//! Formats whose payload is one frame as it is: Opus (RFC 7587), PCMU, PCMA, G722 and L16 (RFC 3551
//! §4.5.2, §4.5.11, §4.5.14).

use super::{Assemble, Assembled, Cut, Damaged, Packets};

#[derive(Default)]
pub(super) struct Assembler {
    frame: Option<Vec<u8>>,
}

impl Assemble for Assembler {
    fn begins_frame(&self, _: &[u8]) -> bool {
        true
    }

    fn append(&mut self, payload: &[u8]) -> Result<(), Damaged> {
        // An Opus packet of a stream with DTX may be empty, and says nothing.
        self.frame = (!payload.is_empty()).then(|| payload.to_vec());
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<Assembled>, Damaged> {
        Ok(self.frame.take().map(|data| Assembled {
            data,
            keyframe: true,
            offset: 0,
        }))
    }

    fn abandon(&mut self) {
        self.frame = None;
    }
}

/// One packet a frame, whatever its size: an Opus packet has at most 1275 bytes, and far less at
/// any rate that is used.
pub(super) struct Cutter;

impl Cut for Cutter {
    fn cut(&mut self, frame: &[u8], _: usize, packets: &mut Packets) -> bool {
        if !frame.is_empty() {
            packets.begin(0);
            packets.write(frame);
        }
        true
    }

    fn marks_last(&self) -> bool {
        false
    }
}
