//! Shards: a thread with its sockets and the transports that it alone touches.

mod framing;
mod links;
mod routes;
mod station;
mod tls;
mod watch;
mod worker;

#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{self, Sender},
    },
    thread,
    time::Instant,
};

use mio::{Poll, Waker};
pub(crate) use rivero_net::Token;
use rivero_net::{
    MediaSocket,
    shard::{BurstQueue, Places, Pulse, ShardGroup},
};
use rivero_plugin_api::{Error, Result, SinkGroupHandle, supervise};

pub(crate) use framing::Framing;
pub(crate) use tls::configuration as tls_configuration;

use crate::link::Link;
use station::Station;
use worker::Sockets;

/// Something to do with a transport, on its thread.
pub(crate) type Action = Box<dyn FnOnce(&mut Link, Instant) + Send>;

/// The datagrams of a burst to one peer.
pub(crate) type Outgoing<'a> = rivero_net::Outgoing<'a, Framing>;

/// What a shard is told.
pub(crate) enum Command {
    /// A new transport.
    Open(Token, Box<Link>),
    /// Something to do with one; nothing if it is gone.
    With(Token, Action),
    /// The end of one.
    Close(Token),
    /// The end of the shard.
    Stop,
    /// A fault outside of all transports.
    #[cfg(test)]
    Panic,
}

/// Differences of load, in per cent, that do not count.
const LOAD_STEP: u32 = 25;

/// All shards of the module. Their threads end with the last endpoint.
pub(crate) struct Shards {
    shards: Vec<Arc<Shard>>,
    next: AtomicUsize,
}

impl Shards {
    /// The running shards, or new ones: one per core.
    pub(crate) fn obtain(ports: Option<RangeInclusive<u16>>) -> Result<Arc<Self>> {
        static RUNNING: Mutex<Weak<Shards>> = Mutex::new(Weak::new());
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shards) = running.upgrade() {
            return Ok(shards);
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let shards = Arc::new(Self {
            shards: start(cores, ports.as_ref())?,
            next: AtomicUsize::new(0),
        });
        *running = Arc::downgrade(&shards);
        watch::begin(&shards);
        Ok(shards)
    }

    /// A shard for a new endpoint: the one that has least to do, of those whose threads are not
    /// down, and not stuck as long as there is another one. Among equals they take turns.
    ///
    /// # Errors
    /// 40009 while none is at work.
    pub(crate) fn assign(&self) -> Result<Arc<Shard>> {
        let turn = self.next.fetch_add(1, Relaxed) % self.shards.len().max(1);
        let (before, after) = self.shards.split_at_checked(turn).unwrap_or_default();
        let in_turn = after.iter().chain(before);
        let at_work = in_turn.filter(|shard| !shard.pulse.is_down());
        let shard = at_work.min_by_key(|shard| (shard.pulse.is_stuck(), shard.burden()));
        shard.cloned().ok_or_else(|| {
            let text = "no thread for media is at work: all have failed and begin anew, try again";
            Error::new(40009, "NOT_ENOUGH_RESOURCES", text)
        })
    }
}

/// As many shards as there are cores, or ports for them.
fn start(cores: usize, ports: Option<&RangeInclusive<u16>>) -> Result<Vec<Arc<Shard>>> {
    let mut shards = Vec::new();
    for _ in 0..cores {
        match Shard::start(ports) {
            Ok(shard) => shards.push(shard),
            Err(error) if shards.is_empty() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "media uses fewer threads than there are cores");
                break;
            }
        }
    }
    Ok(shards)
}

impl Drop for Shards {
    fn drop(&mut self) {
        self.shards
            .iter()
            .for_each(|shard| shard.send(Command::Stop));
    }
}

/// A thread with its sockets, as the rest of the module sees it.
pub(crate) struct Shard {
    name: String,
    pulse: Arc<Pulse>,
    commands: Mutex<Sender<Command>>,
    waker: Arc<Waker>,
    group: SinkGroupHandle,
    #[cfg(test)]
    queue: Arc<BurstQueue>,
    /// Ports for UDP and TCP.
    v4: Ports,
    v6: Ports,
    places: Mutex<Places>,
}

