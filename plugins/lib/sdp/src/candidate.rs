//! ICE candidates as text (RFC 8839 §5.1, TCP types of RFC 6544 §4.5).

use std::{fmt, net::IpAddr, str::FromStr};

use crate::text::words;

/// Longest candidate line that is read, in bytes; browsers stay below 300.
const MAX_CANDIDATE_BYTES: usize = 2048;

/// Why a line gives no candidate. Peers may use transports and types that do not exist here, so
/// such a line is skipped rather than failing a negotiation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ICE candidate: {reason}")]
pub struct CandidateError {
    reason: &'static str,
    foreign: bool,
}

impl CandidateError {
    const fn malformed(reason: &'static str) -> Self {
        let foreign = false;
        Self { reason, foreign }
    }

    const fn foreign(reason: &'static str) -> Self {
        let foreign = true;
        Self { reason, foreign }
    }

    /// What is wrong, as a phrase.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// Whether the line is no mistake and yet of no use here: it says that there are no (more)
    /// candidates, or it is for a transport that does not exist here (`transport-extension` of
    /// RFC 8839 §5.1) or an address that only the peer's own link has. Nobody needs to hear of it.
    pub fn is_foreign(&self) -> bool {
        self.foreign
    }
}

/// What stands for "no more candidates" (RFC 8840 §8.2 and §9), and what scripts make of an object
/// that is not there.
const NO_CANDIDATE: [&str; 7] = [
    "",
    "end-of-candidates",
    "null",
    "(null)",
    "undefined",
    "none",
    "nil",
];

/// Type of a candidate (RFC 8445 §5.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CandidateKind {
    /// An address of the machine itself.
    Host,
    /// Seen by a STUN server.
    ServerReflexive,
    /// Seen by the peer.
    PeerReflexive,
    /// Allocated on a TURN server.
    Relayed,
}

impl CandidateKind {
    /// The word after `typ`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
        }
    }
}

/// Who connects a TCP candidate (RFC 6544 §4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TcpType {
    /// Connects; its port is 9.
    Active,
    /// Accepts.
    Passive,
    /// Simultaneous open.
    SimultaneousOpen,
}

impl TcpType {
    /// The word after `tcptype`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::SimultaneousOpen => "so",
        }
    }
}

/// Where a candidate is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CandidateAddress {
    /// An address.
    Ip(IpAddr),
    /// A host name; browsers hide local addresses behind `<uuid>.local` (mDNS).
    Name(String),
}

impl CandidateAddress {
    /// Whether it has to be asked for by multicast DNS (RFC 6762).
    pub fn is_mdns(&self) -> bool {
        matches!(self, Self::Name(name) if name.to_ascii_lowercase().ends_with(".local"))
    }
}

impl fmt::Display for CandidateAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl FromStr for CandidateAddress {
    type Err = CandidateError;

    fn from_str(text: &str) -> Result<Self, CandidateError> {
        // Brackets belong to URIs (RFC 3986 §3.2.2), a zone to sockets (RFC 4007 §11).
        let text = text.strip_prefix('[').unwrap_or(text);
        let text = text.strip_suffix(']').unwrap_or(text);
        let (address, zone) = match text.split_once('%') {
            Some((address, zone)) => (address, Some(zone)),
            None => (text, None),
        };
        match address.parse() {
            // The zone counts the peer's interfaces, so it tells nothing about ours.
            Ok(IpAddr::V6(ip)) if zone.is_some() && ip.is_unicast_link_local() => {
                return Err(CandidateError::foreign("an address of one link"));
            }
            Ok(ip) => return Ok(Self::Ip(ip)),
            Err(_) => {}
        }
        if text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            return Err(CandidateError::malformed("not an IPv4 address"));
        }
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if text.is_empty() || text.len() > 255 || !text.bytes().all(letters) {
            return Err(CandidateError::malformed(
                "neither an address nor a host name",
            ));
        }
        Ok(Self::Name(text.to_owned()))
    }
}

