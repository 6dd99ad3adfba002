//! When a socket that all sessions share is looked at: at once, or every few milliseconds.
//!
//! A hundred viewers send a thousand datagrams of feedback a second, evenly spread, and each that wakes the
//! thread alone finds nothing in the caches. Network cards have the same trouble and the same remedy,
//! interrupt moderation: where much arrives that may wait, the thread is no longer woken for it, but looks
//! by itself. What may not wait comes by sockets of its own meanwhile, see `direct`.

use std::time::{Duration, Instant};

/// How long feedback waits at most. Half of it on average is added to the round trip of a retransmission;
/// reports and estimates, which go by the clock of the receiver, are not touched.
const INTERVAL: Duration = Duration::from_millis(5);
/// The same during an exchange, which would wait at each of its steps: a DTLS handshake has three.
const HURRIED: Duration = Duration::from_millis(1);
/// How long looks are hurried after a step of one, for the peer's next step.
const STEP: Duration = Duration::from_millis(20);
/// Over which it is counted: some of each viewer's feedback is in it.
const WINDOW: Duration = Duration::from_millis(100);
/// Looks in a window that found something, and all of it could have waited: 300 a second, against the 200
/// of `INTERVAL`.
const MANY: u32 = 30;
/// Datagrams in a window that are too few to look for: 150 a second.
const FEW: u32 = 15;
/// After a failure.
const PAUSE: Duration = Duration::from_secs(10);

/// What changes at the end of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// The system is not to wake the thread for this socket any more.
    Begins,
    /// It is again.
    Ends,
}

/// See the module's description. One for each socket.
#[derive(Debug, Default)]
pub(super) struct Moderation {
    /// While moderated: the last look.
    looked: Option<Instant>,
    hurried_until: Option<Instant>,
    window: Option<Instant>,
    /// In this window, as described at [`MANY`] and [`FEW`].
    lone: u32,
    arrived: u32,
    not_before: Option<Instant>,
}

impl Moderation {
    /// Whether the thread is not woken for this socket.
    pub(super) fn is_on(&self) -> bool {
        self.looked.is_some()
    }

    /// When to look, unless a turn is done before.
    pub(super) fn next(&self) -> Option<Instant> {
        self.looked.map(|looked| looked + self.interval(looked))
    }

    fn interval(&self, looked: Instant) -> Duration {
        match self.hurried_until {
            Some(until) if looked < until => HURRIED,
            _ => INTERVAL,
        }
    }

    /// Whether this turn looks: a turn that is done for something else does so after half the time.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.looked
            .is_some_and(|looked| now >= looked + self.interval(looked) / 2)
    }

    /// A step of an exchange came.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.hurried_until = Some(now + STEP);
    }

    /// A look found so much.
    pub(super) fn on_look(&mut self, now: Instant, datagrams: u32, has_urgent: bool) {
        if let Some(looked) = &mut self.looked {
            *looked = now;
        }
        self.arrived = self.arrived.saturating_add(datagrams);
        if datagrams > 0 && !has_urgent {
            self.lone += 1;
        }
    }

    /// What may not wait cannot be told apart, so nothing waits for a while.
    pub(super) fn suspend(&mut self, now: Instant) {
        self.not_before = Some(now + PAUSE);
    }

    /// A turn is done.
    pub(super) fn turn_ends(&mut self, now: Instant) -> Option<Change> {
        let suspended = self.not_before.is_some_and(|end| now < end);
        let window = *self.window.get_or_insert(now);
        if now.saturating_duration_since(window) < WINDOW && !(suspended && self.is_on()) {
            return None;
        }
        self.window = Some(now);
        let lone = std::mem::take(&mut self.lone);
        let arrived = std::mem::take(&mut self.arrived);
        if self.is_on() {
            let ends = suspended || arrived < FEW;
            ends.then(|| self.looked = None).map(|()| Change::Ends)
        } else {
            let begins = lone >= MANY && !suspended;
            begins
                .then(|| self.looked = Some(now))
                .map(|()| Change::Begins)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A window of turns a millisecond apart that each find a datagram.
    fn window(moderation: &mut Moderation, begin: Instant, urgent: bool) -> Option<Change> {
        moderation.turn_ends(begin);
        let mut change = None;
        for ms in 1..=100 {
            moderation.on_look(begin + MS * ms, 1, urgent);
            change = change.or(moderation.turn_ends(begin + MS * ms));
        }
        change
    }

    #[test]
    fn feedback_that_comes_alone_waits_while_there_is_much_of_it() {
        let (mut moderation, start) = (Moderation::default(), Instant::now());
        assert_eq!(window(&mut moderation, start, true), None);
        assert_eq!(
            window(&mut moderation, start + MS * 100, false),
            Some(Change::Begins)
        );
        let looked = start + MS * 200;
        assert_eq!(moderation.next(), Some(looked + INTERVAL));
        assert!(!moderation.is_due(looked + MS * 2) && moderation.is_due(looked + INTERVAL / 2));
        moderation.on_look(looked + MS * 3, 100, false);
        assert_eq!(moderation.turn_ends(looked + MS * 3), None);
        assert_eq!(moderation.next(), Some(looked + MS * 3 + INTERVAL));
        assert_eq!(moderation.turn_ends(looked + MS * 100), None);
        moderation.on_look(looked + MS * 150, FEW - 1, false);
        assert_eq!(moderation.turn_ends(looked + MS * 200), Some(Change::Ends));
        assert_eq!((moderation.next(), moderation.is_on()), (None, false));
    }

    #[test]
    fn the_steps_of_an_exchange_are_looked_for_more_often() {
        let (mut moderation, start) = (Moderation::default(), Instant::now());
        window(&mut moderation, start, false);
        let looked = start + MS * 101;
        moderation.on_look(looked, 1, false);
        moderation.hurry(looked);
        assert_eq!(moderation.next(), Some(looked + HURRIED));
        assert!(moderation.is_due(looked + HURRIED / 2));
        moderation.on_look(looked + STEP, 1, false);
        assert_eq!(moderation.next(), Some(looked + STEP + INTERVAL));
    }

    #[test]
    fn nothing_waits_for_a_while_after_a_failure() {
        let (mut moderation, start) = (Moderation::default(), Instant::now());
        window(&mut moderation, start, false);
        assert!(moderation.is_on());
        let failed = start + MS * 101;
        moderation.suspend(failed);
        assert_eq!(moderation.turn_ends(failed), Some(Change::Ends));
        assert_eq!(window(&mut moderation, failed, false), None);
        let later = failed + PAUSE;
        assert_eq!(window(&mut moderation, later, false), Some(Change::Begins));
    }
}
