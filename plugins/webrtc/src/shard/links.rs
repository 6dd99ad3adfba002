//! The sockets that belong to single transports: TCP connections of peers, and the connections to
//! TURN servers.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use mio::{Interest, Registry};
use rivero_net::{
    Encryption, Framing, LengthPrefix, Mark, MediaSocket, Stream, Token, length_prefixed,
};
use slab::Slab;

use super::{framing::turn_message, tls::Tls};
use crate::peer::{ACTIVE_PORT, Carrier, Path, TurnServer, TurnTransport};

/// Below are the tokens of the shard's own sockets.
pub(super) const FIRST_KEY: usize = 16;
/// Connections of one transport's peer.
const MAX_STREAMS: usize = 32;
/// Connections that have not said yet whose they are; further ones take the place of the oldest,
/// since a peer says it at once.
const MAX_UNNAMED: usize = 256;
/// Before another attempt at an address that refused a connection.
const REST: Duration = Duration::from_secs(1);

/// Whose a socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody's yet.
    Unnamed,
    Peer(Token, Path),
    /// The connection to a TURN server.
    Server(Token, u8),
    /// A UDP socket of this transport alone, for one IP version.
    Own(Token, bool),
}

pub(super) enum Wire {
    Datagrams(MediaSocket),
    Stream(Stream),
}

pub(super) struct Link {
    pub(super) owner: Owner,
    pub(super) wire: Wire,
}

/// All of a shard.
#[derive(Default)]
pub(super) struct Links {
    /// Empty while being served.
    links: Slab<Option<Link>>,
    of_server: HashMap<(Token, u8), usize>,
    of_own: HashMap<(Token, bool), usize>,
    of_path: HashMap<(Token, Path), usize>,
    of_transport: HashMap<Token, Vec<usize>>,
    resting: HashMap<(Token, Path), Instant>,
    /// The oldest first.
    unnamed: VecDeque<usize>,
}

impl Links {
    /// Takes a link out to serve it.
    pub(super) fn take(&mut self, key: usize) -> Option<Link> {
        self.links.get_mut(key)?.take()
    }

    /// Puts a link back.
    pub(super) fn put(&mut self, key: usize, link: Link) {
        if let Some(slot) = self.links.get_mut(key) {
            *slot = Some(link);
        }
    }

    /// A connection that was accepted.
    pub(super) fn accept(
        &mut self,
        registry: &Registry,
        socket: mio::net::TcpStream,
    ) -> io::Result<()> {
        if self.unnamed.len() >= MAX_UNNAMED
            && let Some(oldest) = self.unnamed.pop_front()
            && let Some(link) = self.take(oldest)
        {
            self.close(registry, oldest, link);
        }
        let wire = Wire::Stream(Stream::accepted(socket));
        let key = self.insert(registry, Owner::Unnamed, wire)?;
        self.unnamed.push_back(key);
        Ok(())
    }

    /// An accepted connection turned out to be a transport's; `false` if that has enough of them.
    pub(super) fn name(&mut self, key: usize, token: Token, path: Path) -> bool {
        let links = self.of_transport.entry(token).or_default();
        if links.len() >= MAX_STREAMS {
            return false;
        }
        links.push(key);
        self.unnamed.retain(|unnamed| *unnamed != key);
        self.of_path.insert((token, path), key);
        true
    }

