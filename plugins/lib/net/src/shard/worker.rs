//! The thread of a shard: waits, receives, hands on, sends.

mod serve;
mod shared;

use std::{
    io,
    sync::mpsc::{Receiver, TryRecvError},
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Poll};
use rivero_plugin_api::{Packet, SinkSelection, supervise::contained};

use super::{
    Action, Burst, BurstQueue, Command, Network, Routing, Sessions, ShardSession, Sockets, Waiting,
    coalescing::{Coalescing, QueueState},
    direct::DirectSockets,
    load::Load,
    moderation::Moderation,
    own_sockets::OwnSockets,
    pulse::Pulse,
    sockets::{LISTEN_V4, LISTEN_V6, V4, V6},
    timers::Timers,
};
use crate::{ReceiveBuffers, SendCounters, Token};

/// Receive calls on one socket before everything else gets its turn: 128 messages, so that a flood at one
/// socket cannot keep the others and the timers waiting for long.
const RECEIVE_TURNS: usize = 16;

/// What works on the thread of a shard until it is told to stop, or fails.
pub(super) struct Worker<'a, R: Routing> {
    commands: &'a Receiver<Command<R::Session>>,
    queue: &'a BurstQueue,
    pulse: &'a Pulse,
    io: Io<'a, R::Session>,
    sessions: Sessions<R::Session>,
    routing: R,
    timers: Timers,
    /// Those of this turn.
    fired: Vec<(Instant, Token)>,
    /// What is being sent: its memory goes back and forth with the queue's.
    waiting: Waiting,
    coalescing: Coalescing,
    load: Load,
    /// The sockets that all sessions share, for IPv4 and IPv6.
    shared: [Shared; 2],
    /// Sessions that received something since they were last attended to.
    pending: Vec<Token>,
}

/// A socket that all sessions share.
struct Shared {
    /// It may have something to read.
    ready: bool,
    moderation: Moderation,
}

impl Default for Shared {
    /// Events come once for what is new (epoll(7), edge-triggered), and the worker before may have had
    /// those of what it did not read any more.
    fn default() -> Self {
        Self {
            ready: true,
            moderation: Moderation::default(),
        }
    }
}

/// Sockets, and memory for what passes them.
struct Io<'a, S: ShardSession> {
    poll: &'a mut Poll,
    sockets: &'a Sockets,
    own: OwnSockets<S::SocketId>,
    direct: DirectSockets,
    /// Tokens of these that may have something to read.
    ready: Vec<usize>,
    /// `None` while something is being received.
    buffers: Option<ReceiveBuffers>,
    /// What is read from a connection at once.
    chunk: Vec<u8>,
    /// Where bursts are gathered.
    outgoing: Vec<u8>,
    counters: SendCounters,
}

impl<S: ShardSession> Io<'_, S> {
    #[inline]
    fn network(&mut self, token: Token) -> Network<'_, S::SocketId> {
        Network {
            token,
            registry: self.poll.registry(),
            sockets: self.sockets,
            own: &mut self.own,
            buffer: &mut self.outgoing,
            counters: &mut self.counters,
        }
    }

    fn forget(&mut self, token: Token) {
        self.own.forget(self.poll.registry(), token);
    }
}

impl<'a, R: Routing> Worker<'a, R> {
    pub(super) fn new(
        poll: &'a mut Poll,
        sockets: &'a Sockets,
        commands: &'a Receiver<Command<R::Session>>,
        queue: &'a BurstQueue,
        pulse: &'a Pulse,
    ) -> Self {
        Self {
            commands,
            queue,
            pulse,
            io: Io {
                poll,
                sockets,
                own: OwnSockets::default(),
                direct: DirectSockets::default(),
                ready: Vec::new(),
                buffers: None,
                chunk: Vec::new(),
                outgoing: Vec::new(),
                counters: SendCounters::default(),
            },
            sessions: Sessions::default(),
            routing: R::default(),
            timers: Timers::default(),
            fired: Vec::new(),
            waiting: Waiting::default(),
            coalescing: Coalescing::default(),
            load: Load::default(),
            shared: Default::default(),
            pending: Vec::new(),
        }
    }

