//! The server: a core, its sessions' housekeeping, and the sockets that lead to it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::rustls;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::auth::Guard;
use crate::console::{self, Console};
use crate::core::{Core, heap, monitor};
use crate::handover::Role;
use crate::http::Site;
use crate::http::access::Policy;
use crate::http::site::Access;
use crate::lifecycle::{Event, Phase};
use crate::pages;
use crate::protocol::connection::{Farewell, Service};
use crate::protocol::listener::{self, Binding, Inherited};
use crate::protocol::methods::Methods;
use crate::protocol::registrar::Registrar;
use crate::protocol::sockets::Sockets;
use crate::protocol::tls::Certificate;
use crate::systemd;
use crate::tasks::lasting;

mod controls;
mod listeners;

pub use controls::Controls;
use listeners::{Listener, open_management};

/// Of the 20 s of [`ENDING`](crate::lifecycle::ENDING), for objects: a call of a module may take
/// 9 s before its object can be released. The rest is for taking leave of clients.
const OBJECTS: Duration = Duration::from_secs(14);
/// What clients are told at the very end (RFC 6455 section 7.4.1).
const GOING_AWAY: Farewell = Farewell {
    code: CloseCode::Away,
    reason: "The server is going down",
};
/// Calls of modules at a time while all objects end.
const ENDING_THREADS: usize = 1_024;

/// How the server is reached, and how it treats sessions.
pub struct Options {
    /// The plain WebSocket listener.
    pub binding: Option<Binding>,
    /// The TLS listener.
    pub secure: Option<(Binding, Arc<Certificate>)>,
    /// The listener for supervisors: metrics and health.
    pub management: Option<Binding>,
    /// The page for operators, on the management port.
    pub console: console::Options,
    /// Who is answered.
    pub access: Policy,
    /// Who knows the credentials.
    pub guard: Arc<Guard>,
    /// Path of the WebSocket, without leading slash.
    pub path: String,
    /// Who is told where the server is: at the TLS listener if there is one.
    pub registrar: Option<Registrar>,
    /// A session that is neither used nor connected ends after one to two of these.
    pub collector_period: Duration,
    /// Whether a repeated request gets the reply of the first.
    pub caches_replies: bool,
}

impl Options {
    /// Whether the network reaches a listener and nobody has to show a credential.
    #[must_use]
    pub fn is_open_to_all(&self) -> bool {
        let secure = self.secure.iter().map(|(binding, _)| binding);
        let mut bindings = self.binding.iter().chain(secure).chain(&self.management);
        let is_reached = |binding: &Binding| {
            let ip = binding.address.map(|ip| ip.to_canonical());
            ip.is_none_or(|ip| !ip.is_loopback())
        };
        !self.guard.asks() && bindings.any(is_reached)
    }

    /// Which of the addresses cannot be bound on this machine, and why.
    #[must_use]
    pub fn unusable_addresses(&self) -> Vec<String> {
        let secure = self.secure.iter().map(|(binding, _)| binding);
        let problem = |binding: &Binding| {
            let error = listener::check(binding).err()?;
            let port = binding.port;
            Some(OpenError::Listen { port, error }.to_string())
        };
        self.binding
            .iter()
            .chain(secure)
            .filter_map(problem)
            .collect()
    }
}

