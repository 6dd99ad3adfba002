//! The ICE side of a transport: `rtc-ice`'s agent, paced and supervised for a server.
//!
//! The agent forms pairs, answers and sends checks, and nominates. Around it, this module
//!
//! * decides **when** checks run. The agent's own timer would wait up to 200 ms for each step of a
//!   set-up; here a step follows as soon as what it needs is known (RFC 8445 §7.2.5.3, §8.1.1);
//! * lets datagrams flow on a pair as soon as a check on it succeeded, before it is nominated
//!   (RFC 8445 §12.1);
//! * follows a controlling peer that nominates another pair later, which the agent does not;
//! * knows which addresses proved that they hold the password, the only ones that DTLS and
//!   media are accepted from;
//! * bounds what unauthenticated datagrams can do.

mod candidate;
mod pace;
mod path_table;
mod stun;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_ice::candidate::{Candidate, unmarshal_candidate};
use rtc_ice::mdns::MulticastDnsMode;
use rtc_ice::state::ConnectionState;
use rtc_ice::{Agent, AgentConfig, Event};
use rtc_shared::{TransportContext, TransportMessage, TransportProtocol};
use sansio::Protocol;

pub use candidate::LocalCandidate;
use pace::Pace;
use path_table::PathTable;
use stun::{PendingChecks, StunSummary};

use super::event::{IceState, Path, Transmit};

