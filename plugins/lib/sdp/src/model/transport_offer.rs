//! What a media section offers as transport.

use std::net::SocketAddr;

use super::{
    Connection, Crypto, Fingerprint, IceCredentials, MediaSection, Protocol, SessionDescription,
    Setup,
};

/// Port of a section that has none, or not yet (RFC 8839 §4.3.1).
const DISCARD_PORT: u16 = 9;

/// Lines with keys of one section at most; there are four suites.
const MAX_CRYPTO: usize = 32;

/// How the writer of a section wants to exchange its media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportOffer {
    /// ICE finds the way, DTLS-SRTP protects it (RFC 8445, RFC 5763): what WebRTC has.
    DtlsIce(DtlsIceOffer),
    /// SRTP to an address of the description with keys of the description (RFC 4568).
    Sdes(SdesOffer),
    /// RTP to an address of the description (RFC 3551).
    Plain(MediaTarget),
}

/// ICE and DTLS-SRTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DtlsIceOffer {
    /// Credentials of the writer's agent.
    pub ice: IceCredentials,
    /// Never empty.
    pub fingerprints: Vec<Fingerprint>,
    /// Who opens the DTLS association, if the writer says so.
    pub setup: Option<Setup>,
}

/// SRTP with keys in the description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdesOffer {
    /// Where the writer receives.
    pub target: MediaTarget,
    /// The lines that can be read, in the writer's order of preference; never empty.
    pub crypto: Vec<Crypto>,
}

/// Who sends first, where addresses of a description are not to be relied on: `a=direction` of
/// draft-ietf-mmusic-sdp-comedia-05, which Kurento and cameras behind NATs use for RTP over UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Initiator {
    /// The writer: its address is that from which its packets come.
    Active,
    /// The reader.
    Passive,
    /// Either.
    Both,
}

/// Where the writer of a section receives RTP and RTCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaTarget {
    /// c= of the section or of the session.
    pub connection: Option<Connection>,
    /// Port of RTP; 9 for one that does not receive or is not known.
    pub rtp_port: u16,
    /// Port of RTCP: that of RTP where they are multiplexed (RFC 5761), that of `a=rtcp`
    /// (RFC 3605), else the next one (RFC 3550 §11).
    pub rtcp_port: u16,
    /// Where it differs from `connection`.
    pub rtcp_connection: Option<Connection>,
    /// RTCP shares the port of RTP.
    pub rtcp_mux: bool,
    /// `a=direction:…`; `None` for addresses that are to be relied on.
    pub initiator: Option<Initiator>,
}

impl TransportOffer {
    /// What `section` of `description` offers. `None` for a rejected one, for data, and for one
    /// that says too little: a secure profile with neither ICE and a fingerprint nor a readable
    /// key.
    ///
    /// A section with both is one of DTLS: keys beside fingerprints are for readers that have no
    /// DTLS (old Chromium and gateways write both), and a key that passes a signalling server is
    /// the weaker of the two.
    pub fn of(description: &SessionDescription, section: &MediaSection) -> Option<Self> {
        if section.is_rejected() {
            return None;
        }
        match section.protocol {
            Protocol::RtpAvp | Protocol::RtpAvpf => {
                Some(Self::Plain(MediaTarget::of(description, section)))
            }
            Protocol::RtpSavp | Protocol::RtpSavpf => dtls_ice(section)
                .map(Self::DtlsIce)
                .or_else(|| sdes(description, section).map(Self::Sdes)),
            _ if section.protocol.is_dtls_srtp() => dtls_ice(section).map(Self::DtlsIce),
            _ => None,
        }
    }
}

fn dtls_ice(section: &MediaSection) -> Option<DtlsIceOffer> {
    if section.fingerprints.is_empty() {
        return None;
    }
    Some(DtlsIceOffer {
        ice: section.ice.clone()?,
        fingerprints: section.fingerprints.clone(),
        setup: section.setup,
    })
}