    /// Connects to a TURN server, in place of the one that had this number. Messages can be sent
    /// from now on.
    pub(super) fn open_server(
        &mut self,
        registry: &Registry,
        token: Token,
        number: u8,
        server: &TurnServer,
        ports: Option<&RangeInclusive<u16>>,
        mark: Mark,
    ) -> io::Result<()> {
        let connect = |tls| Stream::connect(None, server.address, turn_message, tls, mark);
        let wire = match server.transport {
            TurnTransport::Udp => {
                let v6 = server.address.is_ipv6();
                let socket = MediaSocket::bind(v6, ports).or_else(|_| MediaSocket::bind(v6, None));
                Wire::Datagrams(socket?)
            }
            TurnTransport::Tcp => Wire::Stream(connect(None)?),
            TurnTransport::Tls => {
                let tls: Box<dyn Encryption> = Box::new(Tls::new(&server.host)?);
                Wire::Stream(connect(Some(tls))?)
            }
        };
        let former = self.of_server.get(&(token, number)).copied();
        if let Some((key, link)) = former.and_then(|key| Some((key, self.take(key)?))) {
            self.close(registry, key, link);
        }
        let key = self.insert(registry, Owner::Server(token, number), wire)?;
        self.of_server.insert((token, number), key);
        self.of_transport.entry(token).or_default().push(key);
        Ok(())
    }

    /// Opens a UDP socket for a transport alone; gives its port, or nothing if there is one.
    pub(super) fn open_own(
        &mut self,
        registry: &Registry,
        token: Token,
        v6: bool,
        ports: Option<&RangeInclusive<u16>>,
    ) -> io::Result<Option<u16>> {
        if self.of_own.contains_key(&(token, v6)) {
            return Ok(None);
        }
        let socket = MediaSocket::bind(v6, ports)?;
        let port = socket.port();
        let key = self.insert(registry, Owner::Own(token, v6), Wire::Datagrams(socket))?;
        self.of_own.insert((token, v6), key);
        self.of_transport.entry(token).or_default().push(key);
        Ok(Some(port))
    }

    /// A transport's own socket.
    pub(super) fn own(&self, token: Token, v6: bool) -> Option<&MediaSocket> {
        let key = *self.of_own.get(&(token, v6))?;
        match &self.links.get(key)?.as_ref()?.wire {
            Wire::Datagrams(socket) => Some(socket),
            Wire::Stream(_) => None,
        }
    }

    fn insert(&mut self, registry: &Registry, owner: Owner, wire: Wire) -> io::Result<usize> {
        let key = self.links.insert(Some(Link { owner, wire }));
        let token = mio::Token(FIRST_KEY + key);
        let both = Interest::READABLE | Interest::WRITABLE;
        let link = self.links.get_mut(key).and_then(Option::as_mut);
        let registered = match link.map(|link| &mut link.wire) {
            Some(Wire::Datagrams(socket)) => {
                registry.register(socket.source(), token, Interest::READABLE)
            }
            Some(Wire::Stream(stream)) => registry.register(stream.source(), token, both),
            None => Ok(()),
        };
        if let Err(error) = registered {
            self.links.try_remove(key);
            return Err(error);
        }
        Ok(key)
    }

    /// What leads to a TURN server.
    pub(super) fn server(&mut self, token: Token, number: u8) -> Option<&mut Wire> {
        let key = *self.of_server.get(&(token, number))?;
        let link = self.links.get_mut(key)?.as_mut()?;
        Some(&mut link.wire)
    }

    /// The connection of a path, opened if it is for us to open it.
    pub(super) fn stream(
        &mut self,
        registry: &Registry,
        token: Token,
        path: Path,
        mark: Mark,
    ) -> Option<&mut Stream> {
        let known = self.of_path.get(&(token, path)).copied();
        let key = match known {
            Some(key) => key,
            None => self.connect(registry, token, path, mark)?,
        };
        match &mut self.links.get_mut(key)?.as_mut()?.wire {
            Wire::Stream(stream) => {
                stream.set_mark(mark);
                Some(stream)
            }
            Wire::Datagrams(_) => None,
        }
    }

