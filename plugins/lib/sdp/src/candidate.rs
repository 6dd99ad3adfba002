//! ICE candidates as text (RFC 8839 §5.1, TCP types of RFC 6544 §4.5).

use std::{fmt, net::IpAddr, str::FromStr};

/// Longest candidate line that is read, in bytes; browsers stay below 300.
const MAX_CANDIDATE_BYTES: usize = 2048;

/// Why a candidate line was not understood. Peers may use transports and types that do not exist
/// here, so a candidate that fails to parse is skipped rather than failing a negotiation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ICE candidate: {0}")]
pub struct CandidateError(&'static str);

const UNKNOWN_TRANSPORT: &str = "unknown transport";

impl CandidateError {
    /// What is wrong, as a phrase.
    pub fn reason(&self) -> &'static str {
        self.0
    }

    /// Whether the line may be well-formed, for a transport that does not exist here
    /// (`transport-extension` of RFC 8839 §5.1).
    pub fn is_foreign(&self) -> bool {
        self.0 == UNKNOWN_TRANSPORT
    }
}

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
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(ip));
        }
        if text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            return Err(CandidateError("not an IPv4 address"));
        }
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if text.is_empty() || text.len() > 255 || !text.bytes().all(letters) {
            return Err(CandidateError("neither an address nor a host name"));
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
            return Err(CandidateError("line too long"));
        }
        let text = text.trim_ascii();
        if text.chars().any(char::is_control) {
            return Err(CandidateError("control character in the line"));
        }
        let text = text.strip_prefix("a=").unwrap_or(text);
        let text = text.strip_prefix("candidate:").unwrap_or(text);
        let mut words = Words(text.split_ascii_whitespace());

        let foundation = words.next("foundation missing")?;
        // The grammar has letters, digits, '+' and '/'; agents in the field use more.
        if foundation.len() > 32 || foundation.contains([':', '=']) {
            return Err(CandidateError("not a foundation"));
        }
        let component = words.number("component is not a number")?;
        if !(1..=256).contains(&component) {
            return Err(CandidateError("component out of range"));
        }
        let is_tcp = is_tcp(words.next("transport missing")?)?;
        let priority = words.number("priority is not a number")?;
        let address = words.next("address missing")?.parse()?;
        let port = words.number("port is not a number")?;
        if words.next("type missing")? != "typ" {
            return Err(CandidateError("'typ' expected after the port"));
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
        candidate.read_extensions(words)?;
        if candidate.tcp_type.is_some() != is_tcp {
            return Err(CandidateError("tcptype does not fit the transport"));
        }
        Ok(candidate)
    }
}

impl Candidate {
    fn read_extensions(&mut self, mut words: Words<'_>) -> Result<(), CandidateError> {
        let mut related_address: Option<CandidateAddress> = None;
        while let Some(name) = words.0.next() {
            let value = words.next("extension without a value")?;
            match name {
                "raddr" => related_address = Some(value.parse()?),
                "rport" => {
                    let port = value
                        .parse()
                        .map_err(|_| CandidateError("rport is not a port"))?;
                    self.related = related_address.take().map(|address| (address, port));
                }
                "tcptype" => self.tcp_type = Some(tcp_type(value)?),
                name => self.extensions.push((name.to_owned(), value.to_owned())),
            }
        }
        Ok(())
    }
}

struct Words<'a>(std::str::SplitAsciiWhitespace<'a>);

