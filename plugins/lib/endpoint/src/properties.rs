//! What a client may set on an endpoint before it negotiates.

use rivero_plugin_api::{Error, Result};
use rivero_rtp::remb::{RembEstimator, RembParameters};
use rivero_rtp_session::SendBounds;

use crate::settings::BaseRtpSettings;

/// The properties of one endpoint, from the configuration at first.
#[derive(Debug, Clone)]
pub struct Properties {
    /// Kbit/s, 0 = unlimited; written as `b=AS`.
    pub max_audio_recv_bandwidth: i32,
    /// Kbit/s, 0 = unlimited; written as `b=AS`.
    pub max_video_recv_bandwidth: i32,
    /// Kbit/s, floor of what we ask the peer for.
    pub min_video_recv_bandwidth: i32,
    /// Kbit/s, floor of what is asked of the source on behalf of the peer.
    pub min_video_send_bandwidth: i32,
    /// Kbit/s, 0 = unlimited.
    pub max_video_send_bandwidth: i32,
    /// Whether the client has set the two above: the defaults are Kurento's
    /// numbers and limit nothing.
    pub send_bandwidth_is_set: bool,
    /// Bytes of an IP packet.
    pub mtu: i32,
    /// What shapes the estimate of the path from the peer.
    pub remb: RembParams,
}

/// `RembParams` of the API; what is left out is as [`RembParameters`] have it.
#[derive(Debug, Clone, Default)]
pub struct RembParams {
    /// Packets that losses are smoothed over.
    pub packets_recv_interval_top: Option<i32>,
    /// Share by which the estimate grows below the threshold.
    pub exponential_factor: Option<f32>,
    /// Bit/s by which it grows at least above the threshold.
    pub lineal_factor_min: Option<i32>,
    /// Kept only; it has no effect in Kurento either.
    pub lineal_factor_grade: Option<f32>,
    /// What a larger loss leaves of the estimate.
    pub decrement_factor: Option<f32>,
    /// The threshold after a loss, as a share of the estimate that failed.
    pub threshold_factor: Option<f32>,
    /// Loss up to which the estimate stays, in 1/256.
    pub up_losses: Option<i32>,
    /// Bit/s that a path is believed to carry at first.
    pub remb_on_connect: Option<i32>,
}

impl Properties {
    /// Kurento's defaults, with what the configuration has.
    #[must_use]
    pub fn new(base: &BaseRtpSettings) -> Self {
        Self {
            max_audio_recv_bandwidth: 0,
            max_video_recv_bandwidth: 0,
            min_video_recv_bandwidth: 100,
            min_video_send_bandwidth: 100,
            max_video_send_bandwidth: 500,
            send_bandwidth_is_set: false,
            mtu: i32::from(base.mtu),
            remb: RembParams::default(),
        }
    }

    /// What estimates the path from a peer, as `rembParams` and the bandwidths for receiving
    /// have it.
    #[must_use]
    pub fn estimator(&self) -> RembEstimator {
        let (set, known) = (&self.remb, RembParameters::default());
        let (low, high) = self.receive_bounds();
        let number = |set: Option<i32>, known: f64| set.map_or(known, f64::from);
        let share = |set: Option<f32>, known: f64| set.map_or(known, f64::from);
        let mut estimator = RembEstimator::new(RembParameters {
            smoothing_packets: number(set.packets_recv_interval_top, known.smoothing_packets),
            exponential_growth: share(set.exponential_factor, known.exponential_growth),
            min_linear_step: number(set.lineal_factor_min, known.min_linear_step),
            back_off: share(set.decrement_factor, known.back_off),
            threshold_after_loss: share(set.threshold_factor, known.threshold_after_loss),
            tolerated_loss: number(set.up_losses, known.tolerated_loss),
            start: number(set.remb_on_connect, known.start),
            ..known
        });
        estimator.set_bounds(low, high);
        estimator
    }

    /// Bounds of what we ask the peer to send, bit/s, 0 = none.
    #[must_use]
    pub fn receive_bounds(&self) -> (u64, u64) {
        (
            bits(self.min_video_recv_bandwidth),
            bits(self.max_video_recv_bandwidth),
        )
    }

    /// Bounds of what a viewer's estimate asks of the source.
    #[must_use]
    pub fn send_bounds(&self) -> SendBounds {
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
///
/// # Errors
/// 40107 below 0.
pub fn not_negative(name: &str, value: i32) -> Result<i32> {
    if value < 0 {
        return Err(Error::illegal_parameter(format!(
            "{name} is {value}, but must not be negative"
        )));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kurentos_default_of_500_kbps_limits_nothing_until_it_is_set() {
        let mut properties = Properties::new(&BaseRtpSettings::default());
        let bounds = |max| SendBounds { min: 100_000, max };
        assert_eq!(properties.send_bounds(), bounds(0));
        properties.send_bandwidth_is_set = true;
        assert_eq!(properties.send_bounds(), bounds(500_000));
    }

    #[test]
    fn what_is_negative_is_refused() {
        assert_eq!(not_negative("mtu", 0).unwrap(), 0);
        assert_eq!(not_negative("mtu", -1).unwrap_err().code, 40107);
    }
}
