//! Uploads: one POST whose body is sent while it is recorded (RFC 9112 §7.1).

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming},
    client::conn::http1,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use rivero_uri::Policy;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    runtime::Handle,
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
};
use url::{Host, Url};

use crate::container::Output;

/// For a connection, with all addresses of the host.
const CONNECTING: Duration = Duration::from_secs(8);
/// A server that takes nothing for so long is given up, as is one that does not answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Chunks on their way to the network.
const QUEUE: usize = 8;
/// Bytes of one piece of the body.
const PIECE: usize = 1 << 20;

/// The body of a running POST.
pub(crate) struct Upload {
    pieces: Option<mpsc::Sender<Bytes>>,
    /// The end of the exchange.
    done: oneshot::Receiver<io::Result<()>>,
    length: u64,
}

impl Upload {
    /// Connects and begins the request.
    pub(crate) async fn begin(
        url: &Url,
        content_type: &'static str,
        policy: &Policy,
    ) -> io::Result<Self> {
        let stream = timeout(CONNECTING, connect(url, policy)).await??;
        let (pieces, body) = mpsc::channel(QUEUE);
        let request = request(url, content_type, body)?;
        let (end, done) = oneshot::channel();
        tokio::spawn(async move {
            let result = exchange(stream, request).await;
            // Nobody waits any more when the recording is gone.
            let _ = end.send(result);
        });
        Ok(Self {
            pieces: Some(pieces),
            done,
            length: 0,
        })
    }

    /// What the server or the network said; only once.
    fn end(&mut self) -> io::Result<()> {
        let answer = Handle::current().block_on(timeout(PATIENCE, &mut self.done));
        match answer {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(io::ErrorKind::ConnectionAborted.into()),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the server does not answer",
            )),
        }
    }
}

impl Output for Upload {
    /// Called on a thread that may block.
    fn append(&mut self, data: &[u8]) -> io::Result<()> {
        for piece in data.chunks(PIECE) {
            let Some(pieces) = &self.pieces else {
                return Err(io::ErrorKind::BrokenPipe.into());
            };
            let sent = pieces.send(Bytes::copy_from_slice(piece));
            match Handle::current().block_on(timeout(PATIENCE, sent)) {
                Ok(Ok(())) => self.length += piece.len() as u64,
                Ok(Err(_)) => {
                    self.pieces = None;
                    self.end()?;
                    let text = "the server ended the upload before it was complete";
                    return Err(io::Error::new(io::ErrorKind::BrokenPipe, text));
                }
                Err(_) => {
                    self.pieces = None;
                    let text = "the server takes no more data";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, text));
                }
            }
        }
        Ok(())
    }

    fn patch(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn can_patch(&self) -> bool {
        false
    }

    fn next_file(&mut self) -> io::Result<()> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "an upload cannot be split",
        ))
    }

    fn close(&mut self) -> io::Result<()> {
        match self.pieces.take() {
            Some(pieces) => drop(pieces),
            None => return Ok(()),
        }
        self.end()
    }
}

fn invalid(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text.into())
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connect(url: &Url, policy: &Policy) -> io::Result<Box<dyn Stream>> {
    let host = url
        .host()
        .ok_or_else(|| invalid("the URL names no host"))?
        .to_owned();
    let port = url
        .port_or_known_default()
        .ok_or_else(|| invalid("the URL names no port"))?;
    let tcp = connect_any(&addresses(&host, port, policy).await?).await?;
    tcp.set_nodelay(true)?;
    if url.scheme() == "http" {
        return Ok(Box::new(tcp));
    }
    let name = match &host {
        Host::Domain(name) => {
            ServerName::try_from(name.clone()).map_err(|error| invalid(error.to_string()))?
        }
        Host::Ipv4(address) => ServerName::from(std::net::IpAddr::from(*address)),
        Host::Ipv6(address) => ServerName::from(std::net::IpAddr::from(*address)),
    };
    let tls = TlsConnector::from(tls_configuration()?)
        .connect(name, tcp)
        .await?;
    Ok(Box::new(tls))
}

/// The host's addresses, none of which may be a forbidden one.
async fn addresses(host: &Host<String>, port: u16, policy: &Policy) -> io::Result<Vec<SocketAddr>> {
    policy.check_host(host).map_err(super::refused)?;
    let name = match host {
        Host::Ipv4(address) => return Ok(vec![SocketAddr::from((*address, port))]),
        Host::Ipv6(address) => return Ok(vec![SocketAddr::from((*address, port))]),
        Host::Domain(name) => name,
    };
    let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), port))
        .await?
        .collect();
    for address in &found {
        policy
            .check_address(address.ip(), name)
            .map_err(super::refused)?;
    }
    Ok(found)
}

async fn connect_any(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::HostUnreachable);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
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

fn request(
    url: &Url,
    content_type: &'static str,
    body: mpsc::Receiver<Bytes>,
) -> io::Result<Request<Pieces>> {
    let host = url.host_str().unwrap_or_default();
    let authority = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let target = url.query().map_or_else(
        || url.path().to_owned(),
        |query| format!("{}?{query}", url.path()),
    );
    let mut request = Request::post(target)
        .header(HOST, authority)
        .header(CONTENT_TYPE, content_type)
        .header(USER_AGENT, concat!("Rivero/", env!("CARGO_PKG_VERSION")));
    if let Some(credentials) = credentials(url) {
        request = request.header(AUTHORIZATION, credentials);
    }
    request
        .body(Pieces(body))
        .map_err(|error| invalid(error.to_string()))
}

/// Basic authentication (RFC 7617) from the URL's user and password.
fn credentials(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let plain = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let mut pair = plain(url.username());
    pair.push(b':');
    pair.extend(plain(url.password().unwrap_or_default()));
    let mut value =
        HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

async fn exchange(stream: Box<dyn Stream>, request: Request<Pieces>) -> io::Result<()> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let answer = async move { sender.send_request(request).await.map_err(io::Error::other) };
    let driven = async move {
        // Its failures are those of the request, which says more.
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        response = answer => check(&response?),
        () = driven => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

fn check(response: &Response<Incoming>) -> io::Result<()> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    Err(io::Error::other(format!("the server answered {status}")))
}

/// The body, in pieces as they come.
struct Pieces(mpsc::Receiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0
            .poll_recv(context)
            .map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
