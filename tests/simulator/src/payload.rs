//! What the packets of a run carry in place of sound and pictures: what the viewer has to know of them.

use std::time::Duration;

/// Bytes of a header of RTP without extensions, which packets of a source begin with.
pub(crate) const RTP_HEADER: usize = 12;

/// What a packet of video is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FramePart {
    /// Counts the frames that the viewer is sent: each one refers to the one before, but for keyframes.
    pub(crate) frame: u32,
    /// Packets of the frame.
    pub(crate) parts: u16,
    pub(crate) keyframe: bool,
    /// By the clock of the sending side.
    pub(crate) captured: Duration,
}

/// Bytes that a payload of video has at least.
pub(crate) const LEAST_VIDEO: usize = 19;

impl FramePart {
    /// A payload of VP8 of so many bytes.
    pub(crate) fn payload(&self, first: bool, length: usize) -> Vec<u8> {
        let mut payload = Vec::with_capacity(length.max(LEAST_VIDEO));
        // RFC 7741 §4.2: the descriptor has the S bit where the first partition begins. Then, §4.3, the P
        // bit of the frame's first byte, the inverse of whether it is a keyframe.
        // X and I: an id of 15 bits, as browsers write it.
        let [.., high, low] = self.frame.to_be_bytes();
        payload.extend_from_slice(&[if first { 0x90 } else { 0x80 }, 0x80, 0x80 | high, low]);
        payload.push(u8::from(!self.keyframe));
        payload.extend_from_slice(&self.frame.to_be_bytes());
        payload.extend_from_slice(&self.parts.to_be_bytes());
        payload.extend_from_slice(&nanoseconds(self.captured).to_be_bytes());
        payload.resize(length.max(LEAST_VIDEO), 0xaa);
        payload
    }

    /// Reads what [`payload`](Self::payload) wrote.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let (front, rest) = payload.split_first_chunk::<5>()?;
        let (frame, rest) = rest.split_first_chunk()?;
        let (parts, rest) = rest.split_first_chunk()?;
        let captured = rest.first_chunk()?;
        Some(Self {
            frame: u32::from_be_bytes(*frame),
            parts: u16::from_be_bytes(*parts),
            keyframe: front.last() == Some(&0),
            captured: Duration::from_nanos(u64::from_be_bytes(*captured)),
        })
    }
}

/// A payload of sound of so many bytes, captured at this time.
pub(crate) fn sound(captured: Duration, length: usize) -> Vec<u8> {
    let mut payload = nanoseconds(captured).to_be_bytes().to_vec();
    payload.resize(length.max(payload.len()), 0x55);
    payload
}

/// When a payload of sound was captured.
pub(crate) fn sound_captured(payload: &[u8]) -> Option<Duration> {
    let captured = payload.first_chunk()?;
    Some(Duration::from_nanos(u64::from_be_bytes(*captured)))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for keyframe in [false, true] {
            let part = FramePart {
                frame: 70_000,
                parts: 3,
                keyframe,
                captured: Duration::from_millis(1234),
            };
            let payload = part.payload(true, 100);
            assert_eq!(
                (payload.len(), FramePart::parse(&payload)),
                (100, Some(part))
            );
        }
        let captured = Duration::from_millis(7);
        assert_eq!(sound_captured(&sound(captured, 80)), Some(captured));
    }
}
