//! From negotiated media to what the sides of a track are made from.

use std::{
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use rivero_plugin_api::{Format, MediaKind, host};
use rivero_rtp::{ExtensionMap, HeaderExtension, codec::VideoCodec};
use rivero_rtp_session::{
    DigitFormats, Encodings, ReceivedFormat, SentFormat, StreamDescription,
    digits::{RELAYED_CLOCK_RATE, RELAYED_FORMAT},
};
use rivero_sdp::{
    MatchParameters, MediaKind as SdpKind, NegotiatedCodec, NegotiatedMedia, RtcpFeedback,
};

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

/// A codec's format.
fn format(codec: &NegotiatedCodec, parameters: MatchParameters) -> Format {
    let channels = codec
        .channels
        .and_then(|channels| u8::try_from(channels).ok());
    let format = Format::rtp(codec.name.as_str(), codec.clock_rate, channels.unwrap_or(0));
    let parameters = parameters.canonical().into_iter();
    parameters.fold(format, |format, (name, value)| format.with(name, value))
}

/// The number of a format. It stays valid without a pad that has the format: there are a few dozen of
/// those that can be negotiated, and the host remembers thousands for each module.
fn number(format: &Format) -> u32 {
    host().map_or(0, |host| host.format_id(format))
}

/// The number of a codec's format.
#[must_use]
pub fn format_id(codec: &NegotiatedCodec) -> u32 {
    number(&format(codec, codec.match_parameters))
}

/// What a peer can be sent, in its order of preference: the formats that it named, then those that it
/// decodes under the same payload types.
#[must_use]
pub fn sent_formats(codecs: &[NegotiatedCodec]) -> Vec<SentFormat> {
    let all = decoded(codecs).into_iter();
    all.map(|(format, codec)| SentFormat {
        format: number(&format),
        payload_type: codec.payload_type,
        clock_rate: codec.clock_rate,
        codec: VideoCodec::from_encoding_name(&codec.name),
        rtx_payload_type: codec.rtx_payload_type,
        transport_cc: codec.allows(&RtcpFeedback::TransportCc),
    })
    .collect()
}

/// Digits: `received` as they may come, and `sent_events` as the peer takes them, at the clock rates of the sound that it is
/// `sent`. Within the server they have one format, by which a sink says that it wants them of whoever it hears.
#[must_use]
pub fn digit_formats<'a>(
    received: impl Iterator<Item = &'a NegotiatedCodec>,
    sent: &[NegotiatedCodec],
    sent_events: &[NegotiatedCodec],
) -> DigitFormats {
    let beside = |sound: &NegotiatedCodec| {
        let mut events = sent_events.iter();
        events.find(|codec| codec.clock_rate == sound.clock_rate)
    };
    let mut events: Vec<NegotiatedCodec> = Vec::new();
    for event in sent.iter().filter_map(beside) {
        if !events.contains(event) {
            events.push(event.clone());
        }
    }
    DigitFormats {
        relayed: number(&Format::rtp(RELAYED_FORMAT, RELAYED_CLOCK_RATE, 0)),
        received: received
            .map(|codec| (codec.payload_type, codec.clock_rate))
            .collect(),
        sent: sent_formats(&events),
    }
}

