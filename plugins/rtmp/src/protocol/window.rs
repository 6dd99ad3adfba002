//! Acknowledgements of what was received (§5.4.3).

/// A peer asks for acknowledgements at least this far apart, or gets them so.
const SMALLEST: u32 = 1024;

/// What was received, for acknowledgements. What the peer acknowledges itself is of no interest: some count
/// otherwise, and nothing waits for it.
#[derive(Debug, Default)]
pub(super) struct Window {
    size: u32,
    received: u32,
    acknowledged: u32,
}

impl Window {
    /// The peer wants acknowledgements this far apart.
    pub(super) fn set_size(&mut self, size: u32) {
        self.size = size.max(SMALLEST);
    }

    /// Counts what has come, modulo 2^32; what to acknowledge, if it is time to.
    pub(super) fn count(&mut self, length: usize) -> Option<u32> {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.received = self.received.wrapping_add(length);
        let since = self.received.wrapping_sub(self.acknowledged);
        if self.size == 0 || since < self.size {
            return None;
        }
        self.acknowledged = self.received;
        Some(self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field report 24.
    #[test]
    fn the_count_begins_anew_behind_32_bits() {
        let mut window = Window::default();
        assert_eq!(window.count(5000), None, "nobody asks");
        window.set_size(1);
        assert_eq!(window.count(SMALLEST as usize), Some(5000 + SMALLEST));
        window.received = u32::MAX - 10;
        window.acknowledged = window.received;
        assert_eq!(window.count(100), None);
        assert_eq!(window.count(SMALLEST as usize), Some(SMALLEST + 89));
    }
}
