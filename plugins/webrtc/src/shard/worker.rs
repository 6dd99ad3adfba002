//! The thread of a shard: waits, receives, hands on, sends.

mod contested;
mod serve;

use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    ops::RangeInclusive,
    sync::{
        Arc,
        mpsc::{Receiver, TryRecvError},
    },
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Registry, event::Source, net::TcpListener};

use super::{
    Command, Outgoing, SendCounters, Token,
    group::{BurstQueue, Waiting},
    links::Links,
    listener,
    routes::{self, Routes},
    socket::{MediaSocket, ReceiveBuffers},
};
use crate::{
    dscp::Mark,
    peer::{Carrier, Transmit},
    transport::Transport,
};
use serve::Detour;

pub(super) const WAKE: mio::Token = mio::Token(0);
const V4: mio::Token = mio::Token(1);
const V6: mio::Token = mio::Token(2);
const LISTEN_V4: mio::Token = mio::Token(3);
const LISTEN_V6: mio::Token = mio::Token(4);

/// Receive calls on one socket before everything else gets its turn.
const RECEIVE_TURNS: usize = 16;

/// What a shard receives from.
pub(super) struct Sockets {
    v4: Option<MediaSocket>,
    v6: Option<MediaSocket>,
    listeners: [Option<TcpListener>; 2],
    ports: Option<RangeInclusive<u16>>,
}

impl Sockets {
    /// Listens for TCP connections beside these sockets. Without a port for that there are none.
    pub(super) fn new(
        v4: Option<MediaSocket>,
        v6: Option<MediaSocket>,
        ports: Option<RangeInclusive<u16>>,
    ) -> Self {
        let beside = |v6: bool, socket: &Option<MediaSocket>| {
            let wanted = socket.as_ref()?.port();
            listener::listen(v6, wanted, ports.as_ref())
                .inspect_err(|error| tracing::warn!(%error, "no port for ICE-TCP"))
                .ok()
        };
        let listeners = [beside(false, &v4), beside(true, &v6)];
        Self {
            v4,
            v6,
            listeners,
            ports,
        }
    }

    /// UDP and TCP ports for IPv4 and IPv6.
    pub(super) fn ports(&self) -> [(Option<u16>, Option<u16>); 2] {
        let tcp = |listener: &Option<TcpListener>| {
            let address = listener.as_ref()?.local_addr().ok()?;
            Some(address.port())
        };
        let udp = |socket: &Option<MediaSocket>| socket.as_ref().map(MediaSocket::port);
        let [v4, v6] = &self.listeners;
        [(udp(&self.v4), tcp(v4)), (udp(&self.v6), tcp(v6))]
    }

    fn register(&mut self, registry: &Registry) -> io::Result<()> {
        let readable = |source: Option<&mut dyn Source>, token| match source {
            Some(source) => source.register(registry, token, Interest::READABLE),
            None => Ok(()),
        };
        let [listen_v4, listen_v6] = &mut self.listeners;
        readable(self.v4.as_mut().map(|s| s.source() as &mut dyn Source), V4)?;
        readable(self.v6.as_mut().map(|s| s.source() as &mut dyn Source), V6)?;
        readable(listen_v4.as_mut().map(|s| s as &mut dyn Source), LISTEN_V4)?;
        readable(listen_v6.as_mut().map(|s| s as &mut dyn Source), LISTEN_V6)
    }
}

pub(super) struct Worker {
    poll: Poll,
    v4: Option<MediaSocket>,
    v6: Option<MediaSocket>,
    listeners: [Option<TcpListener>; 2],
    ports: Option<RangeInclusive<u16>>,
    links: Links,
    /// Links that may have something to read.
    ready: Vec<usize>,
    commands: Receiver<Command>,
    queue: Arc<BurstQueue>,
    transports: Transports,
    routes: Routes,
    timers: BTreeSet<(Instant, Token)>,
    /// Those of this turn.
    fired: Vec<(Instant, Token)>,
    waiting: Waiting,
    /// `None` while something is being received.
    buffers: Option<ReceiveBuffers>,
    scratch: Vec<u8>,
    /// What is read from a connection at once.
    chunk: Vec<u8>,
    counters: SendCounters,
    /// Transports that received something since they were last attended to.
    touched: Vec<Token>,
}

/// Transports by place.
#[derive(Default)]
struct Transports(Vec<Option<(Token, Box<Transport>)>>);

impl Transports {
    fn get(&mut self, token: Token) -> Option<&mut Transport> {
        match self.0.get_mut(token.place as usize)? {
            Some((known, transport)) if *known == token => Some(transport),
            _ => None,
        }
    }

