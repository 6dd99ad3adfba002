//! From session descriptions to transports and tracks.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use rand::Rng;
use rivero_plugin_api::{
    DEFAULT_DESCRIPTION, ElementContext, Error, Format, MediaKind, Packaging, Result, SinkHandler,
    SinkPad, SourceHandler, SourcePad, host,
};
use rivero_rtp::{ExtensionMap, HeaderExtension, codec::VideoCodec};
use rivero_rtp_session::{
    Encodings, ReceivedFormat, Receiver, ReceiverConfig, Retransmissions, Sender, SenderConfig,
    SentFormat, StreamDescription, Track,
};
use rivero_sdp::{
    CodecCapability, Connection, Direction, ExtMap, Features, IceCredentials, LocalConfig,
    LocalData, LocalMedia, LocalTransport, MediaKind as SdpKind, Negotiated, NegotiatedCodec,
    NegotiatedMedia, RtcpFeedback, SdpError,
};

use super::{properties::Properties, session::Pads};
use crate::{
    api::WebRtcEndpointParams,
    data::{self, DataTrack, DataTransport},
    peer::{self, Certificate, DtlsRole},
    settings::{self, SdpSettings, WebRtcSettings},
    shard::{Shard, Token},
};

/// Printable characters of ICE credentials (RFC 8839 §5.4 `ice-char`).
const ICE_CHARACTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// What we are able and willing to do, with fresh random values.
pub(super) fn local_config(
    params: &WebRtcEndpointParams,
    properties: &Properties,
    certificate: &Certificate,
) -> Result<LocalConfig> {
    let mut random = rand::rng();
    let cname = format!("{:016x}", random.random::<u64>());
    let direction = match (params.recvonly, params.sendonly) {
        (true, false) => Direction::RecvOnly,
        (false, true) => Direction::SendOnly,
        _ => Direction::SendRecv,
    };
    let sdp: SdpSettings = settings::of("SdpEndpoint");
    let mut media = |codecs: Vec<CodecCapability>, bandwidth: i32| LocalMedia {
        direction,
        max_receive_bandwidth: u32::try_from(bandwidth).unwrap_or(0),
        ..LocalMedia::new(codecs, random.random_range(1..u32::MAX), cname.as_str())
    };
    let audio = media(sdp.audio(), properties.max_audio_recv_bandwidth);
    let webrtc: WebRtcSettings = settings::of("WebRtcEndpoint");
    let pictures = sdp.video(webrtc.enable_h265);
    let mut video = media(pictures, properties.max_video_recv_bandwidth);
    // Without it a viewer has to guess the colour matrix, and guesses wrong.
    let color_space = HeaderExtension::ColorSpace.uri();
    video.extensions.push(ExtMap::new(4, color_space));
    video.rtx_ssrc = Some(random.random_range(1..u32::MAX));
    let fingerprint = certificate.fingerprint().to_string();
    Ok(LocalConfig {
        session_id: random.random_range(1..u64::from(u32::MAX)),
        session_version: 1,
        session_name: "Kurento Media Server".to_owned(),
        connection: Connection::unspecified(),
        audio: (sdp.num_audio_medias > 0).then_some(audio),
        video: (sdp.num_video_medias > 0).then_some(video),
        data: params.use_data_channels.then_some(LocalData {
            sctp_port: data::SCTP_PORT,
            max_message_size: Some(u64::from(data::MAX_MESSAGE_SIZE)),
        }),
        transport: LocalTransport {
            ice: std::array::from_fn(|_| credentials(&mut random)),
            fingerprint: fingerprint
                .parse()
                .map_err(|_| Error::unexpected(format!("unusable fingerprint {fingerprint}")))?,
            trickle: true,
        },
        features: Features {
            rtx: true,
            transport_cc: true,
            simulcast: true,
            reduced_size_rtcp: true,
        },
    })
}

/// The same for an offer: it has what Kurento's have, and no more, since not every client that
/// answers one reads what it does not know.
pub(super) fn for_offer(config: LocalConfig) -> LocalConfig {
    LocalConfig {
        features: Features {
            reduced_size_rtcp: true,
            ..Features::default()
        },
        ..config
    }
}