    /// Runs until it is told to stop.
    ///
    /// # Errors
    /// When it cannot wait for its sockets.
    pub(super) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        self.wake_for_shared_sockets();
        self.accept(false);
        self.accept(true);
        loop {
            let is_ready = self.shared.iter().any(|shared| shared.ready);
            let timeout = if is_ready || !self.io.ready.is_empty() {
                Some(Duration::ZERO)
            } else {
                self.wait_time()
            };
            match self.io.poll.poll(&mut events, timeout) {
                Ok(()) => self.pulse.set_down(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            self.pulse.turn_begins();
            let now = Instant::now();
            self.load.turn_begins(now);
            for event in &events {
                match event.token() {
                    V4 => shared::of(&mut self.shared, false).ready = true,
                    V6 => shared::of(&mut self.shared, true).ready = true,
                    LISTEN_V4 => self.accept(false),
                    LISTEN_V6 => self.accept(true),
                    mio::Token(token) => self.own_socket_ready(token),
                }
            }
            // Before what arrives: a session that was announced to its peer is there when that answers.
            if !self.run_commands() {
                return Ok(());
            }
            self.read_shared_sockets(now);
            if !self.io.ready.is_empty() {
                self.serve_own_sockets();
            }
            self.send_bursts();
            let now = self.run_timers();
            self.moderate(now);
            if let Some(percent) = self.load.turn_ends(now) {
                self.pulse.set_load(percent);
                self.coalescing.on_load(percent);
            }
            self.pulse.turn_ends();
        }
    }

    /// Ends all sessions, since the worker has failed.
    pub(super) fn give_up(&mut self, text: &str) {
        for token in self.sessions.tokens() {
            // It says good-bye if that still works: its peer need not wait for a timeout.
            contained(R::Session::END_PLACE, || {
                self.sessions
                    .with(token, |session| session.close(Instant::now()));
                self.flush(token);
            });
            self.sessions.lose(token, text.to_owned());
        }
        contained(R::Session::END_PLACE, || self.drop_lost());
    }

    /// How long to wait for the sockets; `None`: until one has something.
    fn wait_time(&self) -> Option<Duration> {
        let now = Instant::now();
        if let Some(nap) = self.coalescing.nap(now) {
            thread::sleep(nap);
            return Some(Duration::ZERO);
        }
        let looks = self.shared.iter().map(|shared| shared.moderation.next());
        let next = looks.chain([self.timers.next()]).flatten().min()?;
        Some(next.saturating_duration_since(now))
    }

    /// Carries out commands; `false` at the end.
    fn run_commands(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Open(token, session)) => self.open(token, session),
                Ok(Command::With(token, action)) => {
                    self.act(token, action);
                    self.flush(token);
                }
                Ok(Command::Close(token)) => self.close(token),
                #[cfg(test)]
                Ok(Command::Panic) => panic!("told to"),
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
            self.drop_lost();
        }
    }

    fn act(&mut self, token: Token, action: Action<R::Session>) {
        let (routing, now) = (&mut self.routing, Instant::now());
        let mut action = Some(action);
        self.sessions.with(token, |session| {
            if let Some(action) = action.take() {
                action(session, now);
            }
            routing.changed(token, session);
        });
        // One that has come too late may hold anything.
        contained(R::Session::END_PLACE, || drop(action));
    }

    fn open(&mut self, token: Token, mut session: Box<R::Session>) {
        self.routing.opened(token, &mut session);
        self.sessions.insert(token, session);
        self.flush(token);
    }

    fn close(&mut self, token: Token) {
        self.sessions
            .with(token, |session| session.close(Instant::now()));
        self.flush(token);
        if let Some(mut session) = self.sessions.remove(token) {
            self.forget(token, &mut session);
            contained(R::Session::END_PLACE, || drop(session));
        }
    }

    /// From now on nothing leads to a session.
    fn forget(&mut self, token: Token, session: &mut R::Session) {
        self.routing.closed(token, session);
        self.io.forget(token);
    }

    /// Clears up after the sessions that panicked.
    fn drop_lost(&mut self) {
        while let Some(mut lost) = self.sessions.next_lost() {
            self.forget(lost.token, &mut lost.session);
            lost.end();
        }
    }

    /// Has a session attended to when all that waits in a socket is read.
    fn mark_pending(&mut self, token: Token) {
        if !self.pending.contains(&token) {
            self.pending.push(token);
        }
    }

    /// Pushes received media to its consumers and lets the sessions answer.
    fn process_pending(&mut self) {
        while let Some(token) = self.pending.pop() {
            self.sessions.with(token, R::Session::deliver);
            self.flush(token);
        }
        self.drop_lost();
    }

    /// Sends what consumers of this shard are to get.
    fn send_bursts(&mut self) {
        let state = self.queue.state();
        if state == QueueState::Empty && self.coalescing.is_idle() {
            return self.process_pending();
        }
        let now = Instant::now();
        if !self.coalescing.is_due(now, state) {
            return self.process_pending();
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        self.queue.exchange(&mut waiting);
        waiting.join_bursts();
        for (packets, sinks) in waiting.bursts() {
            for sink in sinks {
                self.forward(now, packets, *sink);
            }
        }
        self.coalescing.on_sent(waiting.sends(), now.elapsed());
        waiting.clear();
        self.waiting = waiting;
        self.process_pending();
    }

    #[inline]
    fn forward(&mut self, now: Instant, packets: &[Packet], sink: SinkSelection) {
        let (token, track) = Token::of_sink(sink.token);
        let burst = Burst {
            track,
            packets,
            selection: sink.packets,
        };
        let io = &mut self.io;
        let more = self.sessions.with(token, |session| {
            session.forward(now, burst, io.network(token))
        });
        // The list is not searched, this being done for each viewer of each burst: a session that is in it
        // twice is attended to twice, with nothing to do for the second time.
        if more == Some(true) && self.pending.last() != Some(&token) {
            self.pending.push(token);
        }
    }

    /// Runs the timers that are due, and gives the time afterwards. What they set anew waits for the next
    /// turn, however soon it is due: sockets and other sessions come first.
    fn run_timers(&mut self) -> Instant {
        let now = Instant::now();
        if self.timers.next().is_none_or(|next| next > now) {
            return now;
        }
        let mut fired = std::mem::take(&mut self.fired);
        self.timers.fire(now, &mut fired);
        for (due, token) in fired.drain(..) {
            if self.sessions.timer_fired(token, due) {
                let ran = self.sessions.with(token, |session| session.on_timeout(now));
                if ran.is_some() {
                    self.flush(token);
                }
            }
        }
        self.fired = fired;
        self.drop_lost();
        Instant::now()
    }

    /// Sends what a session has to say, and notes when it wants to be called.
    fn flush(&mut self, token: Token) {
        let mut network = self.io.network(token);
        self.routing.transmit(&mut self.sessions, &mut network);
        let timer = self.sessions.with(token, |session| {
            session.report();
            session.poll_timeout()
        });
        if let Some(Some(due)) = timer
            && self.sessions.needs_timer(token, due)
        {
            self.timers.add(due, token);
        }
    }
}
