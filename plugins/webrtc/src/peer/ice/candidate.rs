//! Local candidates.

use std::net::{IpAddr, SocketAddr};

use rtc_ice::candidate::candidate_host::CandidateHostConfig;
use rtc_ice::candidate::candidate_relay::CandidateRelayConfig;
use rtc_ice::candidate::candidate_server_reflexive::CandidateServerReflexiveConfig;
use rtc_ice::candidate::{Candidate, CandidateConfig};
use rtc_ice::tcp_type::TcpType;

use super::IceError;
use crate::peer::event::{ACTIVE_PORT, Carrier};

/// The component of a transport that carries RTP and RTCP together. RFC 5761 §5.1.1.
pub(super) const COMPONENT: u16 = 1;
/// Type preferences of RFC 8445 §5.1.2.2.
const HOST_PREFERENCE: u32 = 126;
const PEER_REFLEXIVE_PREFERENCE: u32 = 110;
const SERVER_REFLEXIVE_PREFERENCE: u32 = 100;
/// TCP comes after whatever UDP can do without a relay (RFC 6544 §4.2).
const TCP_PREFERENCE: u32 = 90;
/// Direction preferences of RFC 6544 §4.2.
const TCP_ACTIVE: u32 = 6;
const TCP_PASSIVE: u32 = 4;

/// An address under which the peer may reach us, or from which we reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalCandidate {
    /// The address of one of our UDP sockets, never the unspecified one.
    Host {
        /// The socket's address.
        address: SocketAddr,
        /// The address that peers are told instead, where they see another one.
        external: Option<IpAddr>,
    },
    /// The address of a UDP socket that this transport has for itself. The peer is not told: it
    /// meets it in our checks.
    Own(SocketAddr),
    /// The address of a socket that accepts TCP connections.
    TcpPassive {
        /// The socket's address.
        address: SocketAddr,
        /// The address that peers are told instead.
        external: Option<IpAddr>,
    },
    /// An address from which we open TCP connections.
    TcpActive(IpAddr),
    /// What a STUN server saw of one of our UDP sockets.
    ServerReflexive {
        /// The mapped address.
        address: SocketAddr,
        /// The socket's address.
        base: SocketAddr,
    },
    /// An allocation on a TURN server.
    Relayed {
        /// The server's number.
        server: u8,
        /// The relayed address.
        address: SocketAddr,
        /// The address that the TURN server saw.
        mapped: SocketAddr,
        /// Allocations reached by faster transports come first; 0–2.
        preference: u8,
    },
}

/// A candidate that was told to the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Announced {
    /// The value of its `candidate` attribute.
    pub(super) line: String,
    /// The address in it.
    address: SocketAddr,
    /// Where its datagrams leave from, as in a path.
    base: SocketAddr,
    pub(super) carrier: Carrier,
}

impl Announced {
    /// What carries the datagrams that leave from `base`; nothing if it is another's.
    pub(super) fn carrier_from(&self, base: SocketAddr) -> Option<Carrier> {
        let is_udp = self.carrier != Carrier::Tcp;
        (is_udp && self.base == base).then_some(self.carrier)
    }

    /// The address of one of the sockets that transports share.
    pub(super) fn shared_socket(&self) -> Option<SocketAddr> {
        (self.carrier == Carrier::Udp).then_some(self.base)
    }
}

impl LocalCandidate {
    /// A host candidate whose address is told as it is.
    #[must_use]
    #[allow(dead_code, reason = "for the load generator and tests")]
    pub const fn host(address: SocketAddr) -> Self {
        let external = None;
        Self::Host { address, external }
    }

    /// What the peer is told. `position` orders candidates of one type: earlier ones are
    /// preferred.
    pub(super) fn announce(self, position: usize) -> Result<Announced, IceError> {
        let external = |address: SocketAddr, external: Option<IpAddr>| {
            let ip = external.unwrap_or(address.ip());
            SocketAddr::new(ip, address.port())
        };
        let (address, base, carrier) = match self {
            Self::Host {
                address,
                external: ip,
            } => (external(address, ip), address, Carrier::Udp),
            Self::Own(address) => (address, address, Carrier::OwnUdp),
            Self::TcpPassive {
                address,
                external: ip,
            } => (external(address, ip), address, Carrier::Tcp),
            Self::TcpActive(ip) => {
                let address = SocketAddr::new(ip, ACTIVE_PORT);
                (address, address, Carrier::Tcp)
            }
            Self::ServerReflexive { address, base } => (address, base, Carrier::Udp),
            Self::Relayed {
                server, address, ..
            } => (address, address, Carrier::Relay(server)),
        };
        let line = self.build(position, address, true)?.marshal();
        Ok(Announced {
            line,
            address,
            base,
            carrier,
        })
    }