/// The ports of a shard's sockets for one IP version.
#[derive(Default, Clone, Copy)]
struct Ports {
    udp: Option<u16>,
    tcp: Option<u16>,
}

impl Shard {
    fn start(ports: Option<&RangeInclusive<u16>>) -> Result<Arc<Self>> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let failed = |error: std::io::Error| {
            Error::new(
                40009,
                "NOT_ENOUGH_RESOURCES",
                format!("no socket or thread for media: {error}"),
            )
        };
        let number = NUMBERS.fetch_add(1, Relaxed) + 1;
        let (v4, v6) = match (
            MediaSocket::bind(false, ports),
            MediaSocket::bind(true, ports),
        ) {
            (Err(error), Err(_)) => return Err(failed(error)),
            (v4, v6) => (v4.ok(), v6.ok()),
        };
        let mut sockets = Sockets::new(v4, v6, ports.cloned());
        let poll = Poll::new().map_err(failed)?;
        sockets.register(poll.registry()).map_err(failed)?;
        let waker = Arc::new(Waker::new(poll.registry(), worker::WAKE).map_err(failed)?);
        let queue = Arc::new(BurstQueue::new(number, waker.clone()));
        let (commands, receiver) = mpsc::channel();
        let [v4, v6] = sockets.ports().map(|(udp, tcp)| Ports { udp, tcp });
        let pulse = Arc::<Pulse>::default();
        let name = format!("webrtc-{number}");
        let shard = Arc::new(Self {
            name: name.clone(),
            pulse: pulse.clone(),
            commands: Mutex::new(commands),
            waker,
            group: SinkGroupHandle::new(ShardGroup::new(queue.clone())),
            #[cfg(test)]
            queue: queue.clone(),
            v4,
            v6,
            places: Mutex::default(),
        });
        let station = Station {
            name: name.clone(),
            poll,
            sockets,
            commands: receiver,
            queue,
            pulse,
        };
        supervise::thread(&name, move || station.run()).map_err(failed)?;
        Ok(shard)
    }

    /// What to compare shards by: how busy the thread is, roughly, and for how many endpoints.
    /// A thread that begins to serve many is not busy yet, and small differences mean nothing.
    fn burden(self: &Arc<Self>) -> (u32, usize) {
        // The list of all shards has one of the references, each endpoint one more.
        let endpoints = Arc::strong_count(self) - 1;
        let load = match endpoints {
            // It says nothing any more.
            0 => 0,
            _ => self.pulse.load(),
        };
        (load / LOAD_STEP, endpoints)
    }

    /// Tells the shard's thread something.
    pub(crate) fn send(&self, command: Command) {
        // A shard that stopped has no transports any more.
        let _ = self
            .commands
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .send(command);
        let _ = self.waker.wake();
    }

    /// Does something with a transport, on the shard's thread.
    pub(crate) fn with(
        &self,
        token: Token,
        action: impl FnOnce(&mut Link, Instant) + Send + 'static,
    ) {
        self.send(Command::With(token, Box::new(action)));
    }

    /// A name for a new transport.
    pub(crate) fn reserve(&self) -> Result<Token> {
        let token = self.places().reserve();
        token.ok_or_else(|| Error::new(40009, "NOT_ENOUGH_RESOURCES", "too many transports"))
    }

    /// Ends a transport; its name may be given to another one.
    pub(crate) fn close(&self, token: Token) {
        // In this order: the shard sees the end before a successor's beginning.
        self.send(Command::Close(token));
        self.places().free(token);
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes bursts for the sinks of this shard.
    pub(crate) fn group(&self) -> &SinkGroupHandle {
        &self.group
    }

    /// The shard's UDP socket under one of this machine's addresses.
    pub(crate) fn address(&self, ip: IpAddr) -> Option<SocketAddr> {
        let port = self.ports(ip).udp?;
        Some(SocketAddr::new(ip, port))
    }

    /// Where the shard accepts TCP connections under one of this machine's addresses.
    pub(crate) fn passive_address(&self, ip: IpAddr) -> Option<SocketAddr> {
        let port = self.ports(ip).tcp?;
        Some(SocketAddr::new(ip, port))
    }

    fn ports(&self, ip: IpAddr) -> Ports {
        if ip.is_ipv6() { self.v6 } else { self.v4 }
    }
}