fn credentials(random: &mut impl Rng) -> IceCredentials {
    let mut text = |length: usize| -> String {
        let pick = |_| {
            let index = random.random_range(0..ICE_CHARACTERS.len());
            char::from(ICE_CHARACTERS.get(index).copied().unwrap_or(b'a'))
        };
        (0..length).map(pick).collect()
    };
    IceCredentials {
        ufrag: text(8),
        password: text(24),
    }
}

/// ICE credentials as the peer takes them.
pub(super) fn peer_credentials(credentials: &IceCredentials) -> peer::IceCredentials {
    peer::IceCredentials {
        ufrag: credentials.ufrag.clone(),
        password: credentials.password.clone(),
    }
}

/// Kurento's codes for what can be wrong with a description.
pub(super) fn sdp_error(error: &SdpError, of_answer: bool) -> Error {
    match error {
        SdpError::Empty | SdpError::TooLarge { .. } | SdpError::Parse { .. } => {
            Error::new(40201, "SDP_PARSE_ERROR", format!("Invalid SDP: {error}"))
        }
        SdpError::SectionCount { .. } | SdpError::SectionMismatch { .. } => Error::new(
            40206,
            "SDP_END_POINT_PROCESS_ANSWER_ERROR",
            error.to_string(),
        ),
        SdpError::NoCommonTransport { .. } if of_answer => Error::new(
            40206,
            "SDP_END_POINT_PROCESS_ANSWER_ERROR",
            error.to_string(),
        ),
        SdpError::NoCommonTransport { .. } => Error::new(
            40205,
            "SDP_END_POINT_PROCESS_OFFER_ERROR",
            error.to_string(),
        ),
        _ => Error::new(40207, "SDP_CONFIGURATION_ERROR", error.to_string()),
    }
}

/// Opens the pads of a negotiated section and makes its track.
pub(super) struct TrackMaker<'a> {
    pub(super) context: &'a ElementContext,
    pub(super) shard: &'a Shard,
    pub(super) token: Token,
    pub(super) properties: &'a Properties,
    pub(super) cname: Arc<str>,
    /// Those that are open, which later negotiations go on with.
    pub(super) pads: &'a mut Vec<Pads>,
}

