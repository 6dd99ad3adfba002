//! Choosing formats and header extensions.

use super::{Features, LocalMedia, NegotiatedCodec, capability::DIGITS, preference};
use crate::{Codec, ExtMap, MediaSection, RtcpFeedback, extension_uri};

/// The offered formats that are supported, in the [order](preference) in which the answer lists
/// them: retransmission formats included where RTX is on.
pub(super) fn supported_formats(
    local: &LocalMedia,
    features: Features,
    offered: &MediaSection,
) -> Vec<Codec> {
    let supported: Vec<Codec> = offered
        .codecs
        .iter()
        .filter_map(|codec| supported_codec(local, features, codec))
        .collect();
    let supported = beside_sound(supported);
    let is_repair = |codec: &Codec| {
        features.rtx
            && codec
                .rtx_apt()
                .is_some_and(|apt| supported.iter().any(|primary| repairs(codec, apt, primary)))
    };
    let formats = offered
        .codecs
        .iter()
        .filter_map(|codec| {
            let primary = supported
                .iter()
                .find(|primary| primary.payload_type == codec.payload_type);
            match primary {
                Some(primary) => Some(primary.clone()),
                None if is_repair(codec) => Some(Codec {
                    feedback: Vec::new(),
                    ..codec.clone()
                }),
                None => None,
            }
        })
        .collect();
    preference::ordered(formats, &local.answer_order)
}

/// Digits only at a clock rate at which there is sound (RFC 4733 §2.1).
fn beside_sound(mut formats: Vec<Codec>) -> Vec<Codec> {
    let sound = formats.iter().filter(|codec| !codec.is(DIGITS));
    let rates: Vec<u32> = sound.map(Codec::rtp_clock_rate).collect();
    formats.retain(|codec| !codec.is(DIGITS) || rates.contains(&codec.clock_rate));
    formats
}

/// The format as the answer repeats it, with the feedback both sides have.
fn supported_codec(local: &LocalMedia, features: Features, codec: &Codec) -> Option<Codec> {
    let capability = local
        .codecs
        .iter()
        .find(|capability| capability.supports(codec))?;
    let accepted = |feedback: &&RtcpFeedback| {
        capability.feedback.contains(feedback)
            || (features.transport_cc && **feedback == RtcpFeedback::TransportCc)
    };
    Some(Codec {
        feedback: codec.feedback.iter().filter(accepted).cloned().collect(),
        ..codec.clone()
    })
}

fn repairs(rtx: &Codec, apt: u8, primary: &Codec) -> bool {
    primary.payload_type == apt && primary.clock_rate == rtx.clock_rate
}

/// [`negotiated_codecs`], and the digits among them apart.
pub(super) fn sound_and_events(common: &[Codec]) -> (Vec<NegotiatedCodec>, Vec<NegotiatedCodec>) {
    let all = negotiated_codecs(common).into_iter();
    all.partition(|codec| !codec.is_event())
}

/// Codecs of which the peer lists parameters and both sides list the format. `common` are the
/// formats of both; retransmission formats are attached to what they repair.
fn negotiated_codecs(common: &[Codec]) -> Vec<NegotiatedCodec> {
    let rtx_of = |primary: &Codec| {
        common
            .iter()
            .find(|codec| {
                codec
                    .rtx_apt()
                    .is_some_and(|apt| repairs(codec, apt, primary))
            })
            .map(|codec| codec.payload_type)
    };
    common
        .iter()
        .filter(|codec| codec.rtx_apt().is_none())
        .filter_map(|codec| {
            Some(NegotiatedCodec {
                payload_type: codec.payload_type,
                name: codec.name.clone(),
                clock_rate: codec.rtp_clock_rate(),
                channels: codec.channels,
                match_parameters: codec.match_parameters()?,
                parameters: codec.parameters.clone(),
                feedback: codec.feedback.clone(),
                rtx_payload_type: rtx_of(codec),
            })
        })
        .collect()
}

/// The formats of an answer that the offer has under the same payload type, in the answer's order
/// and with its parameters, with the feedback both list; but those of a profile that no decoder
/// knows, which the offer did not have.
pub(super) fn common_formats(offered: &MediaSection, answered: &MediaSection) -> Vec<Codec> {
    answered
        .codecs
        .iter()
        .filter_map(|codec| {
            let own = offered.codec(codec.payload_type)?;
            let same_encoding = codec.is(&own.name) && codec.clock_rate == own.clock_rate;
            let is_known = codec.match_parameters().is_some();
            (same_encoding && is_known).then(|| Codec {
                feedback: codec
                    .feedback
                    .iter()
                    .filter(|feedback| own.feedback.contains(feedback))
                    .cloned()
                    .collect(),
                ..codec.clone()
            })
        })
        .collect()
}

/// The offered header extensions that are supported, each once, with the offered identifiers and
/// the direction seen from here. Identifiers above 255 are placeholders that an answer would have
/// to renumber (RFC 8285 §7); no peer sends only those.
///
/// Dependency descriptors are for AV1: of `formats` that has to come first, which is the one that the peer
/// will send. Other codecs say the same in their payload, which is enough for everybody.
pub(super) fn supported_extensions(
    local: &LocalMedia,
    features: Features,
    offered: &MediaSection,
    formats: &[Codec],
) -> Vec<ExtMap> {
    let mut extensions: Vec<ExtMap> = Vec::new();
    // Names of encodings are of use where there are several.
    let features = Features {
        simulcast: features.simulcast && offered.simulcast.is_some(),
        ..features
    };
    let sends_av1 = formats
        .first()
        .is_some_and(|format| format.name.eq_ignore_ascii_case("AV1"));
    let is_of_use = |uri: &str| uri != extension_uri::DEPENDENCY_DESCRIPTOR || sends_av1;
    for extmap in offered.extmaps.iter().filter(|one| is_of_use(&one.uri)) {
        let known = extensions.iter().any(|accepted| accepted.uri == extmap.uri);
        if extmap.id <= 255 && !known && local.supports_extension(features, &extmap.uri) {
            extensions.push(ExtMap {
                direction: extmap.direction.map(crate::Direction::reversed),
                attributes: None,
                ..extmap.clone()
            });
        }
    }
    extensions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MediaKind, parse, samples};

    #[test]
    fn dependency_descriptors_are_taken_where_av1_comes_first() {
        let offer = parse(samples::CHROMIUM).unwrap();
        let mut sections = offer.media.into_iter();
        let mut video = sections.find(|one| one.kind == MediaKind::Video).unwrap();
        let descriptor = ExtMap::new(14, extension_uri::DEPENDENCY_DESCRIPTOR);
        video.extmaps.push(descriptor.clone());
        let mut local = LocalMedia::new(Vec::new(), 1, "name");
        local.extensions.push(descriptor.clone());
        let taken = |first: &str| {
            let (mut formats, others): (Vec<Codec>, Vec<Codec>) = { video.codecs.clone() }
                .into_iter()
                .partition(|codec| codec.name == first);
            formats.extend(others);
            let taken = supported_extensions(&local, Features::default(), &video, &formats);
            taken.contains(&descriptor)
        };
        assert!(taken("AV1") && !taken("VP8") && !taken("H264"));
    }
}
