//! What a shard does about the sockets of single sessions.

use std::{io, time::Instant};

use super::{RECEIVE_TURNS, Worker};
use crate::{
    BATCH, MediaSocket, Stream, Token,
    shard::{
        Arrival, Routing, ShardSession, SocketOf, Wire, direct,
        own_sockets::{OwnSocket, OwnSockets},
        sockets::FIRST_OWN,
    },
    stream::READ,
};

/// `None`: nobody's yet.
type Owner<R> = Option<SocketOf<<R as Routing>::Session>>;

impl<R: Routing> Worker<'_, R> {
    pub(super) fn own_socket_ready(&mut self, token: usize) {
        if token >= FIRST_OWN && !self.io.ready.contains(&token) {
            self.io.ready.push(token);
        }
    }

    /// Accepts what waits at a listener.
    pub(super) fn accept(&mut self, v6: bool) {
        let Some(listener) = self.io.sockets.listener(v6) else {
            return;
        };
        loop {
            match listener.accept() {
                Ok((socket, _)) => {
                    let accepted = self.io.own.accept(self.io.poll.registry(), socket);
                    if let Err(error) = accepted {
                        tracing::debug!(%error, "a connection is not served");
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return tracing::debug!(%error, "accepting a connection"),
            }
        }
    }

    /// Reads from sockets of sessions, and of peers, until all have had a turn.
    pub(super) fn serve_own_sockets(&mut self) {
        for token in std::mem::take(&mut self.io.ready) {
            let more = match token.checked_sub(direct::FIRST) {
                Some(key) => self.read_direct_socket(key),
                None => self.serve_own_socket(token.saturating_sub(FIRST_OWN)),
            };
            if more {
                self.io.ready.push(token);
            }
            self.process_pending();
            self.send_bursts();
        }
    }

    /// Reads for a while; `true` when there may be more.
    fn serve_own_socket(&mut self, key: usize) -> bool {
        let Some(mut socket) = self.io.own.take(key) else {
            return false;
        };
        match self.serve(key, &mut socket) {
            Ok(more) => {
                self.io.own.put_back(key, socket);
                more
            }
            Err(error) => {
                self.lose_own_socket(key, socket, &error);
                false
            }
        }
    }

    fn serve(
        &mut self,
        key: usize,
        socket: &mut OwnSocket<<R::Session as ShardSession>::SocketId>,
    ) -> io::Result<bool> {
        let OwnSocket { owner, wire } = socket;
        match wire {
            Wire::Datagrams(socket) => Ok(self.serve_datagrams(*owner, socket)),
            Wire::Stream(stream) => self.serve_stream(key, owner, stream),
        }
    }

    fn serve_datagrams(&mut self, owner: Owner<R>, socket: &MediaSocket) -> bool {
        let Some((token, id)) = owner else {
            return false;
        };
        let mut buffers = self.io.buffers.take().unwrap_or_default();
        let mut more = true;
        for _ in 0..RECEIVE_TURNS {
            let mut arrived = None;
            let received = socket.receive(&mut buffers, |local, remote, data| {
                let now = *arrived.get_or_insert_with(Instant::now);
                let arrival = Some(Arrival { local, remote });
                self.on_own_datagram(now, token, id, arrival, data);
            });
            // After an ICMP error of an earlier datagram, say, the next call goes on.
            more = received.map_or(true, |messages| messages == BATCH);
            if !more {
                break;
            }
        }
        self.io.buffers = Some(buffers);
        more
    }

    fn serve_stream(
        &mut self,
        key: usize,
        owner: &mut Owner<R>,
        stream: &mut Stream,
    ) -> io::Result<bool> {
        let mut chunk = std::mem::take(&mut self.io.chunk);
        chunk.resize(READ, 0);
        let mut more = Ok(true);
        for _ in 0..RECEIVE_TURNS {
            more = stream.turn(&mut chunk);
            // Also after a failure: what came before it counts.
            let read = self.read_datagrams(key, owner, stream);
            if !matches!(more, Ok(true)) || read.is_err() {
                more = more.and_then(|more| read.map(|()| more));
                break;
            }
        }
        self.io.chunk = chunk;
        more
    }

    fn read_datagrams(
        &mut self,
        key: usize,
        owner: &mut Owner<R>,
        stream: &mut Stream,
    ) -> io::Result<()> {
        let arrival = match owner {
            None => stream.addresses().ok(),
            Some(_) => None,
        };
        while let Some(datagram) = stream.datagram()? {
            if let (None, Some((local, remote))) = (*owner, arrival) {
                let claimed = self.routing.claim(Arrival { local, remote }, datagram);
                let own: &mut OwnSockets<_> = &mut self.io.own;
                *owner = claimed.filter(|(token, id)| own.claim(key, *token, *id));
                if owner.is_none() {
                    return Err(io::Error::other("it is for nobody here"));
                }
            }
            match *owner {
                Some((token, id)) => {
                    self.on_own_datagram(Instant::now(), token, id, None, datagram);
                }
                None => return Err(io::ErrorKind::NotConnected.into()),
            }
        }
        Ok(())
    }

    fn on_own_datagram(
        &mut self,
        now: Instant,
        token: Token,
        id: <R::Session as ShardSession>::SocketId,
        arrival: Option<Arrival>,
        data: &mut [u8],
    ) {
        let answers = self.sessions.with(token, |session| {
            session.on_own_datagram(now, id, arrival, data)
        });
        if answers == Some(true) {
            self.mark_pending(token);
        }
    }

    fn lose_own_socket(
        &mut self,
        key: usize,
        socket: OwnSocket<<R::Session as ShardSession>::SocketId>,
        error: &io::Error,
    ) {
        let owner = socket.owner;
        self.io.own.close(self.io.poll.registry(), key, socket);
        tracing::debug!(?owner, %error, "a connection ended");
        if let Some((token, id)) = owner {
            let answers = self.sessions.with(token, |session| {
                session.on_own_socket_lost(Instant::now(), id, &reason(error))
            });
            if answers == Some(true) {
                self.mark_pending(token);
            }
        }
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
        _ => error.to_string(),
    }
}