impl TrackMaker<'_> {
    /// The tracks of one transport.
    pub(super) fn tracks<S, K>(
        &mut self,
        negotiated: &Negotiated,
        transport: usize,
        source: impl Fn(u8) -> S,
        sink: impl Fn(MediaKind) -> K,
    ) -> Result<Vec<Track>>
    where
        S: SourceHandler,
        K: SinkHandler,
    {
        let sections = negotiated
            .media
            .iter()
            .filter(|media| media.transport == transport);
        let media = sections.filter_map(|media| Some((media, kind(&media.kind)?)));
        let media = media.filter(|(_, kind)| *kind != MediaKind::Data);
        media
            .map(|(media, kind)| {
                let number = Track::number(kind);
                let streams = &media.remote_streams;
                Ok(Track {
                    kind,
                    receiver: self.receiver(media, kind, source(number))?,
                    sender: self.sender(media, kind, sink(kind))?,
                    named_ssrcs: streams.iter().map(|stream| stream.ssrc).collect(),
                })
            })
            .collect()
    }

    /// The data channels of one transport.
    pub(super) fn data(
        &mut self,
        negotiated: &Negotiated,
        transport: usize,
        sink: impl SinkHandler,
    ) -> Result<Option<DataTrack>> {
        let mut sections = negotiated.media.iter();
        let section = sections.find(|media| media.transport == transport && media.sctp.is_some());
        let parameters = section.and_then(|section| section.sctp);
        let (Some(parameters), Some(transport)) =
            (parameters, negotiated.transports.get(transport))
        else {
            return Ok(None);
        };
        let source = self.source_pad(MediaKind::Data, ())?;
        let sink = self.sink_pad(MediaKind::Data, sink)?;
        let association = DataTransport::new(dtls_role(transport.role), parameters);
        let track = DataTrack::new(association, source, sink, message_format());
        Ok(Some(track))
    }

    /// The place of a kind's pads.
    fn pads_of(&mut self, kind: MediaKind) -> &mut Pads {
        let position = self.pads.iter().position(|pads| pads.kind == kind);
        let position = position.unwrap_or_else(|| {
            self.pads.push(Pads {
                kind,
                token: self.token,
                source: None,
                sink: None,
            });
            self.pads.len() - 1
        });
        #[allow(clippy::indexing_slicing, reason = "it was found or made just now")]
        &mut self.pads[position]
    }

    /// The open pad, or a new one.
    fn source_pad(
        &mut self,
        kind: MediaKind,
        handler: impl SourceHandler,
    ) -> Result<Arc<SourcePad>> {
        if let Some(pad) = &self.pads_of(kind).source {
            return Ok(pad.clone());
        }
        let pad = { self.context }.source_pad(kind, DEFAULT_DESCRIPTION, handler)?;
        let pad = Arc::new(pad);
        self.pads_of(kind).source = Some(pad.clone());
        Ok(pad)
    }

    /// The open pad, or a new one.
    fn sink_pad(&mut self, kind: MediaKind, handler: impl SinkHandler) -> Result<Arc<SinkPad>> {
        if let Some(pad) = &self.pads_of(kind).sink {
            return Ok(pad.clone());
        }
        let token = self.token.sink(Track::number(kind));
        let (context, group) = (self.context, self.shard.group());
        let pad = context.grouped_sink_pad(kind, DEFAULT_DESCRIPTION, handler, group, token)?;
        let pad = Arc::new(pad);
        self.pads_of(kind).sink = Some(pad.clone());
        Ok(pad)
    }

    fn receiver(
        &mut self,
        media: &NegotiatedMedia,
        kind: MediaKind,
        handler: impl SourceHandler,
    ) -> Result<Option<Receiver>> {
        if !media.receive {
            return Ok(None);
        }
        let pad = self.source_pad(kind, handler)?;
        let config = ReceiverConfig {
            kind,
            formats: media.codecs.iter().map(received_format).collect(),
            extensions: extensions(media),
            streams: described_streams(media),
            estimator: self.properties.estimator(),
        };
        let receiver = media
            .codecs
            .iter()
            .fold(Receiver::new(pad, config), |receiver, codec| {
                receiver.with_parameter_sets(codec.payload_type, codec.parameter_sets())
            });
        Ok(Some(receiver))
    }

    fn sender(
        &mut self,
        media: &NegotiatedMedia,
        kind: MediaKind,
        handler: impl SinkHandler,
    ) -> Result<Option<Sender>> {
        let (true, Some(ssrc)) = (media.send, media.local_ssrc) else {
            return Ok(None);
        };
        let pad = self.sink_pad(kind, handler)?;
        let mut random = rand::rng();
        // Below 32768 for SRTP's sake (RFC 3711 §3.3.1), and far enough that thousands of packets
        // may be lost before the first roll-over.
        let mut begin = || random.random_range(0..0x4000u16);
        let config = SenderConfig {
            ssrc,
            cname: self.cname.clone(),
            formats: media.codecs.iter().map(sent_format).collect(),
            extensions: extensions(media),
            sequence: begin(),
            retransmissions: media.local_rtx_ssrc.map(|ssrc| Retransmissions {
                ssrc,
                sequence: begin(),
            }),
            timestamp: random.random(),
            epoch: epoch(),
            bounds: self.properties.send_bounds(),
            described_limit: media.max_send_bitrate,
        };
        Ok(Some(Sender::new(pad, config)))
    }
}

/// The kind of media of a section, data included.
pub(super) fn kind(kind: &SdpKind) -> Option<MediaKind> {
    match kind {
        SdpKind::Audio => Some(MediaKind::Audio),
        SdpKind::Video => Some(MediaKind::Video),
        SdpKind::Application => Some(MediaKind::Data),
        SdpKind::Other(_) => None,
    }
}

