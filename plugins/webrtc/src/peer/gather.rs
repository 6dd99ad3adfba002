//! Gathering (RFC 8445 §5.1.1): asks STUN servers under which addresses they see our sockets.
//!
//! TURN servers are asked by [`super::turn`]; [`Gathering`] only waits for them.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::event::{Path, Transmit};
use super::ice::LocalCandidate;
use super::stun::{StunBuilder, StunMessage, TransactionId, attribute, kind, new_transaction};
use super::turn::TurnServer;

/// First wait for an answer, doubled each time (RFC 8489 §6.2.1).
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Questions; the last is given up 3.75 s after the first.
const MAX_SENDINGS: u8 = 4;
/// Other sockets' questions get this long once the server has answered one: some of a machine's
/// addresses have no way out.
const AFTER_ANSWER: Duration = Duration::from_millis(500);
/// Questions of one transport.
const MAX_PROBES: usize = 64;

/// Where candidates come from.
#[derive(Debug, Clone, Default)]
pub struct GatherConfig {
    /// Addresses of our UDP sockets.
    pub hosts: Vec<SocketAddr>,
    /// Addresses of our sockets that accept TCP connections.
    pub passive: Vec<SocketAddr>,
    /// Addresses from which we may open TCP connections.
    pub active: Vec<IpAddr>,
    /// Told instead of the IPv4 addresses of host candidates.
    pub external_v4: Option<IpAddr>,
    /// Told instead of the IPv6 addresses of host candidates.
    pub external_v6: Option<IpAddr>,
    /// STUN servers.
    pub stun_servers: Vec<SocketAddr>,
    /// TURN servers; their numbers are their positions.
    pub turn_servers: Vec<TurnServer>,
}

impl GatherConfig {
    /// The candidates that are known without asking anybody.
    pub(super) fn own_candidates(&self) -> Vec<LocalCandidate> {
        let external = |address: &SocketAddr| match address {
            SocketAddr::V4(_) => self.external_v4,
            SocketAddr::V6(_) => self.external_v6,
        };
        let hosts = self.hosts.iter().map(|address| LocalCandidate::Host {
            address: *address,
            external: external(address),
        });
        // Passive before active ones: the agent takes an active one for any port of its address.
        let passive = self
            .passive
            .iter()
            .map(|address| LocalCandidate::TcpPassive {
                address: *address,
                external: external(address),
            });
        let active = self.active.iter().map(|ip| LocalCandidate::TcpActive(*ip));
        hosts.chain(passive).chain(active).collect()
    }
}

/// A question of one socket to one server.
struct Probe {
    id: TransactionId,
    base: SocketAddr,
    server: SocketAddr,
    due: Instant,
    wait: Duration,
    sendings: u8,
}

impl Probe {
    fn request(&self) -> Transmit {
        let bytes = StunBuilder::new(kind::BINDING_REQUEST, self.id).build();
        Transmit::new(Path::udp(self.base, self.server), bytes)
    }
}

/// The questions of one transport.
#[derive(Default)]
pub(super) struct Gathering {
    probes: Vec<Probe>,
    answered: Vec<SocketAddr>,
    silent: Vec<SocketAddr>,
    transmits: VecDeque<Transmit>,
    /// Candidates are being collected.
    active: bool,
}

impl Gathering {
    pub(super) fn start(&mut self, now: Instant, config: &GatherConfig) {
        self.active = true;
        for server in &config.stun_servers {
            for base in config.hosts.iter().filter(|base| fits(**base, *server)) {
                if self.probes.len() >= MAX_PROBES {
                    return;
                }
                let probe = Probe {
                    id: new_transaction(),
                    base: *base,
                    server: *server,
                    due: now + FIRST_WAIT,
                    wait: FIRST_WAIT,
                    sendings: 1,
                };
                self.transmits.push_back(probe.request());
                self.probes.push(probe);
            }
        }
    }

    /// Whether the last question has been answered or given up; true once.
    pub(super) fn finish(&mut self, others_wait: bool) -> bool {
        let finished = self.active && self.probes.is_empty() && !others_wait;
        if finished {
            self.active = false;
        }
        finished
    }

    /// A server that answered nobody.
    pub(super) fn take_silent(&mut self) -> Option<SocketAddr> {
        self.silent.pop()
    }

    /// Takes a server's answer; `None` if it is none, or tells nothing new.
    pub(super) fn handle_stun(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &[u8],
    ) -> Option<LocalCandidate> {
        if self.probes.is_empty() {
            return None;
        }
        let message = StunMessage::parse(datagram)?;
        let answers = |probe: &Probe| {
            probe.id == message.transaction()
                && probe.server == path.remote
                && probe.base == path.local
        };
        let position = self.probes.iter().position(answers)?;
        if ![kind::BINDING_SUCCESS, kind::BINDING_ERROR].contains(&message.kind()) {
            return None;
        }
        let probe = self.probes.remove(position);
        self.answered.push(probe.server);
        for other in &mut self.probes {
            if other.server == probe.server {
                other.due = other.due.min(now + AFTER_ANSWER);
                other.sendings = MAX_SENDINGS;
            }
        }
        let base = probe.base;
        let address = message.address(attribute::XOR_MAPPED_ADDRESS)?;
        // Without a translator in between it is the host candidate again (RFC 8445 §5.1.3).
        let new = address != base && fits(address, base);
        new.then_some(LocalCandidate::ServerReflexive { address, base })
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let Self {
            probes,
            answered,
            silent,
            transmits,
            ..
        } = self;
        let mut lost = Vec::new();
        probes.retain_mut(|probe| {
            if now < probe.due {
                return true;
            }
            if probe.sendings >= MAX_SENDINGS {
                lost.push(probe.server);
                return false;
            }
            probe.sendings += 1;
            probe.wait *= 2;
            probe.due = now + probe.wait;
            transmits.push_back(probe.request());
            true
        });
        lost.dedup();
        for server in lost {
            let hopeless = !answered.contains(&server) && !silent.contains(&server);
            if hopeless && probes.iter().all(|probe| probe.server != server) {
                silent.push(server);
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.probes.iter().map(|probe| probe.due).min()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// Nothing more is wanted.
    pub(super) fn stop(&mut self) {
        *self = Self::default();
    }
}

/// Whether datagrams from one address can reach the other.
fn fits(from: SocketAddr, to: SocketAddr) -> bool {
    from.is_ipv4() == to.is_ipv4() && (!from.ip().is_loopback() || to.ip().is_loopback())
}
