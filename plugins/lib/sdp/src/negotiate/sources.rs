//! Streams: SSRCs, their groups, and simulcast encodings.

use super::{Features, LocalMedia, RemoteStream};
use crate::{MediaSection, Rid, RidDirection, Simulcast, Source, SourceGroup, extension_uri};

/// Simulcast encodings that are received at most; browsers send three.
const MAX_ENCODINGS: usize = 8;

/// Announces the local SSRC, and the one of retransmissions when there are any.
pub(super) fn announce(section: &mut MediaSection, local: &LocalMedia, rtx: bool) {
    section.sources = vec![Source::new(local.ssrc, local.cname.clone())];
    if let Some(rtx_ssrc) = local.rtx_ssrc.filter(|_| rtx) {
        section
            .sources
            .push(Source::new(rtx_ssrc, local.cname.clone()));
        section
            .source_groups
            .push(SourceGroup::flow_identification(local.ssrc, rtx_ssrc));
    }
}

/// Takes back what [`announce`] has entered.
pub(super) fn withdraw(section: &mut MediaSection) {
    section.sources.clear();
    section.source_groups.clear();
}

/// The local SSRC and retransmission SSRC that a local section announces.
pub(super) fn announced(section: &MediaSection) -> (Option<u32>, Option<u32>) {
    let ssrc = section.sources.first().map(|source| source.ssrc);
    let rtx_ssrc = ssrc.and_then(|ssrc| rtx_of(section, ssrc));
    (ssrc, rtx_ssrc)
}

fn rtx_of(section: &MediaSection, ssrc: u32) -> Option<u32> {
    section
        .source_groups
        .iter()
        .find_map(|group| group.rtx_of(ssrc))
}

/// The peer's media streams. Members of FID and FEC groups behind the first are repair streams,
/// not media.
pub(super) fn remote_streams(section: &MediaSection) -> Vec<RemoteStream> {
    let repairs: Vec<u32> = section
        .source_groups
        .iter()
        .filter(|group| group.semantics == "FID" || group.semantics.starts_with("FEC"))
        .flat_map(|group| group.ssrcs.iter().skip(1).copied())
        .collect();
    section
        .sources
        .iter()
        .filter(|source| !repairs.contains(&source.ssrc))
        .map(|source| RemoteStream {
            ssrc: source.ssrc,
            rtx_ssrc: rtx_of(section, source.ssrc),
            cname: source.cname.clone(),
        })
        .collect()
}

/// The encodings of a peer that knows them by their SSRCs alone.
pub(super) fn simulcast_ssrcs(section: &MediaSection) -> Vec<u32> {
    let group = section
        .source_groups
        .iter()
        .find(|group| group.semantics == "SIM");
    group.map_or_else(Vec::new, |group| {
        group.ssrcs.iter().copied().take(MAX_ENCODINGS).collect()
    })
}

/// Accepts the encodings that the peer offers to send, and writes them into the answer. Needs the
/// header extension that names them; without simulcast the peer sends one encoding.
pub(super) fn accept_simulcast(
    section: &mut MediaSection,
    features: Features,
    offered: &MediaSection,
) -> Vec<String> {
    let named = section.extension_id(extension_uri::RTP_STREAM_ID).is_some();
    let Some(simulcast) = offered.simulcast.as_ref() else {
        return Vec::new();
    };
    if !features.simulcast || !named {
        return Vec::new();
    }
    let described = |id: &String| {
        offered
            .rids
            .iter()
            .any(|rid| rid.id == *id && rid.direction == RidDirection::Send)
    };
    let ids: Vec<String> = simulcast
        .send
        .iter()
        .filter_map(|alternatives| alternatives.first())
        .map(|stream| stream.rid.clone())
        .filter(described)
        .take(MAX_ENCODINGS)
        .collect();
    if !ids.is_empty() {
        section.simulcast = Some(Simulcast::receiving(ids.iter().map(String::as_str)));
        section.rids = ids.iter().cloned().map(received_rid).collect();
    }
    ids
}

fn received_rid(id: String) -> Rid {
    Rid {
        id,
        direction: RidDirection::Receive,
        restrictions: String::new(),
    }
}
