//! What a link does by the clock: keyframes for peers that cannot ask for one, and the end of what is sent
//! to nobody.

use std::time::{Duration, Instant};

/// How long to wait for what; `None`: for ever.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Patience {
    /// Between keyframes for peers that cannot ask for one.
    pub(crate) keyframes: Option<Duration>,
    /// Before nothing is sent any more to an address from which nothing comes.
    pub(crate) silent_target: Option<Duration>,
}

/// The timers of a link.
pub(super) struct Idle {
    patience: Patience,
    /// When the source is asked for the next keyframe.
    keyframe: Option<Instant>,
    needs_keyframes: bool,
    sends: bool,
    /// Since when there is something to send and nobody to be heard.
    waiting_since: Option<Instant>,
    gave_up: bool,
}

impl Idle {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            keyframe: None,
            needs_keyframes: false,
            sends: false,
            waiting_since: None,
            gave_up: false,
        }
    }

    /// A description says whether the peer is sent something, and whether it cannot ask for keyframes.
    pub(super) fn negotiated(&mut self, now: Instant, sends: bool, needs_keyframes: bool) {
        (self.sends, self.needs_keyframes) = (sends, needs_keyframes);
        // Whoever describes itself anew may be somebody else.
        self.heard(now);
        self.begin_keyframes(now);
    }

    /// It is known where the peer is, or not any more.
    pub(super) fn connected(&mut self, now: Instant, connected: bool) {
        match connected {
            true => self.begin_keyframes(now),
            false => self.keyframe = None,
        }
    }

    fn begin_keyframes(&mut self, now: Instant) {
        let interval = self
            .patience
            .keyframes
            .filter(|_| self.needs_keyframes && self.sends);
        self.keyframe = interval.map(|interval| now + interval);
    }

    /// Something came from the peer.
    #[inline]
    pub(super) fn heard(&mut self, now: Instant) {
        self.waiting_since = Some(now);
        self.gave_up = false;
    }

    /// Whether nothing is sent any more because nobody answers.
    #[inline]
    pub(super) fn gave_up(&self) -> bool {
        self.gave_up
    }

    fn end(&self) -> Option<Instant> {
        let waits = self.sends && !self.gave_up;
        let since = self.waiting_since.filter(|_| waits)?;
        Some(since + self.patience.silent_target?)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.keyframe.into_iter().chain(self.end()).min()
    }

    /// Whether a keyframe is due.
    pub(super) fn take_keyframe(&mut self, now: Instant) -> bool {
        if self.keyframe.is_none_or(|due| due > now) {
            return false;
        }
        self.begin_keyframes(now);
        true
    }

    /// Whether it is over just now.
    pub(super) fn take_end(&mut self, now: Instant) -> bool {
        let ends = self.end().is_some_and(|end| end <= now);
        self.gave_up |= ends;
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_target_that_never_answers_is_given_up_and_taken_up_again() {
        let begin = Instant::now();
        let mut idle = Idle::new(Patience {
            keyframes: None,
            silent_target: Some(30 * SECOND),
        });
        idle.negotiated(begin, true, false);
        assert!(!idle.take_end(begin + 29 * SECOND));
        idle.heard(begin + 29 * SECOND);
        assert!(!idle.take_end(begin + 31 * SECOND));
        assert_eq!(idle.poll_timeout(), Some(begin + 59 * SECOND));
        assert!(idle.take_end(begin + 59 * SECOND) && idle.gave_up());
        assert!(!idle.take_end(begin + 60 * SECOND), "once");
        idle.heard(begin + 61 * SECOND);
        assert!(!idle.gave_up());
        // On hold nothing is sent, and silence is no end.
        idle.negotiated(begin, false, false);
        assert!(!idle.take_end(begin + 1000 * SECOND));
    }

    #[test]
    fn who_cannot_ask_gets_keyframes_by_the_clock() {
        let begin = Instant::now();
        let mut idle = Idle::new(Patience {
            keyframes: Some(5 * SECOND),
            silent_target: None,
        });
        idle.negotiated(begin, true, false);
        assert_eq!(idle.poll_timeout(), None);
        idle.negotiated(begin, true, true);
        idle.connected(begin + SECOND, true);
        assert!(!idle.take_keyframe(begin + 5 * SECOND));
        assert!(idle.take_keyframe(begin + 6 * SECOND));
        assert_eq!(idle.poll_timeout(), Some(begin + 11 * SECOND));
        idle.connected(begin, false);
        assert_eq!(idle.poll_timeout(), None);
    }
}