/// An ICE candidate. UDP unless it has a TCP type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// 1–32 characters; equal for candidates that fare alike.
    pub foundation: String,
    /// 1 = RTP (and RTCP when multiplexed), 2 = RTCP; 1–256.
    pub component: u16,
    /// `None` for UDP.
    pub tcp_type: Option<TcpType>,
    /// 1–2³¹−1.
    pub priority: u32,
    /// Where it is reached.
    pub address: CandidateAddress,
    /// Port; 9 for active TCP candidates.
    pub port: u16,
    /// Type.
    pub kind: CandidateKind,
    /// `raddr` and `rport`: the base of a reflexive or the mapped address of a relayed candidate.
    pub related: Option<(CandidateAddress, u16)>,
    /// Further name and value pairs in their order: `generation`, `ufrag`, `network-id` …
    pub extensions: Vec<(String, String)>,
}

impl Candidate {
    /// A UDP host candidate.
    pub fn host_udp(foundation: impl Into<String>, priority: u32, ip: IpAddr, port: u16) -> Self {
        Self {
            foundation: foundation.into(),
            component: 1,
            tcp_type: None,
            priority,
            address: CandidateAddress::Ip(ip),
            port,
            kind: CandidateKind::Host,
            related: None,
            extensions: Vec::new(),
        }
    }

    /// The value of an extension attribute.
    pub fn extension(&self, name: &str) -> Option<&str> {
        self.extensions
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The ICE user fragment it belongs to, which tells candidates of an ICE restart apart.
    pub fn ufrag(&self) -> Option<&str> {
        self.extension("ufrag")
    }
}

impl fmt::Display for Candidate {
    /// `candidate:…`, the value of `a=` and of an IceCandidate's `candidate` field.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = if self.tcp_type.is_some() {
            "TCP"
        } else {
            "UDP"
        };
        write!(
            f,
            "candidate:{} {} {transport} {} {} {} typ {}",
            self.foundation,
            self.component,
            self.priority,
            self.address,
            self.port,
            self.kind.as_str()
        )?;
        if let Some((address, port)) = &self.related {
            write!(f, " raddr {address} rport {port}")?;
        }
        if let Some(tcp_type) = self.tcp_type {
            write!(f, " tcptype {}", tcp_type.as_str())?;
        }
        self.extensions
            .iter()
            .try_for_each(|(name, value)| write!(f, " {name} {value}"))
    }
}

impl FromStr for Candidate {
    type Err = CandidateError;

    /// Reads `candidate:…`, with or without `a=` in front; browsers hand out the former, some
    /// clients forward the latter.
    fn from_str(text: &str) -> Result<Self, CandidateError> {
        if text.len() > MAX_CANDIDATE_BYTES {
            return Err(CandidateError::malformed("line too long"));
        }
        let text = text.trim_ascii();
        if text.chars().any(|c| c.is_control() && c != '\t') {
            return Err(CandidateError::malformed("control character in the line"));
        }
        let text = without_prefix(text, "a=");
        let text = without_prefix(text, "candidate:").trim_ascii();
        if NO_CANDIDATE
            .iter()
            .any(|none| text.eq_ignore_ascii_case(none))
        {
            return Err(CandidateError::foreign("no candidate"));
        }
        let mut words = Words(words(text).collect::<Vec<_>>().into_iter());

        let foundation = words.next("foundation missing")?;
        // The grammar has letters, digits, '+' and '/'; agents in the field use more.
        if foundation.len() > 32 || foundation.contains([':', '=']) {
            return Err(CandidateError::malformed("not a foundation"));
        }
        let component = words.number("component is not a number")?;
        if !(1..=256).contains(&component) {
            return Err(CandidateError::malformed("component out of range"));
        }
        let is_tcp = is_tcp(words.next("transport missing")?)?;
        let priority = words.number("priority is not a number")?;
        let address = words.next("address missing")?.parse()?;
        let port = words.number("port is not a number")?;
        if !words.next("type missing")?.eq_ignore_ascii_case("typ") {
            return Err(CandidateError::malformed("'typ' expected after the port"));
        }
        let kind = kind(words.next("type missing")?)?;
        let mut candidate = Self {
            foundation: foundation.to_owned(),
            component,
            tcp_type: None,
            priority,
            address,
            port,
            kind,
            related: None,
            extensions: Vec::new(),
        };
        let tcp_type = candidate.read_extensions(words)?;
        if is_tcp {
            // RFC 6544 §4.5 requires it. Without it nobody knows who connects; what old stacks
            // meant by such a line is no longer spoken.
            let known = tcp_type.and_then(tcp_type_of);
            candidate.tcp_type =
                Some(known.ok_or(CandidateError::foreign("TCP of an unknown tcptype"))?);
        } else if port == 0 {
            return Err(CandidateError::foreign("no port to send to"));
        }
        Ok(candidate)
    }
}

