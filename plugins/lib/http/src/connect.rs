//! Connections to hosts, by addresses that the policy has seen.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, OnceLock},
};

use rivero_uri::{Policy, Refusal};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
};
use url::{Host, Url};

/// A connection, encrypted or not.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Looks up a name, with a port for its addresses; may block.
type Resolve = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Makes connections: a name is looked up once for each, all its addresses are checked, and one of those is connected
/// to. No proxy of the environment is asked: it would look the name up by itself.
#[derive(Clone)]
pub struct Dialer {
    policy: Policy,
    resolve: Arc<Resolve>,
    /// Bytes; the system decides where there is none.
    send_buffer: Option<u32>,
    /// What encrypted connections are for; nothing is said where there is none.
    protocol: Option<&'static [u8]>,
}

impl fmt::Debug for Dialer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Dialer").finish_non_exhaustive()
    }
}

impl Dialer {
    /// With the resolver of the system.
    pub fn new(policy: Policy) -> Self {
        Self::with_resolver(policy, |name, port| {
            (name, port).to_socket_addrs().map(Iterator::collect)
        })
    }

    /// With a resolver of one's own, which may block.
    pub fn with_resolver(
        policy: Policy,
        resolve: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            policy,
            resolve: Arc::new(resolve),
            send_buffer: None,
            protocol: None,
        }
    }

    /// Lets the system keep at most so many bytes of a connection that were not sent. It would grow the buffer with what
    /// the path holds, to several seconds of live media that nobody can leave out any more.
    #[must_use]
    pub fn with_send_buffer(mut self, bytes: u32) -> Self {
        self.send_buffer = Some(bytes);
        self
    }

    /// Names the protocol (ALPN, RFC 7301) where a connection is encrypted: `h2`, say. A server that knows of such names,
    /// but not this one, refuses the connection.
    #[must_use]
    pub fn with_protocol(mut self, name: &'static [u8]) -> Self {
        self.protocol = Some(name);
        self
    }

    /// The rules that it follows.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Connects to a host. The name of an encrypted connection's certificate is the host's. Call it on a runtime of
    /// tokio.
    ///
    /// # Errors
    /// Of the resolver, the network or TLS; [`io::ErrorKind::PermissionDenied`] with the [`Refusal`] when the policy
    /// says no
    pub async fn dial(
        &self,
        host: &Host<String>,
        port: u16,
        is_encrypted: bool,
    ) -> io::Result<Connection> {
        let (tcp, peer) = connect_any(&self.addresses(host, port).await?, self.send_buffer).await?;
        tcp.set_nodelay(true)?;
        let socket = tcp.as_fd().try_clone_to_owned()?;
        let stream: Box<dyn Stream> = if is_encrypted {
            let connector = TlsConnector::from(self.tls_configuration()?);
            Box::new(connector.connect(server_name(host)?, tcp).await?)
        } else {
            Box::new(tcp)
        };
        Ok(Connection {
            stream,
            peer,
            socket,
        })
    }

    fn tls_configuration(&self) -> io::Result<Arc<ClientConfig>> {
        let shared = tls_configuration()?;
        Ok(match self.protocol {
            None => shared,
            Some(name) => {
                let mut own = ClientConfig::clone(&shared);
                own.alpn_protocols = vec![name.to_vec()];
                Arc::new(own)
            }
        })
    }

    /// The host's addresses, none of which may be a forbidden one.
    async fn addresses(&self, host: &Host<String>, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.policy.check_host(host).map_err(refused)?;
        let name = match host {
            Host::Ipv4(address) => return Ok(vec![SocketAddr::from((*address, port))]),
            Host::Ipv6(address) => return Ok(vec![SocketAddr::from((*address, port))]),
            Host::Domain(name) => name.clone(),
        };
        let (resolve, asked) = (self.resolve.clone(), name.clone());
        let found = tokio::task::spawn_blocking(move || resolve(&asked, port))
            .await
            .map_err(io::Error::other)??;
        for address in &found {
            self.policy
                .check_address(address.ip(), &name)
                .map_err(refused)?;
        }
        Ok(found)
    }
}

