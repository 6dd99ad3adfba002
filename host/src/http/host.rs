//! Hosts and origins as requests name them, and the patterns of the settings that allow some.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A host in the one form in which hosts are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// An address; of IPv4 also where it was written as one of IPv6 (`::ffff:127.0.0.1`).
    Address(IpAddr),
    /// A name in lower case, without the dot that may end it.
    Name(String),
}

impl Host {
    /// An address of IPv6 in brackets, one of IPv4, or a name in ASCII; `None` if it is no host.
    #[must_use]
    pub fn parse(text: &str) -> Option<Host> {
        if let Some(inner) = text.strip_prefix('[') {
            // The zone of a link-local address means something on the client's machine only.
            let address = inner.strip_suffix(']')?.split('%').next()?;
            let address: Ipv6Addr = address.parse().ok()?;
            return Some(Host::Address(IpAddr::V6(address).to_canonical()));
        }
        // One dot only: with two there is an empty label.
        let name = text.strip_suffix('.').unwrap_or(text);
        if let Ok(address) = name.parse() {
            return Some(Host::Address(IpAddr::V4(address)));
        }
        // Underscores are in no host name (RFC 952), and in many names of containers and of
        // nginx's upstreams.
        let is_label = |label: &str| {
            let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            !label.is_empty() && label.bytes().all(is_part)
        };
        name.split('.')
            .all(is_label)
            .then(|| Host::Name(name.to_ascii_lowercase()))
    }

    /// Whether it can only be the machine of whoever asks: a loopback address, or a name that
    /// stands for one (RFC 6761 section 6.3).
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Host::Address(address) => address.is_loopback(),
            Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }

    /// Whether both are the same host. All loopback names and addresses are one.
    #[must_use]
    pub fn is_same(&self, other: &Host) -> bool {
        self == other || (self.is_loopback() && other.is_loopback())
    }
}

/// A host with a port, as in the field `Host` (RFC 9110 section 7.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The host.
    pub host: Host,
    /// `None` if it is not said, and the scheme's own.
    pub port: Option<u16>,
}

impl Authority {
    /// `host`, `host:` or `host:port`; `None` if it is none of them, or names a user.
    #[must_use]
    pub fn parse(text: &str) -> Option<Authority> {
        let end_of_host = text.find(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match text.get(end_of_host..)?.find(':') {
            Some(colon) => text.split_at_checked(end_of_host + colon)?,
            None => (text, ""),
        };
        let digits = port.strip_prefix(':').unwrap_or(port);
        let port = match digits {
            "" => None,
            // A sign would be accepted by `parse`.
            _ if !digits.bytes().all(|digit| digit.is_ascii_digit()) => return None,
            _ => Some(digits.parse().ok()?),
        };
        let host = Host::parse(host)?;
        Some(Authority { host, port })
    }
}

/// Where a page comes from, as in the field `Origin` (RFC 6454 section 7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A page from a web server. Tools that are no browsers leave the scheme out.
    Web {
        /// `http` or `https`.
        scheme: Option<String>,
        /// The web server.
        authority: Authority,
    },
    /// Anything else, in lower case: `null`, `file://`, an application or an extension.
    Other(String),
}

impl Origin {
    /// Of the value of the field; what makes no sense is [`Origin::Other`].
    #[must_use]
    pub fn parse(text: &str) -> Origin {
        let other = || Origin::Other(text.to_ascii_lowercase());
        let (scheme, authority) = match text.split_once("://") {
            Some((scheme, authority)) => (Some(scheme.to_ascii_lowercase()), authority),
            None => (None, text),
        };
        let is_web = match &scheme {
            Some(scheme) => default_port(scheme).is_some(),
            // What a sandboxed frame or a file says, and no name.
            None => !text.eq_ignore_ascii_case("null"),
        };
        match Authority::parse(authority) {
            Some(authority) if is_web => Origin::Web { scheme, authority },
            _ => other(),
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Why a setting is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// It is no host.
    #[error("no host name, address, *.domain or *")]
    Host,
    /// It is no origin either.
    #[error("no host name, address, *.domain, * or scheme://host[:port]")]
    Origin,
}

/// Which hosts a setting means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// `*`
    Any,
    /// One host.
    Exactly(Host),
    /// `*.example.com`: names below it, however far.
    Below(String),
    /// `*.example.com` in a certificate: names one label below it (RFC 9525 section 6.3).
    OneBelow(String),
}

impl HostPattern {
    /// A name in a certificate; `None` if no client can mean it.
    #[must_use]
    pub fn of_certificate(name: &str) -> Option<HostPattern> {
        match name.strip_prefix("*.") {
            Some(domain) => name_of(domain).map(HostPattern::OneBelow),
            None => Host::parse(name).map(HostPattern::Exactly),
        }
    }

