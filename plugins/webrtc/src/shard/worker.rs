//! The thread of a shard: waits, receives, hands on, sends.

mod contested;
mod serve;
mod transports;

use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    ops::RangeInclusive,
    sync::mpsc::{Receiver, TryRecvError},
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Registry, event::Source, net::TcpListener};
use rivero_net::{
    BATCH, Mark, MediaSocket, ReceiveBuffers, SendCounters, Token, listener,
    shard::{BurstQueue, Coalescing, Load, Pulse, Waiting},
};
use rivero_plugin_api::{Packet, SinkSelection, supervise::contained};

use super::{
    Action, Command, Framing, Outgoing,
    links::Links,
    routes::{self, Routes},
};
use crate::{
    link::Link,
    peer::{Carrier, Transmit},
};
use serve::Detour;
use transports::Transports;

pub(super) const WAKE: mio::Token = mio::Token(0);
const V4: mio::Token = mio::Token(1);
const V6: mio::Token = mio::Token(2);
const LISTEN_V4: mio::Token = mio::Token(3);
const LISTEN_V6: mio::Token = mio::Token(4);

/// Receive calls on one socket before everything else gets its turn.
const RECEIVE_TURNS: usize = 16;

/// Where the metrics count panics in the end of a transport.
const END: &str = "the end of a WebRTC transport";

/// What a shard receives from: it outlives the workers.
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

    /// Has `registry` tell when something can be read. Each new worker reads without being told.
    pub(super) fn register(&mut self, registry: &Registry) -> io::Result<()> {
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

    fn udp(&self, v6: bool) -> Option<&MediaSocket> {
        let socket = if v6 { &self.v6 } else { &self.v4 };
        socket.as_ref()
    }

    fn ports_for_more(&self) -> Option<&RangeInclusive<u16>> {
        self.ports.as_ref()
    }
}

