//! The sockets that belong to single sessions: UDP sockets of their own, connections with their peers and
//! with servers.

use std::{
    collections::{HashMap, VecDeque},
    fmt::Debug,
    hash::Hash,
    io,
    time::{Duration, Instant},
};

use mio::{Interest, Registry};
use slab::Slab;

use super::sockets::FIRST_OWN;
use crate::{MediaSocket, Stream, Token};

/// Sockets that one session may have by what its peer does: more than a peer has addresses.
const MAX_OF_SESSION: usize = 32;
/// Connections that have not said yet whose they are; further ones take the place of the oldest, since a
/// peer says it at once.
const MAX_UNCLAIMED: usize = 256;
/// Before another attempt at a connection: who refused the first one is likely to refuse the next, and a
/// session may want one each time that it has something to send.
const CONNECT_PAUSE: Duration = Duration::from_secs(1);

/// What carries the datagrams of a session's own socket.
pub enum Wire {
    /// UDP.
    Datagrams(MediaSocket),
    /// A connection.
    Stream(Stream),
}

pub(super) struct OwnSocket<K> {
    /// `None`: an accepted connection that has not said yet whose it is.
    pub(super) owner: Option<(Token, K)>,
    pub(super) wire: Wire,
}

/// All of a shard. A session names each of its own by a `K`.
pub(super) struct OwnSockets<K> {
    /// Empty while being served: what a session does then may need all others.
    sockets: Slab<Option<OwnSocket<K>>>,
    by_id: HashMap<(Token, K), usize>,
    of_session: HashMap<Token, Vec<usize>>,
    /// Until when a connection is not tried again.
    paused: HashMap<(Token, K), Instant>,
    /// The oldest first.
    unclaimed: VecDeque<usize>,
}

impl<K> Default for OwnSockets<K> {
    fn default() -> Self {
        Self {
            sockets: Slab::new(),
            by_id: HashMap::new(),
            of_session: HashMap::new(),
            paused: HashMap::new(),
            unclaimed: VecDeque::new(),
        }
    }
}

impl<K: Copy + Debug + Eq + Hash> OwnSockets<K> {
    /// Takes a socket out to serve it.
    pub(super) fn take(&mut self, key: usize) -> Option<OwnSocket<K>> {
        self.sockets.get_mut(key)?.take()
    }

    /// Puts it back.
    pub(super) fn put_back(&mut self, key: usize, socket: OwnSocket<K>) {
        if let Some(slot) = self.sockets.get_mut(key) {
            *slot = Some(socket);
        }
    }

    /// A connection that was accepted.
    pub(super) fn accept(
        &mut self,
        registry: &Registry,
        socket: mio::net::TcpStream,
    ) -> io::Result<()> {
        if self.unclaimed.len() >= MAX_UNCLAIMED
            && let Some(oldest) = self.unclaimed.pop_front()
            && let Some(socket) = self.take(oldest)
        {
            self.close(registry, oldest, socket);
        }
        let wire = Wire::Stream(Stream::accepted(socket));
        let key = self.insert(registry, None, wire)?;
        self.unclaimed.push_back(key);
        Ok(())
    }

    /// An accepted connection turned out to be a session's; `false` if that has enough of them.
    pub(super) fn claim(&mut self, key: usize, token: Token, id: K) -> bool {
        let sockets = self.of_session.entry(token).or_default();
        if sockets.len() >= MAX_OF_SESSION {
            return false;
        }
        sockets.push(key);
        self.unclaimed.retain(|unclaimed| *unclaimed != key);
        self.by_id.insert((token, id), key);
        true
    }

    pub(super) fn has(&self, token: Token, id: K) -> bool {
        self.by_id.contains_key(&(token, id))
    }