    /// Whether it means `host`.
    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        let below = |domain: &str| match host {
            Host::Name(name) => name.strip_suffix(domain)?.strip_suffix('.'),
            Host::Address(_) => None,
        };
        match self {
            HostPattern::Any => true,
            HostPattern::Exactly(one) => one == host,
            HostPattern::Below(domain) => below(domain).is_some(),
            HostPattern::OneBelow(domain) => {
                below(domain).is_some_and(|label| !label.contains('.'))
            }
        }
    }
}

fn name_of(text: &str) -> Option<String> {
    match Host::parse(text)? {
        Host::Name(name) => Some(name),
        Host::Address(_) => None,
    }
}

impl FromStr for HostPattern {
    type Err = InvalidPattern;

    /// A port does not count: whoever owns a name owns all its ports.
    fn from_str(text: &str) -> Result<HostPattern, InvalidPattern> {
        let text = text.trim();
        host_pattern(text)
            .or_else(|| Authority::parse(text).map(|one| HostPattern::Exactly(one.host)))
            .ok_or(InvalidPattern::Host)
    }
}

/// Without a port.
fn host_pattern(text: &str) -> Option<HostPattern> {
    if text == "*" {
        return Some(HostPattern::Any);
    }
    if let Some(domain) = text.strip_prefix("*.") {
        return name_of(domain).map(HostPattern::Below);
    }
    // Without brackets, as addresses are written in all other settings.
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(HostPattern::Exactly(Host::Address(address.to_canonical())));
    }
    Host::parse(text).map(HostPattern::Exactly)
}

/// Which origins a setting means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginPattern {
    /// `*`: every one, `null` included.
    Any,
    /// Pages from web servers.
    Web {
        /// `None` is both.
        scheme: Option<String>,
        /// The web servers.
        host: HostPattern,
        /// `None` is every port.
        port: Option<u16>,
    },
    /// The same text, in lower case.
    Other(String),
}

impl OriginPattern {
    /// Whether it means `origin`.
    #[must_use]
    pub fn matches(&self, origin: &Origin) -> bool {
        match (self, origin) {
            (OriginPattern::Any, _) => true,
            (OriginPattern::Other(allowed), Origin::Other(text)) => allowed == text,
            (
                OriginPattern::Web { scheme, host, port },
                Origin::Web {
                    scheme: given,
                    authority,
                },
            ) => {
                let given_port = authority
                    .port
                    .or_else(|| given.as_deref().and_then(default_port));
                (scheme.is_none() || scheme == given)
                    && (port.is_none() || *port == given_port)
                    && host.matches(&authority.host)
            }
            _ => false,
        }
    }
}

impl FromStr for OriginPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<OriginPattern, InvalidPattern> {
        let text = text.trim();
        if text == "*" {
            return Ok(OriginPattern::Any);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            let (host, port) = with_port(text).ok_or(InvalidPattern::Origin)?;
            let scheme = None;
            return Ok(OriginPattern::Web { scheme, host, port });
        };
        let scheme = scheme.to_ascii_lowercase();
        // Copied from the address line of a browser.
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let Some(default) = default_port(&scheme) else {
            let is_one = !scheme.is_empty() && !rest.contains('*');
            let other = format!("{scheme}://{}", rest.to_ascii_lowercase());
            return is_one
                .then_some(OriginPattern::Other(other))
                .ok_or(InvalidPattern::Origin);
        };
        let (host, port) = with_port(rest).ok_or(InvalidPattern::Origin)?;
        Ok(OriginPattern::Web {
            scheme: Some(scheme),
            host,
            port: port.or(Some(default)),
        })
    }
}

fn with_port(text: &str) -> Option<(HostPattern, Option<u16>)> {
    if let Some(host) = host_pattern(text) {
        return Some((host, None));
    }
    let (host, port) = text.rsplit_once(':')?;
    let authority = Authority::parse(&format!("x:{port}"))?;
    Some((host_pattern(host)?, authority.port))
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Host::Address(address) => address.fmt(f),
            Host::Name(name) => name.fmt(f),
        }
    }
}
