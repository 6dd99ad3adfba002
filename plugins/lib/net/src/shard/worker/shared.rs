//! What a shard does about the sockets that all sessions share, and those beside them for single peers.

use std::time::Instant;

use super::{RECEIVE_TURNS, Shared, Worker};
use crate::{
    BATCH, MediaSocket,
    shard::{Arrival, Routing, Urgency, moderation::Change},
};

/// What reading a socket for a while has found.
#[derive(Default)]
struct Found {
    /// There may be more.
    more: bool,
    datagrams: u32,
    /// One belonged to an exchange.
    exchange: bool,
    /// The last one that may not wait.
    urgent: Option<Arrival>,
}

/// The one for an IP version.
pub(super) fn of([v4, v6]: &mut [Shared; 2], is_v6: bool) -> &mut Shared {
    if is_v6 { v6 } else { v4 }
}

impl<R: Routing> Worker<'_, R> {
    /// The worker before may have ended while they were moderated.
    pub(super) fn wake_for_shared_sockets(&self) {
        for v6 in [false, true] {
            // Mostly it is so already, which the system says.
            let _ = self.io.sockets.wake(self.io.poll.registry(), v6, true);
        }
    }

    /// Reads from those that may have something, or whose time it is.
    pub(super) fn read_shared_sockets(&mut self, now: Instant) {
        for v6 in [false, true] {
            let shared = of(&mut self.shared, v6);
            if shared.ready || shared.moderation.is_due(now) {
                self.read_shared_socket(v6);
            }
        }
    }

    fn read_shared_socket(&mut self, v6: bool) {
        let sockets = self.io.sockets;
        let Some(socket) = sockets.udp(v6) else {
            of(&mut self.shared, v6).ready = false;
            return;
        };
        let found = self.receive(socket);
        let shared = of(&mut self.shared, v6);
        shared.ready = found.more;
        let (moderation, now) = (&mut shared.moderation, Instant::now());
        moderation.on_look(now, found.datagrams, found.urgent.is_some());
        if found.exchange {
            moderation.hurry(now);
        }
        if let Some(arrival) = found.urgent.filter(|_| moderation.is_on()) {
            let registry = self.io.poll.registry();
            match self.io.direct.open(registry, socket, arrival, now) {
                // What came before it was there is still to be read, and before what comes by it.
                Ok(()) => shared.ready = true,
                Err(error) => {
                    tracing::debug!(remote = %arrival.remote, %error, "feedback is not waited for");
                    moderation.suspend(now);
                }
            }
        }
    }

    /// Reads from a socket of one peer; `true` when there may be more.
    pub(super) fn read_direct_socket(&mut self, key: usize) -> bool {
        let Some(direct) = self.io.direct.take(key, Instant::now()) else {
            return false;
        };
        let found = self.receive(&direct.socket);
        self.io.direct.put_back(key, direct);
        found.more
    }

    /// At the end of a turn: has the system wake the thread for the shared sockets, or not.
    pub(super) fn moderate(&mut self, now: Instant) {
        self.io.direct.sweep(now);
        for v6 in [false, true] {
            let shared = of(&mut self.shared, v6);
            if let Some(change) = shared.moderation.turn_ends(now) {
                let wakes = change == Change::Ends;
                shared.ready |= wakes;
                let registry = self.io.poll.registry();
                if let Err(error) = self.io.sockets.wake(registry, v6, wakes) {
                    tracing::warn!(%error, v6, "waiting for a socket");
                }
            }
        }
    }

    fn receive(&mut self, socket: &MediaSocket) -> Found {
        let mut buffers = self.io.buffers.take().unwrap_or_default();
        let mut found = Found {
            more: true,
            ..Found::default()
        };
        for _ in 0..RECEIVE_TURNS {
            // What comes together has one time of arrival: it was there when the call returned.
            let mut arrived = None;
            let received = socket.receive(&mut buffers, |local, remote, data| {
                let now = *arrived.get_or_insert_with(Instant::now);
                let (arrival, sessions) = (Arrival { local, remote }, &mut self.sessions);
                found.datagrams += 1;
                let urgency = R::urgency(data);
                if let Some(token) = self.routing.on_datagram(sessions, now, arrival, data) {
                    match urgency {
                        Urgency::Low => {}
                        Urgency::Exchange => found.exchange = true,
                        Urgency::High => found.urgent = Some(arrival),
                    }
                    self.mark_pending(token);
                }
            });
            self.process_pending();
            self.send_bursts();
            match received {
                Ok(BATCH) => {}
                Ok(_) => {
                    found.more = false;
                    break;
                }
                // An ICMP error of an earlier datagram, say: the next call goes on.
                Err(error) => tracing::trace!(%error, "receiving"),
            }
        }
        self.io.buffers = Some(buffers);
        found
    }
}
