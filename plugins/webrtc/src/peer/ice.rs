//! The ICE side of a transport: `rtc-ice`'s agent, paced and supervised for a server.
//!
//! The agent forms pairs, answers and sends checks, and nominates. Around it, this module
//!
//! * decides **when** checks run. The agent's own timer would wait up to 200 ms for each step of a
//!   set-up; here a step follows as soon as what it needs is known (RFC 8445 §7.2.5.3, §8.1.1);
//! * lets datagrams flow on a pair as soon as a check on it succeeded, before it is nominated
//!   (RFC 8445 §12.1);
//! * follows a controlling peer that nominates another pair later, which the agent does not;
//! * asks for consent on the path in use, whichever that is, and stops sending without it
//!   (RFC 7675); the agent's own keep-alives and time-outs are off;
//! * where we are the controlling side, waits a little for better pairs and nominates one that
//!   turns up later ([`renomination`]);
//! * goes over to another path when the one in use has become silent and the peer, which a
//!   translator may have given another address, checks and answers there;
//! * knows which addresses proved that they hold the password, the only ones that DTLS and
//!   media are accepted from;
//! * bounds what unauthenticated datagrams can do.

mod candidate;
mod consent;
mod incoming;
mod own_checks;
mod pace;
mod path_table;
mod remote;
mod renomination;
mod stun;
mod supervision;
mod tcp_alias;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_ice::candidate::Candidate;
use rtc_ice::mdns::MulticastDnsMode;
use rtc_ice::state::ConnectionState;
use rtc_ice::tcp_type::TcpType;
use rtc_ice::{Agent, AgentConfig, Event};
use rtc_shared::{TransportContext, TransportMessage, TransportProtocol};
use sansio::Protocol;

pub use candidate::LocalCandidate;
use candidate::{Announced, COMPONENT};
use consent::{Consent, ConsentState};
use pace::Pace;
use path_table::PathTable;
use remote::{described, parse_remote, stand_in};
use renomination::Search;
use stun::{Asker, PendingChecks, StunSummary};
use tcp_alias::TcpAliases;

use super::event::{Carrier, IceState, Path, Transmit};
use super::interface::MAX_REMOTE_CANDIDATES;
use super::stun::TransactionId;
use super::{IceCredentials, IceError};

/// How long checks may take before the attempt counts as failed.
const FAILED_AFTER: Duration = Duration::from_secs(30);
/// How long better pairs get a chance before a relayed one, or one over TCP, is nominated.
const NOMINATION_WAIT: Duration = Duration::from_millis(300);
/// The agent takes datagrams from here for multicast DNS without looking at them.
const MDNS_PORT: u16 = 5353;

/// What happened on the ICE side.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum IceEvent {
    State(IceState),
    Selected {
        path: Path,
        local: String,
        remote: String,
    },
}

pub(super) struct IceTransport {
    agent: Agent,
    local_credentials: IceCredentials,
    remote_credentials: Option<IceCredentials>,
    /// The agent's, as its latest check has it: all checks of one agent have the same (RFC 8445
    /// §16.1).
    tie_breaker: u64,
    /// The request whose conflict made us take the other role. The agent refuses it all the same,
    /// and a peer that believed that would change its role, too (RFC 8445 §7.3.1.1).
    conceded: Option<TransactionId>,
    state: Option<IceState>,
    pace: Pace,
    paths: PathTable,
    pending: PendingChecks,
    announced: Vec<Announced>,
    aliases: TcpAliases,
    consent: Option<Consent>,
    /// Checks of a peer that has not told its credentials yet.
    early: VecDeque<(Path, Vec<u8>)>,
    /// Checks that are not the agent's.
    own_checks: VecDeque<Transmit>,
    /// For a better path than the nominated one.
    search: Option<Search>,
    events: VecDeque<IceEvent>,
}

