//! Which of the machine's addresses a description names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The address from which packets to `peer` leave; without a peer, or a way to it, the one to others.
pub(crate) fn local(v6: bool, peer: Option<IpAddr>) -> IpAddr {
    let peer = peer.filter(|peer| peer.is_ipv6() == v6 && !peer.is_unspecified());
    peer.and_then(towards)
        .or_else(|| towards(anybody(v6)))
        .or_else(|| interface(v6))
        .unwrap_or(match v6 {
            true => Ipv6Addr::LOCALHOST.into(),
            false => Ipv4Addr::LOCALHOST.into(),
        })
}

/// Documentation's addresses (RFC 5737, RFC 3849): reached as the rest of the world is.
fn anybody(v6: bool) -> IpAddr {
    match v6 {
        true => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
        false => Ipv4Addr::new(192, 0, 2, 1).into(),
    }
}

/// What the system's routes say. Nothing is sent: connecting a UDP socket only chooses its address.
fn towards(peer: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match peer {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(SocketAddr::new(peer, 9)).ok()?;
    let local = socket.local_addr().ok()?.ip();
    (!local.is_unspecified()).then_some(local)
}

/// The first one that is not for this machine only.
fn interface(v6: bool) -> Option<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = interfaces.iter().map(if_addrs::Interface::ip);
    let mut addresses = addresses.filter(|address| address.is_ipv6() == v6);
    addresses.find(|address| !address.is_loopback() && !is_link_local(address))
}

/// Such an address means nothing without an interface.
fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_on_this_machine_is_told_an_address_that_it_reaches() {
        let loopback: IpAddr = Ipv4Addr::LOCALHOST.into();
        assert_eq!(local(false, Some(loopback)), loopback);
        // Of the other family: as without one.
        assert!(local(true, Some(loopback)).is_ipv6());
        assert!(!local(false, Some(Ipv4Addr::UNSPECIFIED.into())).is_unspecified());
    }
}
