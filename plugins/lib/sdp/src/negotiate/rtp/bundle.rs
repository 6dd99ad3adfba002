//! Sections that share the transport of one of them (BUNDLE, RFC 9143).

use super::{NegotiatedRtpMedia, RtpConfig};
use crate::{Group, MediaKind, MediaSection, SessionDescription, extension_uri};

/// Accepted sections: the one of our description, what it settles, and that of the peer's.
pub(super) type Accepted<'a> = (MediaSection, NegotiatedRtpMedia, &'a MediaSection);

/// The kind of media whose transport all accepted sections of an offer may share; `None` where each needs its own.
pub(super) fn of_offer(
    config: &RtpConfig,
    offer: &SessionDescription,
    accepted: &[Accepted<'_>],
) -> Option<MediaKind> {
    if !config.bundle || accepted.len() < 2 {
        return None;
    }
    let local = accepted.iter().map(|(section, ..)| section);
    let group = common(offer, local.clone())?;
    // The first one that has an address speaks for all (RFC 9143 §7.3.1).
    let is_tagged = |mid: &String| {
        let mut accepted = accepted.iter();
        accepted
            .find(|(section, _, offered)| section.mid.as_ref() == Some(mid) && !offered.bundle_only)
    };
    let (_, tagged, _) = group.mids.iter().find_map(is_tagged)?;
    let suite = |media: &NegotiatedRtpMedia| media.keys.as_ref().map(|keys| keys.local.suite);
    let mut media = accepted.iter().map(|(_, media, _)| media);
    // There is one port for both (RFC 9143 §9.3), and there is one protection.
    let is_alike = media.all(|media| suite(media) == suite(tagged));
    (tagged.rtcp_mux && is_alike && are_told_apart(local)).then(|| tagged.media.kind.clone())
}

/// The same of an answer to an own later offer, which has the group of the session.
pub(super) fn of_answer(
    offer: &SessionDescription,
    answer: &SessionDescription,
    media: &[NegotiatedRtpMedia],
) -> Option<MediaKind> {
    let sections = |description: &SessionDescription| -> Vec<MediaSection> {
        let indexes = media.iter().map(|media| media.media.mline_index);
        let sections = indexes.filter_map(|index| description.media.get(index).cloned());
        sections.collect()
    };
    let (ours, theirs) = (sections(offer), sections(answer));
    common(offer, ours.iter())?;
    let group = common(answer, theirs.iter())?;
    let named = |mid: &String| {
        let mut media = media.iter();
        media.find(|media| media.media.mid.as_ref() == Some(mid))
    };
    let tagged = group.mids.iter().find_map(named)?;
    (media.len() > 1 && tagged.rtcp_mux).then(|| tagged.media.kind.clone())
}

/// Has all sections go by the transport of one.
pub(super) fn share(media: &mut [NegotiatedRtpMedia], kind: &MediaKind) {
    let mut tagged = media.iter().filter(|media| media.media.kind == *kind);
    let Some(tagged) = tagged.next().cloned() else {
        return;
    };
    for media in media {
        media.target.clone_from(&tagged.target);
        media.keys.clone_from(&tagged.keys);
        (media.learns, media.rtcp_mux) = (tagged.learns, tagged.rtcp_mux);
    }
}

/// The group of the answer, its first member the one whose transport it is (RFC 9143 §7.3.2).
pub(super) fn group(sections: &[MediaSection], kind: &MediaKind) -> Group {
    let of = |is_tagged: bool| {
        let sections = sections.iter().filter(|section| !section.is_rejected());
        let sections = sections.filter(move |section| (section.kind == *kind) == is_tagged);
        sections.filter_map(|section| section.mid.clone())
    };
    Group {
        semantics: "BUNDLE".to_owned(),
        mids: of(true).chain(of(false)).collect(),
    }
}

/// Sections with ports of their own need no names on their packets.
pub(super) fn leave_names_out((section, negotiated, _): &mut Accepted<'_>) {
    let extmaps = [&mut section.extmaps, &mut negotiated.media.extensions];
    for extmaps in extmaps {
        extmaps.retain(|extmap| extmap.uri != extension_uri::MID);
    }
}

/// The group that all of these sections are in.
fn common<'a>(
    description: &'a SessionDescription,
    sections: impl Iterator<Item = &'a MediaSection> + Clone,
) -> Option<&'a Group> {
    description.bundles().find(|group| {
        let mut mids = sections.clone().map(|section| section.mid.as_ref());
        mids.all(|mid| mid.is_some_and(|mid| group.mids.contains(mid)))
    })
}

/// Whether no payload type means something in two sections (RFC 9143 §9.1): not every peer names sections on its packets.
fn are_told_apart<'a>(sections: impl Iterator<Item = &'a MediaSection>) -> bool {
    let mut known: Vec<u8> = Vec::new();
    for section in sections {
        let types: Vec<u8> = { section.codecs.iter() }
            .map(|codec| codec.payload_type)
            .collect();
        if types.iter().any(|number| known.contains(number)) {
            return false;
        }
        known.extend(types);
    }
    true
}
