//! Candidates: ours are gathered and announced, the peer's handed on.

use std::{
    net::IpAddr,
    sync::{Arc, Weak, atomic::Ordering::Relaxed},
    time::Instant,
};

use rivero_plugin_api::Result;
use rivero_sdp::{Candidate, CandidateAddress, NegotiatedTransport};

use super::{Shared, properties::Properties, session::Leg};
use crate::{
    api::{IceCandidate, IceComponentState, WebRtcEndpointEvents},
    interfaces,
    peer::{IceError, LocalCandidate, Peer, PeerError},
    shard::Token,
};

impl Shared {
    /// Whether our candidates are being, or were, announced.
    pub(super) fn is_gathering(&self) -> bool {
        self.gathering.load(Relaxed)
    }

    /// Gathers candidates once for each transport. Before a negotiation nothing happens, as in
    /// Kurento.
    pub(super) fn gather(self: &Arc<Self>) {
        if self.session().legs.is_empty() {
            return;
        }
        if self.gathering.swap(true, Relaxed) {
            return self.gather_legs();
        }
        let properties = self.properties();
        if !properties.stun_server_address.is_empty() || !properties.turn_url.is_empty() {
            self.context.error(
                "RESOURCE_ERROR_OPEN",
                0,
                "this version gathers host candidates only: the STUN and TURN settings have no effect",
            );
        }
        drop(properties);
        self.gather_legs();
    }

    /// After a later negotiation: transports beside those that go on gather without being told.
    pub(super) fn gather_new_legs(self: &Arc<Self>) {
        if self.is_gathering() {
            self.gather_legs();
        }
    }

    /// Gathers for the transports that have not.
    fn gather_legs(self: &Arc<Self>) {
        let mut session = self.session();
        let new = session.legs.iter_mut().filter(|leg| !leg.gathers);
        let begin = |leg: &mut Leg| {
            leg.gathers = true;
            leg.token
        };
        let tokens: Vec<Token> = new.map(begin).collect();
        drop(session);
        for token in &tokens {
            self.tell_ice_state(*token, IceComponentState::Gathering);
        }
        let properties = self.properties().clone();
        let addresses = interfaces::host_addresses(&properties.interfaces());
        let sockets: Vec<_> = addresses
            .into_iter()
            .filter_map(|ip| self.shard.address(ip))
            .collect();
        for token in tokens {
            let (endpoint, sockets) = (Arc::downgrade(self), sockets.clone());
            self.shard.with(token, move |transport, now| {
                let add = |socket: &std::net::SocketAddr| {
                    let candidate = LocalCandidate::Host(*socket);
                    transport.peer().add_local_candidate(now, candidate).ok()
                };
                let lines = sockets.iter().filter_map(add).collect();
                gathered(&endpoint, token, lines);
            });
        }
    }

    /// Announces the candidates of a transport, once for each of its sections.
    fn announce(&self, token: Token, lines: &[String]) {
        let properties = self.properties().clone();
        let mut session = self.session();
        let parsed = lines
            .iter()
            .filter_map(|line| line.parse::<Candidate>().ok());
        let candidates: Vec<Candidate> = parsed
            .map(|candidate| announced(candidate, &properties))
            .collect();
        let Some(leg) = session.leg(token) else {
            return;
        };
        leg.gathered = true;
        leg.candidates.clone_from(&candidates);
        let leg = leg.clone();
        let indexes: Vec<usize> = leg.sections.iter().map(|section| section.index).collect();
        if let Some(local) = &mut session.local {
            for candidate in &candidates {
                local.add_candidate(&indexes, candidate);
            }
        }
        let complete = session.legs.iter().all(|leg| leg.gathered);
        drop(session);
        for candidate in &candidates {
            for section in &leg.sections {
                self.context.ice_candidate_found(IceCandidate {
                    candidate: candidate.to_string(),
                    sdp_mid: section.mid.clone(),
                    sdp_m_line_index: i32::try_from(section.index).unwrap_or(0),
                });
            }
        }
        if complete {
            self.context.ice_gathering_done();
        }
        let mut connects = false;
        self.change_leg(token, |leg| connects = std::mem::take(&mut leg.connects));
        if connects {
            self.tell_ice_state(token, IceComponentState::Connecting);
        }
    }

    pub(super) fn add_candidate(self: &Arc<Self>, candidate: &IceCandidate) -> Result<()> {
        let mut session = self.session();
        if session.negotiated.is_none() {
            const LIMIT: usize = 256;
            if session.early_candidates.len() < LIMIT {
                session.early_candidates.push(candidate.clone());
            }
            return Ok(());
        }
        let text = candidate.candidate.trim();
        if text.is_empty() {
            // The end of the peer's candidates.
            return Ok(());
        }
        let leg = session.leg_of(candidate)?;
        drop(session);
        let line = text
            .trim_start_matches("a=")
            .trim_start_matches("candidate:")
            .to_owned();
        let endpoint = Arc::downgrade(self);
        self.shard.with(leg.token, move |transport, now| {
            let added = transport.peer().add_remote_candidate(now, &line);
            if let (Err(error), Some(endpoint)) = (added, endpoint.upgrade()) {
                endpoint.candidate_refused(&line, &error);
            }
        });
        Ok(())
    }

    /// Candidates that are of no use here are no errors: the peer has others.
    fn candidate_refused(&self, line: &str, error: &PeerError) {
        match error {
            PeerError::Ice(IceError::Candidate(_)) => {
                let text = format!("the ICE candidate {line:?} was refused: {error}");
                self.context.error("STREAM_ERROR_FAILED", 40401, &text);
            }
            _ => {
                tracing::debug!(endpoint = self.context.id(), line, %error, "candidate not used");
            }
        }
    }
}

fn gathered(endpoint: &Weak<Shared>, token: Token, lines: Vec<String>) {
    if let Some(endpoint) = endpoint.upgrade() {
        endpoint.announce(token, &lines);
    }
}

/// The candidate as the peer is to see it.
fn announced(mut candidate: Candidate, properties: &Properties) -> Candidate {
    let external = match candidate.address {
        CandidateAddress::Ip(IpAddr::V4(_)) => &properties.external_ipv4,
        CandidateAddress::Ip(IpAddr::V6(_)) => &properties.external_ipv6,
        _ => return candidate,
    };
    if let Ok(ip) = external.parse() {
        candidate.address = CandidateAddress::Ip(ip);
    }
    candidate
}

pub(super) fn add_described_candidates(peer: &mut Peer, transport: &NegotiatedTransport) {
    for candidate in &transport.remote_candidates {
        let line = candidate.to_string();
        let line = line.trim_start_matches("candidate:");
        if let Err(error) = peer.add_remote_candidate(Instant::now(), line) {
            tracing::debug!(line, %error, "a candidate of the description is not used");
        }
    }
}
