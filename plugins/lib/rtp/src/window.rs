//! Telling packets that came already from new ones.

use crate::sequence::SequenceExtender;

/// Numbers that are remembered; older packets count as repeated.
const LENGTH: u64 = 1024;
/// A packet that is later than this belongs to a sender that began anew.
const MAX_LATENESS: u64 = 3000;
const WORDS: usize = 16;

/// Which of a stream's latest sequence numbers came already.
///
/// SRTP's replay protection does not do for retransmissions: they come in a stream of their own,
/// where every repetition has a new number.
#[derive(Debug, Clone, Default)]
pub struct ReceivedWindow {
    sequence: SequenceExtender,
    /// One bit a number, at the number modulo 1024.
    seen: [u64; WORDS],
}

impl ReceivedWindow {
    /// Whether a packet is so far from the latest ones that it is not of the same sequence: the sender
    /// began anew, or it is a stray one.
    #[inline]
    #[must_use]
    pub fn is_far(&self, sequence: u16) -> bool {
        let highest = self.sequence.highest();
        highest
            .is_some_and(|highest| highest.abs_diff(self.sequence.peek(sequence)) >= MAX_LATENESS)
    }

    /// Notes a packet; `false` when it came before, or is too old to tell.
    pub fn is_new(&mut self, sequence: u16) -> bool {
        let highest = self.sequence.highest();
        let number = self.sequence.peek(sequence);
        let Some(highest) = highest else {
            self.sequence.extend(sequence);
            return self.note(number);
        };
        if number > highest {
            self.sequence.extend(sequence);
            self.forget(highest, number);
            return self.note(number);
        }
        if highest - number >= MAX_LATENESS {
            let number = self.sequence.restart(sequence);
            self.seen = [0; WORDS];
            return self.note(number);
        }
        highest - number < LENGTH && self.note(number)
    }

    /// Frees the places of the numbers after `highest` up to `number`.
    fn forget(&mut self, highest: u64, number: u64) {
        if number - highest >= LENGTH {
            self.seen = [0; WORDS];
            return;
        }
        for passed in highest + 1..=number {
            let (word, bit) = Self::place(passed);
            if let Some(word) = self.seen.get_mut(word) {
                *word &= !bit;
            }
        }
    }

    fn note(&mut self, number: u64) -> bool {
        let (word, bit) = Self::place(number);
        let Some(word) = self.seen.get_mut(word) else {
            return false;
        };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    fn place(number: u64) -> (usize, u64) {
        let place = number % LENGTH;
        let word = usize::try_from(place / 64).unwrap_or(0);
        (word, 1 << (place % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_new_once() {
        let mut window = ReceivedWindow::default();
        for sequence in (65_000u16..=65_535).chain(0..5000) {
            if sequence % 3 != 0 {
                assert!(window.is_new(sequence));
                assert!(!window.is_new(sequence));
            }
            if (100..65_000).contains(&sequence) {
                let late = sequence - 100;
                assert_eq!(window.is_new(late), late % 3 == 0, "{late}");
                assert!(!window.is_new(late));
            }
        }
    }

    #[test]
    fn what_is_of_another_sequence_is_far_in_both_directions() {
        let mut window = ReceivedWindow::default();
        assert!(!window.is_far(5), "nothing came");
        window.is_new(65_000);
        assert!(!window.is_far(65_001) && !window.is_far(1000) && !window.is_far(63_000));
        assert!(window.is_far(65_000 - 3000) && window.is_far(3000) && window.is_far(30_000));
    }

    #[test]
    fn jumps_and_old_packets() {
        let mut window = ReceivedWindow::default();
        assert!(window.is_new(10));
        assert!(window.is_new(2000));
        assert!(!window.is_new(900), "too old to tell");
        assert!(window.is_new(1500));
        assert!(window.is_new(20_000));
        assert!(window.is_new(100), "a sender that began anew");
        assert!(!window.is_new(100));
        assert!(window.is_new(99));
    }
}
