//! Payload formats: frames out of RTP packets, and RTP packets out of frames.
//!
//! [`Depacketiser`] and [`Packetiser`] know what all formats share (timestamps, markers, loss,
//! keyframes); what is particular to one is in the file of its name, behind [`Assemble`] and
//! [`Cut`].

mod aac;
mod amr;
mod av1;
mod depacketiser;
mod h264;
mod h265;
mod packetiser;
mod picture_id;
mod sampled;
mod single;
mod units;
mod vp8;
mod vp9;

#[cfg(test)]
mod tests;

pub use depacketiser::{Depacketiser, Frame, Received};
pub use packetiser::{CutPacket, DEFAULT_MTU, Packetiser, Packets};
pub(crate) use units::aggregated;

/// Puts the payloads of one frame together.
trait Assemble: Send {
    /// Whether a frame can begin with this payload, judged after a loss.
    fn begins_frame(&self, payload: &[u8]) -> bool;

    /// Appends a payload. `Err` if the frame is damaged.
    fn append(&mut self, payload: &[u8]) -> Result<(), Damaged>;

    /// The next frame that is complete as far as the packets say; `None` when there is none (any
    /// more).
    fn finish(&mut self) -> Result<Option<Assembled>, Damaged>;

    /// Forgets what was appended since the last frame.
    fn abandon(&mut self);
}

/// What [`Assemble::finish`] gives.
struct Assembled {
    data: Vec<u8>,
    keyframe: bool,
    /// In units of the RTP clock after the packet's timestamp.
    offset: u32,
}

/// A payload that does not follow its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damaged;

/// Cuts frames into payloads.
trait Cut: Send {
    /// Writes the payloads of `frame` into `packets`, each of at most `limit` bytes. Returns
    /// whether a decoder can begin with it.
    fn cut(&mut self, frame: &[u8], limit: usize, packets: &mut Packets) -> bool;

    /// Whether the first packet of the frame that is to be cut next carries the marker bit: so it is for sound after a
    /// pause (RFC 3551 §4.1).
    fn begins_talkspurt(&mut self, timestamp: u32, frame: &[u8]) -> bool {
        let _ = (timestamp, frame);
        false
    }

    /// Whether the last packet of each frame carries the marker bit: so it is for video.
    fn marks_last(&self) -> bool {
        true
    }
}

/// What belongs to a payload format beside its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parameters {
    /// RTP clock in Hz; the sample rate of audio.
    pub clock_rate: u32,
    /// Audio channels.
    pub channels: u8,
    /// H.264: fragments and aggregates may be used (packetization-mode 1, RFC 6184 §6.2).
    pub non_interleaved: bool,
    /// AMR: frames begin at whole bytes (`octet-align`, RFC 4867 §8.1).
    pub octet_align: bool,
}

impl Parameters {
    /// The layout of an encoding that is AMR or AMR-WB.
    fn amr(self, encoding: &str) -> amr::Layout {
        amr::Layout {
            wide_band: encoding == "AMR-WB",
            octet_align: self.octet_align,
        }
    }
}

fn assembler(encoding: &str, parameters: Parameters) -> Option<(Box<dyn Assemble>, Kind)> {
    let video = |assembler: Box<dyn Assemble>| Some((assembler, Kind::Video));
    let audio = |assembler: Box<dyn Assemble>| Some((assembler, Kind::Audio));
    match encoding {
        "VP8" => video(Box::<vp8::Assembler>::default()),
        "VP9" => video(Box::<vp9::Assembler>::default()),
        "AV1" => video(Box::<av1::Assembler>::default()),
        "H264" => video(Box::<h264::Assembler>::default()),
        "H265" => video(Box::<h265::Assembler>::default()),
        "OPUS" | "PCMU" | "PCMA" | "G722" | "L16" => audio(Box::<single::Assembler>::default()),
        "AMR" | "AMR-WB" => audio(Box::new(amr::Assembler::new(parameters.amr(encoding)))),
        "MPEG4-GENERIC" => audio(Box::<aac::Assembler>::default()),
        _ => None,
    }
}

fn cutter(encoding: &str, parameters: Parameters) -> Option<Box<dyn Cut>> {
    let Parameters {
        clock_rate,
        channels,
        ..
    } = parameters;
    Some(match encoding {
        "VP8" => Box::<vp8::Cutter>::default(),
        "VP9" => Box::<vp9::Cutter>::default(),
        "AV1" => Box::new(av1::Cutter),
        "H264" => Box::new(h264::Cutter::new(parameters.non_interleaved)),
        "H265" => Box::new(h265::Cutter),
        "OPUS" => Box::new(single::Cutter),
        // A byte of G722 has two samples, and its clock counts bytes (RFC 3551 §4.5.2).
        "PCMU" | "PCMA" | "G722" => Box::new(sampled::Cutter::bytes(clock_rate, channels)),
        "AMR" | "AMR-WB" => Box::new(amr::Cutter(parameters.amr(encoding))),
        "L16" => Box::new(sampled::Cutter::linear(clock_rate, channels)),
        "MPEG4-GENERIC" => Box::new(aac::Cutter),
        _ => return None,
    })
}

/// How a stream goes on after a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// At the next keyframe.
    Video,
    /// At the next frame.
    Audio,
}
