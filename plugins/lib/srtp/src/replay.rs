//! The replay window (RFC 3711 §3.3.2).

use crate::SrtpError;

/// Packets that may arrive late and still be accepted. RFC 3711 §3.3.2 wants 64 at least, which is for
/// packets that overtook each other. A peer without a stream of retransmissions (RFC 4588) sends lost
/// packets again under their numbers, and `rivero_rtp::nack` asks for them for a second: 1024 is one
/// at 10 Mbit/s. One bit each is two lines of cache for each stream.
pub(super) const REPLAY_WINDOW: u64 = 1024;
const WORDS: usize = (REPLAY_WINDOW / 64) as usize;

/// Which of the last 1024 indices up to the highest were accepted.
#[derive(Debug, Clone, Default)]
pub(super) struct ReplayWindow {
    highest: Option<u64>,
    /// Bit `index % 1024` of the window.
    seen: [u64; WORDS],
}

impl ReplayWindow {
    /// A window in which everything up to `highest` was accepted.
    pub(super) fn after(highest: u64) -> Self {
        Self {
            highest: Some(highest),
            seen: [u64::MAX; WORDS],
        }
    }

    /// The highest accepted index.
    #[inline]
    pub(super) fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Whether a packet with `index` may be new. Call before spending time on decryption.
    ///
    /// # Errors
    /// [`SrtpError::Replayed`] or [`SrtpError::TooOld`].
    pub(super) fn check(&self, index: u64) -> Result<(), SrtpError> {
        let Some(age) = self.highest.and_then(|h| h.checked_sub(index)) else {
            return Ok(());
        };
        if age >= REPLAY_WINDOW {
            return Err(SrtpError::TooOld);
        }
        let (word, bit) = position(index);
        if self.seen.get(word).is_some_and(|seen| seen & bit != 0) {
            return Err(SrtpError::Replayed);
        }
        Ok(())
    }

    /// Marks `index` as received, after its packet was authenticated.
    pub(super) fn accept(&mut self, index: u64) {
        match self.highest {
            None => self.highest = Some(index),
            Some(highest) if index > highest => {
                if index - highest >= REPLAY_WINDOW {
                    self.seen = [0; WORDS];
                } else {
                    for skipped in highest + 1..index {
                        self.set(skipped, false);
                    }
                }
                self.highest = Some(index);
            }
            Some(_) => {}
        }
        self.set(index, true);
    }

    fn set(&mut self, index: u64, value: bool) {
        let (word, bit) = position(index);
        if let Some(seen) = self.seen.get_mut(word) {
            *seen = if value { *seen | bit } else { *seen & !bit };
        }
    }
}

fn position(index: u64) -> (usize, u64) {
    let slot = index % REPLAY_WINDOW;
    ((slot / 64) as usize, 1 << (slot % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_each_index_once_in_any_order() {
        let mut window = ReplayWindow::default();
        for index in [1000u64, 1003, 1001, 600, 1002, 2000] {
            assert_eq!(window.check(index), Ok(()), "{index}");
            window.accept(index);
            assert_eq!(window.check(index), Err(SrtpError::Replayed), "{index}");
        }
        assert_eq!(window.check(2000 - 1024), Err(SrtpError::TooOld));
        assert_eq!(window.check(2000 - 1023), Ok(()));
    }

    #[test]
    fn matches_a_set_of_all_indices() {
        let mut window = ReplayWindow::default();
        let mut accepted = std::collections::HashSet::new();
        let mut highest = 0u64;
        let mut state = 1u64;
        for _ in 0..20_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let jump = (state >> 33) % 1800;
            let index = (highest + 600).saturating_sub(jump);
            let expected = if accepted.contains(&index) && highest - index < REPLAY_WINDOW {
                Err(SrtpError::Replayed)
            } else if !accepted.is_empty() && highest.saturating_sub(index) >= REPLAY_WINDOW {
                Err(SrtpError::TooOld)
            } else {
                Ok(())
            };
            assert_eq!(
                window.check(index),
                expected,
                "index {index}, highest {highest}"
            );
            if expected.is_ok() {
                window.accept(index);
                accepted.insert(index);
                highest = highest.max(index);
            }
        }
    }
}
