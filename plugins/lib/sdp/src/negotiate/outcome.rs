//! The result of a negotiation, seen from the local side.

use super::{capability::DIGITS, sources};
use crate::{
    Candidate, ExtMap, Fingerprint, FormatParameters, IceCredentials, MatchParameters, MediaKind,
    MediaSection, Origin, RtcpFeedback, SessionDescription, Setup,
};

/// What a peer receives when it does not say (RFC 8841 §6.1), bytes.
const DEFAULT_MAX_MESSAGE_SIZE: u64 = 65536;

/// What both sides agreed on.
#[derive(Debug, Clone)]
pub struct Negotiated {
    /// The local description: the answer, or the offer as it was.
    pub local: SessionDescription,
    /// The accepted sections that carry media or data, in the order of their m= lines.
    pub media: Vec<NegotiatedMedia>,
    /// ICE and DTLS associations in the order of their first section.
    pub transports: Vec<NegotiatedTransport>,
    /// The peer is ICE-lite: the local agent is controlling (RFC 8445 §6.1.1).
    pub remote_ice_lite: bool,
    /// o= of the peer's description, which says whose session it is.
    pub remote_origin: Origin,
}

impl Negotiated {
    /// The first accepted section of a kind. There is another one where the peer sends on one and
    /// receives on the other, both on one transport.
    pub fn media_of(&self, kind: &MediaKind) -> Option<&NegotiatedMedia> {
        self.media.iter().find(|media| media.kind == *kind)
    }

    /// The accepted section that `media` of another negotiation goes on with, or went on from:
    /// the same mid or, where mids are not used, the same m= line.
    pub(super) fn section_like(&self, media: &NegotiatedMedia) -> Option<&NegotiatedMedia> {
        self.media.iter().find(|known| {
            known.kind == media.kind
                && match (&known.mid, &media.mid) {
                    (Some(known), Some(mid)) => known == mid,
                    _ => known.mline_index == media.mline_index,
                }
        })
    }

    /// The transport of an *idle* section, by position: one that is in the local description as
    /// inactive and carries nothing, because another of its kind does; its bundle keeps it
    /// alive. `None` for every other section.
    pub(super) fn idle_transport(&self, mline_index: usize) -> Option<usize> {
        let section = self.local.media.get(mline_index)?;
        let carries = |media: &NegotiatedMedia| media.mline_index == mline_index;
        if section.is_rejected() || self.media.iter().any(carries) {
            return None;
        }
        shared_transport(&self.local, &self.media, section)
    }

    /// The transport that carries the section at an m= line; `None` for rejected ones.
    pub fn transport_of(&self, mline_index: usize) -> Option<&NegotiatedTransport> {
        self.transports
            .iter()
            .find(|transport| transport.mline_indexes.contains(&mline_index))
    }
}

/// The transport of those accepted sections that are in a bundle with this one.
pub(super) fn shared_transport(
    description: &SessionDescription,
    media: &[NegotiatedMedia],
    section: &MediaSection,
) -> Option<usize> {
    let mid = section.mid.as_ref()?;
    let mut bundles = description.bundles();
    let bundle = bundles.find(|group| group.mids.contains(mid))?;
    let mut members = media.iter().filter(|media| {
        let mid = media.mid.as_ref();
        mid.is_some_and(|mid| bundle.mids.contains(mid))
    });
    members.next().map(|media| media.transport)
}

/// One accepted section.
#[derive(Debug, Clone)]
pub struct NegotiatedMedia {
    /// Kind of media.
    pub kind: MediaKind,
    /// `a=mid`, if the peer uses them.
    pub mid: Option<String>,
    /// Position of the m= line, from 0.
    pub mline_index: usize,
    /// Position in [`Negotiated::transports`].
    pub transport: usize,
    /// The local side may send.
    pub send: bool,
    /// The peer may send.
    pub receive: bool,
    /// Codecs both sides have, without retransmission formats; the first one is the one to send.
    /// Empty for data.
    pub codecs: Vec<NegotiatedCodec>,
    /// Digits (RFC 4733), by clock rate.
    pub events: Vec<NegotiatedCodec>,
    /// Header extensions with the identifiers of this session.
    pub extensions: Vec<ExtMap>,
    /// Streams that the peer announced, retransmission streams attached to what they repair.
    /// Empty when it announces none (simulcast by RID, or no `a=ssrc` at all).
    pub remote_streams: Vec<RemoteStream>,
    /// Encodings that the peer will send with a RID, in its order; empty without simulcast.
    pub receive_rids: Vec<String>,
    /// SSRCs of the encodings that the peer sends without RIDs (`a=ssrc-group:SIM`), in its
    /// order; empty without simulcast.
    pub receive_ssrcs: Vec<u32>,
    /// SSRC that the local description announces; `None` for data.
    pub local_ssrc: Option<u32>,
    /// SSRC of local retransmissions where RTX is negotiated.
    pub local_rtx_ssrc: Option<u32>,
    /// bit/s that the peer is ready to receive (`b=TIAS` or `b=AS`).
    pub max_send_bitrate: Option<u64>,
    /// Both sides take RTCP packets that do not start with a report.
    pub reduced_size_rtcp: bool,
    /// Data channel parameters; `Some` exactly for [`MediaKind::Application`].
    pub sctp: Option<SctpParameters>,
}

