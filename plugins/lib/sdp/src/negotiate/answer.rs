//! Answering an offer.

use super::{
    DATA_CHANNEL_FORMAT, DtlsRole, LocalConfig, LocalMedia, Negotiated, NegotiatedMedia,
    NegotiatedTransport, codecs,
    completion::complete_offer,
    continuity::Continuity,
    local::{PLACEHOLDER_PORT, bandwidths, rtcp_placeholder, session, write_transport},
    outcome::shared_transport,
    sources,
    transport::{group_by_bundle, is_usable},
};
use crate::{
    Attribute, Codec, Direction, Group, MediaKind, MediaSection, Protocol, SdpError,
    SessionDescription, Setup,
};

/// Media attributes that an answer repeats, as Kurento does, because they describe the format both
/// use.
pub(super) const ECHOED_ATTRIBUTES: [&str; 5] =
    ["framerate", "lang", "maxptime", "ptime", "quality"];

/// Makes the answer to a peer's first offer.
///
/// Sections that cannot be used are rejected with port 0; an offer of which nothing can be used is
/// no error, as it is none for Kurento.
///
/// # Errors
/// [`SdpError::NoCommonTransport`] when a section that would be accepted lacks ICE credentials or
/// a fingerprint.
pub fn answer(config: &LocalConfig, offer: &SessionDescription) -> Result<Negotiated, SdpError> {
    answer_after(config, None, offer)
}

/// Makes the answer to a later offer of the session that `previous` settled.
///
/// Media and transports go on where the offer allows it (see [`NegotiatedTransport::continues`]),
/// except for those that have [ended](NegotiatedTransport::ended).
/// The credentials of `config` are for what begins anew, an ICE restart included, and have to be
/// fresh.
///
/// # Errors
/// As for [`answer`].
pub fn answer_again(
    config: &LocalConfig,
    previous: &Negotiated,
    offer: &SessionDescription,
) -> Result<Negotiated, SdpError> {
    answer_after(config, Some(previous), offer)
}

fn answer_after(
    config: &LocalConfig,
    previous: Option<&Negotiated>,
    offer: &SessionDescription,
) -> Result<Negotiated, SdpError> {
    let offer = complete_offer(offer).into_owned();
    let offer = &offer;
    let mut local = session(config);
    local.extmap_allow_mixed = offer.extmap_allow_mixed;
    local.attributes = echoed(&offer.attributes, &["msid-semantic"]);
    let answers = offer.media.iter().enumerate().map(|(index, offered)| {
        let usable =
            is_usable(offer, offered) && (!offered.kind.is_rtp() || is_muxed(offer, offered));
        let section = usable.then(|| answer_section(config, index, offered));
        section.flatten()
    });
    let answers: Vec<_> = answers.collect();
    let wanted = wanted_sections(previous, offer, &answers);
    let only_receives = |index: usize| {
        let mut paired = wanted.iter().filter(|one| one.sending.is_some());
        paired.any(|one| one.best == index)
    };
    let mut media: Vec<NegotiatedMedia> = Vec::new();
    let mut idle: Vec<(usize, &MediaSection)> = Vec::new();
    for (index, (answered, offered)) in answers.into_iter().zip(&offer.media).enumerate() {
        match answered {
            Some((mut section, mut negotiated)) if wanted.iter().any(|one| one.has(index)) => {
                if only_receives(index) {
                    // The other section of its kind sends, and an SSRC is in one of them.
                    sources::withdraw(&mut section);
                    (negotiated.local_ssrc, negotiated.local_rtx_ssrc) = (None, None);
                }
                local.media.push(section);
                media.push(negotiated);
            }
            Some((section, _)) if may_idle(previous, index, offered) => {
                idle.push((index, offered));
                local.media.push(section);
            }
            _ => local.media.push(rejected(offered)),
        }
    }
    let transports = transports(config, previous, offer, &media)?;
    for (position, transport) in transports.iter().enumerate() {
        enter_transport(config, &mut local, &mut media, position, transport);
    }
    for (index, offered) in idle {
        let transport = shared_transport(offer, &media, offered);
        let transport = transport.and_then(|position| transports.get(position));
        if let Some(section) = local.media.get_mut(index) {
            // Outside of a bundle it would need a transport of its own, for nothing.
            *section = match transport {
                Some(transport) => idle_section(config, section, transport),
                None => rejected(offered),
            };
        }
    }
    local.groups = answered_bundles(offer, &local);
    Ok(Negotiated {
        local,
        media,
        transports,
        remote_ice_lite: offer.is_ice_lite(),
        remote_origin: offer.origin.clone(),
    })
}

