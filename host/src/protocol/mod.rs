//! The Kurento protocol: JSON-RPC 2.0 requests in WebSocket messages.
//!
//! From the socket inwards: [`listener`] accepts, with [`tls`] where it is wanted, [`crate::http`] answers the request
//! or upgrades to a WebSocket, [`connection`] exchanges messages, [`crate::jsonrpc`] turns text into
//! a typed request, [`methods`] carries it out, and the answer goes into the
//! connection's [outbox](crate::registry::Outbox). The [replies](crate::registry::Replies) that are kept with a
//! session answer repeated requests. Outwards, [`registrar`] tells a directory of servers where this one is.

pub mod connection;
pub mod listener;
mod meter;
pub mod methods;
pub(crate) mod passing;
pub mod registrar;
pub mod sockets;
pub mod tls;
mod wire;
