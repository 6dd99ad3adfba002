//! Local candidates.

use std::net::SocketAddr;

use rtc_ice::candidate::candidate_host::CandidateHostConfig;
use rtc_ice::candidate::candidate_relay::CandidateRelayConfig;
use rtc_ice::candidate::candidate_server_reflexive::CandidateServerReflexiveConfig;
use rtc_ice::candidate::{Candidate, CandidateConfig};

use super::IceError;

/// The component of a transport that carries RTP and RTCP together. RFC 5761 §5.1.1.
const COMPONENT: u16 = 1;
/// Type preferences of RFC 8445 §5.1.2.2.
const HOST_PREFERENCE: u32 = 126;
const SERVER_REFLEXIVE_PREFERENCE: u32 = 100;
const RELAYED_PREFERENCE: u32 = 0;

/// An address under which the peer may reach us, UDP only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalCandidate {
    /// The address of one of our sockets, never the unspecified one.
    Host(SocketAddr),
    /// What a STUN server saw of one of our sockets.
    #[allow(dead_code, reason = "next: gathering asks the configured STUN server")]
    ServerReflexive {
        /// The mapped address.
        address: SocketAddr,
        /// The socket's address.
        base: SocketAddr,
    },
    /// An allocation on a TURN server. Datagrams from and to it carry `address` as local address;
    /// wrapping them for the server is the caller's task.
    #[allow(
        dead_code,
        reason = "next: gathering allocates on the configured TURN server"
    )]
    Relayed {
        /// The relayed address.
        address: SocketAddr,
        /// The address that the TURN server saw.
        mapped: SocketAddr,
    },
}

impl LocalCandidate {
    /// `position` orders candidates of one type: earlier ones are preferred.
    pub(super) fn build(self, position: usize) -> Result<Candidate, IceError> {
        let candidate = match self {
            Self::Host(address) => CandidateHostConfig {
                base_config: base_config(address, HOST_PREFERENCE, position),
                ..CandidateHostConfig::default()
            }
            .new_candidate_host(),
            Self::ServerReflexive { address, base } => CandidateServerReflexiveConfig {
                base_config: base_config(address, SERVER_REFLEXIVE_PREFERENCE, position),
                rel_addr: base.ip().to_string(),
                rel_port: base.port(),
                url: None,
            }
            .new_candidate_server_reflexive(),
            Self::Relayed { address, mapped } => CandidateRelayConfig {
                base_config: base_config(address, RELAYED_PREFERENCE, position),
                rel_addr: mapped.ip().to_string(),
                rel_port: mapped.port(),
                url: None,
            }
            .new_candidate_relay(),
        };
        candidate.map_err(|error| IceError::Candidate(error.to_string()))
    }
}

fn base_config(address: SocketAddr, type_preference: u32, position: usize) -> CandidateConfig {
    CandidateConfig {
        network: "udp".to_owned(),
        address: address.ip().to_string(),
        port: address.port(),
        component: COMPONENT,
        priority: priority(type_preference, position),
        ..CandidateConfig::default()
    }
}

/// RFC 8445 §5.1.2.1; candidates of one type must differ in their local preference.
fn priority(type_preference: u32, position: usize) -> u32 {
    let local_preference = 65_535 - u32::try_from(position).unwrap_or(u32::MAX).min(65_535);
    (type_preference << 24) + (local_preference << 8) + (256 - u32::from(COMPONENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(candidate: LocalCandidate, position: usize) -> String {
        candidate.build(position).unwrap().marshal()
    }

    #[test]
    fn lines_are_those_of_rfc_8839() {
        let address: SocketAddr = "192.0.2.1:4000".parse().unwrap();
        let host = line(LocalCandidate::Host(address), 0);
        let (_, rest) = host.split_once(' ').unwrap();
        assert_eq!(rest, "1 udp 2130706431 192.0.2.1 4000 typ host");

        let mapped = line(
            LocalCandidate::ServerReflexive {
                address: "198.51.100.7:5000".parse().unwrap(),
                base: address,
            },
            1,
        );
        assert!(mapped.ends_with("typ srflx raddr 192.0.2.1 rport 4000"));
    }

    #[test]
    fn earlier_and_more_direct_candidates_are_preferred() {
        assert!(priority(HOST_PREFERENCE, 0) > priority(HOST_PREFERENCE, 1));
        assert!(priority(HOST_PREFERENCE, 9) > priority(SERVER_REFLEXIVE_PREFERENCE, 0));
        assert!(priority(RELAYED_PREFERENCE, usize::MAX) > 0);
    }
}
