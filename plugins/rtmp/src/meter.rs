//! How much comes in.

use std::time::Instant;

/// Bytes between two looks.
#[derive(Debug)]
pub(crate) struct Meter {
    bytes: usize,
    since: Instant,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            bytes: 0,
            since: Instant::now(),
        }
    }
}

impl Meter {
    pub(crate) fn count(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Bit/s since this was asked last.
    pub(crate) fn bitrate(&mut self) -> u64 {
        let time = self.since.elapsed().as_nanos().max(1);
        let bits = std::mem::take(&mut self.bytes) as u128 * 8;
        self.since = Instant::now();
        u64::try_from(bits * 1_000_000_000 / time).unwrap_or(u64::MAX)
    }
}
