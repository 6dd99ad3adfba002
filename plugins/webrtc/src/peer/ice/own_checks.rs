//! Checks that are not the agent's, and messages that it is not to see, or not yet.

use std::time::Instant;

use super::stun::{self, Asker, Role, StunSummary};
use super::{Carrier, IceTransport, NOMINATION_WAIT, Path, TransactionId, Transmit};

/// Early checks that are kept: browsers have a few addresses, and repeat each check soon.
const MAX_EARLY: usize = 16;

impl IceTransport {
    /// Keeps a check that has come before the peer's description: the peer is quicker than what
    /// carries the description, and would ask again after half a second only (RFC 8489 §6.2.1).
    /// Answered when there are credentials, it counts as any other. The latest one for each path;
    /// whoever sent it knows our password, which is all that can be said (RFC 8445 §7.3).
    pub(super) fn keep_early(&mut self, path: Path, datagram: &[u8]) -> bool {
        let password = self.local_credentials.password.as_bytes();
        let is_request = matches!(StunSummary::of(datagram), Some(StunSummary::Request { .. }));
        if !is_request || !stun::has_integrity(datagram, password) {
            return false;
        }
        self.early.retain(|(known, _)| *known != path);
        if self.early.len() >= MAX_EARLY {
            self.early.pop_front();
        }
        self.early.push_back((path, datagram.to_vec()));
        true
    }

    /// Whether the agent knows nothing of the check that this answers, or has no use for the answer.
    pub(super) fn is_answer_to_own(&self, path: Path, summary: StunSummary) -> bool {
        match summary {
            StunSummary::Success { transaction, .. } => {
                let asker = self.pending.asker(transaction, path);
                asker.is_some_and(|asker| asker != Asker::Agent)
            }
            StunSummary::RoleConflict { .. } => true,
            _ => false,
        }
    }

    /// Whether the agent is not to know yet that the path works: it would nominate at once. It tells
    /// candidates apart by type alone, and those of TCP have the type of a host's; so it would not
    /// wait for UDP as it does on account of relays.
    pub(super) fn is_withheld(&self, now: Instant, path: Path, summary: StunSummary) -> bool {
        path.carrier == Carrier::Tcp
            && matches!(summary, StunSummary::Success { .. })
            && self.agent.role()
            && self.agent.get_selected_candidate_pair().is_none()
            && self.pace.age(now) < NOMINATION_WAIT
    }

    /// Whether whoever made the message knows the peer's password.
    pub(super) fn is_from_peer(&self, datagram: &[u8]) -> bool {
        let remote = self.remote_credentials.as_ref();
        remote.is_some_and(|to| stun::has_integrity(datagram, to.password.as_bytes()))
    }

    /// The peer has the role that our check claimed and keeps it: we take the other one (RFC 8445
    /// §7.2.5.1). A conflict that was settled since, by a check of the peer's, is none any more.
    pub(super) fn on_role_conflict(&mut self, transaction: TransactionId, path: Path) {
        let claimed = self.pending.claimed_control(transaction, path);
        self.pending.take(transaction, path);
        if claimed == Some(self.agent.role()) {
            self.agent.set_role(!self.agent.role());
        }
    }

    pub(super) fn ask_for_consent(&mut self, path: Path) {
        self.send_own_check(path, Asker::Consent);
    }

    /// Sends a check on `path` that is not the agent's.
    pub(super) fn send_own_check(&mut self, path: Path, asker: Asker) {
        let Some(remote) = &self.remote_credentials else {
            return;
        };
        let local = &self.local_credentials;
        let role = Role {
            controlling: self.agent.role(),
            tie_breaker: self.tie_breaker,
        };
        let check = stun::own_check(local, remote, role, asker == Asker::Nomination);
        self.pending.record(&check, path, asker);
        self.own_checks.push_back(Transmit::new(path, check));
    }
}
