//! TCP addresses of the peer as the agent knows them.
//!
//! The agent tells remote candidates apart by address alone, and a peer may well use one address
//! and port for UDP and TCP. So it gets stand-ins for TCP ones: reserved addresses (RFC 1112 §4,
//! RFC 6666) of the same family that are never sent to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(240, 0, 0, 1));
const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 1));

/// The addresses of one transport's TCP candidates; the port of a stand-in is the position + 1.
#[derive(Debug, Default)]
pub(super) struct TcpAliases(Vec<SocketAddr>);

impl TcpAliases {
    /// The stand-in of a known address.
    pub(super) fn find(&self, actual: SocketAddr) -> Option<SocketAddr> {
        let position = self.0.iter().position(|known| *known == actual)?;
        let ip = if actual.is_ipv4() { V4 } else { V6 };
        let port = u16::try_from(position + 1).ok()?;
        Some(SocketAddr::new(ip, port))
    }

    /// The stand-in of an address, known from now on; `None` if there are `limit` already.
    pub(super) fn add(&mut self, actual: SocketAddr, limit: usize) -> Option<SocketAddr> {
        if !self.0.contains(&actual) && self.0.len() < limit {
            self.0.push(actual);
        }
        self.find(actual)
    }

    /// What a stand-in stands for.
    pub(super) fn resolve(&self, alias: SocketAddr) -> Option<SocketAddr> {
        let is_alias = alias.ip() == V4 || alias.ip() == V6;
        let position = usize::from(alias.port()).checked_sub(1)?;
        self.0.get(position).copied().filter(|_| is_alias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_lead_back() {
        let mut aliases = TcpAliases::default();
        for address in ["192.0.2.1:443", "[2001:db8::1]:443", "192.0.2.1:444"] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(aliases.find(address), None);
            let alias = aliases.add(address, 3).unwrap();
            assert_eq!(alias.is_ipv4(), address.is_ipv4());
            assert_eq!(aliases.add(address, 3), Some(alias));
            assert_eq!(aliases.resolve(alias), Some(address));
        }
        assert_eq!(aliases.add("192.0.2.9:1".parse().unwrap(), 3), None);
        assert_eq!(aliases.resolve("192.0.2.1:1".parse().unwrap()), None);
        assert_eq!(aliases.resolve("240.0.0.1:0".parse().unwrap()), None);
    }
}
