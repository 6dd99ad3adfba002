//! What a client may set on a WebRTC endpoint before it negotiates, beside what all endpoints have that
//! negotiate RTP.

use rivero_endpoint::settings;
use rivero_plugin_api::{Error, Result};

use crate::settings::WebRtcSettings;

/// The properties of one endpoint, from the configuration at first.
#[derive(Debug, Clone)]
pub(super) struct Properties {
    pub(super) network_interfaces: String,
    pub(super) ice_tcp: bool,
    pub(super) stun_server_address: String,
    pub(super) stun_server_port: i32,
    pub(super) turn_url: String,
    pub(super) external_ipv4: String,
    pub(super) external_ipv6: String,
}

impl Properties {
    pub(super) fn from_configuration() -> Self {
        let webrtc: WebRtcSettings = settings::of("WebRtcEndpoint");
        Self {
            network_interfaces: webrtc.network_interfaces,
            ice_tcp: webrtc.ice_tcp,
            stun_server_address: webrtc.stun_server_address,
            stun_server_port: i32::from(webrtc.stun_server_port.unwrap_or(3478)),
            turn_url: webrtc.turn_url,
            external_ipv4: webrtc.external_ipv4,
            external_ipv6: webrtc.external_ipv6,
        }
    }

    /// Names of the interfaces to use; empty = all.
    pub(super) fn interfaces(&self) -> Vec<String> {
        let names = self.network_interfaces.split(',').map(str::trim);
        names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

/// An address that replaces that of host candidates; empty = none.
pub(super) fn address<T: std::str::FromStr>(name: &str, value: &str) -> Result<()> {
    if value.is_empty() || value.parse::<T>().is_ok() {
        return Ok(());
    }
    Err(Error::illegal_parameter(format!(
        "{name} is {value:?}, which is no address of that family"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_named_with_commas() {
        let mut properties = Properties::from_configuration();
        properties.network_interfaces = " lo, eth0,,".to_owned();
        assert_eq!(properties.interfaces(), ["lo", "eth0"]);
    }
}
