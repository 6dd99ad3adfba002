//! The shards of this module: `rivero-net` has their threads and sockets, here is what is WebRTC's about
//! them. Datagrams find their links by ICE's user names and by address (`routes`), and links have
//! connections of their own, with peers by TCP and with TURN servers (`connections`).

pub(crate) mod connections;
mod framing;
mod routes;
mod routing;
#[cfg(test)]
mod tests;
mod tls;

use std::{ops::RangeInclusive, sync::Arc};

use rivero_net::shard::{Running, Sockets};
use rivero_plugin_api::Result;

pub(crate) use connections::LinkSocket;
pub(crate) use framing::Framing;
pub(crate) use rivero_net::{Token, shard::Command};
pub(crate) use tls::configuration as tls_configuration;

use crate::link::Link;
use routing::LinkRouting;

/// A thread with its sockets, and the links that it alone touches.
pub(crate) type Shard = rivero_net::shard::Shard<Link>;
/// All of them.
pub(crate) type Shards = rivero_net::shard::Shards<Link>;

/// The running shards, or new ones.
///
/// # Errors
/// 40009 when there cannot be a single one.
pub(crate) fn obtain(ports: Option<RangeInclusive<u16>>) -> Result<Arc<Shards>> {
    static RUNNING: Running<Link> = Running::new();
    RUNNING.obtain::<LinkRouting>("webrtc", || Sockets::bind(ports.as_ref()))
}