    fn connect(
        &mut self,
        registry: &Registry,
        token: Token,
        path: Path,
        mark: Mark,
    ) -> Option<usize> {
        if path.local.port() != ACTIVE_PORT {
            // The other side's to open, and gone.
            return None;
        }
        let now = Instant::now();
        let rests = self
            .resting
            .get(&(token, path))
            .is_some_and(|until| *until > now);
        let of_transport = self.of_transport.get(&token).map_or(0, Vec::len);
        if rests || of_transport >= MAX_STREAMS {
            return None;
        }
        self.resting.insert((token, path), now + REST);
        let local = Some(path.local.ip());
        let stream = Stream::connect(local, path.remote, length_prefixed, None, mark);
        let wire = stream
            .inspect_err(|error| tracing::debug!(remote = %path.remote, %error, "no connection"))
            .ok()?;
        let owner = Owner::Peer(token, path);
        let key = self.insert(registry, owner, Wire::Stream(wire)).ok()?;
        self.of_path.insert((token, path), key);
        self.of_transport.entry(token).or_default().push(key);
        Some(key)
    }

    /// Sends a datagram in a path's connection.
    pub(super) fn send(
        &mut self,
        registry: &Registry,
        token: Token,
        path: Path,
        bytes: &[u8],
        mark: Mark,
    ) {
        if let Some(stream) = self.stream(registry, token, path, mark) {
            let mut frame = Vec::with_capacity(bytes.len() + 2);
            LengthPrefix.wrap(&mut frame, |out| {
                out.extend_from_slice(bytes);
                true
            });
            stream.send(&frame);
        }
    }

    /// Sends a message to a TURN server.
    pub(super) fn send_to_server(
        &mut self,
        token: Token,
        number: u8,
        server: SocketAddr,
        bytes: &[u8],
        mark: Mark,
    ) {
        match self.server(token, number) {
            Some(Wire::Datagrams(socket)) => {
                socket.send_from(None, server, bytes, None, mark);
            }
            Some(Wire::Stream(stream)) => {
                stream.send(bytes);
            }
            None => {}
        }
    }

    /// Ends a link that was taken out.
    pub(super) fn close(&mut self, registry: &Registry, key: usize, link: Link) {
        self.links.try_remove(key);
        let token = match link.owner {
            Owner::Unnamed => {
                self.unnamed.retain(|unnamed| *unnamed != key);
                None
            }
            Owner::Peer(token, path) => {
                self.of_path.remove(&(token, path));
                Some(token)
            }
            Owner::Server(token, number) => {
                self.of_server.remove(&(token, number));
                Some(token)
            }
            Owner::Own(token, v6) => {
                self.of_own.remove(&(token, v6));
                Some(token)
            }
        };
        if let Some(links) = token.and_then(|token| self.of_transport.get_mut(&token)) {
            links.retain(|of| *of != key);
        }
        deregister(registry, link);
    }

    /// Ends everything of a transport.
    pub(super) fn forget(&mut self, registry: &Registry, token: Token) {
        for key in self.of_transport.remove(&token).unwrap_or_default() {
            if let Some(link) = self.links.try_remove(key).flatten() {
                match link.owner {
                    Owner::Peer(token, path) => {
                        self.of_path.remove(&(token, path));
                    }
                    Owner::Server(token, number) => {
                        self.of_server.remove(&(token, number));
                    }
                    Owner::Own(token, v6) => {
                        self.of_own.remove(&(token, v6));
                    }
                    Owner::Unnamed => {}
                }
                deregister(registry, link);
            }
        }
        if !self.resting.is_empty() {
            self.resting.retain(|(of, _), _| *of != token);
        }
    }
}

fn deregister(registry: &Registry, link: Link) {
    // Closing the socket does the same; a failure changes nothing.
    let _ = match link.wire {
        Wire::Datagrams(mut socket) => registry.deregister(socket.source()),
        Wire::Stream(mut stream) => registry.deregister(stream.source()),
    };
}

/// The path of an accepted connection.
pub(super) fn accepted_path(stream: &Stream) -> io::Result<Path> {
    let (local, remote) = stream.addresses()?;
    Ok(Path {
        local: canonical(local),
        remote: canonical(remote),
        carrier: Carrier::Tcp,
    })
}

/// Without the flow label and scope that the system adds.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port())
}
