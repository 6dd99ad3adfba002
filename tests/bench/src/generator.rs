//! The load: one thread that owns all peers, few sockets and a connection to the server.

mod floor_load;
mod negotiation;
mod publishing;
mod receiving;
mod recording;

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token};
use rivero_bench_peer::{Certificate, KeyType};
use rivero_net::{Mark, MediaSocket, ReceiveBuffers};

use crate::{
    error::Error, participant::Participant, reception::Window, rpc::Rpc, sdp::Direction,
    source::Source, traffic::Traffic,
};
use negotiation::Step;
use recording::Recorded;

/// Viewers that share a socket: their packets of one burst have to fit into its buffer.
const VIEWERS_PER_SOCKET: usize = 100;
/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// The connection to the server among the sources of events; sockets have their index.
const RPC: Token = Token(usize::MAX - 1);
/// The publisher among the participants.
const PUBLISHER: usize = 0;
/// Before a packet of a recording the load does not wait any more, but looks at its clock.
const NEAR: Duration = Duration::from_millis(2);
/// The publisher's SSRC.
const SSRC: u32 = 0x1234_5678;

/// See the module's description.
pub(crate) struct Generator {
    poll: Poll,
    events: Events,
    sockets: Vec<MediaSocket>,
    /// Sockets that may have more to receive.
    readable: Vec<bool>,
    rpc_readable: bool,
    buffers: ReceiveBuffers,
    /// Messages received, each of one datagram or several.
    messages: u64,
    rpc: Rpc<Step>,
    pipeline: String,
    participants: Vec<Participant>,
    by_object: HashMap<String, usize>,
    timers: BTreeSet<(Instant, usize)>,
    traffic: Traffic,
    source: Option<Source>,
    /// When the next viewer sends transport-wide feedback, and which one.
    feedback: Option<(Instant, usize)>,
    /// Bytes of the latest one, protected.
    feedback_bytes: usize,
    window: Window,
    /// Time 0 of stamps.
    epoch: Instant,
    /// Participants whose peers have to be asked what they want.
    touched: Vec<usize>,
    scratch: Vec<u8>,
    recorded: Recorded,
}

impl Generator {
    /// A publisher and `viewers` viewers, not connected yet.
    pub(crate) fn new(server: SocketAddr, viewers: usize, traffic: Traffic) -> Result<Self, Error> {
        let poll = Poll::new().map_err(Error::system("epoll"))?;
        let rpc = Rpc::connect(server)?;
        rpc.register(poll.registry(), RPC)?;
        let mut sockets = Vec::new();
        for number in 0..=viewers.div_ceil(VIEWERS_PER_SOCKET) {
            let mut socket = MediaSocket::bind(false, None).map_err(Error::system("a socket"))?;
            poll.registry()
                .register(socket.source(), Token(number), Interest::READABLE)
                .map_err(Error::system("watching a socket"))?;
            sockets.push(socket);
        }
        let mut generator = Self {
            poll,
            events: Events::with_capacity(64),
            readable: vec![false; sockets.len()],
            sockets,
            rpc_readable: false,
            buffers: ReceiveBuffers::default(),
            messages: 0,
            rpc,
            pipeline: String::new(),
            participants: Vec::with_capacity(viewers + 1),
            by_object: HashMap::new(),
            timers: BTreeSet::new(),
            traffic,
            source: None,
            feedback: (!traffic.feedback_interval.is_zero()).then(|| (Instant::now(), 0)),
            feedback_bytes: 0,
            window: Window::closed(),
            epoch: Instant::now(),
            touched: Vec::new(),
            scratch: Vec::new(),
            recorded: Recorded::default(),
        };
        generator.add_participants(viewers)?;
        Ok(generator)
    }

    fn add_participants(&mut self, viewers: usize) -> Result<(), Error> {
        let certificate = Certificate::generate(KeyType::Ecdsa)
            .map_err(|error| Error::Other(error.to_string()))?;
        let (certificate, now) = (Arc::new(certificate), Instant::now());
        for number in 0..=viewers {
            // The publisher has the first socket for itself.
            let socket = number.div_ceil(VIEWERS_PER_SOCKET);
            let port = self.sockets.get(socket).map_or(0, MediaSocket::port);
            let direction = match number {
                PUBLISHER => Direction::Send(SSRC),
                _ => Direction::Receive,
            };
            let video = (direction, self.traffic.codec());
            let participant = Participant::new(now, number, (socket, port), video, &certificate)?;
            self.participants.push(participant);
        }
        Ok(())
    }

    fn viewers(&self) -> impl Iterator<Item = &Participant> {
        self.participants.iter().skip(1)
    }

    /// The addresses at which viewers receive.
    pub(crate) fn targets(&self) -> Vec<SocketAddr> {
        let target = |(number, viewer): (usize, &Participant)| {
            let port = self.sockets.get(viewer.socket)?.port();
            Some((crate::participant::address(number + 1), port).into())
        };
        self.viewers().enumerate().filter_map(target).collect()
    }