fn sdes(description: &SessionDescription, section: &MediaSection) -> Option<SdesOffer> {
    let lines = section.attribute_values("crypto");
    // A line of an unknown suite is passed over: the others are there for that (RFC 4568 §5.1.2).
    let readable = lines.filter_map(|line| line.parse().ok());
    let crypto: Vec<Crypto> = readable.take(MAX_CRYPTO).collect();
    (!crypto.is_empty()).then(|| SdesOffer {
        target: MediaTarget::of(description, section),
        crypto,
    })
}

impl MediaTarget {
    /// What the m=, c= and `a=rtcp` lines say.
    pub fn of(description: &SessionDescription, section: &MediaSection) -> Self {
        let rtp_port = section.port;
        let rtcp = section.rtcp.as_ref().filter(|_| !section.rtcp_mux);
        let rtcp_port = match rtcp {
            Some(rtcp) => rtcp.port,
            None if section.rtcp_mux || rtp_port == DISCARD_PORT => rtp_port,
            None => rtp_port.saturating_add(1),
        };
        let direction = section.attribute_values("direction").next();
        let initiator =
            direction.and_then(|text| match text.trim().to_ascii_lowercase().as_str() {
                "active" => Some(Initiator::Active),
                "passive" => Some(Initiator::Passive),
                "both" => Some(Initiator::Both),
                _ => None,
            });
        Self {
            connection: description.connection_of(section).cloned(),
            rtp_port,
            rtcp_port,
            rtcp_connection: rtcp.and_then(|rtcp| rtcp.connection.clone()),
            rtcp_mux: section.rtcp_mux,
            initiator,
        }
    }

    /// Where RTP is to be sent. `None` for a name that has to be resolved, for multicast with a
    /// TTL, and for 0.0.0.0 or port 9, which say that there is no address (yet).
    pub fn rtp_address(&self) -> Option<SocketAddr> {
        address(self.connection.as_ref(), self.rtp_port)
    }

    /// Where RTCP is to be sent; `None` as for [`rtp_address`](Self::rtp_address).
    pub fn rtcp_address(&self) -> Option<SocketAddr> {
        let connection = self.rtcp_connection.as_ref().filter(|connection| {
            // The placeholder beside a real c= says nothing of its own.
            connection.ip().is_none_or(|ip| !ip.is_unspecified())
        });
        address(connection.or(self.connection.as_ref()), self.rtcp_port)
    }
}

