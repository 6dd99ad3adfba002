//! Formats that are samples one after the other, and can be cut between any two of them: PCMU and
//! PCMA (RFC 3551 §4.5.14), L16 in network byte order (RFC 3551 §4.5.11).

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
}

impl Cutter {
    /// Samples of one byte.
    pub(super) fn bytes(clock_rate: u32, channels: u8) -> Self {
        Self {
            sample: usize::from(channels.max(1)),
            clock_rate: usize::try_from(clock_rate).unwrap_or(0),
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

    fn marks_last(&self) -> bool {
        false
    }
}
