//! Formats that are samples one after the other, and can be cut between any two of them: PCMU and
//! PCMA (RFC 3551 §4.5.14), L16 in network byte order (RFC 3551 §4.5.11), and G722 between any two
//! bytes.

use super::{Cut, Packets};

/// What a packet holds when a frame has to be cut, in ms.
const PACKET_TIME: usize = 20;
/// Longer frames are cut, in ms.
const LONGEST_PACKET: usize = 60;

/// Cuts frames that are too long into packets of 20 ms.
pub(super) struct Cutter {
    /// Bytes of one sample of all channels.
    sample: usize,
    clock_rate: usize,
    /// Timestamp of what follows the last frame without a pause.
    next: Option<u32>,
}

impl Cutter {
    /// Samples of one byte.
    pub(super) fn bytes(clock_rate: u32, channels: u8) -> Self {
        Self {
            sample: usize::from(channels.max(1)),
            clock_rate: usize::try_from(clock_rate).unwrap_or(0),
            next: None,
        }
    }

    /// Samples of 16 bits.
    pub(super) fn linear(clock_rate: u32, channels: u8) -> Self {
        Self {
            sample: 2 * usize::from(channels.max(1)),
            ..Self::bytes(clock_rate, channels)
        }
    }

    /// Bytes of as many whole samples as fit into `milliseconds` and `limit`, at least one.
    fn length(&self, milliseconds: usize, limit: usize) -> usize {
        let wanted = self.clock_rate * milliseconds / 1000;
        let possible = limit / self.sample;
        wanted.min(possible).max(1) * self.sample
    }
}

impl Cut for Cutter {
    fn cut(&mut self, frame: &[u8], limit: usize, packets: &mut Packets) -> bool {
        let longest = self.length(LONGEST_PACKET, limit);
        let piece = if frame.len() <= longest {
            longest
        } else {
            self.length(PACKET_TIME, limit)
        };
        for (index, part) in frame.chunks(piece).enumerate() {
            let samples = index * (piece / self.sample);
            packets.begin(u32::try_from(samples).unwrap_or(u32::MAX));
            packets.write(part);
        }
        true
    }

    fn begins_talkspurt(&mut self, timestamp: u32, frame: &[u8]) -> bool {
        let samples = u32::try_from(frame.len() / self.sample).unwrap_or(u32::MAX);
        let packet = u32::try_from(self.clock_rate * PACKET_TIME / 1000).unwrap_or(u32::MAX);
        let expected = self.next.replace(timestamp.wrapping_add(samples));
        // Times are rounded, and those that go back are none of a pause.
        expected.is_none_or(|expected| {
            (packet..u32::MAX / 2).contains(&timestamp.wrapping_sub(expected))
        })
    }

    fn marks_last(&self) -> bool {
        false
    }
}
