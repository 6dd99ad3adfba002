//! Which hosts of the machine and of private networks may be reached.

use std::net::IpAddr;

use crate::{address, policy::matches};

/// See the head of this file.
#[derive(Debug, Clone)]
pub(crate) struct Internal {
    names: Vec<String>,
    networks: Vec<Network>,
}

/// An address, of which so many bits count (RFC 4632).
#[derive(Debug, Clone, Copy)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Internal {
    pub(crate) fn all() -> Self {
        Self::listed(&["*".to_owned()])
    }

    pub(crate) fn none() -> Self {
        Self::listed(&[])
    }

    /// `entries`: lower-case names, patterns, addresses and networks.
    pub(crate) fn listed(entries: &[String]) -> Self {
        let networks = entries.iter().filter_map(|entry| Network::parse(entry));
        Self {
            names: entries.to_vec(),
            networks: networks.collect(),
        }
    }

    /// Whether a host, by its name or by an address that it has, may be reached.
    pub(crate) fn contains(&self, address: IpAddr, host: &str) -> bool {
        let embedded = address::plain(address);
        let within = |network: &Network| network.contains(address) || network.contains(embedded);
        self.names.iter().any(|pattern| matches(pattern, host)) || self.networks.iter().any(within)
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.trim().parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().trim_matches(['[', ']']).parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { address, bits })
    }

    fn contains(&self, address: IpAddr) -> bool {
        let same = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (u32::from(own) ^ u32::from(other)).leading_zeros()
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (u128::from(own) ^ u128::from(other)).leading_zeros()
            }
            _ => return false,
        };
        same >= self.bits
    }
}
