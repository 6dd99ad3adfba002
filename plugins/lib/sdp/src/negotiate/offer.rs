//! Making an offer.

use super::{
    DATA_CHANNEL_FORMAT, Features, LocalConfig, LocalMedia,
    local::{PLACEHOLDER_PORT, bandwidths, rtcp_placeholder, session, write_transport},
    sources,
};
use crate::{
    Codec, ExtMap, FormatParameters, Group, MediaKind, MediaSection, Protocol, RtcpFeedback,
    SdpError, SessionDescription, Setup, extension_uri,
};

/// First payload type for dynamic assignment (RFC 3551 §6).
const FIRST_DYNAMIC: u8 = 96;

/// What to leave out of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfferOptions {
    /// Offer audio if it is configured.
    pub audio: bool,
    /// Offer video if it is configured.
    pub video: bool,
}

impl Default for OfferOptions {
    fn default() -> Self {
        Self {
            audio: true,
            video: true,
        }
    }
}

/// Makes an offer: one section per configured kind of media with all its codecs, bundled, under
/// the mids `audio0`, `video0` and `application0`.
///
/// # Errors
/// [`SdpError::Configuration`] when there are more codecs than payload types, or a header
/// extension lacks a usable identifier.
pub fn offer(config: &LocalConfig, options: OfferOptions) -> Result<SessionDescription, SdpError> {
    let mut payload_types = PayloadTypes::default();
    let mut local = session(config);
    for (kind, wanted) in [
        (MediaKind::Audio, options.audio),
        (MediaKind::Video, options.video),
    ] {
        if let Some(media) = config.media(&kind).filter(|_| wanted) {
            local
                .media
                .push(rtp_section(config, kind, media, &mut payload_types)?);
        }
    }
    local.media.extend(data_section(config));
    local.groups = vec![Group {
        semantics: "BUNDLE".to_owned(),
        mids: local
            .media
            .iter()
            .filter_map(|section| section.mid.clone())
            .collect(),
    }];
    Ok(local)
}

pub(super) fn rtp_section(
    config: &LocalConfig,
    kind: MediaKind,
    local: &LocalMedia,
    payload_types: &mut PayloadTypes,
) -> Result<MediaSection, SdpError> {
    // Kurento's profile; browsers take it for the same as UDP/TLS/RTP/SAVPF (RFC 9429 §5.1.2).
    let mut section = bundled_section(config, kind, Protocol::RtpSavpf);
    section.codecs = offered_codecs(config, local, payload_types)?;
    section.extmaps = offered_extensions(config, local)?;
    section.direction = local.direction;
    section.bandwidths = bandwidths(local);
    section.rtcp = Some(rtcp_placeholder());
    section.rtcp_mux = true;
    section.rtcp_rsize = config.features.reduced_size_rtcp;
    let rtx = section.codecs.iter().any(|codec| codec.rtx_apt().is_some());
    sources::announce(&mut section, local, rtx);
    Ok(section)
}

pub(super) fn data_section(config: &LocalConfig) -> Option<MediaSection> {
    let data = config.data?;
    let mut section = bundled_section(config, MediaKind::Application, Protocol::UdpDtlsSctp);
    section.formats = vec![DATA_CHANNEL_FORMAT.to_owned()];
    section.sctp_port = Some(data.sctp_port);
    section.max_message_size = data.max_message_size;
    Some(section)
}

/// All sections offer the same transport, as members of one bundle.
fn bundled_section(config: &LocalConfig, kind: MediaKind, protocol: Protocol) -> MediaSection {
    let [ice, ..] = &config.transport.ice;
    let mid = format!("{kind}0");
    let mut section = MediaSection::new(kind, PLACEHOLDER_PORT, protocol);
    section.mid = Some(mid);
    write_transport(&mut section, config, ice, Setup::ActPass);
    section
}

