//! The 48-bit packet index: roll-over counter and sequence number. RFC 3711 §3.3.1.

/// The highest packet index of one stream so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PacketIndex {
    highest: Option<u64>,
}

/// 2^48, where an index would need new keys.
const INDEX_LIMIT: u64 = 1 << 48;

impl PacketIndex {
    /// After the highest index so far, if there is one.
    #[inline]
    pub(super) fn after(highest: Option<u64>) -> Self {
        Self { highest }
    }

    /// The most likely index of a packet with `sequence`: the one nearest to the highest.
    ///
    /// `None` if it would lie before the first or beyond the last possible index.
    pub(super) fn estimate(self, sequence: u16) -> Option<u64> {
        let Some(highest) = self.highest else {
            return Some(u64::from(sequence));
        };
        // The signed distance, modulo 2^16, to the highest sequence number.
        #[allow(clippy::cast_possible_truncation)]
        let distance = sequence.wrapping_sub(highest as u16).cast_signed();
        highest
            .checked_add_signed(i64::from(distance))
            .filter(|index| *index < INDEX_LIMIT)
    }

    /// The highest index so far, 0 before the first.
    pub(super) fn highest(self) -> u64 {
        self.highest.unwrap_or(0)
    }

    /// Records that a packet with `index` was sent or accepted.
    pub(super) fn update(&mut self, index: u64) {
        self.highest = self.highest.max(Some(index));
    }
}

/// The roll-over counter of `index`.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn rollover_counter(index: u64) -> u32 {
    (index >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_sequence_number_around() {
        let mut index = PacketIndex::default();
        for expected in (65_000u64..200_000).step_by(700) {
            let estimate = index.estimate(expected as u16).unwrap();
            assert_eq!(estimate, expected);
            index.update(estimate);
        }
    }

    #[test]
    fn late_packets_belong_to_the_previous_round() {
        let mut index = PacketIndex::default();
        index.update(0x1_0002);
        assert_eq!(index.estimate(0xfffe), Some(0xfffe));
        assert_eq!(rollover_counter(0xfffe), 0);
        assert_eq!(rollover_counter(0x1_0002), 1);
    }

    #[test]
    fn nothing_lies_before_the_first_round_or_after_the_last() {
        let mut index = PacketIndex::default();
        index.update(2);
        assert_eq!(index.estimate(0xfffe), None);
        index.update((1 << 48) - 1);
        assert_eq!(index.estimate(0), None);
    }
}
