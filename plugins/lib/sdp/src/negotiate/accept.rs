//! Reading the answer to an own offer.

use super::{
    DtlsRole, Negotiated, NegotiatedMedia, NegotiatedTransport, codecs,
    completion::complete_answer,
    continuity::Continuity,
    transport::{TransportGroup, group_by_bundle},
};
use crate::{ExtMap, MediaKind, MediaSection, SdpError, SessionDescription, Setup};

/// What a peer's answer to `offer` (made by [`offer`](crate::offer())) settles. The local
/// description stays the offer.
///
/// Sections answered with port 0, or not at all, are not part of the result. Formats, extensions
/// and feedback that were not offered are ignored.
///
/// # Errors
/// [`SdpError::SectionCount`] and [`SdpError::SectionMismatch`] when the sections are not those of
/// the offer, [`SdpError::NoCommonTransport`] when an accepted one lacks ICE credentials or a
/// fingerprint.
pub fn accept_answer(
    offer: &SessionDescription,
    answer: &SessionDescription,
) -> Result<Negotiated, SdpError> {
    accept_after(None, offer, answer)
}

/// What the answer to a later offer (made by [`offer_again`](crate::offer_again())) settles, in
/// the session that `previous` settled before.
///
/// # Errors
/// As for [`accept_answer`].
pub fn accept_answer_again(
    previous: &Negotiated,
    offer: &SessionDescription,
    answer: &SessionDescription,
) -> Result<Negotiated, SdpError> {
    accept_after(Some(previous), offer, answer)
}

fn accept_after(
    previous: Option<&Negotiated>,
    offer: &SessionDescription,
    answer: &SessionDescription,
) -> Result<Negotiated, SdpError> {
    let answer = &complete_answer(offer, answer)?;
    let is_idle = |index| previous.is_some_and(|previous| previous.idle_transport(index).is_some());
    let mut media = Vec::new();
    for (mline_index, (offered, answered)) in offer.media.iter().zip(&answer.media).enumerate() {
        check_sections(mline_index, offered, answered)?;
        if answered.port != 0 && !offered.is_rejected() && !is_idle(mline_index) {
            media.push(accept_section(mline_index, offered, answered)?);
        }
    }
    let transports = transports(previous, offer, answer, &media)?;
    for media in &mut media {
        let carries =
            |transport: &NegotiatedTransport| transport.mline_indexes.contains(&media.mline_index);
        media.transport = transports.iter().position(carries).unwrap_or_default();
    }
    Ok(Negotiated {
        local: offer.clone(),
        media,
        transports,
        remote_ice_lite: answer.is_ice_lite(),
        remote_origin: answer.origin.clone(),
    })
}

fn check_sections(
    mline_index: usize,
    offered: &MediaSection,
    answered: &MediaSection,
) -> Result<(), SdpError> {
    let mismatch = |reason| SdpError::SectionMismatch {
        mline_index,
        reason,
    };
    if offered.kind != answered.kind {
        return Err(mismatch("another kind of media"));
    }
    if answered.mid.is_some() && answered.mid != offered.mid {
        return Err(mismatch("another mid"));
    }
    Ok(())
}

fn accept_section(
    mline_index: usize,
    offered: &MediaSection,
    answered: &MediaSection,
) -> Result<NegotiatedMedia, SdpError> {
    let mismatch = |reason| SdpError::SectionMismatch {
        mline_index,
        reason,
    };
    if answered.setup == Some(Setup::HoldConn) {
        return Err(SdpError::NoCommonTransport {
            mline_index,
            reason: "a=setup:holdconn opens no connection",
        });
    }
    let mut media = NegotiatedMedia::of_sections(mline_index, offered, answered);
    if offered.kind == MediaKind::Application {
        return match media.sctp {
            Some(_) => Ok(media),
            None => Err(mismatch("a=sctp-port is missing")),
        };
    }
    let common = codecs::common_formats(offered, answered);
    (media.codecs, media.events) = codecs::sound_and_events(&common);
    if media.codecs.is_empty() {
        return Err(mismatch("none of its formats was offered"));
    }
    media.extensions = common_extensions(offered, answered);
    if media
        .codecs
        .iter()
        .all(|codec| codec.rtx_payload_type.is_none())
    {
        media.local_rtx_ssrc = None;
    }
    Ok(media)
}

fn common_extensions(offered: &MediaSection, answered: &MediaSection) -> Vec<ExtMap> {
    offered
        .extmaps
        .iter()
        .filter(|extmap| answered.extension_id(&extmap.uri) == Some(extmap.id))
        .cloned()
        .collect()
}

fn transports(
    previous: Option<&Negotiated>,
    offer: &SessionDescription,
    answer: &SessionDescription,
    media: &[NegotiatedMedia],
) -> Result<Vec<NegotiatedTransport>, SdpError> {
    let accepted: Vec<usize> = media.iter().map(|media| media.mline_index).collect();
    let mut continuity = Continuity::of(previous, &answer.origin);
    group_by_bundle(answer, &accepted)
        .into_iter()
        .map(|group| continuity.accepted(accept_transport(offer, answer, group)?, media))
        .collect()
}

fn accept_transport(
    offer: &SessionDescription,
    answer: &SessionDescription,
    group: TransportGroup,
) -> Result<NegotiatedTransport, SdpError> {
    let mline_index = group.accepted.first().copied().unwrap_or_default();
    let local_ice = offer
        .media
        .get(mline_index)
        .and_then(|section| section.ice.clone())
        .ok_or(SdpError::NoCommonTransport {
            mline_index,
            reason: "the offer has no ICE credentials",
        })?;
    group.negotiate(answer, local_ice, answered_role)
}

/// The offer said actpass. An answer without a role, or with actpass, which RFC 8842 §5.3 forbids,
/// comes from old stacks that wait to be told; they open the association as RFC 4145 §4 says.
fn answered_role(answered: Option<Setup>) -> DtlsRole {
    match answered {
        Some(Setup::Passive) => DtlsRole::Active,
        _ => DtlsRole::Passive,
    }
}
