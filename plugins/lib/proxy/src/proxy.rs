//! The listener on loopback, and the connections behind it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    time::Duration,
};

use rivero_http::{Connection, Dialer, Stream};
use rivero_plugin_api::supervise::{self, lock};
use rivero_uri::Refusal;
use rustix::net::sockopt::set_tcp_quickack;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, split},
    net::TcpStream,
    sync::{Semaphore, oneshot},
    time::{MissedTickBehavior, interval, timeout},
};
use url::{Host, Position, Url};

use crate::{Failure, rtmp, rtsp};

/// Of the thread.
const NAME: &str = "player-proxy";
/// A source has one connection, or, while it connects anew, two.
const CONNECTIONS: usize = 4;
/// For the first request of a client.
const GREETING: Duration = Duration::from_secs(10);
/// For a connection to a server, with its name and all its addresses.
const CONNECTING: Duration = Duration::from_secs(10);
/// For what is left to be sent when a connection ends.
const ENDING: Duration = Duration::from_millis(500);
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;
/// Bytes on their way to one side beyond which the other side is not read.
const MOST_WAITING: usize = 256 << 10;

/// A listener for one source. Dropping it ends it with its connections.
#[derive(Debug)]
pub struct Proxy {
    names: Names,
    failure: Arc<Mutex<Option<String>>>,
    _end: oneshot::Sender<()>,
}

/// What stands for what.
#[derive(Debug, Clone)]
pub struct Names {
    /// The URL for the source.
    url: String,
    /// Its beginning, up to where the path of the URL that is meant begins.
    own: String,
    /// The same of the URL that is meant, without user and password.
    public: String,
    token: String,
}

/// What is proxied, and to where.
#[derive(Debug, Clone)]
enum Plan {
    Rtsp(rtsp::Target),
    Rtmp {
        host: Host<String>,
        port: u16,
        is_encrypted: bool,
    },
}

impl Plan {
    /// With the scheme for the source: the proxy encrypts where that is asked for, the source does not have to.
    fn of(url: &Url) -> Option<(Self, &'static str)> {
        let scheme = match url.scheme() {
            "rtsp" | "rtsps" => "rtsp",
            "rtspt" | "rtspst" => "rtspt",
            "rtspu" | "rtspsu" => "rtspu",
            "rtmp" | "rtmps" => {
                let is_encrypted = url.scheme() == "rtmps";
                let port = url.port().unwrap_or(if is_encrypted { 443 } else { 1935 });
                let host = rivero_uri::host(url)?;
                let plan = Self::Rtmp {
                    host,
                    port,
                    is_encrypted,
                };
                return Some((plan, "rtmp"));
            }
            _ => return None,
        };
        Some((Self::Rtsp(rtsp::Target::new(url)?), scheme))
    }
}

impl Proxy {
    /// Whether there is a proxy for a scheme.
    pub fn knows(scheme: &str) -> bool {
        Url::parse(&format!("{scheme}://host/")).is_ok_and(|url| Plan::of(&url).is_some())
    }

    /// Listens, on a thread of its own. The server is connected to when the source connects.
    ///
    /// # Errors
    /// Of the system; [`io::ErrorKind::InvalidInput`] for a URL that no proxy is for
    pub fn open(url: &Url, dialer: Dialer) -> io::Result<Self> {
        let (plan, scheme) =
            Plan::of(url).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let names = Names::new(url, scheme, listener.local_addr()?)?;
        let failure = Arc::<Mutex<Option<String>>>::default();
        let proxying = Arc::new(Proxying {
            plan,
            names: names.clone(),
            dialer,
            failure: failure.clone(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (end, ended) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    // Whether it is told or dropped.
                    _ = ended => {}
                    result = proxying.listen(listener) => {
                        if let Err(error) = result {
                            tracing::warn!(%error, "a proxy ends");
                        }
                    }
                }
            });
            // A name may still be looked up.
            runtime.shutdown_background();
        };
        supervise::thread(NAME, serve)?;
        Ok(Self {
            names,
            failure,
            _end: end,
        })
    }

    /// What the source is to be given.
    pub fn url(&self) -> &str {
        &self.names.url
    }

    /// Why the latest connection failed, if it did: more than the source knows.
    pub fn failure(&self) -> Option<String> {
        let failure = lock(&self.failure);
        failure.clone()
    }

    /// Its names, and what they stand for.
    pub fn names(&self) -> &Names {
        &self.names
    }
}

