//! One m= section.

use std::{fmt, net::SocketAddr, time::Duration};

use super::{
    Attribute, Bandwidth, BandwidthKind, Codec, Connection, Direction, ExtMap, Fingerprint,
    IceCredentials, Protocol, Rid, RtcpAddress, Setup, Simulcast, Source, SourceGroup,
};
use crate::Candidate;

/// The media field of an m= line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// `audio`
    Audio,
    /// `video`
    Video,
    /// `application`: data channels.
    Application,
    /// `text`, `message`, `image` …, never accepted.
    Other(String),
}

impl MediaKind {
    /// The text of the m= line.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Application => "application",
            Self::Other(name) => name,
        }
    }
}

impl MediaKind {
    /// Whether it is sent as RTP.
    pub fn is_rtp(&self) -> bool {
        matches!(self, Self::Audio | Self::Video)
    }
}

impl From<&str> for MediaKind {
    /// Ignores case.
    fn from(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "audio" => Self::Audio,
            "video" => Self::Video,
            "application" => Self::Application,
            _ => Self::Other(text.to_owned()),
        }
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A media section (RFC 8866 §5.14). Attributes that the session level gave as defaults are
/// already filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaSection {
    /// Kind of media.
    pub kind: MediaKind,
    /// 0 = rejected, or `bundle_only`; 9 or 1 = not known yet.
    pub port: u16,
    /// Transport protocol.
    pub protocol: Protocol,
    /// Formats of an RTP section in the order of preference; empty for others.
    pub codecs: Vec<Codec>,
    /// Formats of a section that is not RTP, such as `webrtc-datachannel`; empty for RTP.
    pub formats: Vec<String>,
    /// c=
    pub connection: Option<Connection>,
    /// b= lines.
    pub bandwidths: Vec<Bandwidth>,
    /// `a=mid` (RFC 5888 §4).
    pub mid: Option<String>,
    /// Who sends.
    pub direction: Direction,
    /// `a=rtcp`
    pub rtcp: Option<RtcpAddress>,
    /// `a=rtcp-mux`: RTCP shares the port of RTP (RFC 5761).
    pub rtcp_mux: bool,
    /// `a=rtcp-rsize`: reduced-size RTCP (RFC 5506).
    pub rtcp_rsize: bool,
    /// `a=bundle-only` (RFC 9143 §6).
    pub bundle_only: bool,
    /// `a=extmap` lines.
    pub extmaps: Vec<ExtMap>,
    /// `a=setup`
    pub setup: Option<Setup>,
    /// `a=ice-ufrag` and `a=ice-pwd`; `None` unless both are there.
    pub ice: Option<IceCredentials>,
    /// `a=ice-options` words, e.g. `trickle`.
    pub ice_options: Vec<String>,
    /// `a=fingerprint` lines, several when more than one hash is offered.
    pub fingerprints: Vec<Fingerprint>,
    /// `a=candidate` lines.
    pub candidates: Vec<Candidate>,
    /// `a=end-of-candidates` (RFC 8840 §8.2).
    pub end_of_candidates: bool,
    /// `a=ssrc` lines, grouped by SSRC in the order of appearance.
    pub sources: Vec<Source>,
    /// `a=ssrc-group` lines.
    pub source_groups: Vec<SourceGroup>,
    /// `a=rid` lines.
    pub rids: Vec<Rid>,
    /// `a=simulcast`
    pub simulcast: Option<Simulcast>,
    /// `a=sctp-port` (RFC 8841 §5).
    pub sctp_port: Option<u16>,
    /// `a=max-message-size` in bytes, 0 = any (RFC 8841 §6).
    pub max_message_size: Option<u64>,
    /// Everything else, in its order.
    pub attributes: Vec<Attribute>,
}

impl MediaSection {
    /// A section with nothing but the fields of its m= line.
    pub fn new(kind: MediaKind, port: u16, protocol: Protocol) -> Self {
        Self {
            kind,
            port,
            protocol,
            codecs: Vec::new(),
            formats: Vec::new(),
            connection: None,
            bandwidths: Vec::new(),
            mid: None,
            direction: Direction::SendRecv,
            rtcp: None,
            rtcp_mux: false,
            rtcp_rsize: false,
            bundle_only: false,
            extmaps: Vec::new(),
            setup: None,
            ice: None,
            ice_options: Vec::new(),
            fingerprints: Vec::new(),
            candidates: Vec::new(),
            end_of_candidates: false,
            sources: Vec::new(),
            source_groups: Vec::new(),
            rids: Vec::new(),
            simulcast: None,
            sctp_port: None,
            max_message_size: None,
            attributes: Vec::new(),
        }
    }

    /// Whether the writer refuses the section (RFC 3264 §6). A bundle-only section has port 0
    /// without being refused.
    pub fn is_rejected(&self) -> bool {
        self.port == 0 && !self.bundle_only
    }

