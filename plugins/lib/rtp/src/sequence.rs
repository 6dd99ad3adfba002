//! Sequence numbers beyond 16 bits.

/// Counts the wraps of a 16-bit sequence number.
///
/// Packets may be up to 32767 numbers late or early.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SequenceExtender {
    highest: Option<u64>,
}

/// Where counting begins, so that packets before the first have a number too.
const FIRST_CYCLE: u64 = 1 << 16;

impl SequenceExtender {
    /// The number of a received packet. The first one lies between 65536 and 131071.
    #[inline]
    pub fn extend(&mut self, sequence: u16) -> u64 {
        let extended = self.peek(sequence);
        self.highest = self.highest.max(Some(extended));
        extended
    }

    /// What [`Self::extend`] would return, without remembering it.
    #[inline]
    #[must_use]
    pub fn peek(&self, sequence: u16) -> u64 {
        let Some(highest) = self.highest else {
            return FIRST_CYCLE + u64::from(sequence);
        };
        let distance = difference(sequence, low_bits(highest));
        // After 2^16 wraps back in a row, which no stream has, the lowest number is repeated.
        highest.saturating_add_signed(i64::from(distance))
    }

    /// The sender began anew: the next packet is taken as `sequence` of a later cycle, whatever
    /// the distance. Returns its number.
    pub fn restart(&mut self, sequence: u16) -> u64 {
        let cycle = self
            .highest
            .map_or(FIRST_CYCLE, |highest| (highest >> 16 << 16) + FIRST_CYCLE);
        let extended = cycle + u64::from(sequence);
        self.highest = Some(extended);
        extended
    }

    /// The highest number so far.
    #[inline]
    #[must_use]
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }
}

/// The sequence number that belongs to an extended one.
#[must_use]
#[allow(clippy::cast_possible_truncation)]
pub fn low_bits(extended: u64) -> u16 {
    extended as u16
}

/// How far `a` is ahead of `b`, −32768…32767.
#[must_use]
pub fn difference(a: u16, b: u16) -> i16 {
    a.wrapping_sub(b).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_are_counted_both_ways() {
        let mut extender = SequenceExtender::default();
        assert_eq!(extender.extend(65_534), 65_536 + 65_534);
        assert_eq!(extender.extend(1), 2 * 65_536 + 1);
        assert_eq!(extender.extend(65_535), 65_536 + 65_535);
        assert_eq!(extender.highest(), Some(2 * 65_536 + 1));
        assert_eq!(extender.peek(2), 2 * 65_536 + 2);
        assert_eq!(extender.highest(), Some(2 * 65_536 + 1));
    }

    #[test]
    fn packets_before_the_first_have_numbers() {
        let mut extender = SequenceExtender::default();
        assert_eq!(extender.extend(0), 65_536);
        assert_eq!(extender.extend(65_535), 65_535);
    }

    #[test]
    fn a_restart_goes_on_with_higher_numbers() {
        let mut extender = SequenceExtender::default();
        extender.extend(50_000);
        assert_eq!(extender.restart(3), 2 * 65_536 + 3);
        assert_eq!(extender.extend(4), 2 * 65_536 + 4);
    }

    #[test]
    fn differences_are_signed() {
        assert_eq!(difference(3, 65_535), 4);
        assert_eq!(difference(65_535, 3), -4);
    }
}