/// The codecs in the order of preference, then a retransmission format for each where RTX is on.
pub(super) fn offered_codecs(
    config: &LocalConfig,
    local: &LocalMedia,
    payload_types: &mut PayloadTypes,
) -> Result<Vec<Codec>, SdpError> {
    offered_media(config.features, local, payload_types)
}

/// The same with these features.
pub(super) fn offered_media(
    features: Features,
    local: &LocalMedia,
    payload_types: &mut PayloadTypes,
) -> Result<Vec<Codec>, SdpError> {
    let mut codecs = Vec::new();
    for capability in &local.codecs {
        let mut feedback = capability.feedback.clone();
        if features.transport_cc && !capability.is_event() {
            feedback.push(RtcpFeedback::TransportCc);
        }
        codecs.push(Codec {
            payload_type: payload_types.take(capability.payload_type)?,
            name: capability.name.clone(),
            clock_rate: capability.clock_rate,
            channels: capability.channels,
            parameters: capability.parameters.clone(),
            feedback,
        });
    }
    if features.rtx && local.rtx_ssrc.is_some() {
        let repairs: Result<Vec<Codec>, SdpError> = codecs
            .iter()
            .map(|codec| rtx_codec(codec, payload_types))
            .collect();
        codecs.extend(repairs?);
    }
    Ok(codecs)
}

fn rtx_codec(repaired: &Codec, payload_types: &mut PayloadTypes) -> Result<Codec, SdpError> {
    Ok(Codec {
        payload_type: payload_types.take(None)?,
        name: "rtx".to_owned(),
        clock_rate: repaired.clock_rate,
        channels: None,
        parameters: FormatParameters::new(format!("apt={}", repaired.payload_type)),
        feedback: Vec::new(),
    })
}

/// The configured extensions, and the one of transport-wide congestion control where that is on.
pub(super) fn offered_extensions(
    config: &LocalConfig,
    local: &LocalMedia,
) -> Result<Vec<ExtMap>, SdpError> {
    let mut extensions = local.extensions.clone();
    let is_missing = |uri: &str| !local.extensions.iter().any(|extmap| extmap.uri == uri);
    if config.features.transport_cc && is_missing(extension_uri::TRANSPORT_CC) {
        let all = [&config.audio, &config.video];
        let used = |id: u16| {
            all.into_iter()
                .flatten()
                .flat_map(|media| &media.extensions)
                .any(|extmap| extmap.id == id)
        };
        let id = (1..15).find(|id| !used(*id)).ok_or_else(|| {
            SdpError::Configuration("no header extension identifier is left".to_owned())
        })?;
        extensions.push(ExtMap::new(id, extension_uri::TRANSPORT_CC));
    }
    if let Some(extmap) = extensions
        .iter()
        .find(|extmap| !(1..=255).contains(&extmap.id))
    {
        return Err(SdpError::Configuration(format!(
            "header extension {} has the identifier {}, it has to be 1 to 255",
            extmap.uri, extmap.id
        )));
    }
    Ok(extensions)
}

/// Payload types already used; in a bundle they are unique over all sections (RFC 9143 §9.1).
#[derive(Default)]
pub(super) struct PayloadTypes(Vec<u8>);

impl PayloadTypes {
    /// Notes one that is in use.
    pub(super) fn reserve(&mut self, payload_type: u8) {
        if !self.0.contains(&payload_type) {
            self.0.push(payload_type);
        }
    }

    /// The wished one if it is free, else the lowest free dynamic one.
    fn take(&mut self, wish: Option<u8>) -> Result<u8, SdpError> {
        let free = |number: &u8| *number <= 127 && !self.0.contains(number);
        let number = wish
            .filter(free)
            .or_else(|| (FIRST_DYNAMIC..=127).find(free))
            .ok_or_else(|| SdpError::Configuration("no payload type is left".to_owned()))?;
        self.0.push(number);
        Ok(number)
    }
}

#[cfg(test)]
#[path = "offer_tests.rs"]
mod tests;
