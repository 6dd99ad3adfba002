//! Addresses that no URI may lead to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Metadata services of clouds outside of the link-local ranges: Alibaba, Azure, Oracle.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];

/// The same over IPv6: Amazon, Google, Oracle.
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
];

const LINK_LOCAL: &str = "link-local";
const METADATA: &str = "the metadata service of a cloud";
const NOT_A_HOST: &str = "not the address of one host";

/// What an address is that is never allowed; `None` for the others.
pub(crate) fn never(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => never_v4(address),
        IpAddr::V6(address) => never_v6(address).or_else(|| embedded(address).and_then(never_v4)),
    }
}

fn never_v4(address: Ipv4Addr) -> Option<&'static str> {
    if METADATA_V4.contains(&address) || address == Ipv4Addr::new(169, 254, 169, 254) {
        Some(METADATA)
    } else if address.is_link_local() {
        Some(LINK_LOCAL)
    } else if address.is_broadcast() {
        Some(NOT_A_HOST)
    } else {
        None
    }
}

fn never_v6(address: Ipv6Addr) -> Option<&'static str> {
    if METADATA_V6.contains(&address) {
        Some(METADATA)
    } else if address.is_unicast_link_local() {
        Some(LINK_LOCAL)
    } else {
        None
    }
}

/// The IPv4 address that a packet to this one ends at: mapped (RFC 4291
/// §2.5.5), NAT64 (RFC 6052) or 6to4 (RFC 3056).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let low = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0 | 0xffff) | (0, 0, 0, 0, 0xffff, 0) => Some(low(g, h)),
        (0x64, 0xff9b, 0, 0, 0, 0) | (0x64, 0xff9b, 1, _, _, _) => Some(low(g, h)),
        (0x2002, ..) => Some(low(b, c)),
        _ => None,
    }
}

/// The IPv4 address inside of an IPv6 one, or the address itself.
pub(crate) fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(outer) => embedded(outer).map_or(address, IpAddr::V4),
    }
}

/// Whether an address belongs to the machine, a private network (RFC 1918, RFC 4193), several of its hosts (RFC 5771)
/// or nobody that the internet knows (RFC 6890).
pub(crate) fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => internal_v4(address),
        IpAddr::V6(address) => {
            let unique_local = address
                .octets()
                .first()
                .is_some_and(|first| first & 0xfe == 0xfc);
            address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                || unique_local
                || embedded(address).is_some_and(internal_v4)
        }
    }
}

fn internal_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let carrier_grade = first == 100 && second & 0xc0 == 64;
    let of_this_network = first == 0;
    let of_protocols = (first, second, third) == (192, 0, 0);
    let of_benchmarks = first == 198 && second & 0xfe == 18;
    let reserved = first >= 240;
    address.is_loopback()
        || address.is_private()
        || address.is_multicast()
        || carrier_grade
        || of_this_network
        || of_protocols
        || of_benchmarks
        || reserved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> Option<&'static str> {
        never(text.parse().unwrap())
    }

    #[test]
    fn link_local_and_metadata_addresses_are_never_reached() {
        for refused in [
            "169.254.0.1",
            "169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "255.255.255.255",
        ] {
            assert!(reason(refused).is_some(), "{refused}");
        }
        for allowed in [
            "127.0.0.1",
            "10.0.0.1",
            "192.0.2.1",
            "2001:db8::1",
            "::1",
            "fd00::1",
        ] {
            assert_eq!(reason(allowed), None, "{allowed}");
        }
    }

    #[test]
    fn neither_are_they_inside_of_an_ipv6_address() {
        for refused in [
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
        ] {
            assert!(reason(refused).is_some(), "{refused}");
        }
    }

    #[test]
    fn internal_addresses() {
        for internal in [
            "127.8.0.1",
            "10.1.1.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "198.19.0.1",
            "224.0.0.1",
            "239.1.2.3",
            "ff02::1",
        ] {
            assert!(is_internal(internal.parse().unwrap()), "{internal}");
        }
        for public in ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"] {
            assert!(!is_internal(public.parse().unwrap()), "{public}");
        }
    }
}