impl IceTransport {
    pub(super) fn new(
        now: Instant,
        credentials: &IceCredentials,
        controlling: bool,
    ) -> Result<Self, IceError> {
        let refused = |error: &dyn std::fmt::Display| IceError::Credentials(error.to_string());
        let provider = rtc_crypto::default_provider().map_err(|error| refused(&error))?;
        let config = AgentConfig {
            local_ufrag: credentials.ufrag.clone(),
            local_pwd: credentials.password.clone(),
            multicast_dns_mode: MulticastDnsMode::Disabled,
            disconnected_timeout: Some(Duration::ZERO),
            failed_timeout: Some(Duration::ZERO),
            keepalive_interval: Some(Duration::ZERO),
            // The agent acts whenever it is called; `Pace` decides when that is.
            check_interval: Duration::from_nanos(1),
            // A pair is given up with the whole attempt, not after a number of fast checks.
            max_binding_requests: Some(u16::MAX),
            is_controlling: controlling,
            host_acceptance_min_wait: Some(Duration::ZERO),
            srflx_acceptance_min_wait: Some(Duration::ZERO),
            prflx_acceptance_min_wait: Some(Duration::ZERO),
            relay_acceptance_min_wait: Some(NOMINATION_WAIT),
            ..AgentConfig::default()
        };
        let agent = Agent::new(now, Arc::new(config), provider).map_err(|error| refused(&error))?;
        Ok(Self {
            agent,
            local_credentials: credentials.clone(),
            remote_credentials: None,
            tie_breaker: rand::random(),
            conceded: None,
            state: None,
            pace: Pace::default(),
            paths: PathTable::default(),
            pending: PendingChecks::default(),
            announced: Vec::new(),
            aliases: TcpAliases::default(),
            consent: None,
            early: VecDeque::new(),
            own_checks: VecDeque::new(),
            search: None,
            events: VecDeque::new(),
        })
    }

    /// Starts checks towards a peer with these credentials. The role stays the one that it is, be it
    /// the first or what a conflict has made of it: a restart does not decide it anew (RFC 8445
    /// §6.1.1).
    pub(super) fn set_remote(
        &mut self,
        now: Instant,
        credentials: &IceCredentials,
    ) -> Result<(), IceError> {
        self.agent
            .start_connectivity_checks(
                now,
                self.agent.role(),
                credentials.ufrag.clone(),
                credentials.password.clone(),
            )
            .map_err(|error| IceError::Credentials(error.to_string()))?;
        self.remote_credentials = Some(credentials.clone());
        self.begin_attempt(now);
        self.after_agent(now);
        for (path, datagram) in std::mem::take(&mut self.early) {
            self.handle_stun(now, path, &datagram);
        }
        Ok(())
    }

    /// There is new hope: checks run at once, and fast from now on.
    fn begin_attempt(&mut self, now: Instant) {
        self.pace.start(now);
        if self.state == Some(IceState::Failed) && self.remote_credentials.is_some() {
            self.set_state(IceState::Connecting);
        }
    }

    /// Begins an ICE restart (RFC 8445 §9) with new local credentials. Datagrams keep flowing on
    /// the old path until a new one is selected.
    pub(super) fn restart(
        &mut self,
        now: Instant,
        credentials: &IceCredentials,
    ) -> Result<(), IceError> {
        self.agent
            .restart(
                now,
                credentials.ufrag.clone(),
                credentials.password.clone(),
                true,
            )
            .map_err(|error| IceError::Credentials(error.to_string()))?;
        self.local_credentials = credentials.clone();
        self.remote_credentials = None;
        self.paths.restart();
        self.search = None;
        self.pending = PendingChecks::default();
        self.consent = self.paths.current().map(|_| Consent::new(now));
        self.after_agent(now);
        Ok(())
    }

    /// Adds a candidate of ours; returns the value for its `candidate` attribute.
    pub(super) fn add_local_candidate(
        &mut self,
        now: Instant,
        candidate: &LocalCandidate,
    ) -> Result<String, IceError> {
        let position = self.announced.len();
        let announced = candidate.announce(position)?;
        let line = announced.line.clone();
        if self.state.is_none() {
            self.set_state(IceState::Gathering);
        }
        self.announced.push(announced);
        if let Some(candidate) = candidate.for_agent(position)? {
            self.agent
                .add_local_candidate(candidate)
                .map_err(|error| IceError::Candidate(error.to_string()))?;
            self.pace.urge(now);
        }
        Ok(line)
    }