    /// Goes on for a time.
    pub(crate) fn run_for(&mut self, time: Duration) -> Result<(), Error> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn(end)?;
        }
        Ok(())
    }

    /// Goes on until something is so.
    pub(crate) fn run_until(
        &mut self,
        what: &str,
        mut reached: impl FnMut(&Self) -> bool,
    ) -> Result<(), Error> {
        let end = Instant::now() + PATIENCE;
        while !reached(self) {
            if Instant::now() >= end {
                return Err(Error::Timeout {
                    what: what.to_owned(),
                    seconds: PATIENCE.as_secs_f64(),
                });
            }
            self.turn(end)?;
        }
        Ok(())
    }

    /// Waits for the next thing to do, at most until `end`, and does it.
    fn turn(&mut self, end: Instant) -> Result<(), Error> {
        let timeout = self.timeout(end);
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                return Err(Error::system("epoll")(error));
            }
            _ => {}
        }
        for event in &self.events {
            match self.readable.get_mut(event.token().0) {
                Some(readable) => *readable = true,
                None => self.rpc_readable = true,
            }
        }
        self.receive()?;
        self.run_timers();
        self.publish()?;
        self.tell_arrivals();
        if std::mem::take(&mut self.rpc_readable) {
            self.negotiate()?;
        }
        self.rpc.flush()
    }

    fn timeout(&self, end: Instant) -> Duration {
        if self.readable.iter().any(|readable| *readable) {
            return Duration::ZERO;
        }
        let timer = self.timers.first().map(|(due, _)| *due);
        let packet = self.source.as_ref().map(Source::due);
        let now = Instant::now();
        // The system wakes up with milliseconds to spare, which the times between packets of a
        // browser are not.
        let is_near = |due: Instant| due.saturating_duration_since(now) < NEAR;
        if !self.traffic.sends_together() && packet.is_some_and(is_near) {
            return Duration::ZERO;
        }
        let feedback = self.feedback.map(|(due, _)| due);
        let next = [timer, packet, feedback]
            .into_iter()
            .flatten()
            .fold(end, Instant::min);
        next.saturating_duration_since(Instant::now())
    }

    fn run_timers(&mut self) {
        let now = Instant::now();
        while let Some(&(due, number)) = self.timers.first() {
            if due > now {
                return;
            }
            self.timers.pop_first();
            if let Some(participant) = self.participants.get_mut(number) {
                participant.timer = None;
                participant.peer.handle_timeout(now);
            }
            self.settle(number);
        }
    }

    /// Sends what a peer has to say and notes when it wants to be called.
    fn settle(&mut self, number: usize) {
        let Some(participant) = self.participants.get_mut(number) else {
            return;
        };
        let Some(socket) = self.sockets.get(participant.socket) else {
            return;
        };
        while let Some(transmit) = participant.peer.poll_transmit() {
            let path = transmit.path;
            self.recorded.add(&transmit.bytes);
            socket.send(
                path.local.ip(),
                path.remote,
                &transmit.bytes,
                None,
                Mark::default(),
            );
        }
        let now = Instant::now();
        if participant.drain_events(now) && number == PUBLISHER {
            self.source = Some(Source::new(self.traffic, SSRC, self.epoch, now));
        }
        let due = participant.peer.poll_timeout();
        if due != participant.timer {
            if let Some(old) = participant.timer.take() {
                self.timers.remove(&(old, number));
            }
            participant.timer = due;
            self.timers.extend(due.map(|due| (due, number)));
        }
    }

    /// Messages that the server made the system send to the load since the window was opened.
    pub(crate) fn messages(&self) -> u64 {
        self.messages
    }

    /// Frames that the publisher has begun.
    pub(crate) fn frames(&self) -> u32 {
        self.source.as_ref().map_or(0, Source::frame)
    }

    /// Begins to count what viewers receive.
    pub(crate) fn open_window(&mut self) {
        self.messages = 0;
        for participant in &mut self.participants {
            participant.reception.restart();
        }
        let next = self.source.as_ref().map_or(0, Source::next_index);
        self.window.open(next);
    }

    /// Ends to count; what is still on its way counts.
    pub(crate) fn close_window(&mut self) {
        let next = self.source.as_ref().map_or(0, Source::next_index);
        self.window.close(next);
    }

    /// Packets that the publisher sent and that all viewers together received in the window, and
    /// how many came more than once.
    pub(crate) fn counted(&self) -> (u64, u64, u64) {
        let received = self.viewers().map(|viewer| viewer.reception.counted());
        let repeated = self.viewers().map(|viewer| viewer.reception.repeated());
        (self.window.sent(), received.sum(), repeated.sum())
    }

    /// Latencies of the window in milliseconds.
    pub(crate) fn take_latencies(&mut self) -> Vec<f64> {
        self.window.take_latencies()
    }

    /// From processOffer to the end of the DTLS handshake of each viewer, in milliseconds.
    pub(crate) fn connect_times(&self) -> Vec<f64> {
        milliseconds(self.viewers().filter_map(|viewer| viewer.connected))
    }

    /// From processOffer to its answer of each viewer, in milliseconds.
    pub(crate) fn answer_times(&self) -> Vec<f64> {
        milliseconds(self.viewers().filter_map(|viewer| viewer.answered))
    }

    /// From processOffer to first media of each viewer, in milliseconds.
    pub(crate) fn join_times(&self) -> Vec<f64> {
        milliseconds(self.viewers().filter_map(|viewer| viewer.first_media))
    }
}

fn milliseconds(times: impl Iterator<Item = Duration>) -> Vec<f64> {
    times.map(|time| time.as_secs_f64() * 1e3).collect()
}
