//! Answering an offer.

use super::{
    NegotiatedRtp, NegotiatedRtpMedia, RtpConfig,
    bundle::{self, Accepted},
    keys::{self, Protection},
    offer::{rtcp, session},
};
use crate::{
    Attribute, Codec, Direction, Initiator, MediaKind, MediaSection, MediaTarget, Protocol,
    SdpError, SessionDescription, Setup,
    negotiate::{
        Features, NegotiatedMedia,
        answer::{ECHOED_ATTRIBUTES, continued, echoed},
        codecs,
        local::bandwidths,
        sources,
    },
};

/// Makes the answer to an offer.
///
/// One section of each kind is taken: of several the first secure one, else the first. All others are
/// rejected with port 0; an offer of which nothing can be used is no error, as it is none for Kurento. Where the offer has both
/// in one group they share a port, if their payload types and keys let them (BUNDLE); else each has its own.
///
/// # Errors
/// [`SdpError::NoCommonTransport`] where media would have to be sent to a group of receivers.
pub fn answer_rtp(
    config: &RtpConfig,
    offer: &SessionDescription,
) -> Result<NegotiatedRtp, SdpError> {
    let mut local = session(config);
    let answers: Vec<Option<Answered>> = offer
        .media
        .iter()
        .enumerate()
        .map(|(index, offered)| answer_section(config, index, offer, offered))
        .collect();
    let wanted = [MediaKind::Audio, MediaKind::Video].map(|kind| best(&answers, &kind));
    let mut accepted: Vec<Accepted<'_>> = { answers.into_iter().zip(&offer.media).enumerate() }
        .filter(|(index, _)| wanted.contains(&Some(*index)))
        .filter_map(|(_, (answered, offered))| Some((answered?, offered)))
        .map(|((section, negotiated), offered)| (section, negotiated, offered))
        .collect();
    let bundle = bundle::of_offer(config, offer, &accepted);
    if bundle.is_none() {
        // Outside of a group those have no address (RFC 9143 §7.3.3).
        accepted.retain(|(.., offered)| !offered.bundle_only);
        accepted.iter_mut().for_each(bundle::leave_names_out);
    }
    local.media = offer.media.iter().map(rejected).collect();
    let mut media = Vec::new();
    for (section, negotiated, _) in accepted {
        if let Some(place) = local.media.get_mut(negotiated.media.mline_index) {
            *place = section;
        }
        media.push(negotiated);
    }
    if let Some(kind) = &bundle {
        bundle::share(&mut media, kind);
        local.groups = vec![bundle::group(&local.media, kind)];
        let ports = config.media(kind).map(|media| media.ports.rtp);
        let shared = local.media.iter_mut().filter(|one| !one.is_rejected());
        for section in shared {
            section.port = ports.unwrap_or(section.port);
            (section.rtcp_mux, section.rtcp) = (true, None);
        }
    }
    media.iter().try_for_each(check_address)?;
    Ok(NegotiatedRtp {
        local,
        media,
        bundle,
    })
}

type Answered = (MediaSection, NegotiatedRtpMedia);

fn best(answers: &[Option<Answered>], kind: &MediaKind) -> Option<usize> {
    let media = answers.iter().flatten().map(|(_, media)| media);
    let media = media.filter(|media| media.media.kind == *kind);
    // Of equals `min_by_key` takes the first.
    let best = media.min_by_key(|media| (media.keys.is_none(), media.target.rtp_port == 0));
    best.map(|media| media.media.mline_index)
}

/// A group of receivers is joined, not sent to by one of them: an answer with another port would be one
/// that nobody sends to.
pub(super) fn check_address(media: &NegotiatedRtpMedia) -> Result<(), SdpError> {
    let connection = media.target.connection.as_ref();
    let address = connection.map(|connection| connection.address.as_str());
    let address = address.and_then(|text| text.split('/').next()?.parse().ok());
    match address {
        Some(address) if is_multicast(address) => Err(SdpError::NoCommonTransport {
            mline_index: media.media.mline_index,
            reason: "its c= line is a multicast group, which is not supported: have the sender send to one address",
        }),
        _ => Ok(()),
    }
}

