//! Which sections share a transport, and what the peer says about each transport.

use super::{DtlsRole, NegotiatedTransport};
use crate::{Candidate, Group, IceCredentials, MediaSection, SdpError, SessionDescription, Setup};

/// Sections of one transport.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TransportGroup {
    /// Accepted sections by m= line, in their order.
    pub(super) accepted: Vec<usize>,
    /// The BUNDLE group they are in, by position among the BUNDLE groups.
    bundle: Option<usize>,
}

/// Distributes the accepted sections: one transport for each BUNDLE group (RFC 9143 §7.3), one for
/// each section outside.
pub(super) fn group_by_bundle(
    description: &SessionDescription,
    accepted: &[usize],
) -> Vec<TransportGroup> {
    let bundles: Vec<&Group> = description.bundles().collect();
    let mut groups: Vec<TransportGroup> = Vec::new();
    for index in accepted {
        let mid = description
            .media
            .get(*index)
            .and_then(|section| section.mid.as_ref());
        let bundle = mid.and_then(|mid| bundles.iter().position(|group| group.mids.contains(mid)));
        let shared = groups
            .iter_mut()
            .find(|group| bundle.is_some() && group.bundle == bundle);
        match shared {
            Some(group) => group.accepted.push(*index),
            None => groups.push(TransportGroup {
                accepted: vec![*index],
                bundle,
            }),
        }
    }
    groups
}

/// Whether the section may be used: a bundle-only one needs its group (RFC 9143 §7.3.1).
pub(super) fn is_usable(description: &SessionDescription, section: &MediaSection) -> bool {
    let in_bundle = section
        .mid
        .as_ref()
        .is_some_and(|mid| description.bundles().any(|group| group.mids.contains(mid)));
    !section.is_rejected() && (!section.bundle_only || in_bundle)
}

impl TransportGroup {
    /// What the remote description says about this transport. Sections of a bundle need not
    /// repeat it, so the first one that has credentials or fingerprints speaks for all; rejected
    /// members of the bundle come last.
    pub(super) fn negotiate(
        self,
        remote: &SessionDescription,
        local_ice: IceCredentials,
        role: impl Fn(Option<Setup>) -> DtlsRole,
    ) -> Result<NegotiatedTransport, SdpError> {
        let sections = self.sections(remote);
        let error = |reason| SdpError::NoCommonTransport {
            mline_index: self.accepted.first().copied().unwrap_or_default(),
            reason,
        };
        let remote_ice = sections
            .iter()
            .find_map(|section| section.ice.clone())
            .ok_or_else(|| error("a=ice-ufrag or a=ice-pwd is missing"))?;
        let remote_fingerprints = sections
            .iter()
            .map(|section| &section.fingerprints)
            .find(|fingerprints| !fingerprints.is_empty())
            .ok_or_else(|| error("a=fingerprint is missing"))?;
        let setup = sections.iter().find_map(|section| section.setup);
        let accepted = sections
            .get(..self.accepted.len())
            .unwrap_or(sections.as_slice());
        Ok(NegotiatedTransport {
            bundled: self.bundle.is_some(),
            continues: None,
            restarts_ice: false,
            ended: false,
            local_ice,
            remote_ice,
            remote_trickle: sections
                .iter()
                .any(|section| section.ice_options.iter().any(|word| word == "trickle")),
            remote_candidates: candidates(accepted),
            remote_end_of_candidates: accepted.iter().any(|section| section.end_of_candidates),
            remote_fingerprints: remote_fingerprints.clone(),
            role: role(setup),
            mline_indexes: self.accepted,
        })
    }

    /// The accepted sections, then the other members of the bundle.
    fn sections<'a>(&self, remote: &'a SessionDescription) -> Vec<&'a MediaSection> {
        let bundle = self
            .bundle
            .and_then(|position| remote.bundles().nth(position));
        let others = bundle
            .into_iter()
            .flat_map(|group| &group.mids)
            .filter_map(|mid| remote.mline_index(mid))
            .filter(|index| !self.accepted.contains(index));
        self.accepted
            .iter()
            .copied()
            .chain(others)
            .filter_map(|index| remote.media.get(index))
            .collect()
    }
}

/// Candidates of component 1, each once: bundled sections often repeat them.
fn candidates(sections: &[&MediaSection]) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for candidate in sections.iter().flat_map(|section| &section.candidates) {
        if candidate.component == 1 && !candidates.contains(candidate) {
            candidates.push(candidate.clone());
        }
    }
    candidates
}
