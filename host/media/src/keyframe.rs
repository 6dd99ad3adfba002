//! Keyframe requests, coalesced per source.

use std::time::Duration;

/// Requests to one source are at least this far apart. Browsers ignore a request (PLI, RFC 4585
/// section 6.3.1) that comes within 300 ms of the one before, and do not make up for it later; a little
/// more than that, since requests that are sent 300 ms apart may arrive closer together.
pub(crate) const INTERVAL: Duration = Duration::from_millis(350);
/// A request is repeated when no keyframe came for this long: RTCP gets lost as media does. It is
/// more than the interval, so that one request gets its answer before the next is sent.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);

/// What to do about a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Send it now.
    Now,
    /// Send it after this delay.
    Later(Duration),
    /// One is on its way.
    Pending,
}

/// When requests were made. Times in ns on the pipeline clock.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    last: Option<i64>,
    scheduled: bool,
}

impl Requests {
    /// A consumer wants a keyframe.
    pub(crate) fn on_request(&mut self, now: i64) -> Verdict {
        if self.scheduled {
            return Verdict::Pending;
        }
        let interval = nanoseconds(INTERVAL);
        match self.last {
            Some(last) if now - last < interval => {
                self.scheduled = true;
                let left = u64::try_from(interval - (now - last)).unwrap_or(0);
                Verdict::Later(Duration::from_nanos(left))
            }
            _ => {
                self.on_sent(now);
                Verdict::Now
            }
        }
    }

    /// A request goes out.
    pub(crate) fn on_sent(&mut self, now: i64) {
        *self = Self {
            last: Some(now),
            scheduled: false,
        };
    }

    /// Whether a request that is still needed was lost or ignored.
    pub(crate) fn overdue(&self, now: i64) -> bool {
        !self.scheduled
            && self
                .last
                .is_none_or(|last| now - last > nanoseconds(PATIENCE))
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn requests_in_quick_succession_become_two() {
        let mut requests = Requests::default();
        assert_eq!(requests.on_request(0), Verdict::Now);
        assert_eq!(
            requests.on_request(100 * MS),
            Verdict::Later(Duration::from_millis(250))
        );
        assert_eq!(requests.on_request(200 * MS), Verdict::Pending);
        requests.on_sent(350 * MS);
        assert_eq!(requests.on_request(750 * MS), Verdict::Now);
    }

    #[test]
    fn a_request_without_an_answer_is_overdue() {
        let mut requests = Requests::default();
        assert_eq!(requests.on_request(0), Verdict::Now);
        assert!(!requests.overdue(400 * MS));
        assert!(requests.overdue(800 * MS));
    }
}
