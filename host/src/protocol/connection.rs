//! One connection: handshake, then requests in and replies and events out.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::methods::{Begun, LARGE, Methods, Peer, Reply};
use super::passing::relay;
use super::sockets::{Place, Sockets};
use super::wire::{End, Received, Wire};
use crate::accounts::Account;
use crate::auth::{Caller, Guard, Principal};
use crate::handover::Predecessor;
use crate::http::{self, Site, handshake};
use crate::registry::Outbox;

/// A reply that takes longer than this is overtaken by those to later requests.
const IN_ORDER: Duration = Duration::from_millis(20);
/// What a client that has sent its request with the connection takes at most.
const PROMPT: Duration = Duration::from_millis(5);
/// How long a connection may go on before others have their turn.
const TURN: Duration = Duration::from_micros(200);
/// Requests of one connection that may be under way at a time.
const MAX_UNDER_WAY: u32 = 1_000;
/// How long a connection that the server ends waits for replies to calls that are under way.
const LAST_REPLIES: Duration = Duration::from_secs(1);

/// What the connections of all listeners have in common.
#[derive(Debug)]
pub struct Service {
    /// Carries out requests.
    pub methods: Arc<Methods>,
    /// Who knows the credentials.
    pub guard: Arc<Guard>,
    /// Where the WebSocket is, without leading slash.
    pub path: String,
    /// The open sockets.
    pub sockets: Arc<Sockets>,
    /// The process from which this one took over, while it lives.
    pub predecessor: ArcSwapOption<Predecessor>,
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

/// Serves a connection until it ends, or has to make room for another one; `certificate` is what its client
/// has shown in the handshake of TLS.
pub async fn serve<S>(
    stream: S,
    place: Place,
    from: SocketAddr,
    certificate: Option<CertificateDer<'static>>,
    site: Arc<Site>,
    service: Arc<Service>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let _served = Served(service.clone());
    let account = place.account();
    let upgraded = tokio::select! {
        reason = place.ended() => return tracing::debug!(%from, reason, "ended without a request"),
        upgraded = arrive(&account, http::exchange(stream, from, certificate.as_ref(), &site)) => upgraded,
    };
    let Some(upgraded) = upgraded else {
        return;
    };
    // A connection may live for days, and what it came in by is of no use to it any more.
    drop((site, certificate));
    let caller = service.caller(upgraded.principal, &place);
    let outbox = Outbox::new(caller.account());
    let wire = Wire::new(upgraded.stream, upgraded.rest.to_vec(), outbox.clone()).await;
    talk(
        wire,
        &caller,
        outbox,
        &upgraded.path,
        &place,
        from,
        &service,
    )
    .await;
    if caller.account().counts_requests() {
        drop(place);
        // Who comes back at once does not begin to count anew.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

impl Service {
    /// A principal, with the account that it is counted for: its own, or that of its address.
    pub(super) fn caller(&self, principal: Arc<Principal>, place: &Place) -> Caller {
        let accounts = &self.methods.core().accounts;
        let account = match &principal.name {
            Some(name) => accounts.of_principal(name, &principal.quotas),
            None => place.account(),
        };
        Caller::new(principal, account)
    }
}

/// Makes an exchange when its turn has come. One whose client is slow goes on without a turn: it
/// does nothing meanwhile, and those who come after it shall not wait for it.
async fn arrive<T>(account: &Account, exchange: impl Future<Output = T>) -> T {
    let turn = account.arrivals().acquire().await;
    let mut exchange = pin!(exchange);
    match tokio::time::timeout(PROMPT, &mut exchange).await {
        Ok(done) => done,
        Err(_) => {
            drop(turn);
            exchange.await
        }
    }
}

pub(super) async fn talk<S>(
    mut wire: Wire<S>,
    caller: &Caller,
    outbox: Arc<Outbox>,
    path: &str,
    place: &Place,
    from: SocketAddr,
    service: &Service,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if !handshake::is_path(path, &service.path) {
        tracing::info!(%from, path, "refused: wrong path");
        return wire.close(CloseCode::Protocol, "Invalid path".into()).await;
    }
    if let Err(exhausted) = place.connect(caller.account()) {
        tracing::debug!(%from, %exhausted, "refused: no room for the connection");
        return wire
            .close(CloseCode::Again, exhausted.setting().into())
            .await;
    }
    tracing::debug!(%from, principal = caller.principal().name.as_deref(), "connected");
    let mut connection = Connection {
        service,
        from,
        methods: &service.methods,
        place,
        caller,
        peer: Peer::new(outbox.clone(), caller.clone()),
        outbox: outbox.clone(),
        under_way: Arc::new(Semaphore::new(MAX_UNDER_WAY as usize)),
        turn: None,
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
            farewell.map_or(End::Gone, |Farewell { code, reason }| End::Refused(code, reason.into()))
        }
        reason = place.ended() => {
            tracing::debug!(%from, reason, "ended");
            // Its place has been given away: it does not wait for an answer.
            return wire.abandon(CloseCode::Again, reason.into());
        }
        () = caller.principal().expired_for(service.guard.grace()) => {
            let credential = caller.principal().credential();
            End::Refused(CloseCode::Policy, format!("The {credential} has expired").into())
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
    service: &'a Service,
    from: SocketAddr,
    caller: &'a Caller,
    methods: &'a Arc<Methods>,
    place: &'a Place,
    peer: Peer,
    outbox: Arc<Outbox>,
    under_way: Arc<Semaphore>,
    turn: Option<Turn>,
}

/// The right to have requests handled.
struct Turn {
    since: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Connection<'_> {
    async fn run<S: AsyncRead + AsyncWrite + Unpin>(&mut self, wire: &mut Wire<S>) -> End {
        loop {
            let received = poll_fn(|cx| {
                let polled = wire.poll_receive(cx);
                if polled.is_pending() {
                    self.turn = None;
                }
                polled
            });
            let received = match received.await {
                Ok(received) => received,
                Err(end) => return end,
            };
            self.place.heard();
            let way_back = self
                .service
                .way_back(&received.text, self.caller, self.from);
            if let Some(there) = way_back.await {
                self.turn = None;
                let heard = || self.place.heard();
                return relay(wire, &self.outbox, received, there, heard).await;
            }
            if let Err(end) = self.handle(wire, received).await {
                return end;
            }
        }
    }

    async fn handle<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        wire: &mut Wire<S>,
        received: Received,
    ) -> Result<(), End> {
        self.take_turn(wire).await?;
        match self.begin(wire, received).await? {
            Begun::Done(reply) => self.send(reply),
            Begun::Pending { reply, session } => {
                self.turn = None;
                self.send_when_done(wire, reply, session).await?;
            }
            Begun::Repeated { session } => self.methods.bind(&mut self.peer, &session),
        }
        Ok(())
    }

    /// Waits until it is the connection's turn, which it has until it has nothing to do, or for a
    /// while: then others have theirs.
    async fn take_turn<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        wire: &mut Wire<S>,
    ) -> Result<(), End> {
        if let Some(turn) = &self.turn {
            if turn.since.elapsed() <= TURN {
                return Ok(());
            }
            self.turn = None;
            tokio::task::yield_now().await;
        }
        let turns = self.outbox.account().turns();
        let permit = match turns.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let turn = Box::pin(turns.clone().acquire_owned());
                wire.send_during(turn).await?.map_err(|_| End::Gone)?
            }
        };
        let since = Instant::now();
        self.turn = Some(Turn {
            since,
            _permit: permit,
        });
        Ok(())
    }

    /// Begins a request, a large one beside the runtime. The next one is not read meanwhile.
    async fn begin<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        wire: &mut Wire<S>,
        received: Received,
    ) -> Result<Begun, End> {
        let Received { text, claim } = received;
        let origin = self.peer.origin();
        if text.len() <= LARGE {
            return Ok(self.methods.begin(origin, &text, claim));
        }
        let (methods, origin) = (self.methods.clone(), origin.clone());
        let aside = &self.methods.core().aside;
        let begun = aside.run(move || methods.begin(&origin, &text, claim));
        self.turn = None;
        let begun = wire.send_during(Box::pin(begun)).await?;
        Ok(begun.unwrap_or_else(|error| Begun::failed(&error)))
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
