//! What a shard asks of the sessions on it, and of what those have in common.

use std::{fmt::Debug, hash::Hash, net::SocketAddr, time::Instant};

use rivero_plugin_api::Packet;

use super::{Network, Sessions};
use crate::Token;

/// The connection with one peer, as the shard's thread drives it. Each call is contained: a session that
/// panics is lost, and nobody else. None may block.
///
/// After whatever makes a session speak (a datagram, an action, a timer, a burst that left something
/// behind) its shard calls [`deliver`](Self::deliver) if something arrived, then
/// [`Routing::transmit`], [`report`](Self::report) and [`poll_timeout`](Self::poll_timeout).
pub trait ShardSession: Send + 'static {
    /// Which of the sockets that are this session's alone, see [`Network`].
    type SocketId: Copy + Debug + Eq + Hash + Send + 'static;

    /// Where panics of sessions count in the metrics, with its article: `a WebRTC transport`.
    const PLACE: &'static str;
    /// Where panics in the end of one count.
    const END_PLACE: &'static str;

    /// One datagram came in by a socket of this session alone, from and to these addresses, or as one of a
    /// connection. It may be decrypted in place. `true` when the session is to be attended to.
    fn on_own_datagram(
        &mut self,
        now: Instant,
        socket: Self::SocketId,
        arrival: Option<Arrival>,
        data: &mut [u8],
    ) -> bool;

    /// A socket of this session alone has failed, a connection that the other side closed, say. `true` when
    /// the session is to be attended to.
    fn on_own_socket_lost(&mut self, now: Instant, socket: Self::SocketId, reason: &str) -> bool;

    /// Pushes what was received to its consumers: once for all that was read together, so that a frame is
    /// one burst.
    fn deliver(&mut self);

    /// Sends packets of a burst; `true` when that left something for [`Routing::transmit`].
    fn forward(
        &mut self,
        now: Instant,
        burst: Burst<'_>,
        network: Network<'_, Self::SocketId>,
    ) -> bool;

    /// When to call [`on_timeout`](Self::on_timeout), unless something else happens before.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Does what is due.
    fn on_timeout(&mut self, now: Instant);

    /// Tells whoever owns the session what has happened. Apart from all else, so that an owner that panics
    /// finds nothing half done.
    fn report(&mut self);

    /// Says good-bye to the peer: what that takes is transmitted before the session is dropped.
    fn close(&mut self, now: Instant);

    /// Whom to tell that the session is lost: it is called with the reason once the session is dropped.
    fn failure_observer(&self) -> Box<dyn FnOnce(&str)>;
}

/// The addresses of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The one of ours that it was sent to.
    pub local: SocketAddr,
    /// Where it came from.
    pub remote: SocketAddr,
}

/// What one sink gets of a burst.
#[derive(Clone, Copy)]
pub struct Burst<'a> {
    /// The track that the sink is of, see [`Token::sink`].
    pub track: u8,
    /// The whole burst …
    pub packets: &'a [Packet],
    /// … and which of it are for this sink: the first packet is the lowest bit.
    pub selection: u64,
}

/// How soon a datagram has to be read, where much comes that may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Some milliseconds late is as good: feedback.
    Low,
    /// It belongs to an exchange, each step of which would wait: a handshake.
    Exchange,
    /// At once: media.
    High,
}

/// How what arrives finds its session, and how what sessions say beside media leaves: what the sessions of
/// a shard have in common. One for each shard; it is made on the shard's thread, and anew with each worker.
pub trait Routing: Default {
    /// What is routed.
    type Session: ShardSession;

    /// A session has come: it may be routed to from now on.
    fn opened(&mut self, token: Token, session: &mut Self::Session);

    /// Its owner has done something with the session: other routes may lead to it now.
    fn changed(&mut self, token: Token, session: &mut Self::Session);

    /// A session has gone: nothing leads to it any more. It may have panicked before.
    fn closed(&mut self, token: Token, session: &mut Self::Session);

    /// How soon a datagram by a socket that all sessions share has to be read.
    fn urgency(data: &[u8]) -> Urgency;

    /// One datagram came in by a socket that all sessions share. Hands it to the session that it is for,
    /// which is then attended to.
    fn on_datagram(
        &mut self,
        sessions: &mut Sessions<Self::Session>,
        now: Instant,
        arrival: Arrival,
        data: &mut [u8],
    ) -> Option<Token>;

    /// Whose an accepted connection is and as which socket, by the first datagram that came in it; nobody's
    /// is closed.
    fn claim(&self, arrival: Arrival, first: &[u8]) -> Option<SocketOf<Self::Session>>;

    /// Sends all that a session has to say.
    fn transmit(
        &mut self,
        sessions: &mut Sessions<Self::Session>,
        network: &mut Network<'_, <Self::Session as ShardSession>::SocketId>,
    );
}

/// A session with one of its sockets.
pub type SocketOf<S> = (Token, <S as ShardSession>::SocketId);
