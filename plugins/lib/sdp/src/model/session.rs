//! The session level of a description.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use super::{Attribute, MediaSection};
use crate::{
    Candidate,
    text::{first_word, words},
};

/// A session description (RFC 8866 §5).
///
/// Lines that mean nothing to a media server (i=, u=, e=, p=, r=, z=, k=) are read over. Keep the
/// original text where it has to be shown again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDescription {
    /// o=
    pub origin: Origin,
    /// s=, never empty.
    pub session_name: String,
    /// c= of the session, the default for sections without one.
    pub connection: Option<Connection>,
    /// b= of the session.
    pub bandwidths: Vec<Bandwidth>,
    /// t=, the first if there are several.
    pub timing: Timing,
    /// `a=group` (RFC 5888 §5).
    pub groups: Vec<Group>,
    /// `a=ice-lite` (RFC 8839 §5.3).
    pub ice_lite: bool,
    /// `a=extmap-allow-mixed`: one- and two-byte header extensions may be mixed (RFC 8285 §6).
    pub extmap_allow_mixed: bool,
    /// Everything else of the session level, in its order.
    pub attributes: Vec<Attribute>,
    /// m= sections in their order.
    pub media: Vec<MediaSection>,
}

impl SessionDescription {
    /// The position of the section with this mid.
    pub fn mline_index(&self, mid: &str) -> Option<usize> {
        self.media
            .iter()
            .position(|section| section.mid.as_deref() == Some(mid))
    }

    /// The BUNDLE groups (RFC 9143 §7).
    pub fn bundles(&self) -> impl Iterator<Item = &Group> {
        self.groups
            .iter()
            .filter(|group| group.semantics.eq_ignore_ascii_case("BUNDLE"))
    }

    /// Whether the writer's ICE agent is a lite one: it answers checks and makes none. Some write
    /// it into a section, where RFC 8839 §5.3 does not have it.
    pub fn is_ice_lite(&self) -> bool {
        let mut attributes = self.media.iter().flat_map(|section| &section.attributes);
        self.ice_lite || attributes.any(|attribute| attribute.is("ice-lite"))
    }

    /// `a=candidate` values that could not be read.
    pub fn unread_candidates(&self) -> impl Iterator<Item = &str> {
        let sections = self.media.iter().flat_map(|section| &section.attributes);
        let attributes = sections.chain(&self.attributes);
        let unread = attributes.filter(|attribute| attribute.is("candidate"));
        unread.map(|attribute| attribute.value.as_deref().unwrap_or_default())
    }

    /// Adds a gathered candidate to the given sections.
    pub fn add_candidate(&mut self, mline_indexes: &[usize], candidate: &Candidate) {
        for section in self.sections_mut(mline_indexes) {
            section.candidates.push(candidate.clone());
        }
    }

    /// Enters the default candidate of the given sections, see
    /// [`MediaSection::set_default_candidate`].
    pub fn set_default_candidate(&mut self, mline_indexes: &[usize], address: SocketAddr) {
        for section in self.sections_mut(mline_indexes) {
            section.set_default_candidate(address);
        }
    }

    fn sections_mut(&mut self, mline_indexes: &[usize]) -> impl Iterator<Item = &mut MediaSection> {
        self.media
            .iter_mut()
            .enumerate()
            .filter(|(index, _)| mline_indexes.contains(index))
            .map(|(_, section)| section)
    }

    /// Where the section's media goes by default: its own c= or the session's.
    pub fn connection_of<'a>(&'a self, section: &'a MediaSection) -> Option<&'a Connection> {
        section.connection.as_ref().or(self.connection.as_ref())
    }
}

/// o= (RFC 8866 §5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// User's login, `-` when there is none.
    pub username: String,
    /// Identifies the session together with the other fields. A decimal number in our own
    /// descriptions; a peer's is kept as written, since it only has to be equal or not.
    pub session_id: String,
    /// Grows with every new description of the session; as `session_id` for its form.
    pub session_version: String,
    /// Address of the machine that made the description.
    pub address: Connection,
}

impl Default for Origin {
    /// Of a description that says nothing of it.
    fn default() -> Self {
        Self {
            username: "-".to_owned(),
            session_id: "0".to_owned(),
            session_version: "0".to_owned(),
            address: Connection::unspecified(),
        }
    }
}

impl Origin {
    /// Whether both are of one session, whatever their versions. RFC 8866 §5.2 counts the address in,
    /// which gateways rewrite.
    pub fn is_same_session(&self, other: &Self) -> bool {
        self.username == other.username && self.session_id == other.session_id
    }

    /// What can be read of an o= line, which is never an error: nothing depends on it. Numbers
    /// beyond 64 bits, in hexadecimal and below 0 occur, as do user names of several words and
    /// lines that end early.
    pub(crate) fn read(value: &str) -> Self {
        let mut origin = Self::default();
        let mut fields: Vec<&str> = words(value).collect();
        // From the right, since only the user name can have blanks.
        if let Some(network) = fields
            .iter()
            .rposition(|word| word.eq_ignore_ascii_case("IN"))
        {
            let address = fields.split_off(network).join(" ");
            origin.address = address.parse().unwrap_or(origin.address);
        }
        let (username, numbers) = match fields.as_slice() {
            [username @ .., id, version] if !username.is_empty() => {
                (username, [Some(id), Some(version)])
            }
            [username, id] => (std::slice::from_ref(username), [Some(id), None]),
            username => (username, [None, None]),
        };
        if !username.is_empty() {
            origin.username = username.join(" ");
        }
        let [id, version] = numbers;
        if let Some(id) = id {
            origin.session_id = (*id).to_owned();
        }
        if let Some(version) = version {
            origin.session_version = (*version).to_owned();
        }
        origin
    }
}

