//! By what clients are told apart.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who shares an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum AccountId {
    /// The server itself.
    Server,
    /// A machine, or all that are behind one translator of addresses. This machine has many
    /// addresses, of which only who wants to be told apart uses another one than 127.0.0.1.
    V4(Ipv4Addr),
    /// A network of IPv6: one customer gets a prefix of 64 bits at least (RFC 6177), and every
    /// machine in it takes as many addresses as it likes (RFC 8981).
    V6Network(u64),
    /// A machine on the same link. All of these share one prefix (RFC 4291 section 2.5.6).
    V6Link(Ipv6Addr),
    /// Who has shown a credential, from wherever: the SHA-256 of the name, which may be long.
    Principal([u8; 32]),
}

impl AccountId {
    pub(crate) fn of(address: IpAddr) -> AccountId {
        match address.to_canonical() {
            IpAddr::V4(address) => AccountId::V4(address),
            IpAddr::V6(Ipv6Addr::LOCALHOST) => AccountId::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(address) if address.is_unicast_link_local() => AccountId::V6Link(address),
            IpAddr::V6(address) => {
                let [high @ .., _, _, _, _, _, _, _, _] = address.octets();
                AccountId::V6Network(u64::from_be_bytes(high))
            }
        }
    }

    pub(super) fn of_principal(name: &str) -> AccountId {
        let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
        AccountId::Principal(digest.as_ref().try_into().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_machine_is_one_account_whatever_addresses_it_takes() {
        let same = |a: &str, b: &str| {
            AccountId::of(a.parse().unwrap()) == AccountId::of(b.parse().unwrap())
        };
        assert!(same("127.0.0.1", "::1") && !same("127.0.0.1", "127.0.0.2"));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1") && !same("192.0.2.1", "192.0.2.2"));
        assert!(
            same("2001:db8:1:2::1", "2001:db8:1:2:ffff::")
                && !same("2001:db8:1:2::1", "2001:db8:1:3::1")
        );
        assert!(same("fe80::1", "fe80::1") && !same("fe80::1", "fe80::2"));
    }
}