/// Whether RTCP shares the port of RTP: there is one component for each transport here (RFC 5761).
/// A bundle has one for all, whether each section repeats it or not.
fn is_muxed(offer: &SessionDescription, offered: &MediaSection) -> bool {
    let sections = offer.media.iter().filter(|section| section.rtcp_mux);
    let mut muxed = sections.filter_map(|section| section.mid.as_ref());
    let with = |mid: &String| {
        let mut bundles = offer.bundles().filter(|group| group.mids.contains(mid));
        bundles.any(|group| {
            offered
                .mid
                .as_ref()
                .is_some_and(|own| group.mids.contains(own))
        })
    };
    offered.rtcp_mux || muxed.any(with)
}

type Answered = Option<(MediaSection, NegotiatedMedia)>;

/// What carries a kind of media.
struct Wanted {
    best: usize,
    /// Where the peer only sends on the best one: the section on which it is sent to.
    sending: Option<usize>,
}

impl Wanted {
    fn has(&self, index: usize) -> bool {
        self.best == index || self.sending == Some(index)
    }
}

/// One acceptable section of each kind: rather not one that is switched off (`a=inactive`); of the
/// others one on which the peer sends, since a page that had only watched adds its camera as a
/// section behind; of those the one that was taken before, else the first. Where the peer only sends
/// on it, one on which it only receives is taken beside it: the page goes on watching.
fn wanted_sections(
    previous: Option<&Negotiated>,
    offer: &SessionDescription,
    answers: &[Answered],
) -> Vec<Wanted> {
    let direction = |media: &NegotiatedMedia| {
        let section = offer.media.get(media.mline_index);
        section.map(|section| section.direction).unwrap_or_default()
    };
    let is_known = |media: &NegotiatedMedia| {
        previous.is_some_and(|previous| previous.section_like(media).is_some())
    };
    let of_kind = |kind: &MediaKind| {
        let kind = kind.clone();
        let candidates = answers.iter().flatten().map(|(_, media)| media);
        candidates.filter(move |media| media.kind == kind)
    };
    let best = |kind: MediaKind| {
        // Of equals `min_by_key` takes the first.
        let best = of_kind(&kind).min_by_key(|media| {
            let direction = direction(media);
            let off = direction == Direction::Inactive;
            (off, !direction.sends(), !is_known(media))
        })?;
        let beside = |media: &&NegotiatedMedia| {
            direction(media) == Direction::RecvOnly && share_bundle(offer, best, media)
        };
        let sending = of_kind(&kind)
            .filter(|_| direction(best) == Direction::SendOnly)
            .filter(beside)
            .min_by_key(|media| !is_known(media));
        Some(Wanted {
            best: best.mline_index,
            sending: sending.map(|media| media.mline_index),
        })
    };
    let kinds = [MediaKind::Audio, MediaKind::Video, MediaKind::Application];
    kinds.into_iter().filter_map(best).collect()
}

fn share_bundle(
    offer: &SessionDescription,
    one: &NegotiatedMedia,
    other: &NegotiatedMedia,
) -> bool {
    let (Some(one), Some(other)) = (&one.mid, &other.mid) else {
        return false;
    };
    let mut bundles = offer.bundles();
    bundles.any(|group| group.mids.contains(one) && group.mids.contains(other))
}

