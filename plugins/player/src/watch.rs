//! Live sources that fall silent or fail: how long they are waited for, and when they are asked again.

use std::time::{Duration, Instant};

/// Before a source is asked again for the first time; each time after that, twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What a source may need until its first packet: a name is looked up, connections are made, tracks are given up.
const BEGINNING: Duration = Duration::from_secs(20);

/// What is to be done about such sources.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    /// Without a packet for so long, a source has failed; `None`: never.
    pub(crate) patience: Option<Duration>,
    /// Sources that fail after media flowed are asked again.
    pub(crate) reconnects: bool,
}

/// What is known of one order to play.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    rules: Rules,
    /// Packets of the playback, and since when there are no more.
    packets: Option<(u64, Instant)>,
    has_flowed: bool,
    failures: u32,
}

impl Watch {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            ..Self::default()
        }
    }

    /// A playback begins, or goes on after it stood still: what was before does not count.
    pub(crate) fn begin(&mut self) {
        self.packets = None;
    }

    /// The client wants to play anew.
    pub(crate) fn forget(&mut self) {
        *self = Self::new(self.rules);
    }

    /// So many packets came until `now`; whether none came for too long. `waits`: also before the first one.
    pub(crate) fn is_silent(&mut self, now: Instant, packets: u64, waits: bool) -> bool {
        if packets > 0 {
            self.has_flowed = true;
        }
        match &self.packets {
            Some((known, since)) if *known == packets => {
                let patience = self.rules.patience.filter(|_| waits || packets > 0);
                let least = if packets > 0 {
                    Duration::ZERO
                } else {
                    BEGINNING
                };
                patience.is_some_and(|patience| now.duration_since(*since) >= patience.max(least))
            }
            known => {
                // Media flows again.
                if known.is_some() {
                    self.failures = 0;
                }
                self.packets = Some((packets, now));
                false
            }
        }
    }

    /// The source has failed: when it is to be asked again, if it is.
    pub(crate) fn retry_at(&mut self, now: Instant) -> Option<Instant> {
        if !self.rules.reconnects || !self.has_flowed {
            return None;
        }
        let pause = FIRST_PAUSE * 2u32.saturating_pow(self.failures.min(8));
        self.failures += 1;
        self.packets = None;
        Some(now + pause.min(LONGEST_PAUSE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(reconnects: bool) -> (Watch, Instant) {
        let rules = Rules {
            patience: Some(Duration::from_secs(30)),
            reconnects,
        };
        (Watch::new(rules), Instant::now())
    }

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn silence_is_counted_from_the_last_packet() {
        let (mut watch, start) = watch(false);
        assert!(!watch.is_silent(start, 5, true));
        assert!(!watch.is_silent(after(start, 29), 6, true));
        assert!(!watch.is_silent(after(start, 58), 6, true));
        assert!(watch.is_silent(after(start, 59), 6, true));
        watch.begin();
        assert!(
            !watch.is_silent(after(start, 60), 6, true),
            "it stood still"
        );
    }

    #[test]
    fn who_may_come_later_is_waited_for() {
        let (mut watch, start) = watch(false);
        assert!(!watch.is_silent(start, 0, false));
        assert!(!watch.is_silent(after(start, 1000), 0, false));
        assert!(watch.is_silent(after(start, 1000), 0, true));
        let mut patient = Watch::new(Rules::default());
        patient.is_silent(start, 1, true);
        assert!(!patient.is_silent(after(start, 100_000), 1, true));
    }

    #[test]
    fn a_source_is_asked_again_more_and_more_seldom_until_media_flows() {
        let (mut other, _) = watch(false);
        let (mut watch, start) = watch(true);
        assert_eq!(watch.retry_at(start), None, "it never was right");
        watch.is_silent(start, 1, true);
        let pauses = |watch: &mut Watch, count| -> Vec<u64> {
            let pause = |_| (watch.retry_at(start).unwrap() - start).as_secs();
            (0..count).map(pause).collect()
        };
        assert_eq!(pauses(&mut watch, 7), [1, 2, 4, 8, 16, 30, 30]);
        watch.is_silent(start, 0, true);
        watch.is_silent(start, 1, true);
        assert_eq!(pauses(&mut watch, 1), [1]);
        watch.forget();
        assert_eq!(watch.retry_at(start), None);
        other.is_silent(start, 1, true);
        assert_eq!(other.retry_at(start), None);
    }
}