/// What works on the thread of a shard until it is told to stop, or fails.
pub(super) struct Worker<'a> {
    poll: &'a mut Poll,
    sockets: &'a Sockets,
    links: Links,
    /// Links that may have something to read.
    ready: Vec<usize>,
    commands: &'a Receiver<Command>,
    queue: &'a BurstQueue,
    pulse: &'a Pulse,
    transports: Transports,
    routes: Routes,
    timers: BTreeSet<(Instant, Token)>,
    /// Those of this turn.
    fired: Vec<(Instant, Token)>,
    waiting: Waiting,
    coalescing: Coalescing,
    load: Load,
    /// `None` while something is being received.
    buffers: Option<ReceiveBuffers>,
    scratch: Vec<u8>,
    /// What is read from a connection at once.
    chunk: Vec<u8>,
    counters: SendCounters,
    /// Transports that received something since they were last attended to.
    touched: Vec<Token>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        poll: &'a mut Poll,
        sockets: &'a Sockets,
        commands: &'a Receiver<Command>,
        queue: &'a BurstQueue,
        pulse: &'a Pulse,
    ) -> Self {
        Self {
            poll,
            sockets,
            links: Links::default(),
            ready: Vec::new(),
            commands,
            queue,
            pulse,
            transports: Transports::default(),
            routes: Routes::default(),
            timers: BTreeSet::new(),
            fired: Vec::new(),
            waiting: Waiting::default(),
            coalescing: Coalescing::default(),
            load: Load::default(),
            buffers: None,
            scratch: Vec::new(),
            chunk: Vec::new(),
            counters: SendCounters::default(),
            touched: Vec::new(),
        }
    }

    /// Runs until it is told to stop.
    ///
    /// # Errors
    /// When it cannot wait for its sockets.
    pub(super) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        // The worker before may have been told of what it did not read any more.
        let (mut read_v4, mut read_v6) = (true, true);
        self.accept(0);
        self.accept(1);
        loop {
            let patience = if read_v4 || read_v6 || !self.ready.is_empty() {
                Some(Duration::ZERO)
            } else {
                self.patience()
            };
            match self.poll.poll(&mut events, patience) {
                Ok(()) => self.pulse.set_down(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            self.pulse.turn_begins();
            self.load.turn_begins(Instant::now());
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
                return Ok(());
            }
            if read_v4 {
                read_v4 = self.receive(false);
            }
            if read_v6 {
                read_v6 = self.receive(true);
            }
            if !self.ready.is_empty() {
                self.serve_links();
            }
            self.send_bursts();
            self.run_timers();
            if let Some(percent) = self.load.turn_ends(Instant::now()) {
                self.pulse.set_load(percent);
                self.coalescing.on_load(percent);
            }
            self.pulse.turn_ends();
        }
    }

    /// Ends all transports, since the worker has failed.
    pub(super) fn give_up(&mut self, text: &str) {
        for token in self.transports.tokens() {
            // It says good-bye if that still works: its peer need not wait for a timeout.
            contained(END, || {
                self.transports
                    .with(token, |transport| transport.close(Instant::now()));
                self.settle(token);
            });
            self.transports.give_up(token, text);
        }
        contained(END, || self.bury());
    }

    /// How long to wait for the sockets.
    fn patience(&self) -> Option<Duration> {
        let now = Instant::now();
        if let Some(nap) = self.coalescing.nap(now) {
            thread::sleep(nap);
            return Some(Duration::ZERO);
        }
        let (next, _) = self.timers.first()?;
        Some(next.saturating_duration_since(now))
    }

    /// Carries out commands; `false` at the end.
    fn obey(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Open(token, transport)) => self.open(token, transport),
                Ok(Command::With(token, action)) => {
                    self.act(token, action);
                    self.settle(token);
                }
                Ok(Command::Close(token)) => self.close(token),
                #[cfg(test)]
                Ok(Command::Panic) => panic!("told to"),
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
            self.bury();
        }
    }

    fn act(&mut self, token: Token, action: Action) {
        let (routes, now) = (&mut self.routes, Instant::now());
        let mut action = Some(action);
        self.transports.with(token, |transport| {
            if let Some(action) = action.take() {
                action(transport, now);
            }
            if let Some(former) = transport.take_former_name() {
                routes.forget_name(token, &former);
                routes.add_name(transport.name(), token);
            }
        });
        // One that has come too late may hold anything.
        contained(END, || drop(action));
    }

    fn open(&mut self, token: Token, transport: Box<Link>) {
        self.routes.add_name(transport.name(), token);
        self.transports.insert(token, transport);
        self.settle(token);
    }

    fn close(&mut self, token: Token) {
        self.transports
            .with(token, |transport| transport.close(Instant::now()));
        self.settle(token);
        if let Some(mut transport) = self.transports.remove(token) {
            self.forget(token, &mut transport);
            contained(END, || drop(transport));
        }
    }

    /// From now on nothing leads to a transport.
    fn forget(&mut self, token: Token, transport: &mut Link) {
        if let Some(former) = transport.take_former_name() {
            self.routes.forget_name(token, &former);
        }
        self.routes.forget(token, transport.name());
        self.links.forget(self.poll.registry(), token);
    }

    /// Clears up after the transports that panicked.
    fn bury(&mut self) {
        while let Some(mut lost) = self.transports.next_lost() {
            self.forget(lost.token, &mut lost.transport);
            lost.end();
        }
    }

    /// Receives for a while; `true` when there may be more.
    fn receive(&mut self, v6: bool) -> bool {
        let Some(socket) = self.sockets.udp(v6) else {
            return false;
        };
        let mut buffers = self.buffers.take().unwrap_or_default();
        let mut more = true;
        for _ in 0..RECEIVE_TURNS {
            // What comes together has one time of arrival: it was there when the call returned.
            let mut arrival = None;
            let received = socket.receive(&mut buffers, |local, remote, data| {
                let now = *arrival.get_or_insert_with(Instant::now);
                self.datagram(now, local, remote, data);
            });
            self.attend();
            self.send_bursts();
            match received {
                Ok(BATCH) => {}
                Ok(_) => {
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

    fn datagram(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr, data: &mut [u8]) {
        let Some(token) = self.routes.find(remote, data) else {
            tracing::trace!(%local, %remote, length = data.len(), "datagram for nobody");
            return;
        };
        if routes::is_stun(data) && self.is_taken(remote, token) {
            return tracing::trace!(%local, %remote, "a check on another transport's path");
        }
        let taken = self.transports.with(token, |transport| {
            let is_of_peer = transport.on_datagram(now, local, remote, data);
            is_of_peer.then(|| transport.path().is_some_and(|path| path.remote == remote))
        });
        if let Some(Some(proven)) = taken {
            self.routes.learn(remote, token, proven);
        }
        self.touch(token);
    }

    /// Pushes received media to its consumers and lets the transports answer.
    fn attend(&mut self) {
        while let Some(token) = self.touched.pop() {
            self.transports.with(token, Link::deliver);
            self.settle(token);
        }
        self.bury();
    }

    /// Sends what consumers of this shard are to get.
    fn send_bursts(&mut self) {
        let now = Instant::now();
        if !self.coalescing.is_due(now, self.queue.state()) {
            return self.attend();
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        self.queue.take(&mut waiting);
        waiting.join_bursts();
        for (packets, sinks) in waiting.bursts() {
            for sink in sinks {
                self.forward(now, packets, *sink);
            }
        }
        self.coalescing.on_sent(waiting.sends(), now.elapsed());
        waiting.clear();
        self.waiting = waiting;
        self.attend();
    }

    fn forward(&mut self, now: Instant, packets: &[Packet], sink: SinkSelection) {
        let (token, track) = Token::of_sink(sink.token);
        let (sockets, registry) = (self.sockets, self.poll.registry());
        let (links, scratch, counters) = (&mut self.links, &mut self.scratch, &mut self.counters);
        let more = self.transports.with(token, |transport| {
            let path = transport.path()?;
            let outgoing = match path.carrier {
                Carrier::Udp => {
                    let socket = sockets.udp(path.local.is_ipv6())?;
                    let local = Some(path.local.ip());
                    let (remote, framing) = (path.remote, Framing::Unframed);
                    Outgoing::datagrams(socket, local, remote, framing, scratch, counters)
                }
                _ => {
                    Detour::of(links, registry, transport, token, path)?.outgoing(scratch, counters)
                }
            };
            let outgoing = outgoing.marked(transport.mark());
            Some(transport.forward(now, track, packets, sink.packets, outgoing))
        });
        if more == Some(Some(true)) && self.touched.last() != Some(&token) {
            self.touched.push(token);
        }
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
            let ran = self.transports.with(token, |transport| {
                let fires = transport.timer_fired(due);
                if fires {
                    transport.on_timeout(now);
                }
                fires
            });
            if ran == Some(true) {
                self.settle(token);
            }
        }
        self.fired = fired;
        self.bury();
    }

    /// Sends what a transport has to say and notes when it wants to be called.
    fn settle(&mut self, token: Token) {
        let (registry, ports) = (self.poll.registry(), self.sockets.ports_for_more());
        let links = &mut self.links;
        let mark = self.transports.with(token, |transport| {
            let mark = transport.mark();
            for (number, server) in transport.take_new_servers() {
                let opened = links.open_server(registry, token, number, &server, ports, mark);
                if let Err(error) = opened {
                    transport.server_lost(Instant::now(), number, &error.to_string());
                }
            }
            mark
        });
        let Some(mark) = mark else { return };
        while let Some(Some(transmit)) = self.transports.with(token, Link::poll_transmit) {
            self.transmit(token, &transmit, mark);
        }
        let timer = self.transports.with(token, |transport| {
            transport.report();
            transport.earlier_timer()
        });
        if let Some(Some(due)) = timer {
            self.timers.insert((due, token));
        }
    }

    fn transmit(&mut self, token: Token, transmit: &Transmit, mark: Mark) {
        let (path, bytes) = (transmit.path, &transmit.bytes);
        let (local, remote) = (path.local.ip(), path.remote);
        match path.carrier {
            Carrier::Udp if self.may_send(token, path, bytes) => {
                if let Some(socket) = self.sockets.udp(local.is_ipv6()) {
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
