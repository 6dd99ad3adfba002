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
//! * goes over to another path when the one in use has become silent and the peer, which a
//!   translator may have given another address, checks and answers there;
//! * knows which addresses proved that they hold the password, the only ones that DTLS and
//!   media are accepted from;
//! * bounds what unauthenticated datagrams can do.

mod candidate;
mod consent;
mod pace;
mod path_table;
mod stun;
mod tcp_alias;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_ice::candidate::candidate_host::CandidateHostConfig;
use rtc_ice::candidate::{Candidate, CandidateConfig, unmarshal_candidate};
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
use stun::{Asker, PendingChecks, StunSummary};
use tcp_alias::TcpAliases;

use super::event::{Carrier, IceState, Path, Transmit};

/// How long checks may take before the attempt counts as failed.
const FAILED_AFTER: Duration = Duration::from_secs(30);
/// How long better pairs get a chance before a relayed one is nominated.
const RELAY_WAIT: Duration = Duration::from_millis(300);
/// Remote candidates per transport, discovered ones included.
const MAX_REMOTE_CANDIDATES: usize = 64;
/// The agent takes datagrams from here for multicast DNS without looking at them.
const MDNS_PORT: u16 = 5353;

/// Username fragment and password of one side (RFC 8445 §5.3).
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// `a=ice-ufrag`, 4–256 characters.
    pub ufrag: String,
    /// `a=ice-pwd`, 22–256 characters.
    pub password: String,
}

impl std::fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IceCredentials({})", self.ufrag)
    }
}