/// A connection to a host.
pub struct Connection {
    /// What is said over it.
    pub stream: Box<dyn Stream>,
    /// The address that was checked.
    pub peer: SocketAddr,
    /// The socket below the stream, for what the system says of it. The connection lasts until both are dropped.
    pub socket: OwnedFd,
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// Connects to the host of an `http` or `https` URL, whatever its path.
///
/// # Errors
/// Of the resolver, the network or TLS; [`io::ErrorKind::PermissionDenied`] with the
/// [`Refusal`] when the policy says no
pub async fn connect(url: &Url, policy: &Policy) -> io::Result<Box<dyn Stream>> {
    let host = rivero_uri::host(url).ok_or_else(|| invalid("the URL names no host"))?;
    let port = url
        .port_or_known_default()
        .ok_or_else(|| invalid("the URL names no port"))?;
    let dialer = Dialer::new(policy.clone());
    let connection = dialer.dial(&host, port, url.scheme() != "http").await?;
    Ok(connection.stream)
}

pub(crate) fn invalid(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text.into())
}

pub(crate) fn refused(refusal: Refusal) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, refusal)
}

fn server_name(host: &Host<String>) -> io::Result<ServerName<'static>> {
    Ok(match host {
        Host::Domain(name) => {
            ServerName::try_from(name.clone()).map_err(|error| invalid(error.to_string()))?
        }
        Host::Ipv4(address) => ServerName::from(IpAddr::from(*address)),
        Host::Ipv6(address) => ServerName::from(IpAddr::from(*address)),
    })
}

async fn connect_any(
    addresses: &[SocketAddr],
    send_buffer: Option<u32>,
) -> io::Result<(TcpStream, SocketAddr)> {
    let mut last = io::Error::from(io::ErrorKind::HostUnreachable);
    for address in addresses {
        match connect_to(*address, send_buffer).await {
            Ok(stream) => return Ok((stream, *address)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn connect_to(address: SocketAddr, send_buffer: Option<u32>) -> io::Result<TcpStream> {
    let Some(bytes) = send_buffer else {
        return TcpStream::connect(address).await;
    };
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_send_buffer_size(bytes)?;
    socket.connect(address).await
}

/// Trusts what the system trusts, or `SSL_CERT_FILE` names.
fn tls_configuration() -> io::Result<Arc<ClientConfig>> {
    static CONFIGURATION: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(configuration) = CONFIGURATION.get() {
        return Ok(configuration.clone());
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let configuration = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(CONFIGURATION
        .get_or_init(|| Arc::new(configuration))
        .clone())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use rivero_uri::UriSettings;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_address_that_was_checked_is_the_one_that_is_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let lookups = Arc::new(AtomicUsize::new(0));
        let counted = lookups.clone();
        // An address that may be reached, and from the second time on one that may not.
        let resolve = move |_: &str, port| {
            let address = match counted.fetch_add(1, Relaxed) {
                0 => [127, 0, 0, 1],
                _ => [169, 254, 169, 254],
            };
            Ok(vec![SocketAddr::from((address, port))])
        };
        let dialer = Dialer::with_resolver(Policy::new(&UriSettings::default()), resolve);
        let host = Host::Domain("rebound.test".to_owned());
        let connection = dialer.dial(&host, port, false).await.unwrap();
        assert_eq!(connection.peer, SocketAddr::from(([127, 0, 0, 1], port)));
        assert_eq!(lookups.load(Relaxed), 1, "looked up once");
        let error = dialer.dial(&host, port, false).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
    }

    #[tokio::test]
    async fn one_forbidden_address_among_others_is_enough() {
        let resolve = |_: &str, port| {
            let address = |octets: [u8; 4]| SocketAddr::from((octets, port));
            Ok(vec![address([127, 0, 0, 1]), address([169, 254, 169, 254])])
        };
        let dialer = Dialer::with_resolver(Policy::new(&UriSettings::default()), resolve);
        let host = Host::Domain("both.test".to_owned());
        let error = dialer.dial(&host, 1, false).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
    }
}
