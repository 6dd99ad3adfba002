//! A link as its shard drives it.

use std::time::Instant;

use rivero_net::{
    Outgoing,
    shard::{Arrival, Burst, Network, ShardSession},
};
use rivero_plugin_api::MediaKind;
use rivero_rtp_session::Track;

#[cfg(test)]
use super::Fault;
use super::{Link, clock};
use crate::{
    peer::{Carrier, Path},
    shard::{Framing, LinkSocket, connections},
};

impl ShardSession for Link {
    type SocketId = LinkSocket;

    const PLACE: &'static str = "a WebRTC transport";
    const END_PLACE: &'static str = "the end of a WebRTC transport";

    fn on_own_datagram(
        &mut self,
        now: Instant,
        socket: LinkSocket,
        arrival: Option<Arrival>,
        data: &mut [u8],
    ) -> bool {
        match (socket, arrival) {
            (LinkSocket::Connection(path), _) => {
                self.on_carried(now, path, data);
            }
            (LinkSocket::Udp { .. }, Some(Arrival { local, remote })) => {
                let carrier = Carrier::OwnUdp;
                let path = Path {
                    local,
                    remote,
                    carrier,
                };
                self.on_carried(now, path, data);
            }
            // Anybody may send to a socket of UDP: others than the server are not listened to.
            (LinkSocket::Server(number), from) => {
                let from = from.map(|from| from.remote);
                if from.is_some() && from != self.server_address(number) {
                    return false;
                }
                self.on_server_message(now, number, data);
            }
            (LinkSocket::Udp { .. }, None) => return false,
        }
        true
    }

    fn on_own_socket_lost(&mut self, now: Instant, socket: LinkSocket, reason: &str) -> bool {
        let LinkSocket::Server(number) = socket else {
            // The peer's checks find out that such a path is gone.
            return false;
        };
        self.server_lost(now, number, reason);
        true
    }

    #[inline]
    fn deliver(&mut self) {
        #[cfg(test)]
        self.trip(Fault::Deliver);
        self.session.deliver();
    }

    fn forward(
        &mut self,
        now: Instant,
        burst: Burst<'_>,
        network: Network<'_, LinkSocket>,
    ) -> bool {
        // Without a path there is no consent to send (RFC 7675 §5.1): the burst is lost.
        let Some(path) = self.path() else {
            return false;
        };
        let Some(outgoing) = self.outgoing(now, path, network) else {
            return false;
        };
        self.forward_into(now, burst, outgoing.marked(self.mark))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        // Of a peer that is connected only its consent and refreshes are looked after.
        let peer = self.peer.poll_timeout().map(|due| match self.connected {
            true => clock::pipeline_clock().coarse(due),
            false => due,
        });
        let data = self.data.as_ref();
        let data = data.and_then(|data| data.transport.poll_timeout());
        let due = [peer, data, self.session.poll_timeout()];
        due.into_iter().flatten().min()
    }

    fn on_timeout(&mut self, now: Instant) {
        #[cfg(test)]
        self.trip(Fault::Timeout);
        if self.peer.poll_timeout().is_some_and(|due| due <= now) {
            self.peer.handle_timeout(now);
        }
        if let Some(data) = &mut self.data {
            data.transport.handle_timeout(now);
        }
        // After the peer: without consent nothing is to be sent, and it may have expired just now.
        if let Some(round_trip) = self.peer.round_trip() {
            self.session.set_path_round_trip(round_trip);
        }
        self.session.on_timeout(now, &mut self.peer);
        self.report_session_events();
    }

    /// Tells the observer what happened. Not while the link is in the middle of something: an observer
    /// that panics has then spoilt nothing.
    fn report(&mut self) {
        #[cfg(test)]
        self.trip(Fault::Report);
        self.handle_peer_events();
        while let Some(event) = self.events.pop_front() {
            self.observer.peer_event(event);
        }
        self.report_data_events();
    }

    /// Says good-bye.
    fn close(&mut self, now: Instant) {
        self.session.say_goodbye(now, &mut self.peer);
        self.peer.close(now);
        self.session.close();
    }

    fn failure_observer(&self) -> Box<dyn FnOnce(&str)> {
        let observer = self.observer.clone();
        Box::new(move |reason| observer.failed(reason))
    }
}

impl Link {
    /// Where the media of a path leaves.
    #[inline]
    fn outgoing<'a>(
        &mut self,
        now: Instant,
        path: Path,
        mut network: Network<'a, LinkSocket>,
    ) -> Option<Outgoing<'a, Framing>> {
        let (local, remote) = (path.local.ip(), path.remote);
        match path.carrier {
            Carrier::Udp => network.outgoing(local, remote, Framing::Unframed),
            Carrier::OwnUdp => {
                let v6 = local.is_ipv6();
                let (id, local) = (LinkSocket::Udp { v6 }, Some(local));
                network.outgoing_by(id, local, remote, Framing::Unframed)
            }
            Carrier::Tcp => {
                connections::with_peer(&mut network, path, self.mark)?;
                let id = LinkSocket::Connection(path);
                network.outgoing_by(id, None, remote, Framing::LengthPrefix)
            }
            Carrier::Relay(_) | Carrier::Server(_) => {
                let (number, server, framing) = self.peer.relay_in_use(now)?;
                let id = LinkSocket::Server(number);
                network.outgoing_by(id, None, server, Framing::Relay(framing))
            }
        }
    }

    /// Sends the selected packets of a burst; `true` when there is more to send, see
    /// [`poll_transmit`](Self::poll_transmit).
    fn forward_into(
        &mut self,
        now: Instant,
        burst: Burst<'_>,
        mut outgoing: Outgoing<'_, Framing>,
    ) -> bool {
        #[cfg(test)]
        rivero_rtp_session::Datagrams::add(&mut outgoing, |buffer| self.spoil(buffer));
        let Burst {
            track,
            packets,
            selection,
        } = burst;
        if track == Track::number(MediaKind::Data) {
            self.forward_messages(now, packets, selection);
            // Messages leave as SCTP decides.
            return true;
        }
        let (session, peer) = (&mut self.session, &mut self.peer);
        session.forward(now, track, packets, selection, peer, &mut outgoing)
    }
}
