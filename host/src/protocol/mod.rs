//! The Kurento protocol: JSON-RPC 2.0 requests in WebSocket messages.
//!
//! From the socket inwards: [`listener`] accepts, with [`tls`] where it is wanted, [`crate::http`] answers the request
//! or upgrades to a WebSocket, [`connection`] exchanges messages, [`json`] and [`request`] turn text into
//! a typed request, [`methods`] carries it out, [`response`] writes the answer into the
//! connection's [`outbox`]. [`replies`] answers repeated requests. Outwards, [`registrar`] tells a
//! directory of servers where this one is.

pub mod connection;
pub mod json;
pub mod listener;
mod meter;
pub mod methods;
pub mod outbox;
pub mod registrar;
pub mod replies;
pub mod request;
pub mod response;
pub mod sockets;
pub mod tls;
mod wire;
