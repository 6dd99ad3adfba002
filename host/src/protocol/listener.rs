//! Sockets that accept connections.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::Error as TlsError;

use super::connection::{Service, serve};
use super::sockets::Place;
use super::tls::Acceptor;
use crate::handover::Role;
use crate::http::Site;
use crate::tasks::spawn;

/// Where the metrics count panics.
const PLACE: &str = "a connection";

/// How long a client may take to agree on the parameters of TLS.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection on which nothing came for this long is probed by TCP, unseen by the client …
const PROBE_AFTER: Duration = Duration::from_secs(60);
/// … so often …
const PROBE_PERIOD: Duration = Duration::from_secs(10);
/// … and is over when that many probes were not acknowledged: the other machine has gone, and the
/// session must not be kept alive by a connection to nobody.
const PROBES: u32 = 6;

/// Bytes that the system takes of what a client has not read. By itself it would take up to 4 MB
/// for each of thousands of clients, and the server would go on making replies for them.
const SEND_BUFFER: usize = 128 << 10;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// `None` is every address of the machine.
    pub address: Option<IpAddr>,
    /// 0 lets the system choose.
    pub port: u16,
    /// Whether every address includes those of IPv6.
    pub ipv6: bool,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
}

/// A socket that another process has opened, and listens on.
#[derive(Debug)]
pub struct Inherited {
    /// Which way in it is.
    pub role: Role,
    /// The socket.
    pub socket: std::net::TcpListener,
}

impl Inherited {
    /// Whether it is where a listener of this role is wanted. Any port is the one that it has.
    #[must_use]
    pub fn is_at(&self, binding: &Binding, role: Role) -> bool {
        let Ok(own) = self.socket.local_addr() else {
            return false;
        };
        let ip = own.ip();
        let is_address = match binding.address {
            Some(address) => ip.to_canonical() == address.to_canonical(),
            None => ip.is_unspecified() && (binding.ipv6 || ip.is_ipv4()),
        };
        let is_port = match binding.port {
            0 => self.role == role,
            port => own.port() == port,
        };
        is_address && is_port
    }

    /// The listener, of the runtime of this process.
    ///
    /// # Errors
    /// When the socket is not one that listens.
    pub fn into_listener(self) -> io::Result<TcpListener> {
        self.socket.set_nonblocking(true)?;
        TcpListener::from_std(self.socket)
    }
}

/// Opens the socket.
///
/// Without address it serves IPv6 and IPv4 where the system has both, otherwise IPv4.
///
/// # Errors
/// When no address can be bound, for example because the port is in use.
pub fn bind(binding: &Binding) -> io::Result<TcpListener> {
    match binding.address {
        Some(address) => open(SocketAddr::new(address, binding.port), binding.backlog),
        None if binding.ipv6 => open(
            (Ipv6Addr::UNSPECIFIED, binding.port).into(),
            binding.backlog,
        )
        .or_else(|_| {
            open(
                (Ipv4Addr::UNSPECIFIED, binding.port).into(),
                binding.backlog,
            )
        }),
        None => open(
            (Ipv4Addr::UNSPECIFIED, binding.port).into(),
            binding.backlog,
        ),
    }
}

/// Whether the address can be bound: looks without listening. That somebody has the port,
/// perhaps the server that runs now, says nothing about the next start.
///
/// # Errors
/// When it cannot, for example because no interface has the address.
pub fn check(binding: &Binding) -> io::Result<()> {
    let ip = binding.address.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    match bound((ip, binding.port).into()) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(()),
        outcome => outcome.map(drop),
    }
}

fn open(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    bound(address)?.listen(backlog)
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv6() {
        TcpSocket::new_v6()?
    } else {
        TcpSocket::new_v4()?
    };
    socket.set_reuseaddr(true)?;
    // Connections have these from their listener.
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, PROBE_AFTER)?;
    sockopt::set_tcp_keepintvl(&socket, PROBE_PERIOD)?;
    sockopt::set_tcp_keepcnt(&socket, PROBES)?;
    sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Accepts connections for as long as it is polled; with `tls`, secure ones.
pub async fn accept(
    listener: Arc<TcpListener>,
    tls: Option<Arc<Acceptor>>,
    site: Arc<Site>,
    service: Arc<Service>,
) {
    let mut failures = 0_u64;
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let place = service.sockets.admit(from.ip());
                // Replies are small and asked for: none of them should wait for another.
                let _ = stream.set_nodelay(true);
                let (site, service) = (site.clone(), service.clone());
                match tls.as_ref().map(|tls| tls.current()) {
                    None => spawn(PLACE, serve(stream, place, from, None, site, service)),
                    Some(tls) => {
                        spawn(
                            PLACE,
                            serve_securely(stream, tls, place, from, site, service),
                        );
                    }
                };
            }
            Err(error) => {
                // Usually too many open files: connections that end make room. It happens ten times
                // a second then; one line is for the first time, the second, the fourth …
                failures += 1;
                if failures.is_power_of_two() {
                    tracing::warn!(%error, failures, "cannot accept connections");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve_securely(
    stream: TcpStream,
    tls: TlsAcceptor,
    place: Place,
    from: SocketAddr,
    site: Arc<Site>,
    service: Arc<Service>,
) {
    let accepted = tokio::select! {
        _ = place.ended() => return,
        accepted = tokio::time::timeout(TLS_TIMEOUT, tls.accept(stream)) => accepted,
    };
    match accepted {
        Ok(Ok(stream)) => {
            let certificates = stream.get_ref().1.peer_certificates();
            let certificate = certificates.and_then(<[_]>::first).cloned();
            serve(stream, place, from, certificate, site, service).await;
        }
        // What is wrong with it, and nothing of what is in it.
        Ok(Err(error)) if is_about_certificate(&error) => {
            tracing::warn!(%from, "a wrong certificate: {error}");
        }
        Ok(Err(error)) => tracing::debug!(%from, %error, "no TLS connection"),
        Err(_) => tracing::debug!(%from, "no TLS connection within 10 s"),
    }
}

/// Whether a handshake failed for what the client has shown, which the operator wants to know: the client
/// is told no more than an alert.
fn is_about_certificate(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    matches!(
        cause,
        Some(
            TlsError::InvalidCertificate(_)
                | TlsError::InvalidCertRevocationList(_)
                | TlsError::NoCertificatesPresented
        )
    )
}
