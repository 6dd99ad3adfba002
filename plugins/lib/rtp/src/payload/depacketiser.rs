//! What all depacketisers share: timestamps, markers, loss and keyframes.

use super::{Assemble, Assembled, Kind, Parameters, assembler};

/// Bytes of one frame: more is no frame.
const LARGEST_FRAME: usize = 32 << 20;

/// Frames out of the packets of one stream, which come in order.
pub struct Depacketiser {
    assembler: Box<dyn Assemble>,
    kind: Kind,
    /// Timestamp of the frame whose packets are coming in.
    current: Option<u32>,
    /// Bytes of its payloads.
    size: usize,
    /// A packet of it is missing or damaged.
    damaged: bool,
    /// A frame is missing before the next one that is given out.
    discontinuity: bool,
    /// Frames are of no use before a keyframe.
    needs_keyframe: bool,
}

/// A frame as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Annex B with parameter sets for H.264 and H.265, a temporal unit of low-overhead OBUs for
    /// AV1, the frame as the decoder takes it for others.
    pub data: Vec<u8>,
    /// RTP timestamp.
    pub timestamp: u32,
    /// A decoder can begin here.
    pub keyframe: bool,
    /// Something is missing before it.
    pub discontinuity: bool,
}

/// What a packet brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// Frames cannot be given out before a keyframe: ask for one.
    pub keyframe_needed: bool,
}

const KEYFRAME_NEEDED: Received = Received {
    keyframe_needed: true,
};

impl Depacketiser {
    /// For the payload format with this encoding name in upper case, as in `a=rtpmap`; `None` if it
    /// is not known.
    #[must_use]
    pub fn new(encoding: &str, parameters: Parameters) -> Option<Self> {
        let (assembler, kind) = assembler(encoding, parameters)?;
        Some(Self {
            assembler,
            kind,
            current: None,
            size: 0,
            damaged: false,
            discontinuity: false,
            needs_keyframe: kind == Kind::Video,
        })
    }

    /// Takes the next packet and appends what it completes to `frames`. `after_loss`: packets are
    /// missing before this one.
    pub fn push(
        &mut self,
        payload: &[u8],
        timestamp: u32,
        marker: bool,
        after_loss: bool,
        frames: &mut Vec<Frame>,
    ) -> Received {
        let mut received = Received::default();
        if after_loss {
            self.lose(payload, timestamp);
        } else if self.current.is_some_and(|current| current != timestamp) {
            // The sender does not mark the ends of its frames.
            received = self.complete(frames);
        }
        self.append(payload, timestamp);
        // A packet of audio is a frame; fragments stay in the assembler.
        if marker || self.kind == Kind::Audio {
            let completed = self.complete(frames);
            received.keyframe_needed |= completed.keyframe_needed;
        }
        received
    }

    /// Packets are missing: the frame that was coming in is lost, and so is the one of `payload`
    /// unless that is its beginning.
    fn lose(&mut self, payload: &[u8], timestamp: u32) {
        let same_frame = self.current == Some(timestamp);
        self.abandon();
        self.discontinuity = true;
        self.needs_keyframe = self.kind == Kind::Video;
        self.damaged = same_frame || !self.assembler.begins_frame(payload);
        self.current = Some(timestamp);
    }

    fn append(&mut self, payload: &[u8], timestamp: u32) {
        if self.current != Some(timestamp) {
            self.current = Some(timestamp);
            self.damaged = !self.assembler.begins_frame(payload);
        }
        self.size += payload.len();
        if self.size > LARGEST_FRAME || (!self.damaged && self.assembler.append(payload).is_err()) {
            self.damaged = true;
        }
        if self.damaged {
            // Its memory is not needed until the end of the frame.
            self.assembler.abandon();
        }
    }

    fn complete(&mut self, frames: &mut Vec<Frame>) -> Received {
        let Some(timestamp) = self.current.take() else {
            return Received::default();
        };
        self.size = 0;
        let damaged = std::mem::take(&mut self.damaged);
        loop {
            match self.assembler.finish() {
                Ok(Some(assembled)) if !damaged => {
                    if !self.give_out(assembled, timestamp, frames) {
                        return KEYFRAME_NEEDED;
                    }
                }
                Ok(None) if !damaged => return Received::default(),
                _ => return self.damage(),
            }
        }
    }

    /// `false` if the frame is of no use before a keyframe.
    fn give_out(&mut self, assembled: Assembled, timestamp: u32, frames: &mut Vec<Frame>) -> bool {
        if self.needs_keyframe && !assembled.keyframe {
            self.discontinuity = true;
            return false;
        }
        self.needs_keyframe = false;
        frames.push(Frame {
            data: assembled.data,
            timestamp: timestamp.wrapping_add(assembled.offset),
            keyframe: assembled.keyframe,
            discontinuity: std::mem::take(&mut self.discontinuity),
        });
        true
    }

    fn damage(&mut self) -> Received {
        self.abandon();
        self.discontinuity = true;
        self.needs_keyframe = self.kind == Kind::Video;
        Received {
            keyframe_needed: self.needs_keyframe,
        }
    }

    fn abandon(&mut self) {
        self.assembler.abandon();
        self.current = None;
        self.size = 0;
        self.damaged = false;
    }
}