/// Each format that the peer decodes, once, and the codec that it is sent as: the one that names it,
/// else the one that promises least beyond it.
fn decoded(codecs: &[NegotiatedCodec]) -> Vec<(Format, &NegotiatedCodec)> {
    let named = codecs.iter().map(|codec| (codec.match_parameters, codec));
    let mut modest: Vec<&NegotiatedCodec> = codecs.iter().collect();
    modest.sort_by_key(|codec| codec.match_parameters.decodes_too().len());
    let others = modest.into_iter().flat_map(|codec| {
        let others = codec.match_parameters.decodes_too().into_iter();
        others.map(move |parameters| (parameters, codec))
    });
    let mut decoded: Vec<(Format, &NegotiatedCodec)> = Vec::new();
    for (parameters, codec) in named.chain(others) {
        let format = format(codec, parameters);
        if !decoded.iter().any(|(known, _)| *known == format) {
            decoded.push((format, codec));
        }
    }
    decoded
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

#[cfg(test)]
mod tests {
    use rivero_sdp::FormatParameters;

    use super::*;

    fn codec(payload_type: u8, name: &str, parameters: &str) -> NegotiatedCodec {
        let parameters = FormatParameters::new(parameters);
        NegotiatedCodec {
            payload_type,
            name: name.to_owned(),
            clock_rate: 90_000,
            channels: None,
            match_parameters: MatchParameters::of(name, &parameters).unwrap(),
            parameters,
            feedback: Vec::new(),
            rtx_payload_type: None,
        }
    }

    fn h264(payload_type: u8, id: &str, mode: u8) -> NegotiatedCodec {
        let parameters = format!("profile-level-id={id};packetization-mode={mode}");
        codec(payload_type, "H264", &parameters)
    }

    fn sound(payload_type: u8, name: &str, clock_rate: u32) -> NegotiatedCodec {
        NegotiatedCodec {
            clock_rate,
            ..codec(payload_type, name, "")
        }
    }

    #[test]
    fn digits_go_beside_sound_of_their_clock_rate() {
        let sent = [sound(111, "opus", 48_000), sound(0, "PCMU", 8000)];
        let digits = |payload_type, rate| sound(payload_type, "telephone-event", rate);
        let all = [digits(101, 8000), digits(102, 16_000), digits(110, 48_000)];
        let formats = digit_formats(all.iter(), &sent, &all);
        assert_eq!(
            formats.received,
            [(101, 8000), (102, 16_000), (110, 48_000)]
        );
        let types: Vec<u8> = { formats.sent.iter() }
            .map(|format| format.payload_type)
            .collect();
        assert_eq!(types, [110, 101], "those of the preferred sound first");
        assert!(digit_formats([].iter(), &sent, &[]).accepted().is_none());
    }

    /// The payload type under which a peer with these codecs is sent a stream.
    fn sent_as(codecs: &[NegotiatedCodec], stream: &NegotiatedCodec) -> Option<u8> {
        let stream = format(stream, stream.match_parameters);
        let decoded = decoded(codecs);
        let found = decoded.iter().find(|(format, _)| *format == stream);
        found.map(|(_, codec)| codec.payload_type)
    }

    #[test]
    fn the_formats_that_a_peer_names_come_first_and_in_its_order() {
        let codecs = [
            h264(104, "64001f", 1),
            codec(96, "VP8", ""),
            h264(102, "42e01f", 1),
        ];
        let decoded = decoded(&codecs);
        let first: Vec<u8> = decoded
            .iter()
            .take(3)
            .map(|(_, codec)| codec.payload_type)
            .collect();
        assert_eq!(first, [104, 96, 102]);
        let mut formats: Vec<String> = decoded
            .iter()
            .map(|(format, _)| format.to_string())
            .collect();
        formats.sort();
        formats.dedup();
        assert_eq!(formats.len(), decoded.len(), "each once");
    }

    #[test]
    fn a_stream_is_sent_as_what_the_peer_decodes() {
        let apple = [
            h264(100, "640c1f", 1),
            h264(98, "42e01f", 1),
            codec(96, "VP8", ""),
        ];
        assert_eq!(sent_as(&apple, &h264(1, "42e01f", 1)), Some(98));
        assert_eq!(sent_as(&apple, &h264(1, "640c1f", 1)), Some(100));
        assert_eq!(
            sent_as(&apple, &h264(1, "42001f", 1)),
            Some(98),
            "as little as it needs"
        );
        assert_eq!(sent_as(&apple, &h264(1, "42e01f", 0)), Some(98));
        assert_eq!(sent_as(&apple, &h264(1, "64001f", 1)), None);
        let main = [h264(101, "4d001f", 1)];
        assert_eq!(sent_as(&main, &h264(1, "42e01f", 1)), Some(101));
        assert_eq!(sent_as(&main, &h264(1, "640c1f", 1)), None);
        let single = [h264(97, "42e01f", 0)];
        assert_eq!(
            sent_as(&single, &h264(1, "42e01f", 1)),
            None,
            "it has to be cut anew"
        );
    }
}
