//! A new server takes the place of one that runs, and no call is cut.
//!
//! The server that runs starts its own replacement, so that this works with any supervisor and
//! with none: the program at the same path, with the same arguments and environment. The new
//! process prepares everything; then it is handed the listening sockets by descriptor and serves
//! whoever comes. The old one listens no more, goes on with the connections and objects that it
//! has, and ends with the last of them. If the new one fails on the way, the old one goes on as if
//! nothing had been.
//!
//! Both speak on a pair of sockets that nobody else has: one end is the standard input of the new
//! process, so that no name in a file system has to be protected.
//!
//! | from | message | descriptors |
//! |---|---|---|
//! | new | [`Prepared`](Message::Prepared) | |
//! | old | [`Listeners`](Message::Listeners) | the listening sockets |
//! | new | [`Serving`](Message::Serving) | |
//! | new | [`Adopt`](Message::Adopt) | a stream |
//! | new | [`Stop`](Message::Stop) | |
//!
//! The end of a process is seen by the end of its socket.

mod adoption;
mod channel;
mod predecessor;
mod program;
mod successor;

use std::io;

use serde::{Deserialize, Serialize};

pub(crate) use adoption::nonblocking;
pub use adoption::{Adoption, KNOWN, UNKNOWN};
pub use channel::Channel;
pub use predecessor::Predecessor;
pub use program::{Program, Step, launch};
pub use successor::{Successor, start};

/// Which way in a listening socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// WebSockets.
    Plain,
    /// WebSockets on TLS.
    Secure,
    /// The pages for supervisors.
    Management,
}

/// What the two processes tell each other, as JSON: their versions differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Message {
    /// All is ready but the sockets.
    Prepared,
    /// The sockets, in the order of the descriptors.
    Listeners {
        /// What each is.
        roles: Vec<Role>,
    },
    /// The new process accepts connections.
    Serving {
        /// Its id.
        process: u32,
    },
    /// The new process has been told to end, and so has the old one.
    Stop,
    /// A client has come to the new process that wants to return to a session of the old one. The
    /// descriptor is a stream, on which the old one answers with one byte whether it has the session, and
    /// if so takes the part of the server in a WebSocket (RFC 6455) whose handshake is done.
    Adopt(Adoption),
    /// Anything that another version says.
    #[serde(other)]
    Unknown,
}

/// Why nothing is handed over.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refuses a socket, a process or a thread.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The new process ended.
    #[error("the new process ended before it could serve; its own lines say why")]
    Ended,
    /// The new process takes too long.
    #[error("the new process was not ready to serve within {0} s")]
    Late(u64),
    /// The other process said something else than was its turn.
    #[error("the other process says {0:?}, which makes no sense now")]
    Unexpected(Box<Message>),
    /// This process was told to end meanwhile.
    #[error("this process has been told to end, and so has the new one")]
    Stopping,
    /// Everything ends with the first process of a container.
    #[error(
        "this process is the first of its container, which ends with it: replace the container instead"
    )]
    First,
}