impl<'a> Words<'a> {
    fn next(&mut self, missing: &'static str) -> Result<&'a str, CandidateError> {
        self.0.next().ok_or(CandidateError(missing))
    }

    fn number<T: FromStr>(&mut self, reason: &'static str) -> Result<T, CandidateError> {
        self.next(reason)?
            .parse()
            .map_err(|_| CandidateError(reason))
    }
}

fn is_tcp(text: &str) -> Result<bool, CandidateError> {
    if text.eq_ignore_ascii_case("udp") {
        Ok(false)
    } else if text.eq_ignore_ascii_case("tcp") {
        Ok(true)
    } else {
        Err(CandidateError(UNKNOWN_TRANSPORT))
    }
}

fn kind(text: &str) -> Result<CandidateKind, CandidateError> {
    match text {
        "host" => Ok(CandidateKind::Host),
        "srflx" => Ok(CandidateKind::ServerReflexive),
        "prflx" => Ok(CandidateKind::PeerReflexive),
        "relay" => Ok(CandidateKind::Relayed),
        _ => Err(CandidateError("unknown type")),
    }
}

fn tcp_type(text: &str) -> Result<TcpType, CandidateError> {
    match text {
        "active" => Ok(TcpType::Active),
        "passive" => Ok(TcpType::Passive),
        "so" => Ok(TcpType::SimultaneousOpen),
        _ => Err(CandidateError("unknown tcptype")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Candidate {
        text.parse().unwrap()
    }

    #[test]
    fn control_characters_are_refused_but_for_line_ends() {
        let line = "candidate:1 1 UDP 1 192.0.2.1 9 typ host network-id 1";
        assert!(format!("{line}\r\n").parse::<Candidate>().is_ok());
        for character in ['\u{b}', '\0', '\u{c}', '\u{85}'] {
            assert!(
                format!("{line} a {character}")
                    .parse::<Candidate>()
                    .is_err()
            );
        }
    }

    #[test]
    fn chromium_host_with_mdns_name() {
        let candidate = parse(
            "candidate:1467250027 1 udp 2122260223 4c0f5d5e-1c49-4a3a-9d02-f8e0d1b6a1a5.local 46243 \
             typ host generation 0 ufrag pVNc network-id 1 network-cost 10",
        );
        assert!(candidate.address.is_mdns());
        assert_eq!(candidate.ufrag(), Some("pVNc"));
        assert_eq!(candidate.extension("generation"), Some("0"));
        assert_eq!(candidate.tcp_type, None);
    }

    #[test]
    fn reflexive_with_related_address() {
        let text = "candidate:842163049 1 UDP 1677729535 203.0.113.7 60001 typ srflx \
                    raddr 10.0.0.5 rport 46243 generation 0";
        let candidate = parse(text);
        assert_eq!(candidate.kind, CandidateKind::ServerReflexive);
        assert_eq!(
            candidate.related,
            Some((CandidateAddress::Ip("10.0.0.5".parse().unwrap()), 46243))
        );
        assert_eq!(candidate.to_string(), text);
    }

    #[test]
    fn tcp_types() {
        let text = "candidate:3 1 TCP 1010827519 fd00::2 60309 typ host tcptype passive";
        assert_eq!(parse(text).tcp_type, Some(TcpType::Passive));
        assert_eq!(parse(text).to_string(), text);
    }

    #[test]
    fn attribute_prefixes_are_optional() {
        let text = "1 1 udp 1 192.0.2.1 5000 typ host";
        let candidate = parse(text);
        assert_eq!(candidate, parse(&format!("a=candidate:{text}\r\n")));
        assert_eq!(candidate, parse(&format!("candidate:{text}")));
    }

    #[test]
    fn only_another_transport_is_foreign() {
        let error = |text: &str| text.parse::<Candidate>().unwrap_err();
        assert!(error("candidate:1 1 ssltcp 1 192.0.2.1 443 typ host").is_foreign());
        let malformed = error("candidate:1 1 udp 1 192.0.2.1 5000 typ moon");
        assert!(!malformed.is_foreign());
        assert_eq!(malformed.reason(), "unknown type");
    }

    #[test]
    fn malformed_candidates_are_errors() {
        for text in [
            "",
            "candidate:",
            "garbage",
            "candidate:1 0 udp 1 192.0.2.1 5000 typ host",
            "candidate:1 1 sctp 1 192.0.2.1 5000 typ host",
            "candidate:1 1 udp x 192.0.2.1 5000 typ host",
            "candidate:1 1 udp 1 192.0.2.1 70000 typ host",
            "candidate:1 1 udp 1 192.0.2.1 5000 host",
            "candidate:1 1 udp 1 192.0.2.1 5000 typ moon",
            "candidate:1 1 udp 1 a/b 5000 typ host",
            "candidate:1 1 udp 1 192.0.2.300 5000 typ host",
            "candidate:1 1 udp 1 192.0.2 5000 typ host",
            "candidate:1 1 udp 1 2001:db8::1::2 5000 typ host",
            "candidate:1 1 tcp 1 192.0.2.1 5000 typ host",
            "candidate:1 1 udp 1 192.0.2.1 5000 typ host tcptype active",
            "candidate:1 1 udp 1 192.0.2.1 5000 typ host generation",
        ] {
            assert!(text.parse::<Candidate>().is_err(), "{text}");
        }
    }
}
