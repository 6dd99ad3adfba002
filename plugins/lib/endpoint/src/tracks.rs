//! From negotiated media to what the sides of a track are made from.

use std::{
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use rivero_plugin_api::{Format, MediaKind, host};
use rivero_rtp::{ExtensionMap, HeaderExtension, codec::VideoCodec};
use rivero_rtp_session::{Encodings, ReceivedFormat, SentFormat, StreamDescription};
use rivero_sdp::{MediaKind as SdpKind, NegotiatedCodec, NegotiatedMedia, RtcpFeedback};

/// The kind of media of a section, data included.
#[must_use]
pub fn kind(kind: &SdpKind) -> Option<MediaKind> {
    match kind {
        SdpKind::Audio => Some(MediaKind::Audio),
        SdpKind::Video => Some(MediaKind::Video),
        SdpKind::Application => Some(MediaKind::Data),
        SdpKind::Other(_) => None,
    }
}

/// The number of a codec's format. It stays valid without a pad that has the format: there are a few
/// dozen of those that can be negotiated, and the host remembers thousands for each module.
#[must_use]
pub fn format_id(codec: &NegotiatedCodec) -> u32 {
    let channels = codec
        .channels
        .and_then(|channels| u8::try_from(channels).ok());
    let mut format = Format::rtp(codec.name.as_str(), codec.clock_rate, channels.unwrap_or(0));
    for (name, value) in codec.match_parameters.canonical() {
        format = format.with(name, value);
    }
    host().map_or(0, |host| host.format_id(&format))
}

/// A codec as it is sent.
#[must_use]
pub fn sent_format(codec: &NegotiatedCodec) -> SentFormat {
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
#[must_use]
pub fn described_streams(media: &NegotiatedMedia) -> StreamDescription {
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

/// A codec as it is received.
#[must_use]
pub fn received_format(codec: &NegotiatedCodec) -> ReceivedFormat {
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

/// The header extensions of a section.
#[must_use]
pub fn extensions(media: &NegotiatedMedia) -> ExtensionMap {
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
#[must_use]
pub fn epoch() -> SystemTime {
    static EPOCH: OnceLock<SystemTime> = OnceLock::new();
    *EPOCH.get_or_init(|| {
        let since = host()
            .and_then(|host| u64::try_from(host.now()).ok())
            .unwrap_or(0);
        let now = SystemTime::now();
        now.checked_sub(Duration::from_nanos(since)).unwrap_or(now)
    })
}
