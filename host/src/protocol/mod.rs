//! The Kurento protocol: JSON-RPC 2.0 requests in WebSocket messages.
//!
//! From the socket inwards: [`listener`] accepts, [`http`] reads the request head and
//! upgrades, [`connection`] exchanges messages, [`json`] and [`request`] turn text into
//! a typed request, [`methods`] carries it out, [`response`] writes the answer into the
//! connection's [`outbox`]. [`cache`] answers repeated requests.

pub mod cache;
pub mod connection;
pub mod http;
pub mod json;
pub mod listener;
pub mod methods;
pub mod outbox;
pub mod request;
pub mod response;
mod wire;