    /// The candidate as the agent has to know it; `None` for one that is another's base seen from
    /// outside, whose checks are the base's (RFC 8445 §6.1.2.4).
    pub(super) fn for_agent(self, position: usize) -> Result<Option<Candidate>, IceError> {
        let address = match self {
            Self::Host { address, .. }
            | Self::Own(address)
            | Self::TcpPassive { address, .. }
            | Self::Relayed { address, .. } => address,
            Self::TcpActive(ip) => SocketAddr::new(ip, ACTIVE_PORT),
            Self::ServerReflexive { .. } => return Ok(None),
        };
        self.build(position, address, false).map(Some)
    }

    /// `related`: whether to name the related address. The agent would take what arrives there
    /// for the relay's.
    fn build(
        self,
        position: usize,
        address: SocketAddr,
        related: bool,
    ) -> Result<Candidate, IceError> {
        let base_config = |network: &str, priority| CandidateConfig {
            network: network.to_owned(),
            address: address.ip().to_string(),
            port: address.port(),
            component: COMPONENT,
            priority,
            ..CandidateConfig::default()
        };
        let tcp = |tcp_type, direction| CandidateHostConfig {
            base_config: base_config("tcp", tcp_priority(direction, position)),
            tcp_type,
        };
        let candidate = match self {
            Self::Host { .. } | Self::Own(_) => CandidateHostConfig {
                base_config: base_config("udp", priority(HOST_PREFERENCE, position)),
                ..CandidateHostConfig::default()
            }
            .new_candidate_host(),
            Self::TcpPassive { .. } => tcp(TcpType::Passive, TCP_PASSIVE).new_candidate_host(),
            Self::TcpActive(_) => tcp(TcpType::Active, TCP_ACTIVE).new_candidate_host(),
            Self::ServerReflexive { base, .. } => CandidateServerReflexiveConfig {
                base_config: base_config("udp", priority(SERVER_REFLEXIVE_PREFERENCE, position)),
                rel_addr: base.ip().to_string(),
                rel_port: base.port(),
                url: None,
            }
            .new_candidate_server_reflexive(),
            Self::Relayed {
                mapped, preference, ..
            } => CandidateRelayConfig {
                base_config: base_config("udp", priority(preference.into(), position)),
                rel_addr: if related {
                    mapped.ip().to_string()
                } else {
                    String::new()
                },
                rel_port: if related { mapped.port() } else { 0 },
                url: None,
            }
            .new_candidate_relay(),
        };
        candidate.map_err(|error| IceError::Candidate(error.to_string()))
    }
}

/// Which of our candidates a path belongs to: the one that the peer sees (RFC 8445 §7.2.5.3.1),
/// if it has told us what it sees, else the one whose socket it is.
pub(super) fn local_of(
    announced: &[Announced],
    base: SocketAddr,
    carrier: Carrier,
    mapped: Option<SocketAddr>,
) -> Option<String> {
    let of_base = |candidate: &&Announced| candidate.carrier == carrier && candidate.base == base;
    let own = announced.iter().find(of_base)?;
    let is_socket = matches!(carrier, Carrier::Udp | Carrier::OwnUdp);
    let Some(mapped) = mapped.filter(|mapped| is_socket && *mapped != base) else {
        return Some(own.line.clone());
    };
    let seen = announced
        .iter()
        .filter(of_base)
        .find(|candidate| candidate.address == mapped);
    Some(seen.map_or_else(
        || peer_reflexive(mapped, base),
        |candidate| candidate.line.clone(),
    ))
}

fn peer_reflexive(address: SocketAddr, base: SocketAddr) -> String {
    let priority = priority(PEER_REFLEXIVE_PREFERENCE, 0);
    let (ip, port) = (address.ip(), address.port());
    let (related, related_port) = (base.ip(), base.port());
    format!(
        "prflx {COMPONENT} udp {priority} {ip} {port} typ prflx raddr {related} rport {related_port}"
    )
}