    fn insert(&mut self, token: Token, transport: Box<Transport>) {
        let place = token.place as usize;
        if self.0.len() <= place {
            self.0.resize_with(place + 1, || None);
        }
        if let Some(slot) = self.0.get_mut(place) {
            *slot = Some((token, transport));
        }
    }

    fn remove(&mut self, token: Token) -> Option<Box<Transport>> {
        self.get(token)?;
        self.0
            .get_mut(token.place as usize)?
            .take()
            .map(|(_, transport)| transport)
    }
}

impl Worker {
    pub(super) fn new(
        poll: Poll,
        mut sockets: Sockets,
        commands: Receiver<Command>,
        queue: Arc<BurstQueue>,
    ) -> io::Result<Self> {
        sockets.register(poll.registry())?;
        let Sockets {
            v4,
            v6,
            listeners,
            ports,
        } = sockets;
        Ok(Self {
            poll,
            v4,
            v6,
            listeners,
            ports,
            links: Links::default(),
            ready: Vec::new(),
            commands,
            queue,
            transports: Transports::default(),
            routes: Routes::default(),
            timers: BTreeSet::new(),
            fired: Vec::new(),
            waiting: Waiting::default(),
            buffers: None,
            scratch: Vec::new(),
            chunk: Vec::new(),
            counters: SendCounters::default(),
            touched: Vec::new(),
        })
    }

