//! The shards of this module: `rivero-net` has their threads. All sockets are the links' own, two each.

use std::{sync::Arc, time::Instant};

use rivero_net::shard::{
    Arrival, Network, Routing, Running, Sessions, SocketOf, Sockets, Urgency, Wire,
};
use rivero_plugin_api::Result;

pub(crate) use rivero_net::{Token, shard::Command};

use crate::peer::Link;

/// A thread, and the links that it alone touches.
pub(crate) type Shard = rivero_net::shard::Shard<Link>;
/// All of them.
pub(crate) type Shards = rivero_net::shard::Shards<Link>;

/// The running shards, or new ones.
///
/// # Errors
/// 40009 when there cannot be a single one.
pub(crate) fn obtain() -> Result<Arc<Shards>> {
    static RUNNING: Running<Link> = Running::new();
    RUNNING.obtain::<LinkRouting>("rtp", || Ok(Sockets::default()))
}

/// Which of a link's sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LinkSocket {
    /// The one that the description names; RTCP as well where they share it.
    Rtp,
    /// The next port.
    Rtcp,
}

/// Nothing has to be routed: who has a socket to itself gets all that comes there.
#[derive(Default)]
pub(crate) struct LinkRouting;

impl Routing for LinkRouting {
    type Session = Link;

    fn opened(&mut self, _: Token, _: &mut Link) {}

    fn changed(&mut self, _: Token, _: &mut Link) {}

    fn closed(&mut self, _: Token, _: &mut Link) {}

    fn urgency(_: &[u8]) -> Urgency {
        Urgency::High
    }

    fn on_datagram(
        &mut self,
        _: &mut Sessions<Link>,
        _: Instant,
        _: Arrival,
        _: &mut [u8],
    ) -> Option<Token> {
        None
    }

    fn claim(&self, _: Arrival, _: &[u8]) -> Option<SocketOf<Link>> {
        None
    }

    fn transmit(&mut self, links: &mut Sessions<Link>, network: &mut Network<'_, LinkSocket>) {
        let token = network.token();
        // First of all: what is said below leaves by them.
        if let Some(Some(pair)) = links.with(token, Link::take_sockets) {
            for (id, socket) in [(LinkSocket::Rtp, pair.rtp), (LinkSocket::Rtcp, pair.rtcp)] {
                if let Err(error) = network.open(id, Wire::Datagrams(socket)) {
                    tracing::warn!(?id, %error, "a socket for RTP cannot be waited for");
                }
            }
        }
        while let Some(Some(transmit)) = links.with(token, Link::poll_transmit) {
            if let Some(socket) = network.own(transmit.socket) {
                let mark = rivero_net::Mark::default();
                socket.send_from(None, transmit.remote, &transmit.bytes, None, mark);
            }
        }
    }
}
