//! Sockets and shards: what elements that speak RTP have in common below their sessions.
//!
//! - [`MediaSocket`]: UDP with what makes it fast, many datagrams in a system call (GRO, recvmmsg, GSO).
//! - [`Outgoing`]: the datagrams of a burst to one peer, gathered for one call, as a
//!   [`Session`](rivero_rtp_session::Session) of RTP writes them.
//! - [`Stream`]: a TCP connection, cut into datagrams.
//! - [`shard`]: the threads on which sessions live, and how bursts of media and datagrams get there.
//!
//! Nothing here knows ICE, TURN, DTLS or SDP: which datagram is whose, and what is put around one, is for
//! the module to say.

mod framing;
mod listener;
mod mark;
mod outgoing;
mod padding;
pub mod shard;
mod socket;
mod stream;
mod token;

pub use framing::{Framing, LengthPrefix, Unframed};
pub use mark::Mark;
pub use outgoing::{Outgoing, SendCounters};
pub use socket::{BATCH, MediaSocket, ReceiveBuffers};
pub use stream::{Delimiter, Encryption, Frame, Stream, length_prefixed};
pub use token::Token;
