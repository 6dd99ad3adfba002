//! Transport protocol of an m= line.

use std::{fmt, str::FromStr};

/// The `proto` field of an m= line (RFC 8866 §5.14). Answers repeat the offer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// `RTP/AVP` (RFC 3551).
    RtpAvp,
    /// `RTP/AVPF` (RFC 4585).
    RtpAvpf,
    /// `RTP/SAVP` (RFC 3711).
    RtpSavp,
    /// `RTP/SAVPF` (RFC 5124); Kurento's offers use it for DTLS-SRTP too.
    RtpSavpf,
    /// `UDP/TLS/RTP/SAVP` (RFC 5764).
    UdpTlsRtpSavp,
    /// `UDP/TLS/RTP/SAVPF` (RFC 5764), what browsers write.
    UdpTlsRtpSavpf,
    /// `TCP/DTLS/RTP/SAVP` (RFC 7850).
    TcpDtlsRtpSavp,
    /// `TCP/DTLS/RTP/SAVPF` (RFC 7850).
    TcpDtlsRtpSavpf,
    /// `UDP/DTLS/SCTP` (RFC 8841).
    UdpDtlsSctp,
    /// `TCP/DTLS/SCTP` (RFC 8841).
    TcpDtlsSctp,
    /// `DTLS/SCTP`, the form of old browsers, with `a=sctpmap`
    /// (draft-ietf-mmusic-sctp-sdp-05).
    DtlsSctp,
    /// Any other, verbatim.
    Other(String),
}

impl Protocol {
    /// Whether the formats of the m= line are RTP payload types.
    pub fn is_rtp(&self) -> bool {
        match self {
            Self::UdpDtlsSctp | Self::TcpDtlsSctp | Self::DtlsSctp => false,
            Self::Other(name) => name.split('/').any(|part| part.eq_ignore_ascii_case("RTP")),
            _ => true,
        }
    }

    /// Whether media can run over ICE and DTLS-SRTP: the secure profiles, with or without the
    /// transport in front (RFC 9429 §5.1.2).
    pub fn is_dtls_srtp(&self) -> bool {
        matches!(
            self,
            Self::RtpSavp
                | Self::RtpSavpf
                | Self::UdpTlsRtpSavp
                | Self::UdpTlsRtpSavpf
                | Self::TcpDtlsRtpSavp
                | Self::TcpDtlsRtpSavpf
        )
    }

    /// Whether it carries data channels (RFC 8841).
    pub fn is_sctp(&self) -> bool {
        matches!(self, Self::UdpDtlsSctp | Self::TcpDtlsSctp | Self::DtlsSctp)
    }

    /// The text of the m= line.
    pub fn as_str(&self) -> &str {
        match self {
            Self::RtpAvp => "RTP/AVP",
            Self::RtpAvpf => "RTP/AVPF",
            Self::RtpSavp => "RTP/SAVP",
            Self::RtpSavpf => "RTP/SAVPF",
            Self::UdpTlsRtpSavp => "UDP/TLS/RTP/SAVP",
            Self::UdpTlsRtpSavpf => "UDP/TLS/RTP/SAVPF",
            Self::TcpDtlsRtpSavp => "TCP/DTLS/RTP/SAVP",
            Self::TcpDtlsRtpSavpf => "TCP/DTLS/RTP/SAVPF",
            Self::UdpDtlsSctp => "UDP/DTLS/SCTP",
            Self::TcpDtlsSctp => "TCP/DTLS/SCTP",
            Self::DtlsSctp => "DTLS/SCTP",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&str> for Protocol {
    /// Ignores case.
    fn from(text: &str) -> Self {
        match text.to_ascii_uppercase().as_str() {
            "RTP/AVP" => Self::RtpAvp,
            "RTP/AVPF" => Self::RtpAvpf,
            "RTP/SAVP" => Self::RtpSavp,
            "RTP/SAVPF" => Self::RtpSavpf,
            "UDP/TLS/RTP/SAVP" => Self::UdpTlsRtpSavp,
            "UDP/TLS/RTP/SAVPF" => Self::UdpTlsRtpSavpf,
            "TCP/DTLS/RTP/SAVP" => Self::TcpDtlsRtpSavp,
            "TCP/DTLS/RTP/SAVPF" => Self::TcpDtlsRtpSavpf,
            "UDP/DTLS/SCTP" => Self::UdpDtlsSctp,
            "TCP/DTLS/SCTP" => Self::TcpDtlsSctp,
            "DTLS/SCTP" => Self::DtlsSctp,
            _ => Self::Other(text.to_owned()),
        }
    }
}

impl FromStr for Protocol {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families() {
        assert!(Protocol::from("UDP/TLS/RTP/SAVPF").is_dtls_srtp());
        assert!(Protocol::from("RTP/SAVPF").is_dtls_srtp());
        assert!(!Protocol::from("RTP/AVP").is_dtls_srtp());
        assert!(Protocol::from("RTP/AVP").is_rtp());
        assert!(Protocol::from("X/RTP/Y").is_rtp());
        assert_eq!(Protocol::from("rtp/savpf"), Protocol::RtpSavpf);
        assert!(!Protocol::from("udp").is_rtp());
        assert!(Protocol::from("UDP/DTLS/SCTP").is_sctp());
        assert!(!Protocol::from("UDP/DTLS/SCTP").is_rtp());
    }
}