    /// This transport has a UDP socket of its own at `port`: it sends checks from there, too, on
    /// all addresses of that IP version that its candidates have.
    pub(super) fn add_own_socket(
        &mut self,
        now: Instant,
        v6: bool,
        port: u16,
    ) -> Result<(), IceError> {
        let shared = self.announced.iter().filter_map(Announced::shared_socket);
        let of_version = shared.map(|base| base.ip()).filter(|ip| ip.is_ipv6() == v6);
        let mut addresses: Vec<IpAddr> = of_version.collect();
        addresses.sort_unstable();
        addresses.dedup();
        for ip in addresses {
            let own = LocalCandidate::Own(SocketAddr::new(ip, port));
            self.add_local_candidate(now, &own)?;
        }
        Ok(())
    }

    /// Whether datagrams from `remote` to a shared socket are this transport's for the time being:
    /// it uses the path, or may still find that it does.
    pub(super) fn holds(&self, remote: SocketAddr) -> bool {
        let lost = matches!(self.state, Some(IceState::Disconnected | IceState::Failed));
        let uses = |path: Path| path.carrier == Carrier::Udp && path.remote == remote;
        !lost && self.paths.current().is_none_or(uses)
    }

    /// Adds a candidate of the peer from the value of a `candidate` attribute, with or without the
    /// prefix `candidate:`.
    pub(super) fn add_remote_candidate(
        &mut self,
        now: Instant,
        line: &str,
    ) -> Result<(), IceError> {
        let mut candidate = parse_remote(line)?;
        if candidate.component() != COMPONENT {
            // RTCP comes with RTP here (RFC 5761 §5.1.3).
            return Ok(());
        }
        let mut address = candidate.addr();
        if candidate.network_type().is_tcp() {
            if candidate.tcp_type() != TcpType::Passive {
                // An active one calls us. Simultaneous opens are nobody's.
                return Ok(());
            }
            let alias = self.aliases.add(address, MAX_REMOTE_CANDIDATES);
            address = alias.ok_or(IceError::TooManyCandidates)?;
            candidate = stand_in(&candidate, address)?;
        }
        if self.remote_candidate(address).is_some() {
            return Ok(());
        }
        if self.agent.get_remote_candidates().len() >= MAX_REMOTE_CANDIDATES {
            return Err(IceError::TooManyCandidates);
        }
        self.agent
            .add_remote_candidate(candidate)
            .map_err(|error| IceError::Candidate(error.to_string()))?;
        self.begin_attempt(now);
        Ok(())
    }

    /// `address`: as the agent knows it.
    fn remote_candidate(&self, address: SocketAddr) -> Option<&Candidate> {
        self.agent
            .get_remote_candidates()
            .iter()
            .find(|candidate| candidate.addr() == address)
    }

    /// The remote address of a path as the agent knows it.
    fn agent_address(&self, path: Path) -> Option<SocketAddr> {
        match path.carrier {
            Carrier::Tcp => self.aliases.find(path.remote),
            _ => Some(path.remote),
        }
    }

    fn is_known(&self, path: Path) -> bool {
        self.agent_address(path)
            .is_some_and(|address| self.remote_candidate(address).is_some())
    }

    /// Whether DTLS and media may be accepted on `path`: its remote end proved to hold the
    /// password.
    #[inline]
    pub(super) fn accepts(&mut self, path: Path) -> bool {
        if self.paths.current() == Some(path) {
            if let Some(consent) = &mut self.consent {
                consent.on_received();
            }
            return true;
        }
        self.paths.is_authenticated(path)
    }

    /// Where datagrams are to be sent: the nominated path, before nomination any that works.
    #[inline]
    pub(super) fn path(&self) -> Option<Path> {
        self.paths.current()
    }

    /// Whether this side nominates; role conflicts may change it.
    #[cfg(test)]
    pub(super) fn is_controlling(&self) -> bool {
        self.agent.role()
    }

