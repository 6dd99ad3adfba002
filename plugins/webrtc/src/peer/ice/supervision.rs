//! When checks run, how long an attempt may take, and when consent is over.

use super::*;

impl IceTransport {
    /// When [`Self::handle_timeout`] has to be called.
    pub(in crate::peer) fn poll_timeout(&self) -> Option<Instant> {
        self.pace.next()
    }

    pub(in crate::peer) fn handle_timeout(&mut self, now: Instant) {
        if self.pace.next().is_some_and(|due| due <= now) {
            self.run_checks(now);
            self.after_agent(now);
            self.supervise(now);
        }
    }

    /// Lets the agent send what its state asks for: checks, or a nomination.
    pub(super) fn run_checks(&mut self, now: Instant) {
        let _ = self.agent.handle_timeout(now);
        let pairs = self.pairs();
        match self.agent.state() {
            ConnectionState::Connected => self.pace.keep(now),
            ConnectionState::Closed => self.pace.stop(),
            _ => self.pace.advance(now, pairs),
        }
    }

    /// Pairs that can be checked at all.
    pub(super) fn pairs(&self) -> usize {
        let remotes = self.agent.get_remote_candidates();
        let fitting = |local: &Candidate| {
            let kind = local.network_type();
            let fits = remotes
                .iter()
                .filter(|remote| remote.network_type() == kind);
            fits.count()
        };
        let locals = self.agent.get_local_candidates().iter();
        locals.map(fitting).sum()
    }

    /// Looks after the path in use, or the time that finding one may take.
    pub(super) fn supervise(&mut self, now: Instant) {
        let Some(path) = self.paths.current() else {
            if self.pace.age(now) >= FAILED_AFTER {
                self.fail();
            }
            return;
        };
        let consent = self.consent.get_or_insert_with(|| Consent::new(now));
        let state = consent.check(now);
        let asks = consent.is_due(now);
        let quiet_since = consent.quiet_since();
        self.pace.hurry(consent.due(now));
        self.search_better_path(now, path);
        match state {
            ConsentState::Expired => return self.fail(),
            ConsentState::Silent => self.set_state(IceState::Disconnected),
            ConsentState::Active if self.state == Some(IceState::Disconnected) => {
                self.set_state(IceState::Ready);
            }
            ConsentState::Active => {}
        }
        if !asks {
            return;
        }
        self.ask_for_consent(path);
        if state == ConsentState::Silent {
            // The peer may be elsewhere now.
            for other in self.paths.checked_since(quiet_since) {
                self.ask_for_consent(other);
            }
        }
    }

    pub(super) fn fail(&mut self) {
        self.paths.revoke();
        self.consent = None;
        self.search = None;
        self.pace.stop();
        self.set_state(IceState::Failed);
    }
}
