//! From session descriptions to transports and tracks.

use std::sync::Arc;

use rand::Rng;
use rivero_endpoint::{
    Properties,
    settings::{SdpSettings, of},
    tracks::{
        described_streams, digit_formats, epoch, extensions, kind, received_format, sent_formats,
    },
};
use rivero_plugin_api::{
    DEFAULT_DESCRIPTION, ElementContext, Error, Format, MediaKind, Packaging, Result, SinkHandler,
    SinkPad, SourceHandler, SourcePad, host,
};
use rivero_rtp::HeaderExtension;
use rivero_rtp_session::{
    DigitFormats, Receiver, ReceiverConfig, Retransmissions, Sender, SenderConfig, Track,
};
use rivero_sdp::{
    CodecCapability, Connection, Direction, ExtMap, Features, IceCredentials, LocalConfig,
    LocalData, LocalMedia, LocalTransport, Negotiated, NegotiatedMedia,
};

use super::session::Pads;
use crate::{
    api::WebRtcEndpointParams,
    data::{self, DataTrack, DataTransport},
    peer::{self, Certificate, DtlsRole},
    settings::{self, WebRtcSettings},
    shard::{Shard, Token},
};

/// Printable characters of ICE credentials (RFC 8839 §5.4 `ice-char`).
const ICE_CHARACTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Header extensions beside the time of sending, which has the number 3, and the transport-wide
/// sequence number. The name of the section is between us and the peer; the others are the source's words
/// about its media, which are handed on as they are; where media is converted, or a viewer knows the
/// extension not, they are left out.
///
/// The orientation of pictures (`urn:3gpp:video-orientation`) is missing on purpose: it would leave it to
/// every consumer to turn them. Recorders and converters do, viewers that do not know it (Firefox, aiortc)
/// and modules of others do not; and a source agrees on it before it is known who they will be. Without it
/// senders turn the pictures themselves, and they are upright for all.
const AUDIO_EXTENSIONS: [(u16, HeaderExtension); 3] = [
    (5, HeaderExtension::AudioLevel),
    (6, HeaderExtension::AbsCaptureTime),
    (8, HeaderExtension::Mid),
];
/// See [`AUDIO_EXTENSIONS`]; without the colour space a viewer has to guess the matrix, and guesses
/// wrong.
const VIDEO_EXTENSIONS: [(u16, HeaderExtension); 5] = [
    (4, HeaderExtension::ColorSpace),
    (6, HeaderExtension::AbsCaptureTime),
    (7, HeaderExtension::PlayoutDelay),
    (8, HeaderExtension::Mid),
    (9, HeaderExtension::DependencyDescriptor),
];

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
    let sdp: SdpSettings = of("SdpEndpoint");
    let mut media = |codecs: Vec<CodecCapability>, bandwidth: i32| LocalMedia {
        direction,
        max_receive_bandwidth: u32::try_from(bandwidth).unwrap_or(0),
        answer_order: sdp.answer_codec_order.clone(),
        ..LocalMedia::new(codecs, random.random_range(1..u32::MAX), cname.as_str())
    };
    let webrtc: WebRtcSettings = of("WebRtcEndpoint");
    let sound = settings::audio(&sdp, webrtc.telephone_event);
    let mut audio = media(sound, properties.max_audio_recv_bandwidth);
    let pictures = settings::video(&sdp, webrtc.enable_h265);
    let mut video = media(pictures, properties.max_video_recv_bandwidth);
    audio.extensions.extend(extmaps(&AUDIO_EXTENSIONS));
    video.extensions.extend(extmaps(&VIDEO_EXTENSIONS));
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

/// The same for the first offer. Where it is to be plain it has what Kurento's have, and no more, for
/// clients that do not read over what they do not know.
///
/// Simulcast is not offered in any: a browser that is asked for it gives it a sender of its own, and
/// the camera that the page has added before stays without one (libwebrtc associates only tracks
/// that ask for no encodings).
pub(super) fn offered(config: LocalConfig) -> LocalConfig {
    let mut config = offered_again(config);
    let settings: WebRtcSettings = of("WebRtcEndpoint");
    if !settings.plain_offers {
        return config;
    }
    config.features = Features {
        reduced_size_rtcp: true,
        ..Features::default()
    };
    for media in [&mut config.audio, &mut config.video].into_iter().flatten() {
        media.extensions.retain(|extmap| {
            let extension = HeaderExtension::from_uri(&extmap.uri);
            matches!(
                extension,
                Some(HeaderExtension::AbsSendTime | HeaderExtension::ColorSpace)
            )
        });
    }
    config
}

/// The same for later offers. Dependency descriptors are answered, and not offered: those of keyframes need the
/// two-byte form of extensions, which only the offer of a whole session can ask for (RFC 8285 §4.1.2).
pub(super) fn offered_again(mut config: LocalConfig) -> LocalConfig {
    if let Some(video) = &mut config.video {
        let descriptor = HeaderExtension::DependencyDescriptor.uri();
        video.extensions.retain(|extmap| extmap.uri != descriptor);
    }
    config
}

fn extmaps(extensions: &[(u16, HeaderExtension)]) -> impl Iterator<Item = ExtMap> {
    let extensions = extensions.iter();
    extensions.map(|(id, extension)| ExtMap::new(*id, extension.uri()))
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
        let mut tracks: Vec<Track> = Vec::new();
        for (media, kind) in media {
            let receiver = self.receiver(media, kind, source(Track::number(kind)))?;
            let sender = self.sender(media, kind, sink(kind))?;
            let streams = media.remote_streams.iter();
            let named_ssrcs = streams.map(|stream| stream.ssrc);
            let digits = digits(media);
            match tracks.iter_mut().find(|track| track.kind == kind) {
                // A section of its own for each direction.
                Some(track) => {
                    track.receiver = track.receiver.take().or(receiver);
                    track.sender = track.sender.take().or(sender);
                    track.named_ssrcs.extend(named_ssrcs);
                    track.digits.extend(digits);
                }
                None => tracks.push(Track {
                    kind,
                    receiver,
                    sender,
                    named_ssrcs: named_ssrcs.collect(),
                    digits,
                }),
            }
        }
        Ok(tracks)
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
        Ok(Some(receiver.with_mid(media.mid.as_deref())))
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
            formats: sent_formats(&media.codecs),
            events: digits(media).accepted(),
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
        let sender = Sender::new(pad, config).with_mid(media.mid.as_deref());
        Ok(Some(sender))
    }
}

/// The digits of a section, which have one number in both directions.
fn digits(media: &NegotiatedMedia) -> DigitFormats {
    let events = match media.send {
        true => media.events.as_slice(),
        false => &[],
    };
    digit_formats(media.events.iter(), &media.codecs, events)
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
