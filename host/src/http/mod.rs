//! HTTP/1.1, with which every connection begins (RFC 9112): one request, one answer, and from
//! there a WebSocket or the end.
//!
//! [`exchange`] is the shell around hyper with its time limits, [`site`] decides what a listener
//! answers, [`access`] to whom, by the hosts and origins that [`host`] compares and the names that
//! [`machine`] has, [`handshake`] recognises the upgrade to a WebSocket, [`pages`] are what
//! supervisors and people look at, [`body`] is an answer that may go on.

pub mod access;
pub mod body;
pub mod exchange;
pub mod handshake;
pub mod host;
pub mod machine;
pub mod pages;
pub mod site;

pub use body::{Body, Pieces};
pub use exchange::{Upgraded, exchange};
pub use pages::{Page, PageRequest, Router};
pub use site::Site;

/// The `Server` field of every answer.
const SERVER: &str = concat!("Rivero/", env!("CARGO_PKG_VERSION"));