    /// The format with this payload type.
    pub fn codec(&self, payload_type: u8) -> Option<&Codec> {
        self.codecs
            .iter()
            .find(|codec| codec.payload_type == payload_type)
    }

    /// The values of the attributes with this name that have no field of their own, ignoring case;
    /// `""` for one without a value.
    pub fn attribute_values(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.attributes.iter();
        let named = named.filter(move |attribute| attribute.is(name));
        named.map(|attribute| attribute.value.as_deref().unwrap_or_default())
    }

    /// `a=ptime`: how much media one packet should have (RFC 8866 §6.4). `None` where it is not
    /// said, or is no time that a packet can have.
    pub fn packet_time(&self) -> Option<Duration> {
        self.milliseconds("ptime")
    }

    /// `a=maxptime`: how much media one packet may have (RFC 8866 §6.5); `None` as for
    /// [`packet_time`](Self::packet_time).
    pub fn max_packet_time(&self) -> Option<Duration> {
        self.milliseconds("maxptime")
    }

    /// Fractions occur: 2.5 ms are a frame of Opus.
    fn milliseconds(&self, attribute: &str) -> Option<Duration> {
        const LONGEST: f64 = 1000.0;
        let text = self.attribute_values(attribute).next()?;
        let milliseconds: f64 = text.trim().parse().ok()?;
        let possible = milliseconds > 0.0 && milliseconds <= LONGEST;
        possible.then(|| Duration::from_secs_f64(milliseconds / 1000.0))
    }

    /// The identifier of a header extension.
    pub fn extension_id(&self, uri: &str) -> Option<u16> {
        self.extmaps
            .iter()
            .find(|extmap| extmap.uri == uri)
            .map(|extmap| extmap.id)
    }

    /// bit/s that the writer is ready to receive: `b=TIAS`, else `b=AS`; `None` = no limit.
    pub fn bandwidth_limit(&self) -> Option<u64> {
        let limit = |kind: BandwidthKind| {
            self.bandwidths
                .iter()
                .find(|bandwidth| bandwidth.kind == kind)
                .map(|bandwidth| bandwidth.value)
        };
        limit(BandwidthKind::TransportIndependent).or_else(|| {
            limit(BandwidthKind::ApplicationSpecific).map(|kbps| kbps.saturating_mul(1000))
        })
    }

    /// Enters the default candidate (RFC 8839 §4.3.1): m= port, c= and, where present, `a=rtcp`,
    /// which has the same port because RTCP is multiplexed.
    pub fn set_default_candidate(&mut self, address: SocketAddr) {
        let connection = Connection::from(address.ip());
        self.port = address.port();
        if let Some(rtcp) = &mut self.rtcp {
            rtcp.port = address.port();
            rtcp.connection = Some(connection.clone());
        }
        self.connection = Some(connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video() -> MediaSection {
        MediaSection::new(MediaKind::Video, 1, Protocol::UdpTlsRtpSavpf)
    }

    #[test]
    fn tias_takes_precedence_over_as() {
        let mut section = video();
        assert_eq!(section.bandwidth_limit(), None);
        section.bandwidths = vec![Bandwidth::application_specific(64)];
        assert_eq!(section.bandwidth_limit(), Some(64_000));
        section.bandwidths.push("TIAS:50000".parse().unwrap());
        assert_eq!(section.bandwidth_limit(), Some(50_000));
    }

    #[test]
    fn packet_times() {
        for (value, time) in [
            ("20", Some(Duration::from_millis(20))),
            (" 2.5 ", Some(Duration::from_micros(2500))),
            ("0", None),
            ("-20", None),
            ("99999", None),
            ("NaN", None),
            ("inf", None),
            ("", None),
        ] {
            let mut section = video();
            section
                .attributes
                .push(Attribute::with_value("ptime", value));
            section
                .attributes
                .push(Attribute::with_value("MaxPtime", value));
            assert_eq!(section.packet_time(), time, "{value}");
            assert_eq!(section.max_packet_time(), time, "{value}");
        }
        assert_eq!(video().packet_time(), None);
    }

    #[test]
    fn bundle_only_is_not_rejected() {
        let mut section = video();
        section.port = 0;
        assert!(section.is_rejected());
        section.bundle_only = true;
        assert!(!section.is_rejected());
    }

    #[test]
    fn the_default_candidate_fills_m_c_and_rtcp() {
        let mut section = video();
        section.rtcp = Some("9 IN IP4 0.0.0.0".parse().unwrap());
        section.set_default_candidate("[fd00::2]:6000".parse().unwrap());
        assert_eq!(section.port, 6000);
        assert_eq!(
            section.connection.as_ref().unwrap().to_string(),
            "IN IP6 fd00::2"
        );
        assert_eq!(section.rtcp.unwrap().to_string(), "6000 IN IP6 fd00::2");
    }
}