/// The priority that the peer is to give the address it sees us at.
pub(super) fn check_priority() -> u32 {
    priority(PEER_REFLEXIVE_PREFERENCE, 0)
}

/// RFC 8445 §5.1.2.1; candidates of one type must differ in their local preference.
fn priority(type_preference: u32, position: usize) -> u32 {
    let local_preference = 65_535 - u32::try_from(position).unwrap_or(u32::MAX).min(65_535);
    (type_preference << 24) + (local_preference << 8) + (256 - u32::from(COMPONENT))
}

/// RFC 6544 §4.2.
fn tcp_priority(direction: u32, position: usize) -> u32 {
    let other = 8191 - u32::try_from(position).unwrap_or(u32::MAX).min(8191);
    let local_preference = (direction << 13) + other;
    (TCP_PREFERENCE << 24) + (local_preference << 8) + (256 - u32::from(COMPONENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(candidate: LocalCandidate, position: usize) -> String {
        candidate.announce(position).unwrap().line
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn lines_are_those_of_rfc_8839() {
        let base = address("192.0.2.1:4000");
        let host = line(LocalCandidate::host(base), 0);
        let (_, rest) = host.split_once(' ').unwrap();
        assert_eq!(rest, "1 udp 2130706431 192.0.2.1 4000 typ host");

        let mapped = LocalCandidate::ServerReflexive {
            address: address("198.51.100.7:5000"),
            base,
        };
        assert!(line(mapped, 1).ends_with("typ srflx raddr 192.0.2.1 rport 4000"));
        let relayed = LocalCandidate::Relayed {
            server: 0,
            address: address("203.0.113.1:6000"),
            mapped: address("198.51.100.7:5000"),
            preference: 2,
        };
        assert!(line(relayed, 1).ends_with("typ relay raddr 198.51.100.7 rport 5000"));
        let passive = LocalCandidate::TcpPassive {
            address: base,
            external: None,
        };
        assert!(line(passive, 0).ends_with("192.0.2.1 4000 typ host tcptype passive"));
        let active = LocalCandidate::TcpActive(base.ip());
        assert!(line(active, 0).ends_with("192.0.2.1 9 typ host tcptype active"));
    }

    #[test]
    fn an_external_address_is_told_but_not_used() {
        let candidate = LocalCandidate::Host {
            address: address("10.0.0.1:4000"),
            external: Some("203.0.113.5".parse().unwrap()),
        };
        assert!(line(candidate, 0).contains(" 203.0.113.5 4000 typ host"));
        let agent = candidate.for_agent(0).unwrap().unwrap();
        assert_eq!(agent.addr(), address("10.0.0.1:4000"));
    }

    #[test]
    fn earlier_and_more_direct_candidates_are_preferred() {
        assert!(priority(HOST_PREFERENCE, 0) > priority(HOST_PREFERENCE, 1));
        assert!(priority(HOST_PREFERENCE, 9) > priority(SERVER_REFLEXIVE_PREFERENCE, 0));
        assert!(priority(SERVER_REFLEXIVE_PREFERENCE, 9) > tcp_priority(TCP_ACTIVE, 0));
        assert!(tcp_priority(TCP_PASSIVE, 9) > priority(2, 0));
        assert!(priority(0, usize::MAX) > 0);
    }

    #[test]
    fn a_path_is_reported_by_what_the_peer_sees() {
        let base = address("10.0.0.1:4000");
        let mapped = address("203.0.113.5:7000");
        let announced: Vec<Announced> = [
            LocalCandidate::host(base),
            LocalCandidate::ServerReflexive {
                address: mapped,
                base,
            },
        ]
        .into_iter()
        .map(|candidate| candidate.announce(0).unwrap())
        .collect();
        let of = |seen: Option<&str>| {
            let seen = seen.map(address);
            local_of(&announced, base, Carrier::Udp, seen).unwrap()
        };
        assert!(of(None).ends_with("typ host"));
        assert!(of(Some("10.0.0.1:4000")).ends_with("typ host"));
        assert!(of(Some("203.0.113.5:7000")).contains("typ srflx"));
        assert!(of(Some("203.0.113.5:7001")).contains("203.0.113.5 7001 typ prflx raddr 10.0.0.1"));
        assert_eq!(local_of(&announced, mapped, Carrier::Udp, None), None);
    }
}
