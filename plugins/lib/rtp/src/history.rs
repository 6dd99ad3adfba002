//! Packets kept for retransmission (RFC 4585 §6.2.1), once per source for all its viewers.

use crate::sequence::low_bits;

/// A ring of the latest packets of one stream by extended sequence number
/// (see [`crate::sequence::SequenceExtender`]).
///
/// `P` is whatever shares the packet's bytes; keeping one must be cheap.
#[derive(Debug, Clone)]
pub struct PacketHistory<P> {
    slots: Vec<Option<(u64, P)>>,
    newest: u64,
}

/// The length that Kurento has.
pub const DEFAULT_HISTORY: usize = 512;

impl<P> Default for PacketHistory<P> {
    fn default() -> Self {
        Self::new(DEFAULT_HISTORY)
    }
}

impl<P> PacketHistory<P> {
    /// Keeps up to `capacity` packets, at least one. The slots are allocated at once.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let mut slots = Vec::new();
        slots.resize_with(capacity.max(1), || None);
        Self { slots, newest: 0 }
    }

    /// Keeps `packet`, dropping the one that is a capacity older. A late packet does not displace
    /// a newer one.
    #[inline]
    pub fn insert(&mut self, sequence: u64, packet: P) {
        let position = self.position(sequence);
        self.newest = self.newest.max(sequence);
        if let Some(slot) = self.slots.get_mut(position)
            && slot.as_ref().is_none_or(|(kept, _)| *kept <= sequence)
        {
            *slot = Some((sequence, packet));
        }
    }

    /// The packet with exactly this number, if it is still there.
    #[inline]
    #[must_use]
    pub fn get(&self, sequence: u64) -> Option<&P> {
        match self.slots.get(self.position(sequence)) {
            Some(Some((kept, packet))) if *kept == sequence => Some(packet),
            _ => None,
        }
    }

    /// The packet whose number ends in `sequence` and is not newer than the newest.
    #[must_use]
    pub fn get_short(&self, sequence: u16) -> Option<&P> {
        let age = low_bits(self.newest).wrapping_sub(sequence);
        self.get(self.newest.checked_sub(u64::from(age))?)
    }

    /// Forgets all packets.
    pub fn clear(&mut self) {
        self.slots.iter_mut().for_each(|slot| *slot = None);
    }

    fn position(&self, sequence: u64) -> usize {
        usize::try_from(sequence % self.slots.len() as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_packets_are_found() {
        let mut history = PacketHistory::new(4);
        for sequence in 100..110u64 {
            history.insert(sequence, sequence);
        }
        for sequence in 0..200 {
            let expected = (106..110).contains(&sequence).then_some(&sequence);
            assert_eq!(history.get(sequence), expected, "{sequence}");
        }
        assert_eq!(history.get_short(107), Some(&107));
        assert_eq!(history.get_short(110), None);
        history.insert(102, 0);
        assert_eq!(history.get(106), Some(&106), "late ones displace nothing");
        history.clear();
        assert_eq!(history.get(106), None);
    }
}
