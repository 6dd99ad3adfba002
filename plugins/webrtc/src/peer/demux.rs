//! What a datagram on a WebRTC transport is (RFC 7983, RFC 5761 §4).

/// The protocols that share one transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatagramKind {
    /// STUN: connectivity checks and consent.
    Stun,
    /// DTLS: handshake and data channels.
    Dtls,
    /// SRTP.
    Rtp,
    /// SRTCP.
    Rtcp,
}

impl DatagramKind {
    /// Classifies a datagram by its first two bytes; `None` for anything else.
    #[inline]
    #[must_use]
    pub fn of(datagram: &[u8]) -> Option<Self> {
        match *datagram {
            [0..=3, ..] => Some(Self::Stun),
            [20..=63, ..] => Some(Self::Dtls),
            // RTCP packet types 192–223 look like marker bit plus payload type 64–95.
            [128..=191, 192..=223, ..] => Some(Self::Rtcp),
            [128..=191, _, ..] => Some(Self::Rtp),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_decide() {
        let kind = |bytes: &[u8]| DatagramKind::of(bytes);
        assert_eq!(kind(&[0, 1]), Some(DatagramKind::Stun));
        assert_eq!(kind(&[22, 254]), Some(DatagramKind::Dtls));
        assert_eq!(kind(&[0x80, 96]), Some(DatagramKind::Rtp));
        assert_eq!(kind(&[0x90, 0x80 | 111]), Some(DatagramKind::Rtp));
        assert_eq!(kind(&[0x81, 201]), Some(DatagramKind::Rtcp));
        for other in [&[][..], &[64, 0], &[127], &[200, 1], &[128]] {
            assert_eq!(kind(other), None);
        }
    }
}