impl Names {
    /// What an RTSP source is to give as its `User-Agent`.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A text with the server's names in place of the proxy's, which mean nothing to anybody and let in who knows them.
    #[must_use]
    pub fn public(&self, text: &str) -> String {
        let authority = |name: &str| name.split_once("://").map(|(_, rest)| rest.to_owned());
        match (authority(&self.own), authority(&self.public)) {
            (Some(own), Some(public)) => text.replace(&own, &public).replace(&self.token, "***"),
            _ => text.to_owned(),
        }
    }

    fn new(url: &Url, scheme: &str, address: SocketAddr) -> io::Result<Self> {
        let token = token()?;
        let user = match &url[Position::BeforeUsername..Position::BeforeHost] {
            // An RTSP source has no use for it: the proxy answers the server.
            user if scheme == "rtmp" => user,
            _ => "",
        };
        // What stands in requests, whatever transport the scheme asks for.
        let base = if scheme == "rtmp" { "rtmp" } else { "rtsp" };
        let path = &url[Position::BeforePath..];
        Ok(Self {
            url: format!("{scheme}://{user}{address}/{token}{path}"),
            own: format!("{base}://{address}/{token}"),
            public: format!(
                "{}://{}",
                url.scheme(),
                &url[Position::BeforeHost..Position::AfterPort]
            ),
            token,
        })
    }
}

/// 128 bits that nobody guesses: other users of the machine can connect to the listener, too.
fn token() -> io::Result<String> {
    let random = ring::rand::generate::<[u8; 16]>(&ring::rand::SystemRandom::new());
    let random = random.map_err(|_| io::Error::other("no random numbers"))?;
    Ok(random
        .expose()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// The thread's side.
struct Proxying {
    plan: Plan,
    names: Names,
    dialer: Dialer,
    failure: Arc<Mutex<Option<String>>>,
}

impl Proxying {
    async fn listen(self: Arc<Self>, listener: TcpListener) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let (client, _) = listener.accept().await?;
            let Ok(place) = places.clone().try_acquire_owned() else {
                continue;
            };
            let proxying = self.clone();
            tokio::spawn(async move {
                let served = supervise::contain_future(proxying.serve(client)).await;
                match served {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!(%error, "a connection through a proxy ends"),
                    // The source sees that its connection is closed.
                    Err(text) => supervise::report(NAME, &text),
                }
                drop(place);
            });
        }
    }

    async fn serve(&self, client: TcpStream) -> Result<(), Failure> {
        // Media is small writes, each of which would wait for the acknowledgement of the one before (up to 40 ms).
        let _ = client.set_nodelay(true);
        match &self.plan {
            Plan::Rtsp(target) => self.serve_rtsp(client, target.clone()).await,
            Plan::Rtmp { .. } => self.serve_rtmp(client).await,
        }
    }

    /// Keeps a failure for whoever asks, before the source notices that its connection ends.
    fn note<T>(&self, result: Result<T, Failure>) -> Result<T, Failure> {
        let mut place = lock(&self.failure);
        *place = result.as_ref().err().map(ToString::to_string);
        result
    }

    async fn dial(
        &self,
        host: &Host<String>,
        port: u16,
        is_encrypted: bool,
    ) -> Result<Connection, Failure> {
        let dialed = timeout(CONNECTING, self.dialer.dial(host, port, is_encrypted)).await;
        let error = match dialed {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        let refusal = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Refusal>());
        Err(match refusal {
            Some(refusal) => Failure::Refused(refusal.clone()),
            None => Failure::Network {
                host: format!("{host}:{port}"),
                error,
            },
        })
    }

    async fn serve_rtsp(&self, client: TcpStream, target: rtsp::Target) -> Result<(), Failure> {
        let policy = self.dialer.policy().clone();
        let mut session = rtsp::Session::new(target, self.names.own.clone(), policy);
        let mut proxied = Proxied::new(Box::new(client));
        // Strangers get nothing, and nobody is connected to for them.
        let greeted = timeout(GREETING, proxied.greet(&mut session)).await;
        if !matches!(greeted, Ok(Ok(true))) {
            return Ok(());
        }
        loop {
            let target = session.target().clone();
            let dialed = self
                .dial(target.host(), target.port(), target.is_encrypted())
                .await;
            let connection = self.note(dialed)?;
            session.connected(connection.peer.ip(), &mut proxied.out);
            let refused = |text: &str| *lock(&self.failure) = Some(text.to_owned());
            let goes_on = proxied.run(&mut session, connection, refused).await;
            if !self.note(goes_on)? {
                return Ok(());
            }
        }
    }

    async fn serve_rtmp(&self, client: TcpStream) -> Result<(), Failure> {
        let Plan::Rtmp {
            host,
            port,
            is_encrypted,
        } = &self.plan
        else {
            return Ok(());
        };
        let dialed = self.dial(host, *port, *is_encrypted).await;
        let server = self.note(dialed)?.stream;
        let names = rtmp::Names {
            own: self.names.own.clone(),
            public: self.names.public.clone(),
            token: self.names.token.clone(),
        };
        serve_rtmp(client, server, rtmp::Client::new(names)).await
    }
}

