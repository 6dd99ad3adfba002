//! The sockets of a shard as one session has them.

use std::{
    fmt::Debug,
    hash::Hash,
    io,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
};

use mio::Registry;

use super::{
    own_sockets::{OwnSockets, Wire},
    sockets::Sockets,
};
use crate::{Framing, MediaSocket, Outgoing, SendCounters, Stream, Token};

/// Ways out for a session: the sockets that all share, and its own by their names `K`.
pub struct Network<'a, K> {
    pub(super) token: Token,
    pub(super) registry: &'a Registry,
    pub(super) sockets: &'a Sockets,
    pub(super) own: &'a mut OwnSockets<K>,
    /// Where a burst is gathered; one for all sessions of a shard, so that it stays in the cache.
    pub(super) buffer: &'a mut Vec<u8>,
    pub(super) counters: &'a mut SendCounters,
}

impl<'a, K: Copy + Debug + Eq + Hash> Network<'a, K> {
    /// Whose ways these are.
    #[must_use]
    pub fn token(&self) -> Token {
        self.token
    }

    /// The UDP socket that all sessions share, for one IP version.
    #[must_use]
    #[inline]
    pub fn shared(&self, v6: bool) -> Option<&'a MediaSocket> {
        self.sockets.udp(v6)
    }

    /// The ports that further sockets may have; `None`: any.
    #[must_use]
    pub fn ports(&self) -> Option<&'a RangeInclusive<u16>> {
        self.sockets.ports()
    }

    /// A UDP socket of this session.
    #[must_use]
    #[inline]
    pub fn own(&self, id: K) -> Option<&MediaSocket> {
        match self.own.get(self.token, id)? {
            Wire::Datagrams(socket) => Some(socket),
            Wire::Stream(_) => None,
        }
    }

    /// A socket of this session.
    pub fn wire(&mut self, id: K) -> Option<&mut Wire> {
        self.own.get_mut(self.token, id)
    }

    /// A connection of this session.
    pub fn stream(&mut self, id: K) -> Option<&mut Stream> {
        match self.own.get_mut(self.token, id)? {
            Wire::Stream(stream) => Some(stream),
            Wire::Datagrams(_) => None,
        }
    }

    /// Whether the session has such a socket.
    #[must_use]
    pub fn has(&self, id: K) -> bool {
        self.own.has(self.token, id)
    }

    /// Gives the session a socket, in place of the one that it named so. What arrives by it is its
    /// [`on_own_datagram`](super::ShardSession::on_own_datagram).
    ///
    /// # Errors
    /// When the system cannot wait for it.
    pub fn open(&mut self, id: K, wire: Wire) -> io::Result<()> {
        self.own.open(self.registry, self.token, id, wire)
    }

    /// Opens a connection. Not if the session has too many sockets, or has tried the same within the last
    /// second.
    ///
    /// # Errors
    /// That of `connect`, or when the system cannot wait for it.
    pub fn connect(
        &mut self,
        id: K,
        connect: impl FnOnce() -> io::Result<Stream>,
    ) -> io::Result<()> {
        self.own.connect(self.registry, self.token, id, connect)
    }

    /// For a burst by the socket that all sessions share: `None` without one for that IP version.
    #[inline]
    pub fn outgoing<F: Framing>(
        self,
        local: IpAddr,
        remote: SocketAddr,
        framing: F,
    ) -> Option<Outgoing<'a, F>> {
        let socket = self.sockets.udp(local.is_ipv6())?;
        let (buffer, counters) = (self.buffer, self.counters);
        let local = Some(local);
        Some(Outgoing::datagrams(
            socket, local, remote, framing, buffer, counters,
        ))
    }

    /// For a burst by a socket of this session. A connection has its addresses already.
    #[inline]
    pub fn outgoing_by<F: Framing>(
        self,
        id: K,
        local: Option<IpAddr>,
        remote: SocketAddr,
        framing: F,
    ) -> Option<Outgoing<'a, F>> {
        let (buffer, counters) = (self.buffer, self.counters);
        Some(match self.own.get_mut(self.token, id)? {
            Wire::Datagrams(socket) => {
                Outgoing::datagrams(socket, local, remote, framing, buffer, counters)
            }
            Wire::Stream(stream) => Outgoing::stream(stream, framing, buffer, counters),
        })
    }
}
