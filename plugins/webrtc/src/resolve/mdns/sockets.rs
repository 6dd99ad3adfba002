//! The sockets of multicast DNS, one for each IP version.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use mio::{Events, Interest, Poll, Token, net::UdpSocket};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::message;

const PORT: u16 = 5353;
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// Between looks at new questions and due ones.
const TICK: Duration = Duration::from_millis(20);
/// Messages taken at a time, of up to this many bytes (RFC 6762 §17).
const MAX_MESSAGES: usize = 64;
const MAX_MESSAGE: usize = 9000;

/// Sockets that take part in multicast DNS on all interfaces.
pub(super) struct Sockets {
    poll: Option<Poll>,
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    interfaces: Vec<if_addrs::Interface>,
}

impl Sockets {
    /// Without an IP version, or any, the others go on.
    pub(super) fn open() -> Self {
        let mut sockets = Self {
            poll: Poll::new().ok(),
            v4: bind(false).inspect_err(report).ok(),
            v6: bind(true).inspect_err(report).ok(),
            interfaces: if_addrs::get_if_addrs().unwrap_or_default(),
        };
        sockets.join();
        sockets
    }

    fn join(&mut self) {
        for interface in &self.interfaces {
            // Joining again, by another address of the interface, fails and changes nothing.
            let _ = match (interface.ip(), &self.v4, &self.v6) {
                (IpAddr::V4(ip), Some(socket), _) => socket.join_multicast_v4(&GROUP_V4, &ip),
                (IpAddr::V6(_), _, Some(socket)) => {
                    socket.join_multicast_v6(&GROUP_V6, interface.index.unwrap_or(0))
                }
                _ => Ok(()),
            };
        }
        let Some(poll) = &self.poll else { return };
        for (number, socket) in [&mut self.v4, &mut self.v6].into_iter().enumerate() {
            let Some(socket) = socket else { continue };
            let registry = poll.registry();
            if let Err(error) = registry.register(socket, Token(number), Interest::READABLE) {
                report(&error);
            }
        }
    }

    /// Sends a question on the named interfaces; on all if there are none named.
    pub(super) fn send(&mut self, question: &[u8], names: &[String]) {
        let named =
            |interface: &&if_addrs::Interface| names.is_empty() || names.contains(&interface.name);
        for interface in self.interfaces.iter().filter(named) {
            let sent = match (interface.ip(), &self.v4, &self.v6) {
                (IpAddr::V4(ip), Some(socket), _) => SockRef::from(socket)
                    .set_multicast_if_v4(&ip)
                    .and_then(|()| socket.send_to(question, (GROUP_V4, PORT).into())),
                (IpAddr::V6(_), _, Some(socket)) => SockRef::from(socket)
                    .set_multicast_if_v6(interface.index.unwrap_or(0))
                    .and_then(|()| socket.send_to(question, (GROUP_V6, PORT).into())),
                _ => continue,
            };
            if let Err(error) = sent {
                tracing::trace!(interface = interface.name, %error, "multicast DNS");
            }
        }
    }

    /// Waits for a moment; gives what was told meanwhile.
    pub(super) fn receive(&mut self) -> Vec<(String, IpAddr)> {
        let mut events = Events::with_capacity(4);
        match &mut self.poll {
            Some(poll) if self.v4.is_some() || self.v6.is_some() => {
                let _ = poll.poll(&mut events, Some(TICK));
            }
            _ => std::thread::sleep(TICK),
        }
        let mut found = Vec::new();
        let mut buffer = vec![0; MAX_MESSAGE];
        for socket in [&self.v4, &self.v6].into_iter().flatten() {
            for _ in 0..MAX_MESSAGES {
                let Ok((length, _)) = socket.recv_from(&mut buffer) else {
                    break;
                };
                found.extend(message::addresses(buffer.get(..length).unwrap_or_default()));
            }
        }
        found
    }
}

fn bind(v6: bool) -> io::Result<UdpSocket> {
    let (domain, address): (_, SocketAddr) = if v6 {
        (Domain::IPV6, (Ipv6Addr::UNSPECIFIED, PORT).into())
    } else {
        (Domain::IPV4, (Ipv4Addr::UNSPECIFIED, PORT).into())
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if v6 {
        socket.set_only_v6(true)?;
    }
    // Others take part on this machine, too.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

fn report(error: &io::Error) {
    tracing::debug!(%error, "multicast DNS");
}