/// Why a server has no socket.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The options name no listener.
    #[error(
        "mediaServer.net.websocket.port and mediaServer.net.websocket.secure.port are 0 or missing: there is nothing to listen on"
    )]
    NoListener,
    /// No listener can be opened; this is about the last one.
    #[error("Cannot listen on port {port}: {error}")]
    Listen {
        /// TCP port.
        port: u16,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// TLS cannot be set up.
    #[error("Cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// A server whose sockets are open.
pub struct Server {
    core: Arc<Core>,
    service: Arc<Service>,
    listeners: Vec<Listener>,
    management: Option<Listener>,
    access: Arc<Access>,
    certificate: Option<Arc<Certificate>>,
    registrar: Option<Registrar>,
    collector_period: Duration,
}

impl Server {
    /// Opens the sockets; clients can connect, and are answered once [`Server::run`] runs.
    ///
    /// # Errors
    /// When no address can be bound. With two listeners of which one can be opened, the other
    /// is only logged, and so is a management port that cannot be opened.
    pub fn open(core: Arc<Core>, options: Options) -> Result<Server, OpenError> {
        Server::open_with(core, options, Vec::new())
    }

    /// The same, with sockets of the server before this one, which are used where they are wanted
    /// and closed otherwise.
    ///
    /// # Errors
    /// As of [`Server::open`].
    pub fn open_with(
        core: Arc<Core>,
        options: Options,
        inherited: Vec<(Role, std::net::TcpListener)>,
    ) -> Result<Server, OpenError> {
        let inherited = inherited.into_iter();
        let mut inherited: Vec<Inherited> = inherited
            .map(|(role, socket)| Inherited { role, socket })
            .collect();
        let methods = Methods::new(core.clone(), options.caches_replies);
        let access = Arc::new(Access {
            policy: ArcSwap::from_pointee(options.access),
            certificate: match &options.secure {
                Some((_, certificate)) => certificate.names(),
                None => Arc::default(),
            },
            guard: options.guard.clone(),
        });
        let certificate = options
            .secure
            .as_ref()
            .map(|(_, certificate)| certificate.clone());
        let plain = options.binding.map(|binding| (binding, None));
        let secure = options.secure.map(|(binding, tls)| (binding, Some(tls)));
        let wanted = plain.into_iter().chain(secure);
        let listeners =
            listeners::open(wanted, &options.guard, &mut inherited, |on_loopback| Site {
                router: pages::control(&methods, on_loopback),
                has_websocket: true,
                on_loopback,
                access: access.clone(),
            })?;
        let console = options.console;
        let management = options.management.and_then(|binding| {
            let console = Console::new(core.clone(), console);
            open_management(&binding, &mut inherited, |on_loopback| Site {
                router: pages::management(&methods, &console),
                has_websocket: false,
                on_loopback,
                access: access.clone(),
            })
        });
        let service = Arc::new(Service {
            methods,
            guard: options.guard,
            path: options.path.trim_start_matches('/').to_owned(),
            sockets: Sockets::new(&core.accounts),
            predecessor: ArcSwapOption::empty(),
            ended: AtomicU64::new(0),
            farewell: watch::Sender::new(None),
        });
        Ok(Server {
            core,
            service,
            listeners,
            management,
            access,
            certificate,
            registrar: options.registrar,
            collector_period: options.collector_period,
        })
    }

    /// Whether clients have to show a credential.
    #[must_use]
    pub fn asks_for_credentials(&self) -> bool {
        self.service.guard.asks()
    }

    /// Where the plain listener is, if there is one.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address_of(false)
    }

    /// Where the TLS listener is, if there is one.
    #[must_use]
    pub fn secure_address(&self) -> Option<SocketAddr> {
        self.address_of(true)
    }

    /// Where the management port is, if it could be opened.
    #[must_use]
    pub fn management_address(&self) -> Option<SocketAddr> {
        self.management.as_ref()?.socket.local_addr().ok()
    }

    fn address_of(&self, secure: bool) -> Option<SocketAddr> {
        let mut listeners = self.listeners.iter();
        let listener = listeners.find(|listener| listener.tls.is_some() == secure)?;
        listener.socket.local_addr().ok()
    }

    /// Serves until the core's [`Lifecycle`](crate::lifecycle::Lifecycle) ends: destroys all
    /// objects, takes leave of the clients, and closes the sockets.
    pub async fn run(self) {
        let lifecycle = self.core.lifecycle.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let lifecycle = lifecycle.clone();
            async move { lifecycle.keep_time().await }
        });
        if let Some((registrar, url)) = self.registration() {
            let run = move || registrar.clone().run(url.clone());
            tasks.spawn(lasting("the registrar", run));
        }
        let mut listening = JoinSet::new();
        for listener in self.listeners.into_iter().chain(self.management) {
            let Listener {
                socket, tls, site, ..
            } = listener;
            let service = self.service.clone();
            let accept = move || {
                let (socket, tls) = (socket.clone(), tls.clone());
                listener::accept(socket, tls, site.clone(), service.clone())
            };
            listening.spawn(lasting("a listener", accept));
        }
        if let Some(certificate) = self.certificate {
            let keep_current = move || certificate.clone().keep_current();
            tasks.spawn(lasting("the certificate", keep_current));
        }
        let word = {
            let lifecycle = lifecycle.clone();
            move || systemd::keep_informed(lifecycle.clone())
        };
        tasks.spawn(lasting("the word to systemd", word));
        let guard = self.service.guard.clone();
        let keep_current = move || guard.clone().keep_current();
        tasks.spawn(lasting("the files of credentials", keep_current));
        let (core, period) = (self.core.clone(), self.collector_period);
        let collect = move || collect(core.clone(), period);
        tasks.spawn(lasting("the collector of sessions", collect));
        let core = self.core.clone();
        let watch = move || monitor::watch(core.clone());
        tasks.spawn(lasting("the monitor", watch));
        let (core, service) = (self.core.clone(), self.service.clone());
        let keep_small = move || {
            let service = service.clone();
            heap::keep_small(core.clone(), move || service.ended.load(Ordering::Relaxed))
        };
        tasks.spawn(lasting("the keeper of the heap", keep_small));
        lifecycle.reached(Phase::HandedOver).await;
        if let Some(process) = lifecycle.successor() {
            // First: who is told that another process serves comes to that one.
            listening.shutdown().await;
            systemd::handed_over(process);
            tracing::info!("process {process} has taken over; this one ends with its last object");
        }
        // There may be nothing that goes on.
        self.core.note_whether_empty();
        if lifecycle.phase() == Phase::HandedOver {
            lifecycle.reached(Phase::Draining).await;
            self.core.note_whether_empty();
        }
        lifecycle.reached(Phase::Ending).await;
        let in_order = async {
            let outcome = end(&self.core).await;
            // A supervisor takes the end of this process for that of the service.
            lifecycle.alone().await;
            self.service.farewell.send_replace(Some(GOING_AWAY));
            // Each connection is left within a time of its own.
            self.service.farewell.closed().await;
            outcome
        };
        let outcome = tokio::select! {
            outcome = in_order => outcome,
            () = lifecycle.reached(Phase::Ended) => return,
        };
        listening.shutdown().await;
        tasks.shutdown().await;
        lifecycle.step(outcome);
    }

    /// The registrar and the URL that it is told.
    fn registration(&self) -> Option<(Registrar, String)> {
        let registrar = self.registrar.clone()?;
        let secure = self.secure_address();
        let port = secure.or(self.address())?.port();
        let url = registrar.announced_url(secure.is_some(), port, &self.service.path);
        Some((registrar, url))
    }
}

/// Destroys all objects, and waits for them and for what else is under way.
///
/// Clients stay connected meanwhile: they get the replies to calls that run, the last events, and
/// an error for whatever they begin.
async fn end(core: &Arc<Core>) -> Event {
    // Nobody needs threads any more, and whatever modules wait for, others are not to wait for it.
    core.lanes.widen(ENDING_THREADS);
    let dead = core.registry.close();
    let all = async {
        core.destroy_all(dead).await;
        core.lifecycle.all_done().await;
    };
    match tokio::time::timeout(OBJECTS, all).await {
        Ok(()) => Event::Finished,
        Err(_) => Event::GivenUp,
    }
}

/// Ends sessions that went away, for as long as it is polled.
async fn collect(core: Arc<Core>, period: Duration) {
    let mut ticks = tokio::time::interval(period.max(Duration::from_millis(1)));
    ticks.tick().await;
    loop {
        ticks.tick().await;
        core.collect().await;
    }
}
