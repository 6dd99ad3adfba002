//! Which link a datagram is for, and by which socket what a link says beside media leaves.

mod contested;

use std::time::Instant;

use rivero_net::{
    Mark, Token,
    shard::{Arrival, Network, Routing, Sessions, Urgency},
};

use super::{
    connections::{self, LinkSocket},
    routes::{self, Routes},
};
use crate::{
    link::Link,
    peer::{Carrier, DatagramKind, Path, Transmit},
};

/// The routes to the links of one shard.
#[derive(Default)]
pub(crate) struct LinkRouting {
    routes: Routes,
}

impl Routing for LinkRouting {
    type Session = Link;

    fn opened(&mut self, token: Token, link: &mut Link) {
        self.routes.add_name(link.name(), token);
    }

    fn changed(&mut self, token: Token, link: &mut Link) {
        // An ICE restart has brought new credentials.
        if let Some(former) = link.take_former_name() {
            self.routes.forget_name(token, &former);
            self.routes.add_name(link.name(), token);
        }
    }

    fn closed(&mut self, token: Token, link: &mut Link) {
        if let Some(former) = link.take_former_name() {
            self.routes.forget_name(token, &former);
        }
        self.routes.forget(token, link.name());
    }

    /// Feedback and checks may wait; media and what data channels carry may not.
    #[inline]
    fn urgency(data: &[u8]) -> Urgency {
        /// The content type of a DTLS record of data (RFC 5246 section 6.2.1); DTLS 1.3 has larger ones.
        const APPLICATION_DATA: u8 = 23;
        match DatagramKind::of(data) {
            Some(DatagramKind::Rtp) => Urgency::High,
            Some(DatagramKind::Dtls) if data.first() < Some(&APPLICATION_DATA) => Urgency::Exchange,
            Some(DatagramKind::Dtls) => Urgency::High,
            Some(DatagramKind::Rtcp | DatagramKind::Stun) | None => Urgency::Low,
        }
    }

    #[inline]
    fn on_datagram(
        &mut self,
        links: &mut Sessions<Link>,
        now: Instant,
        Arrival { local, remote }: Arrival,
        data: &mut [u8],
    ) -> Option<Token> {
        let Some(token) = self.routes.find(remote, data) else {
            tracing::trace!(%local, %remote, length = data.len(), "datagram for nobody");
            return None;
        };
        if !routes::is_stun(data) {
            // It was found by its address, so there is nothing to learn.
            links.with(token, |link| link.on_datagram(now, local, remote, data));
            return Some(token);
        }
        if self.is_taken(links, remote, token) {
            tracing::trace!(%local, %remote, "a check on another transport's path");
            return None;
        }
        let arrived = links.with(token, |link| {
            let is_of_peer = link.on_datagram(now, local, remote, data);
            is_of_peer.then(|| link.path().is_some_and(|path| path.remote == remote))
        });
        if let Some(Some(proven)) = arrived {
            self.routes.learn(remote, token, proven);
        }
        Some(token)
    }

    /// Only a request that names a link opens a connection to it.
    fn claim(&self, arrival: Arrival, first: &[u8]) -> Option<(Token, LinkSocket)> {
        let token = self.routes.named_by(first)?;
        let path = Path {
            local: arrival.local,
            remote: arrival.remote,
            carrier: Carrier::Tcp,
        };
        Some((token, LinkSocket::Connection(path)))
    }

    fn transmit(&mut self, links: &mut Sessions<Link>, network: &mut Network<'_, LinkSocket>) {
        let token = network.token();
        // First of all: the messages below may be for these servers.
        let mark = links.with(token, |link| {
            let mark = link.mark();
            for (number, server) in link.take_new_servers() {
                if let Err(error) = connections::open_server(network, number, &server, mark) {
                    link.server_lost(Instant::now(), number, &error.to_string());
                }
            }
            mark
        });
        let Some(mark) = mark else { return };
        while let Some(Some(transmit)) = links.with(token, Link::poll_transmit) {
            self.send(links, network, &transmit, mark);
        }
    }
}

impl LinkRouting {
    fn send(
        &mut self,
        links: &mut Sessions<Link>,
        network: &mut Network<'_, LinkSocket>,
        transmit: &Transmit,
        mark: Mark,
    ) {
        let (path, bytes) = (transmit.path, &transmit.bytes);
        let (local, remote) = (path.local.ip(), path.remote);
        let v6 = local.is_ipv6();
        match path.carrier {
            Carrier::Udp if self.may_send(links, network, path, bytes) => {
                if let Some(socket) = network.shared(v6) {
                    self.routes.expect(bytes, network.token());
                    socket.send(local, remote, bytes, None, mark);
                }
            }
            Carrier::OwnUdp => {
                if let Some(socket) = network.own(LinkSocket::Udp { v6 }) {
                    socket.send(local, remote, bytes, None, mark);
                }
            }
            Carrier::Tcp => connections::send_to_peer(network, path, bytes, mark),
            Carrier::Server(number) => {
                connections::send_to_server(network, number, remote, bytes, mark);
            }
            // The peer has wrapped what is for a relay.
            Carrier::Udp | Carrier::Relay(_) => {}
        }
    }
}
