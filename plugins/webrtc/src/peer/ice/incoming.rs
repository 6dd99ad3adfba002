//! What is done with a STUN datagram: who may be answered, and what the agent learns of it.

use super::*;

impl IceTransport {
    /// Takes a STUN datagram; false if it was not acceptable.
    pub(in crate::peer) fn handle_stun(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &[u8],
    ) -> bool {
        if self.remote_credentials.is_none() {
            return self.keep_early(path, datagram);
        }
        let Some(summary) = self.admit(path, datagram) else {
            return false;
        };
        let mut next_step_known = !self.is_known(path);
        let withheld = self.is_withheld(now, path, summary);
        if withheld || self.is_answer_to_own(path, summary) {
            if !self.is_from_peer(datagram) {
                return false;
            }
        } else if !self.hand_to_agent(now, path, datagram) {
            return false;
        }
        // The message's integrity is verified.
        match summary {
            StunSummary::Request { nominates, .. } => {
                self.paths.authenticate(now, path);
                if nominates && !self.agent.role() {
                    self.paths.nominate(path);
                }
                if self.paths.current().is_none()
                    && self.agent.get_selected_candidate_pair().is_some()
                {
                    // It came back. The agent sees no need for a check.
                    self.ask_for_consent(path);
                }
            }
            StunSummary::Success {
                transaction,
                mapped,
            } => {
                if let Some(asker) = self.pending.take(transaction, path) {
                    // Better paths are asked in the name of consent, too, and not when it was.
                    if asker == Asker::Consent
                        && self.paths.current() == Some(path)
                        && let Some(consent) = &mut self.consent
                    {
                        consent.on_answer(now);
                    }
                    let replaces = self.lacks_path_like(path);
                    self.paths.validate(path, mapped);
                    if replaces {
                        self.paths.replace(path);
                    }
                    self.on_answer(asker, path);
                    self.grant_consent(now, path);
                    // The agent asks again in its own time.
                    next_step_known |= !withheld;
                }
            }
            StunSummary::RoleConflict { transaction } => {
                self.on_role_conflict(transaction, path);
                next_step_known = true;
            }
            StunSummary::Other => {}
        }
        if let (true, Some(consent)) = (self.paths.current() == Some(path), &mut self.consent) {
            consent.on_received();
        }
        if next_step_known && self.agent.get_selected_candidate_pair().is_none() {
            self.run_checks(now);
        }
        self.after_agent(now);
        true
    }

    /// Whether there is nothing better than `path`, once it works.
    pub(super) fn lacks_path_like(&self, path: Path) -> bool {
        match self.paths.current() {
            Some(current) => current != path && self.state == Some(IceState::Disconnected),
            None => true,
        }
    }

    pub(super) fn hand_to_agent(&mut self, now: Instant, path: Path, datagram: &[u8]) -> bool {
        let address = match path.carrier {
            Carrier::Tcp => self.aliases.add(path.remote, MAX_REMOTE_CANDIDATES),
            _ => Some(path.remote),
        };
        let Some(address) = address else {
            return false;
        };
        let message = TransportMessage {
            now,
            transport: context(path, address),
            message: BytesMut::from(datagram),
        };
        let role = self.agent.role();
        let taken = self.agent.handle_read(message).is_ok();
        if self.agent.role() != role {
            self.conceded = stun::transaction_of(datagram);
        }
        taken
    }

    /// Refuses what the agent would act upon without, or before, checking its integrity.
    pub(super) fn admit(&self, path: Path, datagram: &[u8]) -> Option<StunSummary> {
        let summary = StunSummary::of(datagram)?;
        let discovered = !self.is_known(path);
        let full = self.agent.get_remote_candidates().len() >= MAX_REMOTE_CANDIDATES;
        if path.remote.port() == MDNS_PORT || (discovered && full) {
            return None;
        }
        match summary {
            StunSummary::Other => None,
            // Nobody was asked there.
            StunSummary::Success { .. } | StunSummary::RoleConflict { .. } if discovered => None,
            StunSummary::Request { controlling, .. }
                if controlling == self.agent.role()
                    || (discovered && path.carrier == Carrier::Tcp) =>
            {
                let password = self.local_credentials.password.as_bytes();
                stun::has_integrity(datagram, password).then_some(summary)
            }
            _ => Some(summary),
        }
    }
}