impl Candidate {
    /// Reads name and value pairs; gives the value of `tcptype`. A related address is not needed
    /// (it is for diagnostics, RFC 8445 §5.1.1.5), so one that cannot be read is left out. A name
    /// that the line breaks off behind is a mistake that its sender should hear of.
    fn read_extensions<'a>(
        &mut self,
        mut words: Words<'a>,
    ) -> Result<Option<&'a str>, CandidateError> {
        let (mut address, mut port, mut tcp_type) = (None, None, None);
        while let Some(name) = words.0.next() {
            let value = words.0.next();
            match name.to_ascii_lowercase().as_str() {
                "raddr" => address = value.and_then(|value| value.parse().ok()),
                "rport" => port = value.and_then(|value| value.parse().ok()),
                "tcptype" => tcp_type = value,
                _ => {
                    let value =
                        value.ok_or(CandidateError::malformed("extension without a value"))?;
                    self.extensions.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        self.related = address.zip(port);
        Ok(tcp_type)
    }
}

/// The text without the prefix, which may be in any case.
fn without_prefix<'a>(text: &'a str, prefix: &str) -> &'a str {
    match text.split_at_checked(prefix.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(prefix) => rest,
        _ => text,
    }
}

struct Words<'a>(std::vec::IntoIter<&'a str>);

impl<'a> Words<'a> {
    fn next(&mut self, missing: &'static str) -> Result<&'a str, CandidateError> {
        self.0.next().ok_or(CandidateError::malformed(missing))
    }

    fn number<T: FromStr>(&mut self, reason: &'static str) -> Result<T, CandidateError> {
        self.next(reason)?
            .parse()
            .map_err(|_| CandidateError::malformed(reason))
    }
}

fn is_tcp(text: &str) -> Result<bool, CandidateError> {
    if text.eq_ignore_ascii_case("udp") {
        Ok(false)
    } else if text.eq_ignore_ascii_case("tcp") {
        Ok(true)
    } else {
        Err(CandidateError::foreign("unknown transport"))
    }
}

fn kind(text: &str) -> Result<CandidateKind, CandidateError> {
    match text.to_ascii_lowercase().as_str() {
        "host" => Ok(CandidateKind::Host),
        "srflx" => Ok(CandidateKind::ServerReflexive),
        "prflx" => Ok(CandidateKind::PeerReflexive),
        "relay" => Ok(CandidateKind::Relayed),
        _ => Err(CandidateError::malformed("unknown type")),
    }
}

fn tcp_type_of(text: &str) -> Option<TcpType> {
    match text.to_ascii_lowercase().as_str() {
        "active" => Some(TcpType::Active),
        "passive" => Some(TcpType::Passive),
        "so" => Some(TcpType::SimultaneousOpen),
        _ => None,
    }
}

#[cfg(test)]
#[path = "candidate_tests.rs"]
mod tests;