impl NegotiatedMedia {
    /// An accepted section as far as both descriptions tell it in the same way for offers and
    /// answers.
    pub(super) fn of_sections(
        mline_index: usize,
        local: &MediaSection,
        remote: &MediaSection,
    ) -> Self {
        let direction = local.direction.and(remote.direction.reversed());
        let (local_ssrc, local_rtx_ssrc) = sources::announced(local);
        Self {
            kind: local.kind.clone(),
            mid: local.mid.clone(),
            mline_index,
            transport: 0,
            send: direction.sends(),
            receive: direction.receives(),
            codecs: Vec::new(),
            events: Vec::new(),
            extensions: local.extmaps.clone(),
            remote_streams: sources::remote_streams(remote),
            receive_rids: Vec::new(),
            receive_ssrcs: sources::simulcast_ssrcs(remote),
            local_ssrc,
            local_rtx_ssrc,
            max_send_bitrate: remote.bandwidth_limit(),
            reduced_size_rtcp: local.rtcp_rsize && remote.rtcp_rsize,
            sctp: SctpParameters::of_sections(local, remote),
        }
    }

    /// The codec with this payload type. Retransmission payload types are not codecs, see
    /// [`repaired_by`](Self::repaired_by).
    pub fn codec(&self, payload_type: u8) -> Option<&NegotiatedCodec> {
        self.codecs
            .iter()
            .find(|codec| codec.payload_type == payload_type)
    }

    /// The codec that packets of a retransmission payload type repair.
    pub fn repaired_by(&self, rtx_payload_type: u8) -> Option<&NegotiatedCodec> {
        self.codecs
            .iter()
            .find(|codec| codec.rtx_payload_type == Some(rtx_payload_type))
    }

    /// The identifier of a header extension.
    pub fn extension_id(&self, uri: &str) -> Option<u16> {
        self.extensions
            .iter()
            .find(|extmap| extmap.uri == uri)
            .map(|extmap| extmap.id)
    }
}

/// A codec that both sides have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegotiatedCodec {
    /// The same in both directions.
    pub payload_type: u8,
    /// Encoding name as the peer writes it.
    pub name: String,
    /// Hz.
    pub clock_rate: u32,
    /// Audio channels, `None` = 1.
    pub channels: Option<u16>,
    /// The peer's `a=fmtp`: what it is able to receive.
    pub parameters: FormatParameters,
    /// What makes two streams of this codec the same format.
    pub match_parameters: MatchParameters,
    /// Feedback that either side may send.
    pub feedback: Vec<RtcpFeedback>,
    /// Payload type of its retransmissions, when negotiated.
    pub rtx_payload_type: Option<u8>,
}

impl NegotiatedCodec {
    /// Whether a kind of feedback is negotiated.
    pub fn allows(&self, feedback: &RtcpFeedback) -> bool {
        self.feedback.contains(feedback)
    }

    /// Whether it carries digits and not sound.
    pub fn is_event(&self) -> bool {
        self.name.eq_ignore_ascii_case(DIGITS)
    }

    /// The parameter sets that the peer's description has, as
    /// [`Codec::parameter_sets`](crate::Codec::parameter_sets).
    pub fn parameter_sets(&self) -> Vec<Vec<u8>> {
        crate::model::parameter_sets(&self.name, &self.parameters)
    }
}

/// A stream that the peer announces with `a=ssrc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteStream {
    /// SSRC of the media.
    pub ssrc: u32,
    /// SSRC of its retransmissions (`a=ssrc-group:FID`).
    pub rtx_ssrc: Option<u32>,
    /// Canonical name.
    pub cname: Option<String>,
}

/// The SCTP association of the data channels (RFC 8841).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SctpParameters {
    /// Local SCTP port.
    pub local_port: u16,
    /// The peer's SCTP port.
    pub remote_port: u16,
    /// Largest message that the peer receives, bytes; 0 = any size.
    pub remote_max_message_size: u64,
}

impl SctpParameters {
    /// Both sides have to name a port.
    fn of_sections(local: &MediaSection, remote: &MediaSection) -> Option<Self> {
        Some(Self {
            local_port: local.sctp_port?,
            remote_port: remote.sctp_port?,
            remote_max_message_size: remote.max_message_size.unwrap_or(DEFAULT_MAX_MESSAGE_SIZE),
        })
    }
}

/// Who sends the first DTLS message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DtlsRole {
    /// The local side is the client.
    Active,
    /// The local side is the server.
    Passive,
}

impl From<DtlsRole> for Setup {
    fn from(role: DtlsRole) -> Self {
        match role {
            DtlsRole::Active => Self::Active,
            DtlsRole::Passive => Self::Passive,
        }
    }
}

/// One ICE and DTLS association: a bundle, or a section on its own. Component 1 carries RTP and
/// RTCP.
#[derive(Debug, Clone)]
pub struct NegotiatedTransport {
    /// Accepted sections on this transport by m= line, the tagged one first.
    pub mline_indexes: Vec<usize>,
    /// Several sections may share it because of a BUNDLE group.
    pub bundled: bool,
    /// Position of the transport of the negotiation before, whose DTLS association this one is.
    pub continues: Option<usize>,
    /// Both sides have new credentials for the association that continues (RFC 8839 §4.4.1.1).
    pub restarts_ice: bool,
    /// The DTLS association is over, which only its owner can know: a later negotiation begins
    /// another one, even with the same certificates.
    pub ended: bool,
    /// Local credentials.
    pub local_ice: IceCredentials,
    /// The peer's credentials.
    pub remote_ice: IceCredentials,
    /// The peer sends candidates one by one (`a=ice-options:trickle`).
    pub remote_trickle: bool,
    /// Candidates of component 1 in the description.
    pub remote_candidates: Vec<Candidate>,
    /// The peer has no further candidates.
    pub remote_end_of_candidates: bool,
    /// The peer's certificate has to match one of those whose hash is known (RFC 8122 §5); never
    /// empty.
    pub remote_fingerprints: Vec<Fingerprint>,
    /// The local DTLS role.
    pub role: DtlsRole,
}
