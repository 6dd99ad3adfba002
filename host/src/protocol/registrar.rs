//! Tells a registrar, a directory of media servers, where this server is.
//!
//! The connection to it is kept open: the registrar sees its end as the end of the server.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, RootCertStore};
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::tls;

/// The wait after the first failure; each further one doubles it.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// The wait between attempts at most.
const LONGEST_DELAY: Duration = Duration::from_secs(10);
/// How long an attempt may take, from the look-up of the name to the message sent.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a silent connection is probed: a registrar that vanished is noticed by TCP.
const PROBE_PERIOD: Duration = Duration::from_secs(30);
/// Bytes of a message from a registrar at most; they are not looked at.
const MAX_MESSAGE: usize = 64 << 10;

/// The URL of a registrar, `ws://host[:port][/path]` or `wss://…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    uri: Uri,
    host: String,
    port: u16,
    secure: bool,
}

/// Why a URL names no registrar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address of a registrar is a URL that begins with ws:// or wss://")]
pub struct InvalidAddress;

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Address, InvalidAddress> {
        let uri: Uri = text.trim().parse().map_err(|_| InvalidAddress)?;
        let secure = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return Err(InvalidAddress),
        };
        let host = uri.host().filter(|host| !host.is_empty());
        // Brackets belong to the URL, not to the address of IPv6.
        let host = host
            .ok_or(InvalidAddress)?
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Address {
            uri,
            host,
            port,
            secure,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

/// Why an attempt to register, or a connection afterwards, ended.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Silence,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    WebSocket(#[from] tungstenite::Error),
    #[error("the registrar closed the connection")]
    Closed,
}

/// A registrar and what it is told.
#[derive(Clone)]
pub struct Registrar {
    address: Address,
    local_address: String,
    tls: Option<TlsConnector>,
}

impl Registrar {
    /// A registrar that is told `local_address`, a host name or an IP address of this machine.
    ///
    /// With `wss` its certificate has to lead to one of `roots`, which are not asked for
    /// otherwise.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        address: Address,
        local_address: String,
        roots: impl FnOnce() -> RootCertStore,
    ) -> Result<Registrar, rustls::Error> {
        let tls = match address.secure {
            true => Some(tls::connector(roots())?),
            false => None,
        };
        Ok(Registrar {
            address,
            local_address,
            tls,
        })
    }

    /// The URL that is announced for a listener.
    #[must_use]
    pub fn announced_url(&self, secure: bool, port: u16, path: &str) -> String {
        let scheme = if secure { "wss" } else { "ws" };
        match self.local_address.parse::<Ipv6Addr>() {
            Ok(address) => format!("{scheme}://[{address}]:{port}/{path}"),
            Err(_) => format!("{scheme}://{}:{port}/{path}", self.local_address),
        }
    }

    /// Registers `url`, and again whenever the connection has ended, for as long as it is
    /// polled.
    pub async fn run(self, url: String) {
        let mut backoff = Backoff::default();
        loop {
            let (failure, lasted) = match timeout(PATIENCE, self.register(&url)).await {
                Ok(Ok(connection)) => {
                    tracing::info!(registrar = %self.address, %url, "registered");
                    let since = Instant::now();
                    (connection.hold().await, since.elapsed())
                }
                Ok(Err(failure)) => (failure, Duration::ZERO),
                Err(_) => (Failure::Silence, Duration::ZERO),
            };
            let delay = backoff.next(lasted);
            tracing::warn!(registrar = %self.address, %failure, "not registered, trying again in {delay:?}");
            sleep(delay).await;
        }
    }

    async fn register(&self, url: &str) -> Result<Connection, Failure> {
        let stream = TcpStream::connect((self.address.host.as_str(), self.address.port)).await?;
        let stream: Box<dyn Stream> = match &self.tls {
            Some(tls) => Box::new(tls.connect(self.server_name()?, stream).await?),
            None => Box::new(stream),
        };
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let (mut socket, _) =
            client_async_with_config(self.address.uri.clone(), stream, Some(limits)).await?;
        let register = json!({"jsonrpc": "2.0", "method": "register", "params": {"ws": url}});
        socket.send(Message::text(register.to_string())).await?;
        Ok(Connection(socket))
    }

    fn server_name(&self) -> io::Result<ServerName<'static>> {
        let host = &self.address.host;
        match host.parse::<IpAddr>() {
            Ok(address) => Ok(ServerName::from(address)),
            Err(_) => ServerName::try_from(host.clone()).map_err(io::Error::other),
        }
    }
}

impl fmt::Debug for Registrar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registrar")
            .field("address", &self.address)
            .field("local_address", &self.local_address)
            .finish_non_exhaustive()
    }
}

/// A socket, with or without TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection on which the server has registered.
struct Connection(WebSocketStream<Box<dyn Stream>>);

impl Connection {
    /// Keeps it open until it ends; returns why it did.
    async fn hold(mut self) -> Failure {
        let mut probes = interval_at(Instant::now() + PROBE_PERIOD, PROBE_PERIOD);
        probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = self.0.next() => match message {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return error.into(),
                    None => return Failure::Closed,
                },
                _ = probes.tick() => {
                    if let Err(error) = self.0.send(Message::Ping(Bytes::new())).await {
                        return error.into();
                    }
                }
            }
        }
    }
}

/// The growing wait between attempts.
#[derive(Debug, Default)]
struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after a connection that `lasted` so long.
    ///
    /// Only one that outlasts the longest wait starts anew: a registrar that accepts and hangs
    /// up at once is not asked ten times a second.
    fn next(&mut self, lasted: Duration) -> Duration {
        if lasted >= LONGEST_DELAY {
            self.failures = 0;
        }
        let delay = FIRST_DELAY.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        delay.min(LONGEST_DELAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_urls_of_websockets() {
        let parts = |text: &str| {
            let address: Address = text.parse().unwrap();
            (address.host, address.port, address.secure)
        };
        assert_eq!(parts("ws://host:9090/x?y"), ("host".into(), 9090, false));
        assert_eq!(parts(" ws://host "), ("host".into(), 80, false));
        assert_eq!(parts("wss://[::1]/x"), ("::1".into(), 443, true));
        for text in [
            "",
            "host",
            "host:9090",
            "http://host",
            "ws://",
            "ws:///x",
            "ws://a b",
        ] {
            assert_eq!(text.parse::<Address>(), Err(InvalidAddress), "{text}");
        }
    }

    #[test]
    fn urls_name_the_listener() {
        let registrar = |host: &str| {
            let address = "ws://r".parse().unwrap();
            Registrar::new(address, host.into(), RootCertStore::empty).unwrap()
        };
        assert_eq!(
            registrar("localhost").announced_url(false, 8888, "kurento"),
            "ws://localhost:8888/kurento"
        );
        assert_eq!(
            registrar("2001:db8::1").announced_url(true, 8433, "x"),
            "wss://[2001:db8::1]:8433/x"
        );
    }

    #[test]
    fn waits_double_up_to_ten_seconds() {
        let mut backoff = Backoff::default();
        let millis: Vec<_> = (0..9)
            .map(|_| backoff.next(Duration::ZERO).as_millis())
            .collect();
        assert_eq!(
            millis,
            [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]
        );
        assert_eq!(backoff.next(Duration::from_secs(9)), LONGEST_DELAY);
        assert_eq!(backoff.next(Duration::from_secs(10)), FIRST_DELAY);
        assert_eq!(backoff.next(Duration::ZERO), Duration::from_millis(200));
        for _ in 0..100 {
            assert!(backoff.next(Duration::ZERO) <= LONGEST_DELAY);
        }
    }
}