/// Why ICE did not take something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IceError {
    /// Credentials that the agent refuses, usually for their length.
    #[error("unusable ICE credentials: {0}")]
    Credentials(String),
    /// A candidate line that is not one.
    #[error("malformed ICE candidate: {0}")]
    Candidate(String),
    /// The candidate's address is a name that has to be resolved first.
    #[error("ICE candidate with the unresolved name {0}")]
    Unresolved(String),
    /// The candidate's transport is neither UDP nor TCP.
    #[error("ICE candidate for {0} instead of UDP or TCP")]
    Transport(String),
    /// The peer has too many addresses.
    #[error("more than {MAX_REMOTE_CANDIDATES} remote ICE candidates")]
    TooManyCandidates,
}

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
    controlling: bool,
    /// Of consent checks; the agent has one of its own for the rest.
    tie_breaker: u64,
    state: Option<IceState>,
    pace: Pace,
    paths: PathTable,
    pending: PendingChecks,
    announced: Vec<Announced>,
    aliases: TcpAliases,
    consent: Option<Consent>,
    consent_checks: VecDeque<Transmit>,
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
            relay_acceptance_min_wait: Some(RELAY_WAIT),
            ..AgentConfig::default()
        };
        let agent = Agent::new(now, Arc::new(config), provider).map_err(|error| refused(&error))?;
        Ok(Self {
            agent,
            local_credentials: credentials.clone(),
            remote_credentials: None,
            controlling,
            tie_breaker: rand::random(),
            state: None,
            pace: Pace::default(),
            paths: PathTable::default(),
            pending: PendingChecks::default(),
            announced: Vec::new(),
            aliases: TcpAliases::default(),
            consent: None,
            consent_checks: VecDeque::new(),
            events: VecDeque::new(),
        })
    }

    /// Starts checks towards a peer with these credentials.
    pub(super) fn set_remote(
        &mut self,
        now: Instant,
        credentials: &IceCredentials,
    ) -> Result<(), IceError> {
        self.agent
            .start_connectivity_checks(
                now,
                self.controlling,
                credentials.ufrag.clone(),
                credentials.password.clone(),
            )
            .map_err(|error| IceError::Credentials(error.to_string()))?;
        self.remote_credentials = Some(credentials.clone());
        self.begin_attempt(now);
        self.after_agent(now);
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

    /// Takes a STUN datagram; false if it was not acceptable.
    pub(super) fn handle_stun(&mut self, now: Instant, path: Path, datagram: &[u8]) -> bool {
        let Some(summary) = self.admit(path, datagram) else {
            return false;
        };
        let mut next_step_known = !self.is_known(path);
        if self.is_for_consent(path, summary) {
            let remote = self.remote_credentials.as_ref();
            if !remote.is_some_and(|to| stun::has_integrity(datagram, to.password.as_bytes())) {
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
                let asker = self.pending.asker(transaction, path);
                if self.pending.take(transaction, path) {
                    let of_consent = matches!(asker, Some(Asker::Consent));
                    if let Some(consent) = self.consent.as_mut().filter(|_| of_consent) {
                        consent.on_answer(now);
                    }
                    let replaces = self.lacks_path_like(path);
                    self.paths.validate(path, mapped);
                    if replaces {
                        self.paths.replace(path);
                    }
                    self.grant_consent(now, path);
                    next_step_known = true;
                }
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
    fn lacks_path_like(&self, path: Path) -> bool {
        match self.paths.current() {
            Some(current) => current != path && self.state == Some(IceState::Disconnected),
            None => true,
        }
    }

    fn is_for_consent(&self, path: Path, summary: StunSummary) -> bool {
        let StunSummary::Success { transaction, .. } = summary else {
            return false;
        };
        self.pending.asker(transaction, path) == Some(Asker::Consent)
    }

    fn hand_to_agent(&mut self, now: Instant, path: Path, datagram: &[u8]) -> bool {
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
        self.agent.handle_read(message).is_ok()
    }

    /// Refuses what the agent would act upon without, or before, checking its integrity.
    fn admit(&self, path: Path, datagram: &[u8]) -> Option<StunSummary> {
        let summary = StunSummary::of(datagram)?;
        let discovered = !self.is_known(path);
        let full = self.agent.get_remote_candidates().len() >= MAX_REMOTE_CANDIDATES;
        if path.remote.port() == MDNS_PORT || (discovered && full) {
            return None;
        }
        match summary {
            StunSummary::Other => None,
            // Nobody was asked there.
            StunSummary::Success { .. } if discovered => None,
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

    /// Sends a check on `path` that is not the agent's.
    fn ask_for_consent(&mut self, path: Path) {
        let Some(remote) = &self.remote_credentials else {
            return;
        };
        let local = &self.local_credentials;
        let check = stun::consent_check(local, remote, self.agent.role(), self.tie_breaker);
        self.pending.record(&check, path, Asker::Consent);
        self.consent_checks.push_back(Transmit::new(path, check));
    }

    /// When [`Self::handle_timeout`] has to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.pace.next()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.pace.next().is_some_and(|due| due <= now) {
            self.run_checks(now);
            self.after_agent(now);
            self.supervise(now);
        }
    }

    /// Lets the agent send what its state asks for: checks, or a nomination.
    fn run_checks(&mut self, now: Instant) {
        let _ = self.agent.handle_timeout(now);
        let pairs = self.pairs();
        match self.agent.state() {
            ConnectionState::Connected => self.pace.keep(now),
            ConnectionState::Closed => self.pace.stop(),
            _ => self.pace.advance(now, pairs),
        }
    }

    /// Pairs that can be checked at all.
    fn pairs(&self) -> usize {
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
    fn supervise(&mut self, now: Instant) {
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

    fn fail(&mut self) {
        self.paths.revoke();
        self.consent = None;
        self.pace.stop();
        self.set_state(IceState::Failed);
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
        if let Some(check) = self.consent_checks.pop_front() {
            return Some(check);
        }
        let message = self.agent.poll_write()?;
        let TransportContext {
            local_addr,
            peer_addr,
            transport_protocol,
            ..
        } = message.transport;
        let tcp = transport_protocol == TransportProtocol::TCP;
        let path = self.path_of(local_addr, peer_addr, tcp);
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

fn parse_remote(line: &str) -> Result<Candidate, IceError> {
    let line = line.trim();
    let line = line.strip_prefix("a=").unwrap_or(line);
    let line = line.strip_prefix("candidate:").unwrap_or(line);
    let fields: Vec<&str> = line.split_ascii_whitespace().take(6).collect();
    let [_, _, transport, _, address, _] = *fields.as_slice() else {
        return Err(IceError::Candidate("too few fields".to_owned()));
    };
    if !["udp", "tcp"]
        .iter()
        .any(|known| transport.eq_ignore_ascii_case(known))
    {
        return Err(IceError::Transport(transport.chars().take(20).collect()));
    }
    if address.parse::<std::net::IpAddr>().is_err() {
        return Err(IceError::Unresolved(address.chars().take(255).collect()));
    }
    unmarshal_candidate(line).map_err(|error| IceError::Candidate(error.to_string()))
}

/// A passive TCP candidate under another address.
fn stand_in(candidate: &Candidate, address: SocketAddr) -> Result<Candidate, IceError> {
    CandidateHostConfig {
        base_config: CandidateConfig {
            network: "tcp".to_owned(),
            address: address.ip().to_string(),
            port: address.port(),
            component: candidate.component(),
            priority: candidate.priority(),
            foundation: candidate.foundation(),
            ..CandidateConfig::default()
        },
        tcp_type: TcpType::Passive,
    }
    .new_candidate_host()
    .map_err(|error| IceError::Candidate(error.to_string()))
}

/// The value of a remote candidate's attribute, under its real address.
fn described(candidate: &Candidate, address: SocketAddr) -> String {
    // Of an address that the peer was found at nothing else is known.
    let line = candidate.marshal().replace(" raddr  rport 0", "");
    if candidate.addr() == address {
        return line;
    }
    let known = format!(" {} {} ", candidate.address(), candidate.port());
    let real = format!(" {} {} ", address.ip(), address.port());
    line.replacen(&known, &real, 1)
}
