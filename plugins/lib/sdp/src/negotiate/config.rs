//! What the local side is able and willing to do.

use super::CodecCapability;
use crate::{Connection, Direction, ExtMap, Fingerprint, IceCredentials, MediaKind, extension_uri};

/// The only format of data channel sections (RFC 8841 §4.3).
pub const DATA_CHANNEL_FORMAT: &str = "webrtc-datachannel";

/// Everything that an offer or answer is made from. Random values (identifiers, SSRCs, ICE
/// credentials) come from the caller, so that a negotiation is reproducible.
#[derive(Debug, Clone)]
pub struct LocalConfig {
    /// Session identifier of o=.
    pub session_id: u64,
    /// Version of o=; a later description of the same session needs a higher one.
    pub session_version: u64,
    /// s=
    pub session_name: String,
    /// Address of o= and of the session's c=: 0.0.0.0 until candidates are known.
    pub connection: Connection,
    /// `None` rejects audio.
    pub audio: Option<LocalMedia>,
    /// `None` rejects video.
    pub video: Option<LocalMedia>,
    /// `None` rejects data channels.
    pub data: Option<LocalData>,
    /// ICE and DTLS.
    pub transport: LocalTransport,
    /// Optional protocol parts; all off by default.
    pub features: Features,
}

impl LocalConfig {
    /// The configuration of a kind of RTP media.
    pub(super) fn media(&self, kind: &MediaKind) -> Option<&LocalMedia> {
        match kind {
            MediaKind::Audio => self.audio.as_ref(),
            MediaKind::Video => self.video.as_ref(),
            _ => None,
        }
    }
}

/// One kind of RTP media.
#[derive(Debug, Clone)]
pub struct LocalMedia {
    /// In the order of preference, which counts in offers only.
    pub codecs: Vec<CodecCapability>,
    /// Encoding names of those that answers list first, in this order; the others follow in the
    /// order of the offer. Empty: the offerer's order stands.
    pub answer_order: Vec<String>,
    /// Header extensions to offer and accept; the identifiers are those of offers and have to
    /// agree among all media (RFC 9143 §9.2).
    pub extensions: Vec<ExtMap>,
    /// Direction in offers. Answers mirror the offer.
    pub direction: Direction,
    /// Written as `b=AS`, kbit/s; 0 = unlimited, no line.
    pub max_receive_bandwidth: u32,
    /// SSRC of what is sent.
    pub ssrc: u32,
    /// SSRC of retransmissions; used with [`Features::rtx`].
    pub rtx_ssrc: Option<u32>,
    /// Canonical name, the same for all media of an endpoint.
    pub cname: String,
}

impl LocalMedia {
    /// Media with the abs-send-time extension under Kurento's identifier 3, sendrecv, unlimited.
    pub fn new(codecs: Vec<CodecCapability>, ssrc: u32, cname: impl Into<String>) -> Self {
        Self {
            codecs,
            answer_order: Vec::new(),
            extensions: vec![ExtMap::new(3, extension_uri::ABS_SEND_TIME)],
            direction: Direction::SendRecv,
            max_receive_bandwidth: 0,
            ssrc,
            rtx_ssrc: None,
            cname: cname.into(),
        }
    }

    /// Whether a header extension is accepted when offered.
    pub(super) fn supports_extension(&self, features: Features, uri: &str) -> bool {
        match uri {
            extension_uri::TRANSPORT_CC if features.transport_cc => true,
            extension_uri::RTP_STREAM_ID if features.simulcast => true,
            extension_uri::REPAIRED_RTP_STREAM_ID if features.simulcast && features.rtx => true,
            uri => self.extensions.iter().any(|extmap| extmap.uri == uri),
        }
    }
}

/// Data channels (RFC 8831).
#[derive(Debug, Clone, Copy)]
pub struct LocalData {
    /// SCTP port in offers; answers repeat the peer's number.
    pub sctp_port: u16,
    /// Largest message that can be received, bytes; `None` leaves the line out, which means 65536
    /// (RFC 8841 §6.1).
    pub max_message_size: Option<u64>,
}

/// Local ends of the transports.
#[derive(Debug, Clone)]
pub struct LocalTransport {
    /// Credentials of the first, second and third transport. A bundle uses one; audio, video and
    /// data that are not bundled need one each, so that checks can be told apart by user fragment.
    pub ice: [IceCredentials; 3],
    /// Of the DTLS certificate.
    pub fingerprint: Fingerprint,
    /// Write `a=ice-options:trickle` (RFC 8840 §4.1).
    pub trickle: bool,
}

/// Protocol parts that the endpoint has to implement before they may be negotiated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Features {
    /// Retransmission in a stream of its own (RFC 4588).
    pub rtx: bool,
    /// Transport-wide congestion control: the feedback and its header extension.
    pub transport_cc: bool,
    /// Receive several encodings of one source told apart by RID (RFC 8853).
    pub simulcast: bool,
    /// RTCP packets that do not start with a report (RFC 5506).
    pub reduced_size_rtcp: bool,
}