/// Whether a section that is not wanted is idle rather than rejected, see the head of the module.
fn may_idle(previous: Option<&Negotiated>, index: usize, offered: &MediaSection) -> bool {
    let before = previous.and_then(|previous| previous.local.media.get(index));
    let was_accepted =
        before.is_some_and(|before| before.kind == offered.kind && !before.is_rejected());
    offered.kind.is_rtp() && (was_accepted || offered.direction == Direction::Inactive)
}

/// A section of a bundle that carries nothing.
fn idle_section(
    config: &LocalConfig,
    answered: &MediaSection,
    transport: &NegotiatedTransport,
) -> MediaSection {
    let mut section = MediaSection {
        direction: Direction::Inactive,
        sources: Vec::new(),
        source_groups: Vec::new(),
        rids: Vec::new(),
        simulcast: None,
        ..answered.clone()
    };
    let setup = Setup::from(transport.role);
    write_transport(&mut section, config, &transport.local_ice, setup);
    section
}

fn answer_section(
    config: &LocalConfig,
    mline_index: usize,
    offered: &MediaSection,
) -> Option<(MediaSection, NegotiatedMedia)> {
    // A peer that holds the connection opens no DTLS association (RFC 4145 §4).
    if offered.setup == Some(Setup::HoldConn) {
        return None;
    }
    match &offered.kind {
        MediaKind::Audio | MediaKind::Video => {
            let local = config.media(&offered.kind)?;
            answer_rtp(config, local, mline_index, offered)
        }
        MediaKind::Application => answer_data(config, mline_index, offered),
        MediaKind::Other(_) => None,
    }
}

fn answer_rtp(
    config: &LocalConfig,
    local: &LocalMedia,
    mline_index: usize,
    offered: &MediaSection,
) -> Option<(MediaSection, NegotiatedMedia)> {
    let formats = codecs::supported_formats(local, config.features, offered);
    let (codecs, events) = codecs::sound_and_events(&formats);
    if !offered.protocol.is_dtls_srtp() || codecs.is_empty() {
        return None;
    }
    let mut section = continued(offered, PLACEHOLDER_PORT);
    section.direction = offered.direction.reversed();
    section.extmaps = codecs::supported_extensions(local, config.features, offered, &formats);
    section.rtcp = Some(rtcp_placeholder());
    section.rtcp_mux = true;
    section.rtcp_rsize = config.features.reduced_size_rtcp && offered.rtcp_rsize;
    section.bandwidths = bandwidths(local);
    section.attributes = echoed(&offered.attributes, &ECHOED_ATTRIBUTES);
    let receive_rids = sources::accept_simulcast(&mut section, config.features, offered);
    let rtx = codecs.iter().any(|codec| codec.rtx_payload_type.is_some());
    sources::announce(&mut section, local, rtx);
    section.codecs = formats;
    let media = NegotiatedMedia {
        codecs,
        events,
        receive_rids,
        ..NegotiatedMedia::of_sections(mline_index, &section, offered)
    };
    Some((section, media))
}

fn answer_data(
    config: &LocalConfig,
    mline_index: usize,
    offered: &MediaSection,
) -> Option<(MediaSection, NegotiatedMedia)> {
    let data = config.data?;
    let is_old = offered.protocol == Protocol::DtlsSctp;
    let is_data_channel = is_old || offered.formats.iter().any(|f| f == DATA_CHANNEL_FORMAT);
    if !offered.protocol.is_sctp() || !is_data_channel {
        return None;
    }
    let mut section = continued(offered, PLACEHOLDER_PORT);
    let port = offered.sctp_port?;
    section.formats = vec![if is_old {
        port.to_string()
    } else {
        DATA_CHANNEL_FORMAT.to_owned()
    }];
    section.sctp_port = Some(port);
    section.max_message_size = data.max_message_size;
    let media = NegotiatedMedia::of_sections(mline_index, &section, offered);
    Some((section, media))
}

