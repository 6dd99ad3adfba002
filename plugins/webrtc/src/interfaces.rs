//! The addresses under which this machine may be reached.

use std::net::IpAddr;

/// Addresses for host candidates, in the order of the system's interfaces.
///
/// With `names` empty these are the addresses of all interfaces but loopback,
/// link-local IPv6 ones excepted, and loopback only where there is no other;
/// otherwise exactly those of the interfaces named, loopback included.
pub(crate) fn host_addresses(names: &[String]) -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::error!(%error, "the system does not tell its interfaces");
        Vec::new()
    });
    let usable = |address: &IpAddr| match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    };
    let named =
        |interface: &if_addrs::Interface| names.is_empty() || names.contains(&interface.name);
    let all: Vec<IpAddr> = interfaces
        .iter()
        .filter(|interface| named(interface))
        .map(|i| i.ip())
        .filter(usable)
        .collect();
    if !names.is_empty() {
        return all;
    }
    let outside: Vec<IpAddr> = all
        .iter()
        .copied()
        .filter(|address| !address.is_loopback())
        .collect();
    if outside.is_empty() { all } else { outside }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_interface_is_taken_as_it_is() {
        let addresses = host_addresses(&["lo".to_owned()]);
        assert!(addresses.iter().all(IpAddr::is_loopback) && !addresses.is_empty());
        assert!(host_addresses(&["no-such-interface".to_owned()]).is_empty());
    }
}
