//! Making an offer.

use super::{RtpConfig, RtpMedia, keys};
use crate::{
    MediaKind, MediaSection, Protocol, RtcpAddress, SdpError, SessionDescription, Setup,
    negotiate::{
        Features,
        local::bandwidths,
        offer::{OfferOptions, PayloadTypes, offered_media},
        sources,
    },
};

/// Makes an offer: one section for each configured kind of media with all its codecs, under the mids
/// `audio0` and `video0`, as Kurento does.
///
/// # Errors
/// [`SdpError::Configuration`] when there are more codecs than payload types.
pub fn offer_rtp(
    config: &RtpConfig,
    options: OfferOptions,
) -> Result<SessionDescription, SdpError> {
    let mut payload_types = PayloadTypes::default();
    let mut local = session(config);
    for (kind, wanted) in [
        (MediaKind::Audio, options.audio),
        (MediaKind::Video, options.video),
    ] {
        if let Some(media) = config.media(&kind).filter(|_| wanted) {
            let section = section(config, kind, media, &mut payload_types)?;
            local.media.push(section);
        }
    }
    Ok(local)
}

/// Makes a later offer of the session whose local description is `previous`: the same sections, ports and
/// formats under their numbers (RFC 3264 §8), in the direction that the configuration has.
pub fn offer_rtp_again(config: &RtpConfig, previous: &SessionDescription) -> SessionDescription {
    let mut local = session(config);
    local.media.clone_from(&previous.media);
    local.groups.clone_from(&previous.groups);
    for section in &mut local.media {
        // Whose address is learnt was the peer's to say.
        section
            .attributes
            .retain(|attribute| !attribute.is("direction"));
        let media = config.media(&section.kind).filter(|_| section.port != 0);
        if let Some(media) = media {
            section.direction = media.media.direction;
            section.bandwidths = bandwidths(&media.media);
            section.setup = section.setup.and(Some(Setup::ActPass));
        }
    }
    local
}

fn section(
    config: &RtpConfig,
    kind: MediaKind,
    local: &RtpMedia,
    payload_types: &mut PayloadTypes,
) -> Result<MediaSection, SdpError> {
    let protocol = match config.secure {
        true => Protocol::RtpSavpf,
        false => Protocol::RtpAvpf,
    };
    let mid = format!("{kind}0");
    let mut section = MediaSection::new(kind, local.ports.rtp, protocol);
    section.mid = Some(mid);
    section.codecs = offered_media(Features::default(), &local.media, payload_types)?;
    section.extmaps.clone_from(&local.media.extensions);
    section.direction = local.media.direction;
    section.bandwidths = bandwidths(&local.media);
    section.rtcp = Some(rtcp(local));
    // It means nothing without a connection, but Kurento's clients have always been given it.
    section.setup = Some(Setup::ActPass);
    section.attributes = keys::offered_lines(config);
    sources::announce(&mut section, &local.media, false);
    Ok(section)
}

pub(super) fn rtcp(local: &RtpMedia) -> RtcpAddress {
    RtcpAddress {
        port: local.ports.rtcp,
        connection: None,
    }
}

/// The session level of a local description.
pub(super) fn session(config: &RtpConfig) -> SessionDescription {
    crate::negotiate::local::session_of(
        (config.session_id, config.session_version),
        &config.session_name,
        &config.connection,
    )
}
