//! What a peer's description leaves out, as far as the rest of it or our own offer tells.
//!
//! Gateways and scripts between the peer and us drop lines: `a=mid`, `a=group`, a whole section.
//! The peer itself still means what it wrote, so each is put back where only one thing can be
//! meant.

use std::borrow::Cow;

use crate::{Candidate, Group, MediaSection, SdpError, SessionDescription};

/// An offer whose sections have the mids that its groups name. Only when there are as many sections
/// without one as names without a section is it clear which is whose: groups list sections in the
/// order of their m= lines, as far as anybody has been seen to write them.
pub(super) fn complete_offer(offer: &SessionDescription) -> Cow<'_, SessionDescription> {
    let nameless = offer.media.iter().filter(|section| section.mid.is_none());
    let nameless = nameless.count();
    let mut unclaimed: Vec<&String> = Vec::new();
    for mid in offer.bundles().flat_map(|group| &group.mids) {
        if offer.mline_index(mid).is_none() && !unclaimed.contains(&mid) {
            unclaimed.push(mid);
        }
    }
    if unclaimed.is_empty() || unclaimed.len() != nameless {
        return Cow::Borrowed(offer);
    }
    let mut complete = offer.clone();
    let nameless = complete.media.iter_mut();
    let nameless = nameless.filter(|section| section.mid.is_none());
    for (section, mid) in nameless.zip(unclaimed) {
        section.mid = Some(mid.clone());
    }
    Cow::Owned(complete)
}

/// The answer with a section for each of the offer: one that is left out is a rejected one.
///
/// # Errors
/// [`SdpError::SectionCount`] for an answer with more sections than were offered, or with none;
/// [`SdpError::SectionMismatch`] for a section that continues none of the offer's.
pub(super) fn complete_answer(
    offer: &SessionDescription,
    answer: &SessionDescription,
) -> Result<SessionDescription, SdpError> {
    let (offered, answered) = (offer.media.len(), answer.media.len());
    if answered > offered || (answered == 0 && offered > 0) {
        return Err(SdpError::SectionCount { offered, answered });
    }
    let mut complete = answer.clone();
    if answered < offered {
        complete.media = with_rejected(offer, &answer.media)?;
    }
    for (section, offered) in complete.media.iter_mut().zip(&offer.media) {
        if section.mid.is_none() {
            section.mid.clone_from(&offered.mid);
        }
    }
    // A group of which no section has the name is as good as none.
    let is_named = |group: &Group| {
        let mut mids = group.mids.iter();
        mids.any(|mid| complete.mline_index(mid).is_some())
    };
    if !complete.bundles().any(is_named) {
        complete.groups.extend(shared_transport(offer, &complete));
    }
    Ok(complete)
}

/// Finds each section its place: by its mid, else as the next of its kind.
fn with_rejected(
    offer: &SessionDescription,
    answered: &[MediaSection],
) -> Result<Vec<MediaSection>, SdpError> {
    let left_out = |offered: &MediaSection| MediaSection {
        mid: offered.mid.clone(),
        ..MediaSection::new(offered.kind.clone(), 0, offered.protocol.clone())
    };
    let mut media: Vec<MediaSection> = offer.media.iter().map(left_out).collect();
    let mut taken: Vec<usize> = Vec::new();
    for (mline_index, section) in answered.iter().enumerate() {
        let place = match &section.mid {
            Some(mid) => offer.mline_index(mid),
            None => {
                let mut places = offer.media.iter().enumerate();
                let next = places.find(|(index, offered)| {
                    offered.kind == section.kind && !taken.contains(index)
                });
                next.map(|(index, _)| index)
            }
        };
        let place = place.filter(|place| !taken.contains(place));
        let slot = place.and_then(|place| media.get_mut(place));
        let (Some(place), Some(slot)) = (place, slot) else {
            return Err(SdpError::SectionMismatch {
                mline_index,
                reason: "it was not offered",
            });
        };
        taken.push(place);
        *slot = section.clone();
    }
    Ok(media)
}

/// The bundle of an answer without `a=group`: sections that the offer bundled and that have the
/// same ICE credentials are the same agent's (RFC 8839 §5.4). A peer that does not bundle may have
/// its credentials at the session level for all of its transports; then it has other addresses for
/// each section.
fn shared_transport(offer: &SessionDescription, answer: &SessionDescription) -> Option<Group> {
    let offered = offer.bundles().next()?;
    let mut members = answer.media.iter().filter(|section| {
        let mid = section.mid.as_ref();
        section.port != 0 && mid.is_some_and(|mid| offered.mids.contains(mid))
    });
    let first = members.next()?;
    let ice = first.ice.as_ref()?;
    let shares = |section: &&MediaSection| {
        section.ice.as_ref().is_none_or(|other| other == ice)
            && (section.candidates.is_empty() || same_addresses(section, first))
    };
    let others: Vec<&MediaSection> = members.filter(shares).collect();
    if others.is_empty() {
        return None;
    }
    let members = std::iter::once(first).chain(others);
    Some(Group {
        semantics: offered.semantics.clone(),
        mids: members.filter_map(|section| section.mid.clone()).collect(),
    })
}

fn same_addresses(section: &MediaSection, other: &MediaSection) -> bool {
    let address = |candidate: &Candidate| (candidate.address.clone(), candidate.port);
    let known: Vec<_> = other.candidates.iter().map(address).collect();
    let mut addresses = section.candidates.iter().map(address);
    addresses.all(|address| known.contains(&address))
}

#[cfg(test)]
#[path = "completion_tests.rs"]
mod tests;