/// The start of a section that answers `offered`.
pub(super) fn continued(offered: &MediaSection, port: u16) -> MediaSection {
    MediaSection {
        mid: offered.mid.clone(),
        ..MediaSection::new(offered.kind.clone(), port, offered.protocol.clone())
    }
}

/// Port 0 with the first offered format (RFC 3264 §6 wants at least one).
fn rejected(offered: &MediaSection) -> MediaSection {
    let mut section = MediaSection {
        direction: Direction::Inactive,
        formats: offered.formats.first().cloned().into_iter().collect(),
        ..continued(offered, 0)
    };
    if section.protocol.is_rtp() {
        // Any will do for an m= line of which no format could be read.
        let first = offered.codecs.first().map_or(0, |codec| codec.payload_type);
        section.codecs = vec![Codec::unmapped(first)];
    } else if section.formats.is_empty() {
        section.formats.push("0".to_owned());
    }
    section
}

pub(super) fn echoed(attributes: &[Attribute], names: &[&str]) -> Vec<Attribute> {
    attributes
        .iter()
        .filter(|attribute| names.contains(&attribute.name.as_str()) && may_be_echoed(attribute))
        .cloned()
        .collect()
}

/// Whether the value follows the attribute's grammar (RFC 8866 §6): what the peer garbled is not
/// written again.
fn may_be_echoed(attribute: &Attribute) -> bool {
    let value = attribute.value.as_deref().unwrap_or_default().trim();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match attribute.name.as_str() {
        "framerate" | "maxptime" | "ptime" => {
            let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
            digits(whole) && digits(fraction)
        }
        "quality" => digits(value),
        "lang" => !value.is_empty() && !value.contains(char::is_whitespace),
        _ => !value.is_empty(),
    }
}

fn transports(
    config: &LocalConfig,
    previous: Option<&Negotiated>,
    offer: &SessionDescription,
    media: &[NegotiatedMedia],
) -> Result<Vec<NegotiatedTransport>, SdpError> {
    let accepted: Vec<usize> = media.iter().map(|media| media.mline_index).collect();
    let mut continuity = Continuity::of(previous, &offer.origin);
    // There are as many credentials as kinds of media, so every group gets its own.
    group_by_bundle(offer, &accepted)
        .into_iter()
        .zip(&config.transport.ice)
        .map(|(group, ice)| {
            let transport = group.negotiate(offer, ice.clone(), answering_role)?;
            Ok(continuity.answered(transport, media))
        })
        .collect()
}

/// RFC 8842 §5.3: the answerer of actpass opens the association, which saves a round trip.
fn answering_role(offered: Option<Setup>) -> DtlsRole {
    match offered {
        Some(Setup::Active) => DtlsRole::Passive,
        _ => DtlsRole::Active,
    }
}

fn enter_transport(
    config: &LocalConfig,
    local: &mut SessionDescription,
    media: &mut [NegotiatedMedia],
    position: usize,
    transport: &NegotiatedTransport,
) {
    for index in &transport.mline_indexes {
        if let Some(section) = local.media.get_mut(*index) {
            let setup = Setup::from(transport.role);
            write_transport(section, config, &transport.local_ice, setup);
        }
        for media in media.iter_mut().filter(|media| media.mline_index == *index) {
            media.transport = position;
        }
    }
}

/// The offered BUNDLE groups without the sections that were rejected (RFC 9143 §7.3.2).
fn answered_bundles(offer: &SessionDescription, local: &SessionDescription) -> Vec<Group> {
    let accepted = |mid: &&String| {
        local
            .mline_index(mid)
            .and_then(|index| local.media.get(index))
            .is_some_and(|section| !section.is_rejected())
    };
    offer
        .bundles()
        .map(|group| Group {
            semantics: group.semantics.clone(),
            mids: group.mids.iter().filter(accepted).cloned().collect(),
        })
        .collect()
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "stacks_tests.rs"]
mod stacks_tests;
