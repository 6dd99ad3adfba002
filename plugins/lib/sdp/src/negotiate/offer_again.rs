//! Making a later offer of a session.

use super::{
    LocalConfig, LocalMedia, Negotiated, NegotiatedMedia, OfferOptions,
    local::{PLACEHOLDER_PORT, bandwidths, session},
    offer::{PayloadTypes, data_section, offered_codecs, offered_extensions, rtp_section},
};
use crate::{
    Codec, Direction, ExtMap, Group, IceCredentials, MediaKind, MediaSection, SdpError,
    SessionDescription, Setup,
};

/// Makes an offer in a session that has been negotiated: the sections that there are, in their
/// order and with their payload types (RFC 9429 §5.2.2), then those that have become possible.
///
/// What `options` leave out is not received any more. With `restart_ice` every transport gets
/// credentials of `config`, which have to be fresh; those that have
/// [ended](crate::NegotiatedTransport::ended) get them in any case.
///
/// # Errors
/// [`SdpError::Configuration`] as for [`offer`](crate::offer()).
pub fn offer_again(
    config: &LocalConfig,
    previous: &Negotiated,
    options: OfferOptions,
    restart_ice: bool,
) -> Result<SessionDescription, SdpError> {
    let continued = Continued {
        config,
        previous,
        restart_ice,
    };
    let mut payload_types = PayloadTypes::default();
    for codec in previous.local.media.iter().flat_map(|media| &media.codecs) {
        payload_types.reserve(codec.payload_type);
    }
    let mut local = session(config);
    local.extmap_allow_mixed = previous.local.extmap_allow_mixed;
    for (index, section) in previous.local.media.iter().enumerate() {
        let media = previous
            .media
            .iter()
            .find(|media| media.mline_index == index);
        local.media.push(match media {
            Some(media) => continued.section(section, media, options, &mut payload_types)?,
            None => match previous.idle_transport(index) {
                Some(transport) => continued.unchanged(section, transport),
                None => rejected(section),
            },
        });
    }
    let added = continued.new_sections(options, &mut payload_types)?;
    local.groups = continued.groups(&added);
    local.media.extend(added);
    Ok(local)
}

/// What a later offer goes on from.
struct Continued<'a> {
    config: &'a LocalConfig,
    previous: &'a Negotiated,
    restart_ice: bool,
}

