//! A shard as the rest of its module sees it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{self, Sender},
    },
    time::Instant,
};

use mio::{Poll, Waker};
use rivero_plugin_api::{
    Error, Packet, Result, SinkGroup, SinkGroupHandle, SinkSelection, supervise,
};

use super::{
    Routing, ShardSession, Sockets,
    group::{BurstQueue, ShardGroup},
    places::Places,
    pulse::Pulse,
    sockets::{Ports, WAKE},
    station::Station,
};
use crate::Token;

/// Something to do with a session, on its thread.
pub type Action<S> = Box<dyn FnOnce(&mut S, Instant) + Send>;

/// What a shard is told.
pub enum Command<S> {
    /// A new session.
    Open(Token, Box<S>),
    /// Something to do with one; nothing if it is gone.
    With(Token, Action<S>),
    /// The end of one.
    Close(Token),
    /// The end of the shard.
    Stop,
    /// A fault outside of all sessions.
    #[cfg(test)]
    Panic,
}

/// Differences of load, in per cent, that do not count: it is measured over a tenth of a second, and one of
/// them is not like the next.
const LOAD_STEP: u32 = 25;

/// A thread with its sockets. Whoever has a session on it keeps a reference, which its burden counts.
pub struct Shard<S> {
    pub(super) name: String,
    pub(super) pulse: Arc<Pulse>,
    commands: Mutex<Sender<Command<S>>>,
    waker: Arc<Waker>,
    queue: Arc<BurstQueue>,
    group: SinkGroupHandle,
    v4: Ports,
    v6: Ports,
    places: Mutex<Places>,
}

impl<S: ShardSession> Shard<S> {
    /// Starts the thread of a shard, which is called by `kind` and a number.
    ///
    /// # Errors
    /// 40009 when the system refuses something.
    pub fn start<R: Routing<Session = S>>(kind: &str, sockets: Sockets) -> Result<Arc<Self>> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let number = NUMBERS.fetch_add(1, Relaxed) + 1;
        Self::start_numbered::<R>(format!("{kind}-{number}"), number, sockets).map_err(refused)
    }

    fn start_numbered<R: Routing<Session = S>>(
        name: String,
        number: u64,
        mut sockets: Sockets,
    ) -> io::Result<Arc<Self>> {
        let poll = Poll::new()?;
        sockets.register(poll.registry())?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let queue = Arc::new(BurstQueue::new(number, waker.clone()));
        let (commands, receiver) = mpsc::channel();
        let [v4, v6] = sockets.bound_ports();
        let pulse = Arc::<Pulse>::default();
        let shard = Arc::new(Self {
            name: name.clone(),
            pulse: pulse.clone(),
            commands: Mutex::new(commands),
            waker,
            queue: queue.clone(),
            group: SinkGroupHandle::new(ShardGroup::new(queue.clone())),
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
        supervise::thread(&name, move || station.run::<R>())?;
        Ok(shard)
    }
}

impl<S> Shard<S> {
    /// What to compare shards by: how busy the thread is, roughly, and for how many endpoints.
    /// A thread that begins to serve many is not busy yet, and small differences mean nothing.
    pub(super) fn burden(self: &Arc<Self>) -> (u32, usize) {
        // The list of all shards has one of the references, each endpoint one more.
        let endpoints = Arc::strong_count(self) - 1;
        let load = match endpoints {
            // What it was busy with has gone.
            0 => 0,
            _ => self.pulse.load(),
        };
        (load / LOAD_STEP, endpoints)
    }

    /// Tells the shard's thread something.
    pub fn send(&self, command: Command<S>) {
        // A shard that stopped has no sessions any more.
        let _ = self.try_send(command);
    }

    pub(super) fn try_send(
        &self,
        command: Command<S>,
    ) -> std::result::Result<(), mpsc::SendError<Command<S>>> {
        let sent = self
            .commands
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .send(command);
        let _ = self.waker.wake();
        sent
    }

    /// Does something with a session, on the shard's thread.
    pub fn with(&self, token: Token, action: impl FnOnce(&mut S, Instant) + Send + 'static) {
        self.send(Command::With(token, Box::new(action)));
    }

    /// A name for a new session.
    ///
    /// # Errors
    /// 40009 when there are too many.
    pub fn reserve(&self) -> Result<Token> {
        let token = self.places().reserve();
        token.ok_or_else(|| Error::new(40009, "NOT_ENOUGH_RESOURCES", "too many transports"))
    }

    /// Ends a session; its place may be given to another one.
    pub fn close(&self, token: Token) {
        // In this order: the shard sees the end before a successor's beginning.
        self.send(Command::Close(token));
        self.places().free(token);
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes bursts for the sinks of this shard.
    pub fn group(&self) -> &SinkGroupHandle {
        &self.group
    }

    /// Queues a burst for sinks of this shard, as the host does through its [`group`](Self::group).
    pub fn push_batch(&self, packets: &[Packet], sinks: &[SinkSelection]) {
        ShardGroup::new(self.queue.clone()).push_batch(packets, sinks);
    }

    /// The UDP socket that all sessions share under one of this machine's addresses.
    pub fn address(&self, ip: IpAddr) -> Option<SocketAddr> {
        let port = self.ports(ip).udp?;
        Some(SocketAddr::new(ip, port))
    }

    /// Where the shard accepts TCP connections under one of this machine's addresses.
    pub fn passive_address(&self, ip: IpAddr) -> Option<SocketAddr> {
        let port = self.ports(ip).tcp?;
        Some(SocketAddr::new(ip, port))
    }

    fn ports(&self, ip: IpAddr) -> Ports {
        if ip.is_ipv6() { self.v6 } else { self.v4 }
    }
}

pub(super) fn refused(error: io::Error) -> Error {
    let text = format!("no socket or thread for media: {error}");
    Error::new(40009, "NOT_ENOUGH_RESOURCES", text)
}