    /// Gives a session this socket, in place of the one that it named so.
    pub(super) fn open(
        &mut self,
        registry: &Registry,
        token: Token,
        id: K,
        wire: Wire,
    ) -> io::Result<()> {
        let former = self.by_id.get(&(token, id)).copied();
        if let Some((key, socket)) = former.and_then(|key| Some((key, self.take(key)?))) {
            self.close(registry, key, socket);
        }
        let key = self.insert(registry, Some((token, id)), wire)?;
        self.by_id.insert((token, id), key);
        self.of_session.entry(token).or_default().push(key);
        Ok(())
    }

    fn insert(
        &mut self,
        registry: &Registry,
        owner: Option<(Token, K)>,
        wire: Wire,
    ) -> io::Result<usize> {
        let key = self.sockets.insert(Some(OwnSocket { owner, wire }));
        let token = mio::Token(FIRST_OWN + key);
        // A connection waits to be there, and for room for what waits to be sent.
        let both = Interest::READABLE | Interest::WRITABLE;
        let socket = self.sockets.get_mut(key).and_then(Option::as_mut);
        let registered = match socket.map(|socket| &mut socket.wire) {
            Some(Wire::Datagrams(socket)) => {
                registry.register(socket.source(), token, Interest::READABLE)
            }
            Some(Wire::Stream(stream)) => registry.register(stream.source(), token, both),
            None => Ok(()),
        };
        if let Err(error) = registered {
            self.sockets.try_remove(key);
            return Err(error);
        }
        Ok(key)
    }

    #[inline]
    pub(super) fn get(&self, token: Token, id: K) -> Option<&Wire> {
        let key = *self.by_id.get(&(token, id))?;
        Some(&self.sockets.get(key)?.as_ref()?.wire)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, token: Token, id: K) -> Option<&mut Wire> {
        let key = *self.by_id.get(&(token, id))?;
        Some(&mut self.sockets.get_mut(key)?.as_mut()?.wire)
    }

    /// Opens a connection, unless the session has too many sockets or has just tried the same.
    pub(super) fn connect(
        &mut self,
        registry: &Registry,
        token: Token,
        id: K,
        connect: impl FnOnce() -> io::Result<Stream>,
    ) -> io::Result<()> {
        let now = Instant::now();
        let paused = self.paused.get(&(token, id));
        let of_session = self.of_session.get(&token).map_or(0, Vec::len);
        if paused.is_some_and(|until| *until > now) || of_session >= MAX_OF_SESSION {
            return Ok(());
        }
        self.paused.insert((token, id), now + CONNECT_PAUSE);
        self.open(registry, token, id, Wire::Stream(connect()?))
    }

    /// Ends a socket that was taken out.
    pub(super) fn close(&mut self, registry: &Registry, key: usize, socket: OwnSocket<K>) {
        self.sockets.try_remove(key);
        match socket.owner {
            None => self.unclaimed.retain(|unclaimed| *unclaimed != key),
            Some((token, id)) => {
                self.by_id.remove(&(token, id));
                if let Some(sockets) = self.of_session.get_mut(&token) {
                    sockets.retain(|of| *of != key);
                }
            }
        }
        deregister(registry, socket.wire);
    }

    /// Ends all of a session.
    pub(super) fn forget(&mut self, registry: &Registry, token: Token) {
        for key in self.of_session.remove(&token).unwrap_or_default() {
            if let Some(socket) = self.sockets.try_remove(key).flatten() {
                if let Some(owner) = socket.owner {
                    self.by_id.remove(&owner);
                }
                deregister(registry, socket.wire);
            }
        }
        // Most shards never open a connection: a session that ends costs them no walk through nothing.
        if !self.paused.is_empty() {
            self.paused.retain(|(of, _), _| *of != token);
        }
    }
}

fn deregister(registry: &Registry, wire: Wire) {
    // Closing the socket does the same; a failure changes nothing.
    let _ = match wire {
        Wire::Datagrams(mut socket) => registry.deregister(socket.source()),
        Wire::Stream(mut stream) => registry.deregister(stream.source()),
    };
}