/// Our DTLS role as the peer takes it.
pub(super) fn dtls_role(role: rivero_sdp::DtlsRole) -> DtlsRole {
    match role {
        rivero_sdp::DtlsRole::Active => DtlsRole::Client,
        rivero_sdp::DtlsRole::Passive => DtlsRole::Server,
    }
}

/// The format of data channel messages: one in each packet, text marked as such.
fn message_format() -> u32 {
    let format = Format {
        encoding: "MESSAGE".to_owned(),
        packaging: Packaging::Frame,
        clock_rate: 0,
        channels: 0,
        parameters: Vec::new(),
    };
    host().map_or(0, |host| host.format_id(&format))
}

/// The number of a codec's format. It stays valid without a pad that has the format: there are a few
/// dozen of those that can be negotiated, and the host remembers thousands for each module.
fn format_id(codec: &NegotiatedCodec) -> u32 {
    let channels = codec
        .channels
        .and_then(|channels| u8::try_from(channels).ok());
    let mut format = Format::rtp(codec.name.as_str(), codec.clock_rate, channels.unwrap_or(0));
    for (name, value) in codec.match_parameters.canonical() {
        format = format.with(name, value);
    }
    host().map_or(0, |host| host.format_id(&format))
}

fn sent_format(codec: &NegotiatedCodec) -> SentFormat {
    SentFormat {
        format: format_id(codec),
        payload_type: codec.payload_type,
        clock_rate: codec.clock_rate,
        codec: VideoCodec::from_encoding_name(&codec.name),
        rtx_payload_type: codec.rtx_payload_type,
        transport_cc: codec.allows(&RtcpFeedback::TransportCc),
    }
}

/// What the peer said about the streams that it will send.
fn described_streams(media: &NegotiatedMedia) -> StreamDescription {
    let streams = media.remote_streams.iter();
    let encodings = match media.receive_rids.as_slice() {
        [] if media.receive_ssrcs.len() > 1 => Encodings::Ssrcs(media.receive_ssrcs.clone()),
        [] => Encodings::One,
        rids => Encodings::Rids(rids.to_vec()),
    };
    StreamDescription {
        encodings,
        repairs: streams
            .filter_map(|stream| Some((stream.rtx_ssrc?, stream.ssrc)))
            .collect(),
    }
}

fn received_format(codec: &NegotiatedCodec) -> ReceivedFormat {
    ReceivedFormat {
        payload_type: codec.payload_type,
        format: format_id(codec),
        clock_rate: codec.clock_rate,
        codec: VideoCodec::from_encoding_name(&codec.name),
        nack: codec.allows(&RtcpFeedback::Nack),
        pli: codec.allows(&RtcpFeedback::NackPli),
        fir: codec.allows(&RtcpFeedback::CcmFir),
        remb: codec.allows(&RtcpFeedback::GoogRemb),
        rtx_payload_type: codec.rtx_payload_type,
        transport_cc: codec.allows(&RtcpFeedback::TransportCc),
    }
}

fn extensions(media: &NegotiatedMedia) -> ExtensionMap {
    let mut map = ExtensionMap::default();
    for extmap in &media.extensions {
        let known = HeaderExtension::from_uri(&extmap.uri);
        if let (Some(extension), Ok(id)) = (known, u8::try_from(extmap.id)) {
            map.insert(id, extension);
        }
    }
    map
}

/// The wall clock at pipeline time 0, the same for all streams of the process.
fn epoch() -> SystemTime {
    static EPOCH: OnceLock<SystemTime> = OnceLock::new();
    *EPOCH.get_or_init(|| {
        let since = host()
            .and_then(|host| u64::try_from(host.now()).ok())
            .unwrap_or(0);
        let now = SystemTime::now();
        now.checked_sub(Duration::from_nanos(since)).unwrap_or(now)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_long_enough_and_differ() {
        let mut random = rand::rng();
        let (first, second) = (credentials(&mut random), credentials(&mut random));
        assert!(first.ufrag.len() >= 4 && first.password.len() >= 22);
        assert_ne!(first, second);
    }
}
