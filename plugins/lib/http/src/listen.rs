//! Where servers of elements listen, and how URIs name that.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs, UdpSocket},
};

/// Listens at all addresses of a name, without blocking; with port 0 at one free port of all of them, which the first one
/// says. `host` may be an IPv6 address in brackets.
///
/// # Errors
/// Those of the system: that the name is not known, or that the port is taken at one of its addresses.
pub fn listen(host: &str, port: u16) -> io::Result<Vec<TcpListener>> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut listeners: Vec<TcpListener> = Vec::new();
    let (mut port, mut problem) = (port, None);
    for mut address in (bare, port).to_socket_addrs()? {
        address.set_port(port);
        match bind(address) {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            // A machine without IPv6 may know the name by an address of it.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => problem = Some(error),
            Err(error) => return Err(error),
        }
    }
    match problem {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

/// The standard library lets a port be taken anew at once.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The host of URIs that lead to a server: what is `announced`, else what it listens at, as `host` says it, or an address
/// that others see where that is all of them. IPv6 addresses are in brackets.
#[must_use]
pub fn public_host(announced: Option<&str>, host: &str, bound: SocketAddr) -> String {
    let name = match announced {
        Some(announced) => announced.to_owned(),
        None if bound.ip().is_unspecified() => own_address(bound),
        None => host.to_owned(),
    };
    match name.contains(':') && !name.starts_with('[') {
        true => format!("[{name}]"),
        false => name,
    }
}

/// The address that others would see; nothing is sent to find it out.
fn own_address(bound: SocketAddr) -> String {
    let towards = |from: SocketAddr, to: SocketAddr| {
        let socket = UdpSocket::bind(from)?;
        socket.connect(to)?;
        socket.local_addr()
    };
    // Addresses for documentation (RFC 5737, RFC 3849), beyond any gateway.
    let v4 = towards(
        (Ipv4Addr::UNSPECIFIED, 0).into(),
        (Ipv4Addr::new(192, 0, 2, 1), 9).into(),
    );
    let outside = v4.or_else(|error| {
        if bound.is_ipv4() {
            return Err(error);
        }
        let example = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        towards((Ipv6Addr::UNSPECIFIED, 0).into(), (example, 9).into())
    });
    outside.map_or_else(|_| "127.0.0.1".to_owned(), |own| own.ip().to_string())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn a_free_port_is_the_same_at_all_addresses() {
        let listeners = listen("localhost", 0).unwrap();
        let ports: Vec<u16> = listeners
            .iter()
            .map(|listener| listener.local_addr().unwrap().port())
            .collect();
        assert!(!ports.is_empty());
        assert!(ports.iter().all(|port| *port == ports[0] && *port != 0));
    }

    #[test]
    fn a_port_in_use_is_an_error() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = listen("127.0.0.1", port).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn uris_name_what_is_announced_or_listened_at_or_can_be_reached() {
        let here = "127.0.0.1:9091".parse().unwrap();
        assert_eq!(public_host(None, "localhost", here), "localhost");
        assert_eq!(public_host(None, "::1", here), "[::1]");
        assert_eq!(public_host(None, "[::1]", here), "[::1]");
        let announced = Some("media.example");
        assert_eq!(public_host(announced, "::1", here), "media.example");
        let everywhere = public_host(None, "0.0.0.0", "0.0.0.0:80".parse().unwrap());
        let address: IpAddr = everywhere.parse().unwrap();
        assert!(!address.is_unspecified());
    }
}