    /// To the peer and back on the path in use, once a check for consent was answered.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.consent.as_ref()?.round_trip()
    }

    fn grant_consent(&mut self, now: Instant, path: Path) {
        if self.paths.current() == Some(path) {
            self.consent
                .get_or_insert_with(|| Consent::new(now))
                .grant(now);
            if self.pace.next().is_none() {
                self.pace.keep(now);
            }
        }
    }

    fn after_agent(&mut self, now: Instant) {
        let mut selected_by_agent = None;
        while let Some(tagged) = self.agent.poll_event() {
            match tagged.event {
                Event::ConnectionStateChange(ConnectionState::Checking) => {
                    self.set_state(IceState::Connecting);
                }
                Event::SelectedCandidatePairChange(local, remote) => {
                    selected_by_agent =
                        Some(self.path_of(local.base_addr(), remote.addr(), is_tcp(&local)));
                    self.pace.keep(now);
                }
                _ => {}
            }
        }
        if let Some(path) = selected_by_agent {
            self.paths.select(path);
            self.grant_consent(now, path);
        }
        let unconnected = matches!(self.state, Some(IceState::Connecting | IceState::Failed));
        if unconnected && self.paths.has_valid() {
            self.set_state(IceState::Connected);
        }
        if let Some(path) = self.paths.take_selection() {
            self.consent = Some(Consent::new(now));
            self.search = Some(Search::new(now));
            self.report_selection(path);
        }
    }

    /// The path between two addresses as the agent knows them.
    fn path_of(&self, local: SocketAddr, remote: SocketAddr, tcp: bool) -> Path {
        let carrier = || {
            let mut carriers = self.announced.iter().filter_map(|c| c.carrier_from(local));
            carriers.next().unwrap_or(Carrier::Udp)
        };
        if tcp {
            Path {
                local,
                remote: self.aliases.resolve(remote).unwrap_or(remote),
                carrier: Carrier::Tcp,
            }
        } else {
            Path {
                local,
                remote,
                carrier: carrier(),
            }
        }
    }

    fn report_selection(&mut self, path: Path) {
        let mapped = self.paths.mapped(path);
        let local = candidate::local_of(&self.announced, path.local, path.carrier, mapped);
        let remote = self
            .agent_address(path)
            .and_then(|address| self.remote_candidate(address))
            .map(|candidate| described(candidate, path.remote));
        if let (Some(local), Some(remote)) = (local, remote) {
            self.events.push_back(IceEvent::Selected {
                path,
                local,
                remote,
            });
        }
        self.set_state(IceState::Ready);
    }

    fn set_state(&mut self, state: IceState) {
        if self.state != Some(state) {
            self.state = Some(state);
            self.events.push_back(IceEvent::State(state));
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<IceEvent> {
        self.events.pop_front()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        if let Some(check) = self.own_checks.pop_front() {
            return Some(check);
        }
        let message = loop {
            let message = self.agent.poll_write()?;
            let refused = stun::refused_role(&message.message);
            if refused.is_none() || refused != self.conceded {
                break message;
            }
        };
        let TransportContext {
            local_addr,
            peer_addr,
            transport_protocol,
            ..
        } = message.transport;
        let tcp = transport_protocol == TransportProtocol::TCP;
        let path = self.path_of(local_addr, peer_addr, tcp);
        if let Some(role) = stun::role_in(&message.message) {
            self.tie_breaker = role.tie_breaker;
        }
        self.pending.record(&message.message, path, Asker::Agent);
        Some(Transmit::new(path, message.message))
    }

    pub(super) fn close(&mut self) {
        self.pace.stop();
        let _ = self.agent.close();
    }
}

fn is_tcp(candidate: &Candidate) -> bool {
    candidate.network_type().is_tcp()
}

/// `remote`: as the agent knows it.
fn context(path: Path, remote: SocketAddr) -> TransportContext {
    let transport_protocol = match path.carrier {
        Carrier::Tcp => TransportProtocol::TCP,
        _ => TransportProtocol::UDP,
    };
    TransportContext {
        local_addr: path.local,
        peer_addr: remote,
        transport_protocol,
        ecn: None,
    }
}
