//! Where a connection to a server leads.

use url::{Host, Position, Url};

use super::credentials::Credentials;

/// Where a connection leads, and what may be said there.
#[derive(Debug, Clone)]
pub struct Target {
    /// Without user and password.
    pub(super) url: Url,
    host: Host<String>,
    port: u16,
    is_encrypted: bool,
    pub(super) credentials: Option<Credentials>,
}

impl Target {
    /// The target of a URL with one of RTSP's schemes; `None` for others.
    pub fn new(url: &Url) -> Option<Self> {
        let is_encrypted = match url.scheme() {
            "rtsp" | "rtspt" | "rtspu" => false,
            "rtsps" | "rtspst" | "rtspsu" => true,
            _ => return None,
        };
        let credentials = Credentials::of(url);
        let mut bare = url.clone();
        // They fail for URLs without a host, which are none.
        bare.set_username("").ok()?;
        bare.set_password(None).ok()?;
        Some(Self {
            host: rivero_uri::host(url)?,
            // RFC 2326 §3.2; the port of encrypted connections is registered with IANA.
            port: url.port().unwrap_or(if is_encrypted { 322 } else { 554 }),
            url: bare,
            is_encrypted,
            credentials,
        })
    }

    /// The name or address to connect to.
    pub fn host(&self) -> &Host<String> {
        &self.host
    }

    /// The TCP port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether by TLS.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Name or address, with the port.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// What is before the path of a request's URL. The port is told where the URL has it.
    pub(super) fn origin(&self) -> String {
        let host = &self.url[Position::BeforeHost..Position::AfterPort];
        format!("rtsp://{host}")
    }

    /// Whether credentials for one are credentials for the other.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let host = |target: &Self| target.host.to_string().to_ascii_lowercase();
        (host(self), self.port, self.is_encrypted) == (host(other), other.port, other.is_encrypted)
    }
}