/// Silence after which a transport counts as disconnected.
const DISCONNECTED_AFTER: Duration = Duration::from_secs(5);
/// Further silence after which it counts as failed; also bounds how long checks may take.
const FAILED_AFTER: Duration = Duration::from_secs(25);
/// Between consent checks on the selected pair; RFC 7675 §5.1 asks for about five seconds, but
/// silence has to be noticed within [`DISCONNECTED_AFTER`] although checks get lost.
const CONSENT_INTERVAL: Duration = Duration::from_secs(2);
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
    /// The candidate's transport is not UDP.
    #[error("ICE candidate for {0} instead of UDP")]
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
    controlling: bool,
    state: Option<IceState>,
    pace: Pace,
    paths: PathTable,
    pending: PendingChecks,
    /// Something was received on the selected path since the last tick.
    heard: bool,
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
            disconnected_timeout: Some(DISCONNECTED_AFTER),
            failed_timeout: Some(FAILED_AFTER),
            keepalive_interval: Some(CONSENT_INTERVAL),
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
            controlling,
            state: None,
            pace: Pace::default(),
            paths: PathTable::default(),
            pending: PendingChecks::default(),
            heard: false,
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
        self.pace.start(now);
        self.after_agent(now);
        Ok(())
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
        self.paths.restart();
        self.pending = PendingChecks::default();
        self.after_agent(now);
        Ok(())
    }

    /// Adds the address of one of our sockets; returns the value for its `candidate` attribute.
    pub(super) fn add_local_candidate(
        &mut self,
        now: Instant,
        candidate: &LocalCandidate,
    ) -> Result<String, IceError> {
        let position = self.agent.get_local_candidates().len();
        let candidate = candidate.build(position)?;
        let line = candidate.marshal();
        if self.state.is_none() {
            self.set_state(IceState::Gathering);
        }
        self.agent
            .add_local_candidate(candidate)
            .map_err(|error| IceError::Candidate(error.to_string()))?;
        self.pace.urge(now);
        Ok(line)
    }

    /// Adds a candidate of the peer from the value of a `candidate` attribute, with or without the
    /// prefix `candidate:`.
    pub(super) fn add_remote_candidate(
        &mut self,
        now: Instant,
        line: &str,
    ) -> Result<(), IceError> {
        let line = line.trim();
        let line = line.strip_prefix("a=").unwrap_or(line);
        let line = line.strip_prefix("candidate:").unwrap_or(line);
        let candidate = parse_remote(line)?;
        let address = candidate.addr();
        if self.remote_candidate(address).is_some() {
            return Ok(());
        }
        if self.agent.get_remote_candidates().len() >= MAX_REMOTE_CANDIDATES {
            return Err(IceError::TooManyCandidates);
        }
        self.agent
            .add_remote_candidate(candidate)
            .map_err(|error| IceError::Candidate(error.to_string()))?;
        self.pace.start(now);
        Ok(())
    }

    fn remote_candidate(&self, address: SocketAddr) -> Option<&Candidate> {
        self.agent
            .get_remote_candidates()
            .iter()
            .find(|candidate| candidate.addr() == address)
    }

    /// Whether DTLS and media may be accepted on `path`: its remote end proved to hold the
    /// password.
    #[inline]
    pub(super) fn accepts(&mut self, path: Path) -> bool {
        if self.paths.current() == Some(path) {
            self.heard = true;
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
        let known = self.remote_candidate(path.remote).is_some();
        let message = TransportMessage {
            now,
            transport: context(path),
            message: BytesMut::from(datagram),
        };
        if self.agent.handle_read(message).is_err() {
            return false;
        }
        // The agent has verified the message's integrity.
        let mut next_step_known = !known;
        match summary {
            StunSummary::Request { nominates, .. } => {
                self.paths.authenticate(path);
                if nominates && !self.agent.role() {
                    self.paths.nominate(path);
                }
            }
            StunSummary::Success { transaction } => {
                if self.pending.take(transaction, path) {
                    self.paths.validate(path);
                    next_step_known = true;
                }
            }
            StunSummary::Other => {}
        }
        if self.paths.current() == Some(path) {
            self.heard = true;
        }
        if next_step_known && self.agent.get_selected_candidate_pair().is_none() {
            self.run_checks(now);
        }
        self.after_agent(now);
        true
    }

    /// Refuses what the agent would act upon without, or before, checking its integrity.
    fn admit(&self, path: Path, datagram: &[u8]) -> Option<StunSummary> {
        let summary = StunSummary::of(datagram)?;
        let discovered = self.remote_candidate(path.remote).is_none();
        let full = self.agent.get_remote_candidates().len() >= MAX_REMOTE_CANDIDATES;
        if path.remote.port() == MDNS_PORT || (discovered && full) {
            return None;
        }
        match summary {
            StunSummary::Other => None,
            StunSummary::Request { controlling, .. } if controlling == self.agent.role() => {
                let password = self.local_credentials.password.as_bytes();
                stun::has_integrity(datagram, password).then_some(summary)
            }
            _ => Some(summary),
        }
    }

    /// When [`Self::handle_timeout`] has to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.pace.next()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.pace.next().is_some_and(|due| due <= now) {
            self.report_life(now);
            self.run_checks(now);
            self.after_agent(now);
        }
    }

    /// Lets the agent send what its state asks for: checks, a nomination, or consent.
    fn run_checks(&mut self, now: Instant) {
        let _ = self.agent.handle_timeout(now);
        let pairs =
            self.agent.get_local_candidates().len() * self.agent.get_remote_candidates().len();
        match self.agent.state() {
            ConnectionState::Connected | ConnectionState::Disconnected => self.pace.keep(now),
            ConnectionState::Failed | ConnectionState::Closed => self.pace.stop(),
            _ => self.pace.advance(now, pairs),
        }
    }

    /// Tells the agent, which only knows its own nomination and STUN, that the path in use lives.
    fn report_life(&mut self, now: Instant) {
        if !std::mem::take(&mut self.heard) {
            return;
        }
        let pair = self
            .agent
            .get_selected_candidate_pair()
            .map(|(local, remote)| Path {
                local: local.base_addr(),
                remote: remote.addr(),
            });
        if let Some(pair) = pair {
            self.agent.is_valid_non_stun_traffic(now, context(pair));
        }
    }

    fn after_agent(&mut self, now: Instant) {
        let mut selected_by_agent = None;
        while let Some(tagged) = self.agent.poll_event() {
            match tagged.event {
                Event::ConnectionStateChange(ConnectionState::Disconnected) => {
                    self.set_state(IceState::Disconnected);
                }
                Event::ConnectionStateChange(ConnectionState::Failed) => {
                    self.set_state(IceState::Failed);
                    self.pace.stop();
                }
                Event::ConnectionStateChange(ConnectionState::Checking) => {
                    self.set_state(IceState::Connecting);
                }
                Event::ConnectionStateChange(ConnectionState::Connected) => {
                    if self.state == Some(IceState::Disconnected) {
                        self.set_state(IceState::Ready);
                    }
                    self.pace.keep(now);
                }
                Event::SelectedCandidatePairChange(local, remote) => {
                    selected_by_agent = Some(Path {
                        local: local.base_addr(),
                        remote: remote.addr(),
                    });
                }
                _ => {}
            }
        }
        if let Some(path) = selected_by_agent {
            self.paths.select(path);
        }
        if self.state == Some(IceState::Connecting) && self.paths.has_valid() {
            self.set_state(IceState::Connected);
        }
        if let Some(path) = self.paths.take_selection() {
            self.report_selection(path);
        }
    }

    fn report_selection(&mut self, path: Path) {
        let local = self
            .agent
            .get_local_candidates()
            .iter()
            .find(|candidate| candidate.base_addr() == path.local)
            .map(Candidate::marshal);
        let remote = self.remote_candidate(path.remote).map(Candidate::marshal);
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
        let message = self.agent.poll_write()?;
        let path = Path {
            local: message.transport.local_addr,
            remote: message.transport.peer_addr,
        };
        self.pending.record(&message.message, path);
        Some(Transmit {
            path,
            bytes: message.message.freeze(),
        })
    }

    pub(super) fn close(&mut self) {
        self.pace.stop();
        let _ = self.agent.close();
    }
}

fn context(path: Path) -> TransportContext {
    TransportContext {
        local_addr: path.local,
        peer_addr: path.remote,
        transport_protocol: TransportProtocol::UDP,
        ecn: None,
    }
}

fn parse_remote(line: &str) -> Result<Candidate, IceError> {
    let fields: Vec<&str> = line.split_ascii_whitespace().take(6).collect();
    let [_, _, transport, _, address, _] = *fields.as_slice() else {
        return Err(IceError::Candidate("too few fields".to_owned()));
    };
    if !transport.eq_ignore_ascii_case("udp") {
        return Err(IceError::Transport(transport.chars().take(20).collect()));
    }
    if address.parse::<std::net::IpAddr>().is_err() {
        return Err(IceError::Unresolved(address.chars().take(255).collect()));
    }
    unmarshal_candidate(line).map_err(|error| IceError::Candidate(error.to_string()))
}
