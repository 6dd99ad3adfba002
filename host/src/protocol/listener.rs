//! Sockets that accept connections.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};

use super::connection::{Service, serve};

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// `None` is every address of the machine.
    pub address: Option<IpAddr>,
    /// 0 lets the system choose.
    pub port: u16,
    /// Whether every address includes those of IPv6.
    pub ipv6: bool,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
}

/// Opens the socket.
///
/// Without address it serves IPv6 and IPv4 where the system has both, otherwise IPv4.
///
/// # Errors
/// When no address can be bound, for example because the port is in use.
pub fn bind(binding: &Binding) -> io::Result<TcpListener> {
    match binding.address {
        Some(address) => open(SocketAddr::new(address, binding.port), binding.backlog),
        None if binding.ipv6 => open(
            (Ipv6Addr::UNSPECIFIED, binding.port).into(),
            binding.backlog,
        )
        .or_else(|_| {
            open(
                (Ipv4Addr::UNSPECIFIED, binding.port).into(),
                binding.backlog,
            )
        }),
        None => open(
            (Ipv4Addr::UNSPECIFIED, binding.port).into(),
            binding.backlog,
        ),
    }
}

fn open(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() {
        TcpSocket::new_v6()?
    } else {
        TcpSocket::new_v4()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}

/// Accepts connections for as long as it is polled.
pub async fn accept(listener: TcpListener, service: Arc<Service>) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                // Replies are small and asked for: none of them should wait for another.
                let _ = stream.set_nodelay(true);
                tokio::spawn(serve(stream, from, service.clone()));
            }
            Err(error) => {
                // Usually too many open files: connections that end make room.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
