//! Candidates: ours are gathered and announced, the peer's handed on.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use rivero_plugin_api::Result;
use rivero_sdp::{Candidate, CandidateAddress, NegotiatedTransport, SessionDescription};

use super::{Shared, properties::Properties, servers::Servers, session::Leg};
use crate::{
    api::{IceCandidate, IceComponentState, WebRtcEndpointEvents},
    interfaces,
    peer::{GatherConfig, IceError, Peer, PeerError},
    resolve,
    shard::{Shard, Token},
};

impl Shared {
    /// Whether our candidates are being, or were, announced.
    pub(super) fn is_gathering(&self) -> bool {
        self.gathering.load(Relaxed)
    }

    /// Gathers candidates once for each transport. Before a negotiation nothing happens, as in
    /// Kurento.
    pub(super) fn gather(self: &Arc<Self>) {
        let session = self.session();
        let (has_legs, negotiated) = (
            !session.legs.is_empty(),
            session.exchange.negotiated.is_some(),
        );
        drop(session);
        if has_legs {
            self.gathering.store(true, Relaxed);
            self.gather_legs();
        } else if negotiated && !self.gathering.swap(true, Relaxed) {
            // All sections were rejected, so there is nothing to gather for. Applications wait for
            // the end of it all the same before they send their answer.
            self.context.ice_gathering_done();
        }
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
        if tokens.is_empty() {
            return;
        }
        for token in &tokens {
            self.tell_ice_state(*token, IceComponentState::Gathering);
        }
        let properties = self.properties().clone();
        let config = self.own_addresses(&properties);
        let servers = Servers::of(&properties).unwrap_or_else(|error| {
            self.server_trouble(&error.to_string());
            Servers::default()
        });
        let endpoint = Arc::downgrade(self);
        servers.resolve(config, move |config, troubles| {
            let Some(endpoint) = endpoint.upgrade() else {
                return;
            };
            for trouble in &troubles {
                endpoint.server_trouble(trouble);
            }
            let config = Arc::new(config);
            for token in tokens {
                let config = config.clone();
                endpoint.shard.with(token, move |transport, now| {
                    transport.gather(now, &config);
                });
            }
        });
    }

    /// Where candidates come from that need no server.
    fn own_addresses(&self, properties: &Properties) -> GatherConfig {
        let addresses = interfaces::host_addresses(&properties.interfaces());
        let of_shard = |address: fn(&Shard, IpAddr) -> Option<SocketAddr>| {
            let found = addresses.iter().filter_map(|ip| address(&self.shard, *ip));
            found.collect::<Vec<_>>()
        };
        let tcp = properties.ice_tcp;
        let passive = tcp.then(|| of_shard(Shard::passive_address));
        let active = tcp.then(|| addresses.clone());
        GatherConfig {
            hosts: of_shard(Shard::address),
            passive: passive.unwrap_or_default(),
            active: active.unwrap_or_default(),
            external_v4: properties.external_ipv4.parse().ok(),
            external_v6: properties.external_ipv6.parse().ok(),
            ..GatherConfig::default()
        }
    }

    /// Says that a STUN or TURN server is of no use.
    pub(super) fn server_trouble(&self, text: &str) {
        self.context.error("RESOURCE_ERROR_OPEN", 40400, text);
    }

    /// Announces a candidate of a transport, once for each of its sections.
    pub(super) fn announce(&self, token: Token, line: &str) {
        let Ok(candidate) = line.parse::<Candidate>() else {
            return;
        };
        let mut session = self.session();
        let Some(leg) = session.leg(token) else {
            return;
        };
        leg.candidates.push(candidate.clone());
        let leg = leg.clone();
        let indexes: Vec<usize> = leg.sections.iter().map(|section| section.index).collect();
        if let Some(local) = &mut session.exchange.local {
            local.add_candidate(&indexes, &candidate);
        }
        drop(session);
        for section in &leg.sections {
            self.context.ice_candidate_found(IceCandidate {
                candidate: candidate.to_string(),
                sdp_mid: section.mid.clone(),
                sdp_m_line_index: i32::try_from(section.index).unwrap_or(0),
            });
        }
    }

