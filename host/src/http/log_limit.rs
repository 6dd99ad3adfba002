//! A log line that anybody on the network can cause must not fill the log.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Lines that may follow one another.
const BURST: u32 = 5;
/// After which time there may be one more.
const PERIOD: Duration = Duration::from_secs(10);

/// Decides which lines of a kind are written.
#[derive(Debug, Default)]
pub struct LogLimit {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Lines that count against the burst; one less after each period.
    written: u32,
    /// When the current period began.
    since: Option<Instant>,
    /// Lines left out since the last one that was written.
    suppressed: u64,
}

impl LogLimit {
    /// Whether to write a line now: how many were left out before it.
    pub fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        let since = *state.since.get_or_insert(now);
        let periods = now.saturating_duration_since(since).as_secs() / PERIOD.as_secs();
        let periods = u32::try_from(periods).unwrap_or(u32::MAX);
        if periods > 0 {
            state.written = state.written.saturating_sub(periods);
            state.since = Some(now);
        }
        if state.written >= BURST {
            state.suppressed += 1;
            return None;
        }
        state.written += 1;
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_leaves_a_line_a_period() {
        let limit = LogLimit::default();
        let start = Instant::now();
        let at = |seconds| limit.admit(start + Duration::from_secs(seconds));
        let written = (0..100).filter(|_| at(0).is_some()).count();
        assert_eq!(written, 5);
        assert_eq!(at(9), None);
        assert_eq!((at(10), at(10)), (Some(96), None));
        // A pause allows a burst again, and no more than one.
        let written = (0..100).filter(|_| at(1_000).is_some()).count();
        assert_eq!(written, 5);
    }
}
