//! What a shard does about the sockets of single transports.

use std::{io, net::SocketAddr, time::Instant};

use mio::Registry;
use rivero_net::{BATCH, MediaSocket, READ, SendCounters, Stream, Token};

use super::{RECEIVE_TURNS, Worker};
use crate::{
    link,
    peer::{Carrier, Path, RelayFraming},
    shard::{
        Framing, Outgoing,
        links::{self, FIRST_KEY, Link, Links, Owner, Wire},
    },
};

impl Worker<'_> {
    pub(super) fn note_ready(&mut self, token: usize) {
        if let Some(key) = token.checked_sub(FIRST_KEY)
            && !self.ready.contains(&key)
        {
            self.ready.push(key);
        }
    }

    /// Accepts what waits at a listener.
    pub(super) fn accept(&mut self, listener: usize) {
        let Some(Some(listener)) = self.sockets.listeners.get(listener) else {
            return;
        };
        loop {
            match listener.accept() {
                Ok((socket, _)) => {
                    if let Err(error) = self.links.accept(self.poll.registry(), socket) {
                        tracing::debug!(%error, "a connection is not served");
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return tracing::debug!(%error, "accepting a connection"),
            }
        }
    }

    /// Reads from links until all have had a turn.
    pub(super) fn serve_links(&mut self) {
        for key in std::mem::take(&mut self.ready) {
            let Some(mut link) = self.links.take(key) else {
                continue;
            };
            let served = self.serve(key, &mut link);
            match served {
                Ok(more) => {
                    self.links.put(key, link);
                    if more {
                        self.ready.push(key);
                    }
                }
                Err(error) => self.lose(key, link, &error),
            }
            self.attend();
            self.send_bursts();
        }
    }

    /// Reads for a while; `true` when there may be more.
    fn serve(&mut self, key: usize, link: &mut Link) -> io::Result<bool> {
        let Link { owner, wire } = link;
        match wire {
            Wire::Datagrams(socket) => self.serve_datagrams(*owner, socket),
            Wire::Stream(stream) => self.serve_stream(key, owner, stream),
        }
    }

    fn serve_datagrams(&mut self, owner: Owner, socket: &MediaSocket) -> io::Result<bool> {
        let mut buffers = self.buffers.take().unwrap_or_default();
        let mut more = true;
        for _ in 0..RECEIVE_TURNS {
            let received = socket.receive(&mut buffers, |local, remote, data| match owner {
                Owner::Server(token, number) => {
                    self.server_message(token, number, Some(remote), data);
                }
                Owner::Own(token, _) => {
                    let path = Path {
                        local,
                        remote,
                        carrier: Carrier::OwnUdp,
                    };
                    self.carried(token, path, data);
                }
                Owner::Unnamed | Owner::Peer(..) => {}
            });
            // After an ICMP error of an earlier datagram, say, the next call goes on.
            more = received.map_or(true, |messages| messages == BATCH);
            if !more {
                break;
            }
        }
        self.buffers = Some(buffers);
        Ok(more)
    }

    fn serve_stream(
        &mut self,
        key: usize,
        owner: &mut Owner,
        stream: &mut Stream,
    ) -> io::Result<bool> {
        let mut chunk = std::mem::take(&mut self.chunk);
        chunk.resize(READ, 0);
        let mut more = Ok(true);
        for _ in 0..RECEIVE_TURNS {
            more = stream.turn(&mut chunk);
            let read = self.read_frames(key, owner, stream);
            if !matches!(more, Ok(true)) || read.is_err() {
                more = more.and_then(|more| read.map(|()| more));
                break;
            }
        }
        self.chunk = chunk;
        more
    }

    fn read_frames(
        &mut self,
        key: usize,
        owner: &mut Owner,
        stream: &mut Stream,
    ) -> io::Result<()> {
        let path = match owner {
            Owner::Unnamed => links::accepted_path(stream).ok(),
            _ => None,
        };
        while let Some(frame) = stream.datagram()? {
            if let (Owner::Unnamed, Some(path)) = (*owner, path) {
                // Only a request that names a transport opens a connection to it.
                let named = self.routes.named_by(frame);
                let token = named.filter(|token| self.links.name(key, *token, path));
                let token = token.ok_or_else(|| io::Error::other("it is for nobody here"))?;
                *owner = Owner::Peer(token, path);
            }
            match *owner {
                Owner::Peer(token, path) => self.carried(token, path, frame),
                Owner::Server(token, number) => self.server_message(token, number, None, frame),
                Owner::Unnamed | Owner::Own(..) => {
                    return Err(io::ErrorKind::NotConnected.into());
                }
            }
        }
        Ok(())
    }

    fn carried(&mut self, token: Token, path: Path, frame: &mut [u8]) {
        let carried = self.transports.with(token, |transport| {
            transport.on_carried(Instant::now(), path, frame)
        });
        if carried.is_some() {
            self.touch(token);
        }
    }

    /// `from` is known for datagrams; others than the server are not listened to.
    fn server_message(
        &mut self,
        token: Token,
        number: u8,
        from: Option<SocketAddr>,
        message: &mut [u8],
    ) {
        let taken = self.transports.with(token, |transport| {
            let is_server = from.is_none() || from == transport.server_address(number);
            if is_server {
                transport.on_server_message(Instant::now(), number, message);
            }
            is_server
        });
        if taken == Some(true) {
            self.touch(token);
        }
    }

    /// A link ended.
    fn lose(&mut self, key: usize, link: Link, error: &io::Error) {
        let owner = link.owner;
        self.links.close(self.poll.registry(), key, link);
        tracing::debug!(?owner, %error, "a connection ended");
        if let Owner::Server(token, number) = owner {
            self.transports.with(token, |transport| {
                transport.server_lost(Instant::now(), number, &reason(error));
            });
            self.touch(token);
        }
    }

    pub(super) fn touch(&mut self, token: Token) {
        if !self.touched.contains(&token) {
            self.touched.push(token);
        }
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
        _ => error.to_string(),
    }
}

/// Where the media of a path leaves that is not plain UDP.
pub(super) enum Detour<'a> {
    Connection(&'a mut Stream, Framing),
    Relay(&'a MediaSocket, SocketAddr, RelayFraming),
    OwnSocket(&'a MediaSocket, Path),
}

impl<'a> Detour<'a> {
    pub(super) fn of(
        links: &'a mut Links,
        registry: &Registry,
        transport: &mut link::Link,
        token: Token,
        path: Path,
    ) -> Option<Self> {
        if path.carrier == Carrier::Tcp {
            let stream = links.stream(registry, token, path, transport.mark())?;
            return Some(Self::Connection(stream, Framing::LengthPrefix));
        }
        if path.carrier == Carrier::OwnUdp {
            let socket = links.own(token, path.local.is_ipv6())?;
            return Some(Self::OwnSocket(socket, path));
        }
        let (number, server, framing) = transport.peer().relay_in_use(Instant::now())?;
        Some(match links.server(token, number)? {
            Wire::Stream(stream) => Self::Connection(stream, Framing::Relay(framing)),
            Wire::Datagrams(socket) => Self::Relay(socket, server, framing),
        })
    }

    pub(super) fn outgoing(
        self,
        buffer: &'a mut Vec<u8>,
        counters: &'a mut SendCounters,
    ) -> Outgoing<'a> {
        match self {
            Self::Connection(stream, framing) => {
                Outgoing::stream(stream, framing, buffer, counters)
            }
            Self::Relay(socket, server, framing) => {
                let framing = Framing::Relay(framing);
                Outgoing::datagrams(socket, None, server, framing, buffer, counters)
            }
            Self::OwnSocket(socket, path) => {
                let (local, framing) = (Some(path.local.ip()), Framing::Unframed);
                Outgoing::datagrams(socket, local, path.remote, framing, buffer, counters)
            }
        }
    }
}
