//! Pairs of UDP ports: an even one for RTP, and the next one for RTCP (RFC 3550 §11).

use std::ops::RangeInclusive;

use rivero_net::MediaSocket;
use rivero_plugin_api::{Error, Result};
use rivero_sdp::RtpPorts;

/// Where ports are taken from unless a range is configured: that of the system is for others.
const USUAL: RangeInclusive<u16> = 10_000..=59_999;

/// The sockets of one section.
pub(crate) struct PortPair {
    pub(crate) rtp: MediaSocket,
    pub(crate) rtcp: MediaSocket,
}

impl PortPair {
    /// Binds a free pair of a range, beginning somewhere in it, so that a port is not used again at once: what a
    /// former peer still sends would arrive.
    ///
    /// # Errors
    /// 40009 when there is none.
    pub(crate) fn bind(v6: bool, range: Option<&RangeInclusive<u16>>, random: u32) -> Result<Self> {
        let range = range.unwrap_or(&USUAL);
        let pairs = pairs(range);
        let count = pairs.len();
        let begin = usize::try_from(random).unwrap_or(0) % count.max(1);
        let in_turn = (0..count).filter_map(|step| {
            let step = (begin + step) % count;
            pairs.clone().nth(step)
        });
        let mut bound = in_turn.filter_map(|port| {
            Some(Self {
                rtp: MediaSocket::bind_port(v6, port).ok()?,
                rtcp: MediaSocket::bind_port(v6, port + 1).ok()?,
            })
        });
        bound.next().ok_or_else(|| exhausted(range))
    }

    /// Their numbers.
    pub(crate) fn ports(&self) -> RtpPorts {
        RtpPorts {
            rtp: self.rtp.port(),
            rtcp: self.rtcp.port(),
        }
    }
}

/// The even ports of a range that have a next one in it.
fn pairs(range: &RangeInclusive<u16>) -> std::iter::StepBy<RangeInclusive<u16>> {
    let (first, last) = (*range.start(), *range.end());
    let even = first.saturating_add(first % 2);
    // An empty range where the last port is 0.
    (even..=last.saturating_sub(1)).step_by(2)
}

fn exhausted(range: &RangeInclusive<u16>) -> Error {
    let (first, last) = (range.start(), range.end());
    let text = format!(
        "no free pair of UDP ports from minPort {first} to maxPort {last} of BaseRtpEndpoint: \
         release endpoints or configure a larger range"
    );
    Error::new(40009, "NOT_ENOUGH_RESOURCES", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_even_and_odd_and_within_the_range() {
        let all = |range: RangeInclusive<u16>| pairs(&range).collect::<Vec<_>>();
        assert_eq!(all(5000..=5005), [5000, 5002, 5004]);
        assert_eq!(all(5001..=5006), [5002, 5004]);
        assert_eq!(all(5001..=5002), [0; 0]);
        assert_eq!(all(65_534..=65_535), [65_534]);
        assert_eq!(all(65_535..=65_535), [0; 0]);
    }

    #[test]
    fn a_range_that_is_used_up_says_so_and_how_to_go_on() {
        let pair = PortPair::bind(false, None, 4321).unwrap();
        let ports = pair.ports();
        assert!(ports.rtp.is_multiple_of(2) && ports.rtcp == ports.rtp + 1);
        let range = ports.rtp..=ports.rtcp;
        let error = PortPair::bind(false, Some(&range), 0).err().unwrap();
        assert_eq!(error.code, 40009);
        assert!(error.message.contains("minPort"), "{}", error.message);
        drop(pair);
        PortPair::bind(false, Some(&range), 7).unwrap();
    }
}