fn address(connection: Option<&Connection>, port: u16) -> Option<SocketAddr> {
    let ip = connection?.ip()?;
    let known = !ip.is_unspecified() && port != 0 && port != DISCARD_PORT;
    known.then(|| SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CryptoSuite, samples};

    fn offered(section: &str) -> Option<TransportOffer> {
        let head = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.7\nt=0 0\n";
        let description = samples::read(&format!("{head}{section}"));
        TransportOffer::of(&description, &description.media[0])
    }

    fn target(section: &str) -> MediaTarget {
        match offered(section) {
            Some(TransportOffer::Plain(target)) => target,
            other => panic!("{other:?}"),
        }
    }

    const KEY: &str = "inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";

    #[test]
    fn browsers_offer_ice_and_dtls() {
        for sample in samples::ALL {
            let description = samples::read(sample);
            let section = &description.media[0];
            let offer = TransportOffer::of(&description, section);
            let Some(TransportOffer::DtlsIce(offer)) = offer else {
                panic!("{sample}")
            };
            assert_eq!(Some(&offer.ice), section.ice.as_ref());
            assert_eq!(offer.fingerprints, section.fingerprints);
            assert_eq!(offer.setup, section.setup);
        }
    }

    #[test]
    fn plain_rtp_and_where_rtcp_goes() {
        for (lines, rtp, rtcp) in [
            ("", "192.0.2.7:5004", "192.0.2.7:5005"),
            ("a=rtcp:6000\n", "192.0.2.7:5004", "192.0.2.7:6000"),
            (
                "a=rtcp:6000 IN IP4 192.0.2.8\n",
                "192.0.2.7:5004",
                "192.0.2.8:6000",
            ),
            (
                "a=rtcp:6000 IN IP4 0.0.0.0\n",
                "192.0.2.7:5004",
                "192.0.2.7:6000",
            ),
            (
                "a=rtcp-mux\na=rtcp:6000\n",
                "192.0.2.7:5004",
                "192.0.2.7:5004",
            ),
            (
                "c=IN IP6 2001:db8::7\n",
                "[2001:db8::7]:5004",
                "[2001:db8::7]:5005",
            ),
        ] {
            let target = target(&format!("m=audio 5004 RTP/AVP 0\n{lines}"));
            assert_eq!(target.rtp_address().unwrap().to_string(), rtp, "{lines}");
            assert_eq!(target.rtcp_address().unwrap().to_string(), rtcp, "{lines}");
        }
    }

    #[test]
    fn addresses_that_are_none() {
        for section in [
            "m=audio 9 RTP/AVPF 0\n",
            "m=audio 99999 RTP/AVP 0\n",
            "m=audio 5004 RTP/AVP 0\nc=IN IP4 0.0.0.0\n",
            "m=audio 5004 RTP/AVP 0\nc=IN IP4 camera.example\n",
            "m=audio 5004 RTP/AVP 0\nc=IN IP4 233.252.0.1/127\n",
        ] {
            assert_eq!(target(section).rtp_address(), None, "{section}");
        }
        assert_eq!(target("m=audio 65535 RTP/AVP 0\n").rtcp_port, 65535);
    }

    #[test]
    fn who_sends_first() {
        for (line, initiator) in [
            ("a=direction:active", Some(Initiator::Active)),
            ("a=direction: Passive ", Some(Initiator::Passive)),
            ("a=direction:both", Some(Initiator::Both)),
            ("a=direction:up", None),
            ("a=direction", None),
            ("a=sendonly", None),
        ] {
            let target = target(&format!("m=video 9 RTP/AVP 96\n{line}\n"));
            assert_eq!(target.initiator, initiator, "{line}");
        }
    }

    #[test]
    fn keys_in_the_description() {
        let section = format!(
            "m=audio 5004 RTP/SAVP 0\na=crypto:1 F8_128_HMAC_SHA1_80 {KEY}\n\
             a=crypto:2 AES_CM_128_HMAC_SHA1_32 {KEY}|2^20|1:4\na=crypto:\na=crypto\n\
             a=crypto:3 AES_CM_128_HMAC_SHA1_80 {KEY}\n"
        );
        let Some(TransportOffer::Sdes(offer)) = offered(&section) else {
            panic!("{:?}", offered(&section))
        };
        let tags: Vec<u32> = offer.crypto.iter().map(|crypto| crypto.tag).collect();
        assert_eq!(tags, [2, 3]);
        assert_eq!(offer.crypto[1].suite, CryptoSuite::AesCm128HmacSha1_80);
        assert_eq!(offer.target.rtcp_port, 5005);
    }

    #[test]
    fn dtls_comes_before_keys() {
        let print = vec!["AB"; 32].join(":");
        let dtls = format!("a=ice-ufrag:a\na=ice-pwd:b\na=fingerprint:sha-256 {print}\n");
        let keys = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}\n");
        let of =
            |protocol: &str, lines: &str| offered(&format!("m=audio 5004 {protocol} 0\n{lines}"));
        let both = format!("{keys}{dtls}");
        assert!(matches!(
            of("RTP/SAVPF", &both),
            Some(TransportOffer::DtlsIce(_))
        ));
        assert!(matches!(
            of("RTP/SAVPF", &keys),
            Some(TransportOffer::Sdes(_))
        ));
        // The profile says DTLS; keys beside it are for nothing.
        assert_eq!(of("UDP/TLS/RTP/SAVPF", &keys), None);
        assert_eq!(of("RTP/SAVP", "a=crypto:1 x y\n"), None);
        assert!(matches!(
            of("RTP/AVP", &both),
            Some(TransportOffer::Plain(_))
        ));
        assert_eq!(offered("m=audio 0 RTP/AVP 0\n"), None);
        assert_eq!(
            offered("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n"),
            None
        );
    }
}
