//! Who may speak to the server: a decision from a request's head alone.
//!
//! Two things can reach a server on behalf of somebody who may not. A page of another host, open in
//! a browser that can reach the server: it says so in `Origin` (RFC 6454). And a page whose own name
//! leads to the server's address by now, DNS rebinding: to the browser, server and page are the same
//! host, and only that name in `Host` gives it away. So a host counts as the server's own only by
//! a name that no foreign page can have.

use hyper::header::{HOST, HeaderName, ORIGIN};
use hyper::{Request, Version};

use super::host::{Authority, Host, HostPattern, Origin, OriginPattern};

/// The names and origins that are let in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// `mediaServer.net.websocket.allowedOrigins`
    pub allowed_origins: Vec<OriginPattern>,
    /// `mediaServer.net.websocket.allowedHosts`
    pub allowed_hosts: Vec<HostPattern>,
    /// Names of this machine.
    pub machine: Vec<Host>,
}

/// Why a request is refused; each is one line that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The head breaks a rule of HTTP (RFC 9112 section 3.2).
    #[error("{0}")]
    Malformed(&'static str),
    /// A page of another host asks.
    #[error(
        "a page of '{}' is none of this host; if it may use the server, add its origin to mediaServer.net.websocket.allowedOrigins",
        shortened(origin)
    )]
    Origin {
        /// Its origin.
        origin: String,
    },
    /// The server is asked by a name that is none of its own.
    #[error(
        "'{}' is not known to be a name of this server; if it is one, add it to mediaServer.net.websocket.allowedHosts",
        shortened(&host.to_string())
    )]
    Host {
        /// The name.
        host: Host,
    },
}

/// What a stranger sent, for a line of the log. All of it is visible ASCII.
fn shortened(text: &str) -> &str {
    text.get(..100).unwrap_or(text)
}

/// What a request says about who asks whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who is asked; `None` if it is not said, which HTTP/1.0 allows.
    pub host: Option<Host>,
    /// The page that asks; `None` for everything but browsers.
    pub origin: Option<(Origin, String)>,
}

impl Claim {
    /// Of a request.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when it is not clear who is asked.
    pub fn of<B>(request: &Request<B>) -> Result<Claim, Refusal> {
        Ok(Claim {
            host: host(request)?,
            origin: origin(request),
        })
    }
}

fn host<B>(request: &Request<B>) -> Result<Option<Host>, Refusal> {
    let parse = |text: &str| {
        let authority = Authority::parse(text);
        authority.map(|authority| authority.host)
    };
    let field = match values(request, &HOST).as_slice() {
        [] if request.version() >= Version::HTTP_11 => {
            return Err(Refusal::Malformed("HTTP/1.1 asks for a Host field"));
        }
        [] => None,
        // Of a client that has no name for the server.
        [""] => None,
        [one] => Some(parse(one).ok_or(Refusal::Malformed("The Host field is malformed"))?),
        _ => return Err(Refusal::Malformed("There are several Host fields")),
    };
    // An absolute target is what counts, whatever the field says (RFC 9112 section 3.2.2).
    match request.uri().authority() {
        Some(authority) => parse(authority.as_str())
            .map(Some)
            .ok_or(Refusal::Malformed("The request target is malformed")),
        None => Ok(field),
    }
}

fn origin<B>(request: &Request<B>) -> Option<(Origin, String)> {
    match values(request, &ORIGIN).as_slice() {
        [] => None,
        [one] => Some((Origin::parse(one), (*one).to_owned())),
        // No browser sends several, so there is no rule which one counts.
        several => {
            let all = several.join(", ");
            Some((Origin::Other(all.to_ascii_lowercase()), all))
        }
    }
}

/// The values of a field; what is no visible ASCII becomes `?`, which is in no host or origin.
fn values<'a, B>(request: &'a Request<B>, name: &HeaderName) -> Vec<&'a str> {
    let values = request.headers().get_all(name).into_iter();
    values
        .map(|value| value.to_str().map_or("?", str::trim))
        .collect()
}

impl Policy {
    /// Whether a request is let in. `certificate` are the names that the server proves to have;
    /// `on_loopback` says that the listener is reached from this machine only.
    ///
    /// # Errors
    /// When it is not.
    pub fn admit(
        &self,
        claim: &Claim,
        certificate: &[HostPattern],
        on_loopback: bool,
    ) -> Result<(), Refusal> {
        let unknown_host = |host: &Host| Refusal::Host { host: host.clone() };
        let Some((origin, text)) = &claim.origin else {
            return match &claim.host {
                // From other machines, programs come by whatever name the network gives the server.
                // On loopback nobody needs a name from outside, and a browser that was led here
                // sends no Origin with the page's requests to its own host.
                Some(host) if on_loopback && !self.trusts(host, certificate) => {
                    Err(unknown_host(host))
                }
                _ => Ok(()),
            };
        };
        if self
            .allowed_origins
            .iter()
            .any(|allowed| allowed.matches(origin))
        {
            return Ok(());
        }
        match (origin, &claim.host) {
            (Origin::Web { authority, .. }, Some(host)) if authority.host.is_same(host) => {
                match self.trusts(host, certificate) {
                    true => Ok(()),
                    false => Err(unknown_host(host)),
                }
            }
            _ => Err(Refusal::Origin {
                origin: text.clone(),
            }),
        }
    }

    /// Whether a host is this server by a name that no foreign page can have.
    fn trusts(&self, host: &Host, certificate: &[HostPattern]) -> bool {
        let is_known = match host {
            // No name, so nobody's to redirect.
            Host::Address(_) => true,
            // A name without a dot is one of the local network's.
            Host::Name(name) => host.is_loopback() || !name.contains('.'),
        };
        let mut allowed = self.allowed_hosts.iter().chain(certificate);
        is_known || self.machine.contains(host) || allowed.any(|allowed| allowed.matches(host))
    }
}

#[cfg(test)]
mod tests;
