//! One connection: handshake, then requests in and replies and events out.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::methods::{Begun, Methods, Peer, Reply};
use super::outbox::Outbox;
use super::wire::{End, Wire};
use crate::http::{self, Site, handshake};

/// A reply that takes longer than this is overtaken by those to later requests.
const IN_ORDER: Duration = Duration::from_millis(20);
/// Requests of one connection that may be under way at a time.
const MAX_UNDER_WAY: u32 = 1_000;
/// How long a connection that the server ends waits for replies to calls that are under way.
const LAST_REPLIES: Duration = Duration::from_secs(1);

/// What the connections of all listeners have in common.
#[derive(Debug)]
pub struct Service {
    /// Carries out requests.
    pub methods: Arc<Methods>,
    /// Where the WebSocket is, without leading slash.
    pub path: String,
    /// Connections that have ended so far.
    pub ended: AtomicU64,
    /// Once it is set, every WebSocket is closed so, after what waits to be sent.
    pub farewell: watch::Sender<Option<Farewell>>,
}

/// How the server ends a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Farewell {
    /// RFC 6455 section 7.4.
    pub code: CloseCode,
    /// At most 123 bytes.
    pub reason: &'static str,
}

/// A connection of a service, which counts its end however it comes.
struct Served(Arc<Service>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// Serves a connection until it ends.
pub async fn serve<S>(stream: S, from: SocketAddr, site: Arc<Site>, service: Arc<Service>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let _served = Served(service.clone());
    let Some(upgraded) = http::exchange(stream, from, &site).await else {
        return;
    };
    // A connection may live for days, and what it came in by is of no use to it any more.
    drop(site);
    let outbox = Arc::new(Outbox::default());
    let wire = Wire::new(upgraded.stream, upgraded.rest.to_vec(), outbox.clone()).await;
    talk(wire, outbox, &upgraded.target, from, &service).await;
}

async fn talk<S>(
    mut wire: Wire<S>,
    outbox: Arc<Outbox>,
    target: &str,
    from: SocketAddr,
    service: &Service,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if !handshake::is_path(target, &service.path) {
        tracing::info!(%from, target, "refused: wrong path");
        return wire.close(CloseCode::Protocol, "Invalid path").await;
    }
    tracing::debug!(%from, "connected");
    let mut connection = Connection {
        methods: &service.methods,
        peer: Peer::new(outbox.clone()),
        outbox: outbox.clone(),
        under_way: Arc::new(Semaphore::new(MAX_UNDER_WAY as usize)),
    };
    let mut farewell = service.farewell.subscribe();
    let under_way = connection.under_way.clone();
    let farewell = async {
        let farewell = farewell.wait_for(Option::is_some).await;
        let farewell = farewell.ok().and_then(|farewell| *farewell);
        // Calls that end with the server are answered before: what is not yet overtaken by others
        // first, then what is.
        tokio::time::sleep(IN_ORDER).await;
        let all = under_way.acquire_many(MAX_UNDER_WAY);
        let _ = tokio::time::timeout(LAST_REPLIES, all).await;
        farewell
    };
    let end = tokio::select! {
        // In this order, since a client that never pauses uses up all that a task may do in one go.
        biased;
        farewell = farewell => {
            farewell.map_or(End::Gone, |Farewell { code, reason }| End::Refused(code, reason))
        }
        end = connection.run(&mut wire) => end,
    };
    drop(connection);
    tracing::debug!(%from, ?end, "disconnected");
    if let End::Refused(code, reason) = end {
        wire.close(code, reason).await;
    }
    outbox.close();
}

struct Connection<'a> {
    methods: &'a Arc<Methods>,
    peer: Peer,
    outbox: Arc<Outbox>,
    under_way: Arc<Semaphore>,
}

impl Connection<'_> {
    async fn run<S: AsyncRead + AsyncWrite + Unpin>(&mut self, wire: &mut Wire<S>) -> End {
        loop {
            let text = match wire.receive().await {
                Ok(text) => text,
                Err(end) => return end,
            };
            match self.methods.begin(&self.peer, &text) {
                Begun::Done(reply) => self.send(reply),
                Begun::Pending { reply, session } => {
                    if let Err(end) = self.send_when_done(wire, reply, session).await {
                        return end;
                    }
                }
                Begun::Repeated { session } => self.methods.bind(&mut self.peer, &session),
            }
        }
    }

    fn send(&mut self, reply: Reply) {
        self.outbox.push(reply.text);
        if let Some(session) = reply.session {
            self.methods.bind(&mut self.peer, &session);
        }
    }

    /// Waits a moment for a reply, so that most stay in order, then goes on without it.
    async fn send_when_done<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        wire: &mut Wire<S>,
        mut reply: Pin<Box<dyn Future<Output = Reply> + Send>>,
        session: Arc<str>,
    ) -> Result<(), End> {
        let moment = Box::pin(tokio::time::timeout(IN_ORDER, &mut reply));
        let waited = wire.send_during(moment).await;
        if let Ok(Ok(reply)) = waited {
            self.send(reply);
            return Ok(());
        }
        self.methods.bind(&mut self.peer, &session);
        let permit = Box::pin(self.under_way.clone().acquire_owned());
        // The work goes on even when the connection has ended.
        let permit = if waited.is_ok() {
            wire.send_during(permit).await.map(Some)
        } else {
            Ok(None)
        };
        let outbox = self.outbox.clone();
        let (permit, result) = match permit {
            Ok(permit) => (permit, waited.map(|_| ())),
            Err(end) => (None, Err(end)),
        };
        tokio::spawn(async move {
            outbox.push(reply.await.text);
            drop(permit);
        });
        result
    }
}
