//! Candidates of the peer, as lines and as the agent has them.

use std::net::SocketAddr;

use rtc_ice::candidate::candidate_host::CandidateHostConfig;
use rtc_ice::candidate::{Candidate, CandidateConfig, unmarshal_candidate};
use rtc_ice::tcp_type::TcpType;

use super::IceError;

pub(super) fn parse_remote(line: &str) -> Result<Candidate, IceError> {
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
pub(super) fn stand_in(candidate: &Candidate, address: SocketAddr) -> Result<Candidate, IceError> {
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
pub(super) fn described(candidate: &Candidate, address: SocketAddr) -> String {
    // Of an address that the peer was found at nothing else is known.
    let line = candidate.marshal().replace(" raddr  rport 0", "");
    if candidate.addr() == address {
        return line;
    }
    let known = format!(" {} {} ", candidate.address(), candidate.port());
    let real = format!(" {} {} ", address.ip(), address.port());
    line.replacen(&known, &real, 1)
}
