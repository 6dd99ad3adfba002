//! Sockets that accept TCP connections.

use std::{io, net::SocketAddr, ops::RangeInclusive};

use mio::net::TcpListener;
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted: peers of a whole room may come at once, and a shard accepts
/// all that wait in one turn of its loop.
const BACKLOG: i32 = 256;

/// Listens on the unspecified address of a family: on `wanted`, the port of the UDP socket, if it
/// is free, else on the first free one of a range or any.
///
/// # Errors
/// Those of the system for `wanted` where no port of the range is free, either.
pub(crate) fn listen(
    v6: bool,
    wanted: u16,
    ports: Option<&RangeInclusive<u16>>,
) -> io::Result<TcpListener> {
    bind(v6, wanted).or_else(|error| match ports {
        None => bind(v6, 0),
        Some(range) => range
            .clone()
            .find_map(|port| bind(v6, port).ok())
            .ok_or(error),
    })
}

fn bind(v6: bool, port: u16) -> io::Result<TcpListener> {
    let (domain, address): (_, SocketAddr) = if v6 {
        (Domain::IPV6, ([0_u16; 8], port).into())
    } else {
        (Domain::IPV4, ([0_u8; 4], port).into())
    };
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if v6 {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}