fn is_multicast(address: std::net::IpAddr) -> bool {
    address.is_multicast()
}

fn answer_section(
    config: &RtpConfig,
    mline_index: usize,
    offer: &SessionDescription,
    offered: &MediaSection,
) -> Option<Answered> {
    let local = config.media(&offered.kind)?;
    if offered.is_rejected() {
        return None;
    }
    let protection = keys::of_offered(config, offered)?;
    let accepted = local.answering();
    let formats = codecs::supported_formats(&accepted, Features::default(), offered);
    let (codecs, events) = codecs::sound_and_events(&formats);
    if codecs.is_empty() {
        return None;
    }
    let mut section = continued(offered, local.ports.rtp);
    section.direction = offered.direction.reversed();
    section.extmaps =
        codecs::supported_extensions(&accepted, Features::default(), offered, &formats);
    section.rtcp_mux = local.rtcp_mux && offered.rtcp_mux;
    section.rtcp = (!section.rtcp_mux).then(|| rtcp(local));
    section.bandwidths = bandwidths(&local.media);
    section.setup = offered.setup.and(Some(Setup::Active));
    sources::announce(&mut section, &local.media, false);
    section.codecs = formats;
    let target = MediaTarget::of(offer, offered);
    let learns = matches!(target.initiator, Some(Initiator::Active | Initiator::Both));
    section.attributes = answered_attributes(&protection, learns, offered);
    let media = NegotiatedMedia {
        codecs,
        events,
        ..NegotiatedMedia::of_sections(mline_index, &section, offered)
    };
    let negotiated = negotiated(media, target, learns, &section, offered, protection);
    Some((section, negotiated))
}

fn answered_attributes(
    protection: &Protection,
    learns: bool,
    offered: &MediaSection,
) -> Vec<Attribute> {
    let mut attributes = Vec::new();
    if let Protection::Keys(keys) = protection {
        attributes.push(keys::attribute(&keys.local));
    }
    if learns {
        attributes.push(Attribute::with_value("direction", "passive"));
    }
    attributes.extend(echoed(&offered.attributes, &ECHOED_ATTRIBUTES));
    attributes
}

/// An accepted section whose codecs have the same numbers in both directions.
fn negotiated(
    media: NegotiatedMedia,
    target: MediaTarget,
    learns: bool,
    section: &MediaSection,
    offered: &MediaSection,
    protection: Protection,
) -> NegotiatedRtpMedia {
    NegotiatedRtpMedia {
        sent: media.codecs.clone(),
        sent_events: media.events.clone(),
        media,
        target,
        feedback: has_feedback(&section.protocol),
        rtcp_mux: section.rtcp_mux,
        learns,
        packet_time: packet_time(offered),
        keys: match protection {
            Protection::Plain => None,
            Protection::Keys(keys) => Some(keys),
        },
    }
}

pub(super) fn packet_time(section: &MediaSection) -> Option<u64> {
    let time = section.packet_time()?;
    u64::try_from(time.as_millis())
        .ok()
        .filter(|time| *time > 0)
}

pub(super) fn has_feedback(protocol: &Protocol) -> bool {
    matches!(protocol, Protocol::RtpAvpf | Protocol::RtpSavpf)
}

/// Port 0 with all that was offered, as Kurento writes it.
fn rejected(offered: &MediaSection) -> MediaSection {
    let types = offered.codecs.iter().map(|codec| codec.payload_type);
    let mut codecs: Vec<Codec> = types.map(Codec::unmapped).collect();
    let mut formats = offered.formats.clone();
    if codecs.is_empty() && formats.is_empty() {
        match offered.protocol.is_rtp() {
            true => codecs.push(Codec::unmapped(0)),
            false => formats.push("0".to_owned()),
        }
    }
    MediaSection {
        direction: Direction::Inactive,
        codecs,
        formats,
        ..continued(offered, 0)
    }
}