    /// Runs until it is told to stop.
    pub(super) fn run(mut self) {
        self.queue.enter_thread();
        let mut events = Events::with_capacity(64);
        let (mut read_v4, mut read_v6) = (true, true);
        loop {
            let patience = if read_v4 || read_v6 || !self.ready.is_empty() {
                Some(Duration::ZERO)
            } else {
                self.patience()
            };
            match self.poll.poll(&mut events, patience) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return tracing::error!(%error, "a shard cannot wait for its sockets"),
            }
            for event in &events {
                match event.token() {
                    V4 => read_v4 = true,
                    V6 => read_v6 = true,
                    LISTEN_V4 => self.accept(0),
                    LISTEN_V6 => self.accept(1),
                    mio::Token(key) => self.note_ready(key),
                }
            }
            if !self.obey() {
                return;
            }
            if read_v4 {
                read_v4 = self.receive(V4);
            }
            if read_v6 {
                read_v6 = self.receive(V6);
            }
            if !self.ready.is_empty() {
                self.serve_links();
            }
            self.send_bursts();
            self.run_timers();
        }
    }

    fn patience(&self) -> Option<Duration> {
        let (next, _) = self.timers.first()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Carries out commands; `false` at the end.
    fn obey(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Open(token, transport)) => self.open(token, transport),
                Ok(Command::With(token, action)) => {
                    let now = Instant::now();
                    if let Some(transport) = self.transports.get(token) {
                        action(transport, now);
                        if let Some(former) = transport.take_renamed() {
                            self.routes.forget_name(token, &former);
                            self.routes.add_name(transport.name(), token);
                        }
                        self.settle(token);
                    }
                }
                Ok(Command::Close(token)) => self.close(token),
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    fn open(&mut self, token: Token, transport: Box<Transport>) {
        self.routes.add_name(transport.name(), token);
        self.transports.insert(token, transport);
        self.settle(token);
    }

    fn close(&mut self, token: Token) {
        if let Some(transport) = self.transports.get(token) {
            transport.close(Instant::now());
            self.settle(token);
        }
        if let Some(transport) = self.transports.remove(token) {
            self.routes.forget(token, transport.name());
            self.links.forget(self.poll.registry(), token);
        }
    }

    /// Receives for a while; `true` when there may be more.
    fn receive(&mut self, token: mio::Token) -> bool {
        let mut buffers = self.buffers.take().unwrap_or_default();
        let mut more = true;
        for _ in 0..RECEIVE_TURNS {
            let socket = if token == V6 {
                self.v6.take()
            } else {
                self.v4.take()
            };
            let Some(socket) = socket else { return false };
            let received = socket.receive(&mut buffers, |local, remote, data| {
                self.datagram(local, remote, data);
            });
            *(if token == V6 {
                &mut self.v6
            } else {
                &mut self.v4
            }) = Some(socket);
            self.attend();
            self.send_bursts();
            match received {
                Ok(true) => {}
                Ok(false) => {
                    more = false;
                    break;
                }
                // An ICMP error of an earlier datagram, say: the next call goes on.
                Err(error) => tracing::trace!(%error, "receiving"),
            }
        }
        self.buffers = Some(buffers);
        more
    }

    fn datagram(&mut self, local: SocketAddr, remote: SocketAddr, data: &mut [u8]) {
        let Some(token) = self.routes.find(remote, data) else {
            tracing::trace!(%local, %remote, length = data.len(), "datagram for nobody");
            return;
        };
        if routes::is_stun(data) && self.is_taken(remote, token) {
            return tracing::trace!(%local, %remote, "a check on another transport's path");
        }
        let Some(transport) = self.transports.get(token) else {
            return;
        };
        if transport.datagram(Instant::now(), local, remote, data) {
            let proven = transport.path().is_some_and(|path| path.remote == remote);
            self.routes.learn(remote, token, proven);
        }
        self.touch(token);
    }

    /// Pushes received media to its consumers and lets the transports answer.
    fn attend(&mut self) {
        while let Some(token) = self.touched.pop() {
            if let Some(transport) = self.transports.get(token) {
                transport.hand_on();
            }
            self.settle(token);
        }
    }

    /// Sends what consumers of this shard are to get.
    fn send_bursts(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        self.queue.take(&mut waiting);
        let now = Instant::now();
        for (packets, sinks) in waiting.bursts() {
            for sink in sinks {
                let (token, track) = Token::of_sink(sink.token);
                let Some(transport) = self.transports.get(token) else {
                    continue;
                };
                let Some(path) = transport.path() else {
                    continue;
                };
                let (scratch, counters) = (&mut self.scratch, &mut self.counters);
                let outgoing = match path.carrier {
                    Carrier::Udp => {
                        let socket = if path.local.is_ipv6() {
                            &self.v6
                        } else {
                            &self.v4
                        };
                        let Some(socket) = socket else { continue };
                        Outgoing::new(socket, path, scratch, counters)
                    }
                    _ => {
                        let (links, registry) = (&mut self.links, self.poll.registry());
                        let detour = Detour::of(links, registry, transport, token, path);
                        let Some(detour) = detour else { continue };
                        detour.outgoing(scratch, counters)
                    }
                };
                let outgoing = outgoing.marked(transport.mark());
                let more = transport.forward(now, track, packets, sink.packets, outgoing);
                if more && self.touched.last() != Some(&token) {
                    self.touched.push(token);
                }
            }
        }
        waiting.clear();
        self.waiting = waiting;
        self.attend();
    }

    /// Runs the timers that are due. What they set anew waits for the next turn, however soon it is
    /// due: sockets and other transports come first.
    fn run_timers(&mut self) {
        let now = Instant::now();
        let mut fired = std::mem::take(&mut self.fired);
        while self.timers.first().is_some_and(|(due, _)| *due <= now) {
            fired.extend(self.timers.pop_first());
        }
        for (due, token) in fired.drain(..) {
            if let Some(transport) = self.transports.get(token)
                && transport.timer_fired(due)
            {
                transport.timeout(now);
                self.settle(token);
            }
        }
        self.fired = fired;
    }

    /// Sends what a transport has to say and notes when it wants to be called.
    fn settle(&mut self, token: Token) {
        let Some(transport) = self.transports.get(token) else {
            return;
        };
        let mark = transport.mark();
        for (number, server) in transport.take_new_servers() {
            let (registry, ports) = (self.poll.registry(), self.ports.as_ref());
            let opened = self
                .links
                .open_server(registry, token, number, &server, ports, mark);
            if let Err(error) = opened {
                transport.server_lost(Instant::now(), number, &error.to_string());
            }
        }
        while let Some(transmit) = self
            .transports
            .get(token)
            .and_then(Transport::poll_transmit)
        {
            self.transmit(token, &transmit, mark);
        }
        let Some(transport) = self.transports.get(token) else {
            return;
        };
        transport.report();
        if let Some(due) = transport.earlier_timer() {
            self.timers.insert((due, token));
        }
    }

    fn transmit(&mut self, token: Token, transmit: &Transmit, mark: Mark) {
        let (path, bytes) = (transmit.path, &transmit.bytes);
        let (local, remote) = (path.local.ip(), path.remote);
        match path.carrier {
            Carrier::Udp if self.may_send(token, path, bytes) => {
                let socket = if local.is_ipv6() { &self.v6 } else { &self.v4 };
                if let Some(socket) = socket {
                    self.routes.expect(bytes, token);
                    socket.send(local, remote, bytes, None, mark);
                }
            }
            Carrier::OwnUdp => {
                if let Some(socket) = self.links.own(token, local.is_ipv6()) {
                    socket.send(local, remote, bytes, None, mark);
                }
            }
            Carrier::Tcp => {
                let registry = self.poll.registry();
                self.links.send(registry, token, path, bytes, mark);
            }
            Carrier::Server(number) => {
                self.links
                    .send_to_server(token, number, remote, bytes, mark);
            }
            // The peer has wrapped what is for a relay.
            Carrier::Udp | Carrier::Relay(_) => {}
        }
    }
}