    /// A transport has all its candidates.
    pub(super) fn gathered(&self, token: Token) {
        let mut session = self.session();
        if let Some(leg) = session.leg(token) {
            leg.gathered = true;
        }
        let complete = session.legs.iter().all(|leg| leg.gathered);
        drop(session);
        if complete {
            self.context.ice_gathering_done();
        }
        self.tell_connecting(token);
    }

    /// Whether all our candidates of a transport are out.
    pub(super) fn has_gathered(&self, token: Token) -> bool {
        self.session().leg(token).is_some_and(|leg| leg.gathered)
    }

    /// Tells what waited for our own candidates: for all of them, or until it is history.
    pub(super) fn tell_connecting(&self, token: Token) {
        let mut connects = false;
        self.change_leg(token, |leg| connects = std::mem::take(&mut leg.connects));
        if connects {
            self.tell_ice_state(token, IceComponentState::Connecting);
        }
    }

    pub(super) fn add_candidate(self: &Arc<Self>, candidate: &IceCandidate) -> Result<()> {
        let mut session = self.session();
        if session.exchange.negotiated.is_none() {
            const LIMIT: usize = 256;
            if session.early_candidates.len() < LIMIT {
                session.early_candidates.push(candidate.clone());
                return Ok(());
            }
            drop(session);
            self.candidate_trouble(&candidate.candidate, "too many came before the description");
            return Ok(());
        }
        let text = candidate.candidate.trim();
        if text.is_empty() {
            // The end of the peer's candidates.
            return Ok(());
        }
        let leg = session.leg_of(candidate)?;
        drop(session);
        if let Some(candidate) = self.read_candidate(text) {
            // Written by us, so that the agent gets none of the forms that are only read here.
            let line = candidate.to_string();
            let line = line.trim_start_matches("candidate:").to_owned();
            self.add_line(leg.token, line);
        }
        Ok(())
    }

    /// Reads a candidate of the peer's; tells the client if it cannot be read. One for a transport
    /// that does not exist here, or that only says that there are no more, is of no use.
    fn read_candidate(&self, text: &str) -> Option<Candidate> {
        text.parse::<Candidate>()
            .inspect_err(|error| match error.is_foreign() {
                true => {
                    tracing::debug!(endpoint = self.context.id(), text, "a candidate of no use")
                }
                false => self.candidate_trouble(text, error.reason()),
            })
            .ok()
    }

    /// Says that a candidate of the peer's is not used.
    pub(super) fn candidate_trouble(&self, candidate: &str, reason: &str) {
        const SHOWN: usize = 200;
        let shown: String = candidate.chars().take(SHOWN).collect();
        let text = format!("the ICE candidate {shown:?} was refused: {reason}");
        self.context.error("STREAM_ERROR_FAILED", 40401, &text);
    }

    /// Tells the client of the malformed candidates of a peer's description, once each.
    pub(super) fn check_described(&self, description: &SessionDescription) {
        let mut seen: Vec<&str> = Vec::new();
        for candidate in description.unread_candidates() {
            if !seen.contains(&candidate) {
                seen.push(candidate);
                let _ = self.read_candidate(candidate);
            }
        }
    }

    fn add_line(self: &Arc<Self>, token: Token, line: String) {
        let endpoint = Arc::downgrade(self);
        self.shard.with(token, move |transport, now| {
            let added = transport.peer().add_remote_candidate(now, &line);
            if let (Err(error), Some(endpoint)) = (added, endpoint.upgrade()) {
                endpoint.candidate_refused(token, &line, &error);
            }
        });
    }