impl Continued<'_> {
    fn section(
        &self,
        section: &MediaSection,
        media: &NegotiatedMedia,
        options: OfferOptions,
        payload_types: &mut PayloadTypes,
    ) -> Result<MediaSection, SdpError> {
        let mut section = self.unchanged(section, media.transport);
        if let Some(local) = self.config.media(&media.kind) {
            let of_kind = self.previous.media.iter();
            let is_paired = of_kind.filter(|other| other.kind == media.kind).count() > 1;
            let possible = direction(local, &media.kind, options);
            // Each of two sections keeps to its direction.
            section.direction = match is_paired {
                true => section.direction.and(possible),
                false => possible,
            };
            section.bandwidths = bandwidths(local);
            self.add_codecs(&mut section, local, payload_types)?;
            self.add_extensions(&mut section, local)?;
        }
        Ok(section)
    }

    /// The section as it was, on the same transport.
    fn unchanged(&self, section: &MediaSection, transport: usize) -> MediaSection {
        MediaSection {
            port: PLACEHOLDER_PORT,
            setup: Some(Setup::ActPass),
            ice: self.credentials(transport),
            bundle_only: false,
            candidates: Vec::new(),
            end_of_candidates: false,
            connection: None,
            ..section.clone()
        }
    }

    fn credentials(&self, transport: usize) -> Option<IceCredentials> {
        let fresh = self.config.transport.ice.get(transport);
        let before = self.previous.transports.get(transport)?;
        if self.restart_ice || before.ended {
            fresh.cloned()
        } else {
            Some(before.local_ice.clone())
        }
    }

    /// Codecs that the session does not have yet.
    fn add_codecs(
        &self,
        section: &mut MediaSection,
        local: &LocalMedia,
        payload_types: &mut PayloadTypes,
    ) -> Result<(), SdpError> {
        let is_new = |codec: &&crate::CodecCapability| {
            !section.codecs.iter().any(|known| codec.supports(known))
        };
        let rest = LocalMedia {
            codecs: local.codecs.iter().filter(is_new).cloned().collect(),
            // Retransmission is offered for what has it.
            rtx_ssrc: None,
            ..local.clone()
        };
        let added = offered_codecs(self.config, &rest, payload_types)?;
        section.codecs.extend(added);
        Ok(())
    }

    /// Header extensions that the session does not have yet, under numbers it does not use.
    fn add_extensions(
        &self,
        section: &mut MediaSection,
        local: &LocalMedia,
    ) -> Result<(), SdpError> {
        for wanted in offered_extensions(self.config, local)? {
            if section.extension_id(&wanted.uri).is_some() {
                continue;
            }
            if let Some(id) = self.extension_id(section, &wanted) {
                section.extmaps.push(ExtMap { id, ..wanted });
            }
        }
        Ok(())
    }

    /// The number that another section gives the extension, else the wished or another free one.
    fn extension_id(&self, section: &MediaSection, wanted: &ExtMap) -> Option<u16> {
        let others = &self.previous.local.media;
        let known = others
            .iter()
            .find_map(|other| other.extension_id(&wanted.uri));
        let used = |id: &u16| {
            let own = section.extmaps.iter();
            let all = own.chain(others.iter().flat_map(|other| &other.extmaps));
            all.into_iter().any(|extmap| extmap.id == *id)
        };
        known.or_else(|| std::iter::once(wanted.id).chain(1..15).find(|id| !used(id)))
    }

    /// Sections for the kinds of media that the session has not, or no longer.
    fn new_sections(
        &self,
        options: OfferOptions,
        payload_types: &mut PayloadTypes,
    ) -> Result<Vec<MediaSection>, SdpError> {
        let mut added = Vec::new();
        for (kind, wanted) in [
            (MediaKind::Audio, options.audio),
            (MediaKind::Video, options.video),
        ] {
            let missing = wanted && self.previous.media_of(&kind).is_none();
            if let Some(media) = self.config.media(&kind).filter(|_| missing) {
                let mut section = rtp_section(self.config, kind, media, payload_types)?;
                section.extmaps.clear();
                self.add_extensions(&mut section, media)?;
                added.push(section);
            }
        }
        if self.previous.media_of(&MediaKind::Application).is_none() {
            added.extend(data_section(self.config));
        }
        let bundle = self
            .previous
            .transports
            .iter()
            .position(|transport| transport.bundled);
        let count = self.previous.transports.len();
        for (number, section) in added.iter_mut().enumerate() {
            let own = self.config.transport.ice.get(count + number);
            let shared = bundle.and_then(|bundle| self.credentials(bundle));
            section.ice = shared.or_else(|| own.cloned());
            section.mid = Some(self.free_mid(&section.kind));
        }
        Ok(added)
    }

    /// `video0`, or the next number that no section has used (RFC 9429 §5.2.2).
    fn free_mid(&self, kind: &MediaKind) -> String {
        let names = (0..).map(|number| format!("{kind}{number}"));
        let mut free = names.filter(|mid| self.previous.local.mline_index(mid).is_none());
        free.next().unwrap_or_default()
    }

    /// The bundles that there are, the first one with the new sections.
    fn groups(&self, added: &[MediaSection]) -> Vec<Group> {
        let mut groups: Vec<Group> = self.previous.local.bundles().cloned().collect();
        let accepted = |mid: &String| {
            let mut media = self.previous.media.iter();
            let index = self.previous.local.mline_index(mid);
            media.any(|media| media.mid.as_ref() == Some(mid))
                || index.is_some_and(|index| self.previous.idle_transport(index).is_some())
        };
        for group in &mut groups {
            group.mids.retain(accepted);
        }
        if let Some(first) = groups.first_mut() {
            first
                .mids
                .extend(added.iter().filter_map(|section| section.mid.clone()));
        }
        groups.retain(|group| !group.mids.is_empty());
        groups
    }
}

/// The direction of the configuration, without receiving what is not wanted.
fn direction(local: &LocalMedia, kind: &MediaKind, options: OfferOptions) -> Direction {
    let wanted = match kind {
        MediaKind::Audio => options.audio,
        _ => options.video,
    };
    match (wanted, local.direction.sends()) {
        (true, _) => local.direction,
        (false, true) => Direction::SendOnly,
        (false, false) => Direction::Inactive,
    }
}

/// A section that was rejected keeps its place.
fn rejected(section: &MediaSection) -> MediaSection {
    MediaSection {
        mid: section.mid.clone(),
        direction: Direction::Inactive,
        formats: section.formats.first().cloned().into_iter().collect(),
        codecs: section
            .codecs
            .first()
            .map(|codec| Codec::unmapped(codec.payload_type))
            .into_iter()
            .collect(),
        ..MediaSection::new(section.kind.clone(), 0, section.protocol.clone())
    }
}

#[cfg(test)]
#[path = "again_tests.rs"]
mod tests;
