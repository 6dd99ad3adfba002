//! What a client may set on an endpoint before it negotiates.

use rivero_plugin_api::{Error, Result};
use rivero_rtp::remb::{RembEstimator, RembParameters};
use rivero_rtp_session::SendBounds;

use crate::{
    api,
    settings::{self, BaseRtpSettings, WebRtcSettings},
};

/// The properties of one endpoint, from the configuration at first.
#[derive(Debug, Clone)]
pub(super) struct Properties {
    /// Kbit/s, 0 = unlimited; written as `b=AS`.
    pub(super) max_audio_recv_bandwidth: i32,
    /// Kbit/s, 0 = unlimited; written as `b=AS`.
    pub(super) max_video_recv_bandwidth: i32,
    /// Kbit/s, floor of what we ask the peer for.
    pub(super) min_video_recv_bandwidth: i32,
    /// Kbit/s, floor of what is asked of the source on behalf of the peer.
    pub(super) min_video_send_bandwidth: i32,
    /// Kbit/s, 0 = unlimited.
    pub(super) max_video_send_bandwidth: i32,
    /// Whether the client has set the two above: the defaults are Kurento's
    /// numbers and limit nothing.
    pub(super) send_bandwidth_is_set: bool,
    pub(super) mtu: i32,
    pub(super) remb: api::RembParams,
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
        let base: BaseRtpSettings = settings::of("BaseRtpEndpoint");
        let webrtc: WebRtcSettings = settings::of("WebRtcEndpoint");
        Self {
            max_audio_recv_bandwidth: 0,
            max_video_recv_bandwidth: 0,
            min_video_recv_bandwidth: 100,
            min_video_send_bandwidth: 100,
            max_video_send_bandwidth: 500,
            send_bandwidth_is_set: false,
            mtu: i32::from(base.mtu),
            remb: api::RembParams {
                packets_recv_interval_top: None,
                exponential_factor: None,
                lineal_factor_min: None,
                lineal_factor_grade: None,
                decrement_factor: None,
                threshold_factor: None,
                up_losses: None,
                remb_on_connect: None,
            },
            network_interfaces: webrtc.network_interfaces,
            ice_tcp: webrtc.ice_tcp,
            stun_server_address: webrtc.stun_server_address,
            stun_server_port: i32::from(webrtc.stun_server_port.unwrap_or(3478)),
            turn_url: webrtc.turn_url,
            external_ipv4: webrtc.external_ipv4,
            external_ipv6: webrtc.external_ipv6,
        }
    }

    /// What estimates the path from a peer, as `rembParams` and the bandwidths for receiving
    /// have it.
    pub(super) fn estimator(&self) -> RembEstimator {
        let (set, known) = (&self.remb, RembParameters::default());
        let (low, high) = self.receive_bounds();
        let number = |set: Option<i32>, known: f64| set.map_or(known, f64::from);
        let mut estimator = RembEstimator::new(RembParameters {
            smoothing_packets: number(set.packets_recv_interval_top, known.smoothing_packets),
            exponential_growth: set
                .exponential_factor
                .map_or(known.exponential_growth, f64::from),
            min_linear_step: number(set.lineal_factor_min, known.min_linear_step),
            back_off: set.decrement_factor.map_or(known.back_off, f64::from),
            threshold_after_loss: set
                .threshold_factor
                .map_or(known.threshold_after_loss, f64::from),
            tolerated_loss: number(set.up_losses, known.tolerated_loss),
            start: number(set.remb_on_connect, known.start),
            ..known
        });
        estimator.set_bounds(low, high);
        estimator
    }

    /// Bounds of what we ask the peer to send, bit/s, 0 = none.
    pub(super) fn receive_bounds(&self) -> (u64, u64) {
        (
            bits(self.min_video_recv_bandwidth),
            bits(self.max_video_recv_bandwidth),
        )
    }

    /// Names of the interfaces to use; empty = all.
    pub(super) fn interfaces(&self) -> Vec<String> {
        let names = self.network_interfaces.split(',').map(str::trim);
        names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Bounds of what a viewer's estimate asks of the source.
    pub(super) fn send_bounds(&self) -> SendBounds {
        let max = if self.send_bandwidth_is_set {
            self.max_video_send_bandwidth
        } else {
            0
        };
        SendBounds {
            min: bits(self.min_video_send_bandwidth),
            max: bits(max),
        }
    }
}

fn bits(kilobits: i32) -> u64 {
    u64::try_from(kilobits).unwrap_or(0) * 1000
}

/// A bandwidth or size that a client sets.
pub(super) fn not_negative(name: &str, value: i32) -> Result<i32> {
    if value < 0 {
        return Err(Error::illegal_parameter(format!(
            "{name} is {value}, but must not be negative"
        )));
    }
    Ok(value)
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
    fn kurentos_default_of_500_kbps_limits_nothing_until_it_is_set() {
        let mut properties = Properties::from_configuration();
        let bounds = |max| SendBounds { min: 100_000, max };
        assert_eq!(properties.send_bounds(), bounds(0));
        properties.send_bandwidth_is_set = true;
        assert_eq!(properties.send_bounds(), bounds(500_000));
    }

    #[test]
    fn interfaces_are_named_with_commas() {
        let mut properties = Properties::from_configuration();
        properties.network_interfaces = " lo, eth0,,".to_owned();
        assert_eq!(properties.interfaces(), ["lo", "eth0"]);
    }
}
