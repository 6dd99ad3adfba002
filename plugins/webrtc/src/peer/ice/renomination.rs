//! A better path than the one that we nominated.
//!
//! `rtc-ice` nominates the best pair that works once its wait is over, and stays with it. Where
//! datagrams over UDP get through a moment too late, that is TCP or a relay for the whole call:
//! sound and pictures wait behind each lost segment, or take a way round. So after such a nomination
//! this asks on the direct paths by UDP, and nominates one that answers.
//!
//! RFC 8445 §8.1.1 has the controlling side nominate once. Browsers and `libnice` take a later
//! nomination of a pair with a higher priority all the same, and whoever does not goes on sending
//! where it was: both paths work, and what comes on either is taken.

use std::time::{Duration, Instant};

use rtc_ice::candidate::CandidateType;

use super::{Asker, Carrier, IceTransport, Path};

/// How long each pair is asked without a sign of the peer on it. A host that answers at all does
/// so by then; a path that opens later shows by the checks of the peer.
const ASKING: Duration = Duration::from_secs(10);
/// Between two rounds of questions.
const ROUND: Duration = Duration::from_secs(1);
/// Questions in a round: more pairs than a server with a few addresses and a browser have.
const MAX_QUESTIONS: usize = 32;

/// One search, which begins with each selection.
#[derive(Debug)]
pub(super) struct Search {
    begin: Instant,
    next: Instant,
}

impl Search {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            begin: now,
            next: now,
        }
    }

    /// Whether a round is due; it counts as done then.
    fn take_round(&mut self, now: Instant) -> bool {
        let due = now >= self.next;
        if due {
            self.next = now + ROUND;
        }
        due
    }

    fn asks_everywhere(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.begin) < ASKING
    }
}

/// What a path is worth, the least last: a direct one by UDP, one by TCP, one through a relay. The
/// order is that of the priorities of candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    Relayed,
    Tcp,
    Direct,
}

impl IceTransport {
    fn worth(&self, path: Path) -> Worth {
        let remote = self
            .agent_address(path)
            .and_then(|address| self.remote_candidate(address));
        let is_relay = remote.is_some_and(|known| known.candidate_type() == CandidateType::Relay);
        match path.carrier {
            Carrier::Relay(_) | Carrier::Server(_) => Worth::Relayed,
            Carrier::Tcp => Worth::Tcp,
            Carrier::Udp | Carrier::OwnUdp if is_relay => Worth::Relayed,
            Carrier::Udp | Carrier::OwnUdp => Worth::Direct,
        }
    }

    /// Asks on better paths than the `current` one, if it is ours to nominate.
    pub(super) fn search_better_path(&mut self, now: Instant, current: Path) {
        let wanted = self.agent.role() && self.worth(current) < Worth::Direct;
        let Some(search) = self.search.as_mut().filter(|_| wanted) else {
            return;
        };
        if !search.take_round(now) {
            return;
        }
        let everywhere = search.asks_everywhere(now);
        let recently = now.checked_sub(3 * ROUND).unwrap_or(now);
        let mut asked = self.paths.checked_since(recently);
        if everywhere {
            for path in self.direct_pairs() {
                if !asked.contains(&path) {
                    asked.push(path);
                }
            }
        }
        asked.retain(|path| self.worth(*path) > self.worth(current));
        asked.truncate(MAX_QUESTIONS);
        for path in asked {
            self.send_own_check(path, Asker::Consent);
        }
    }

    /// From each of the shared sockets to each of the peer's addresses.
    fn direct_pairs(&self) -> Vec<Path> {
        let locals = { &self.announced }.iter();
        let locals: Vec<_> = locals.filter_map(|own| own.shared_socket()).collect();
        let remotes = self.agent.get_remote_candidates().iter();
        let mut pairs = Vec::new();
        for remote in remotes.filter(|remote| !remote.network_type().is_tcp()) {
            let remote = remote.addr();
            let fitting = { &locals }.iter();
            let fitting = fitting.filter(|local| local.is_ipv4() == remote.is_ipv4());
            for local in fitting {
                let path = Path::udp(*local, remote);
                // Candidates that differ in what they announce may have one socket.
                if !pairs.contains(&path) {
                    pairs.push(path);
                }
            }
        }
        pairs
    }

    /// A check that `asker` sent on `path` was answered.
    pub(super) fn on_answer(&mut self, asker: Asker, path: Path) {
        if asker == Asker::Nomination {
            self.paths.select(path);
        } else if asker == Asker::Consent && self.agent.role() && self.search.is_some() {
            let current = self.paths.current();
            if current.is_some_and(|current| self.worth(path) > self.worth(current)) {
                self.send_own_check(path, Asker::Nomination);
            }
        }
    }
}