    /// Candidates that are of no use here are no errors: the peer has others.
    fn candidate_refused(self: &Arc<Self>, token: Token, line: &str, error: &PeerError) {
        match error {
            PeerError::Ice(IceError::Candidate(_) | IceError::TooManyCandidates) => {
                self.candidate_trouble(line, &error.to_string());
            }
            PeerError::Ice(IceError::Unresolved(name)) => self.resolve(token, name, line),
            _ => {
                tracing::debug!(endpoint = self.context.id(), line, %error, "candidate not used");
            }
        }
    }

    /// Adds a candidate once its name is resolved (RFC 8839 §5.1, RFC 8828 for `.local`).
    fn resolve(self: &Arc<Self>, token: Token, name: &str, line: &str) {
        let (endpoint, line) = (Arc::downgrade(self), line.to_owned());
        let wanted = name.to_owned();
        let interfaces = self.properties().interfaces();
        resolve::candidate(name, interfaces, move |addresses| {
            let Some(endpoint) = endpoint.upgrade() else {
                return;
            };
            if addresses.is_empty() {
                endpoint.name_unknown(&wanted, &line);
            }
            for address in addresses {
                let line = line.replacen(&wanted, &address.to_string(), 1);
                endpoint.add_line(token, line);
            }
        });
    }

    /// A name of the peer's own network that is not known in ours is no error: the peer hides its
    /// addresses so, and is met in its checks.
    fn name_unknown(&self, name: &str, line: &str) {
        if name.to_ascii_lowercase().ends_with(".local") {
            tracing::info!(
                endpoint = self.context.id(),
                name,
                "a candidate's name is unknown"
            );
        } else {
            self.candidate_trouble(line, "its name is unknown");
        }
    }

    /// Adds the candidates of a description whose names have to be resolved first.
    pub(super) fn resolve_described(self: &Arc<Self>, token: Token, of: &NegotiatedTransport) {
        for candidate in &of.remote_candidates {
            if let CandidateAddress::Name(name) = &candidate.address {
                let line = candidate.to_string();
                let line = line.trim_start_matches("candidate:");
                self.resolve(token, name, line);
            }
        }
    }
}

/// The section of our description that a candidate is for: the one that its mid names, as browsers
/// have it (W3C WebRTC §4.4.2), else the one at its index. Both may be missing in part, since
/// platforms fill in what they like. An index beyond all sections is a mistake whatever the mid is.
pub(super) fn section_of(local: &SessionDescription, candidate: &IceCandidate) -> Option<usize> {
    let index = usize::try_from(candidate.sdp_m_line_index).ok();
    let index = index.filter(|index| *index < local.media.len())?;
    let named = local.mline_index(&candidate.sdp_mid);
    let mid = Some(&candidate.sdp_mid).filter(|mid| !mid.is_empty());
    Some(mid.and(named).unwrap_or(index))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mid_tells_the_section_before_the_index() {
        let sections = ["audio a", "video v"].map(|section| {
            let (kind, mid) = section.split_once(' ').unwrap();
            format!("m={kind} 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{mid}\r\n")
        });
        let head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
        let local = rivero_sdp::parse(&format!("{head}{}", sections.concat())).unwrap();
        for (mid, index, section) in [
            ("a", 0, Some(0)),
            ("v", 1, Some(1)),
            // What was left out or null counts as empty, and as 0.
            ("", 1, Some(1)),
            ("v", 0, Some(1)),
            ("", 0, Some(0)),
            // Neither a mid of ours: some platforms write the kind.
            ("video", 0, Some(0)),
            ("0", 1, Some(1)),
            ("a", 2, None),
            ("", 7, None),
            ("a", -1, None),
        ] {
            let candidate = IceCandidate {
                candidate: "candidate:1 1 udp 1 192.0.2.1 5000 typ host".to_owned(),
                sdp_mid: mid.to_owned(),
                sdp_m_line_index: index,
            };
            assert_eq!(section_of(&local, &candidate), section, "{mid:?} {index}");
        }
    }
}