/// A client's connection.
struct Proxied {
    client: Box<dyn Stream>,
    out: rtsp::Output,
}

impl Proxied {
    fn new(client: Box<dyn Stream>) -> Self {
        Self {
            client,
            out: rtsp::Output::default(),
        }
    }

    /// Reads up to the first request; whether there is one.
    async fn greet(&mut self, session: &mut rtsp::Session) -> Result<bool, Failure> {
        let mut piece = vec![0; PIECE];
        while !session.is_asked() {
            let length = self.client.read(&mut piece).await.unwrap_or(0);
            if length == 0 {
                return Ok(false);
            }
            let data = piece.get(..length).unwrap_or_default();
            session.on_client(data, &mut self.out)?;
        }
        Ok(true)
    }

    /// Proxys until one side ends (`false`), or the server is to be another one (`true`). Neither side is waited for
    /// while the other has something to say: a player that pauses reads no media, but sends requests. `refused` is told
    /// why nothing is set up, before the client is.
    async fn run(
        &mut self,
        session: &mut rtsp::Session,
        server: Connection,
        refused: impl Fn(&str),
    ) -> Result<bool, Failure> {
        let (mut from_server, mut to_server) = split(server.stream);
        let (mut from_client, mut to_client) = split(&mut self.client);
        let (mut piece, mut request) = (vec![0; PIECE], vec![0; PIECE]);
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let out = &mut self.out;
        let result = loop {
            if out.moves {
                return Ok(true);
            }
            let (answers, requests) = (out.to_client.len(), out.to_server.len());
            tokio::select! {
                read = from_server.read(&mut piece), if answers < MOST_WAITING => {
                    let Ok(length @ 1..) = read else { break Ok(false) };
                    // Many cameras send nothing before the last piece is acknowledged (RFC 896), which the system would put
                    // off by 40 ms: sound and picture would begin that late. It forgets this with each piece.
                    let _ = set_tcp_quickack(&server.socket, true);
                    let data = piece.get(..length).unwrap_or_default();
                    if let Err(failure) = session.on_server(data, out) {
                        break Err(failure);
                    }
                    session.refusal().into_iter().for_each(&refused);
                }
                _ = seconds.tick() => {
                    if let Err(failure) = session.tick(out) {
                        break Err(failure);
                    }
                    session.refusal().into_iter().for_each(&refused);
                }
                read = from_client.read(&mut request), if requests < MOST_WAITING => {
                    let Ok(length @ 1..) = read else { break Ok(false) };
                    let data = request.get(..length).unwrap_or_default();
                    if let Err(failure) = session.on_client(data, out) {
                        break Err(failure);
                    }
                }
                written = to_client.write(&out.to_client), if answers > 0 => {
                    let Ok(length @ 1..) = written else { break Ok(false) };
                    out.to_client.drain(..length);
                }
                written = to_server.write(&out.to_server), if requests > 0 => {
                    let Ok(length @ 1..) = written else { break Ok(false) };
                    out.to_server.drain(..length);
                    // What is encrypted may have been kept.
                    if to_server.flush().await.is_err() {
                        break Ok(false);
                    }
                }
            }
        };
        // The last answer of a server that closes, the last request of a player that does.
        let rest = async {
            let _ = to_client.write_all(&out.to_client).await;
            let _ = to_server.write_all(&out.to_server).await;
            let _ = to_server.shutdown().await;
        };
        let _ = timeout(ENDING, rest).await;
        result
    }
}

async fn serve_rtmp(
    mut client: TcpStream,
    mut server: Box<dyn Stream>,
    mut reader: rtmp::Client,
) -> Result<(), Failure> {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = split(&mut server);
    let requests = async {
        let (mut piece, mut out) = (vec![0; PIECE], Vec::new());
        while let Ok(length @ 1..) = from_client.read(&mut piece).await {
            reader.on_client(piece.get(..length).unwrap_or_default(), &mut out)?;
            if to_server.write_all(&out).await.is_err() || to_server.flush().await.is_err() {
                break;
            }
            out.clear();
        }
        Ok(())
    };
    let answers = async {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        Ok(())
    };
    tokio::select! {
        result = requests => result,
        result = answers => result,
    }
}