/// Kind of address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressFamily {
    /// `IP4`
    Ip4,
    /// `IP6`
    Ip6,
}

/// Network type, address type and address of o=, c= and `a=rtcp` (RFC 8866 §5.7). The network is
/// always `IN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Address type.
    pub family: AddressFamily,
    /// An address or a host name, with `/ttl` or `/count` where it is multicast.
    pub address: String,
}

impl Connection {
    /// `IN IP4 0.0.0.0`: not known yet.
    pub fn unspecified() -> Self {
        Self {
            family: AddressFamily::Ip4,
            address: "0.0.0.0".to_owned(),
        }
    }

    /// The address as a number; `None` for host names and multicast with a TTL.
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.parse().ok()
    }
}

impl From<IpAddr> for Connection {
    fn from(address: IpAddr) -> Self {
        Self {
            family: match address {
                IpAddr::V4(_) => AddressFamily::Ip4,
                IpAddr::V6(_) => AddressFamily::Ip6,
            },
            address: address.to_string(),
        }
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            AddressFamily::Ip4 => "IP4",
            AddressFamily::Ip6 => "IP6",
        };
        write!(f, "IN {family} {}", self.address)
    }
}

impl FromStr for Connection {
    type Err = &'static str;

    /// Ignores case, and text after the address.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut fields = words(text);
        let mut field = || fields.next().unwrap_or_default();
        let (network, family, address) = (field(), field(), field());
        if !network.eq_ignore_ascii_case("IN") {
            return Err("the network type is not IN");
        }
        let family = match family.to_ascii_uppercase().as_str() {
            "IP4" => AddressFamily::Ip4,
            "IP6" => AddressFamily::Ip6,
            _ => return Err("the address type is neither IP4 nor IP6"),
        };
        if address.is_empty() {
            return Err("the address is missing");
        }
        Ok(Self {
            family,
            address: address.to_owned(),
        })
    }
}

/// t= (RFC 8866 §5.9), seconds of the NTP era; 0 0 is a permanent session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timing {
    /// Start, 0 = unbounded.
    pub start: u64,
    /// End, 0 = unbounded.
    pub stop: u64,
}

impl FromStr for Timing {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut numbers = words(text).map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(start)), Some(Ok(stop))) => Ok(Self { start, stop }),
            _ => Err("t= needs two numbers"),
        }
    }
}

/// What a b= line limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BandwidthKind {
    /// `AS`: kbit/s of the section, IP and UDP headers included (RFC 8866 §5.8).
    ApplicationSpecific,
    /// `TIAS`: bit/s without transport headers (RFC 3890).
    TransportIndependent,
    /// `CT`, `RS`, `RR` and others, verbatim.
    Other(String),
}

/// b= (RFC 8866 §5.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bandwidth {
    /// What is limited, and thereby the unit.
    pub kind: BandwidthKind,
    /// The limit in the unit of the kind.
    pub value: u64,
}

impl Bandwidth {
    /// `b=AS:<kbps>`
    pub fn application_specific(kbps: u64) -> Self {
        Self {
            kind: BandwidthKind::ApplicationSpecific,
            value: kbps,
        }
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            BandwidthKind::ApplicationSpecific => "AS",
            BandwidthKind::TransportIndependent => "TIAS",
            BandwidthKind::Other(kind) => kind,
        };
        write!(f, "{kind}:{}", self.value)
    }
}

impl FromStr for Bandwidth {
    type Err = &'static str;

    /// A fraction is cut off: the grammar has whole numbers, 64.5 kbit/s are written all the same.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, value) = text
            .split_once(':')
            .map(|(kind, value)| (kind.trim(), value.trim()))
            .filter(|(kind, _)| !kind.is_empty())
            .ok_or("bandwidth is not <type>:<value>")?;
        let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
        let value = whole
            .parse()
            .ok()
            .filter(|_| fraction.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or("the bandwidth is not a number")?;
        let kind = match kind.to_ascii_uppercase().as_str() {
            "AS" => BandwidthKind::ApplicationSpecific,
            "TIAS" => BandwidthKind::TransportIndependent,
            _ => BandwidthKind::Other(kind.to_owned()),
        };
        Ok(Self { kind, value })
    }
}

/// `a=group:<semantics> [<mid> …]` (RFC 5888 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `BUNDLE`, `LS` …
    pub semantics: String,
    /// Sections by their mid, possibly none.
    pub mids: Vec<String>,
}

/// `a=rtcp:<port> [IN <type> <address>]` (RFC 3605 §2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtcpAddress {
    /// Port, 9 while it is not known.
    pub port: u16,
    /// Address when it differs from c=.
    pub connection: Option<Connection>,
}

impl fmt::Display for RtcpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.port)?;
        match &self.connection {
            Some(connection) => write!(f, " {connection}"),
            None => Ok(()),
        }
    }
}

impl FromStr for RtcpAddress {
    type Err = &'static str;

    /// An address that cannot be read is left out: then it is that of c=.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (port, connection) = first_word(text);
        Ok(Self {
            port: port.parse().map_err(|_| "the RTCP port is not a number")?,
            connection: connection.parse().ok(),
        })
    }
}
