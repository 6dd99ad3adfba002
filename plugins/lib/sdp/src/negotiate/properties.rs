//! What holds for every offer and answer that can be read.

use proptest::prelude::*;

use super::*;
use crate::{
    parse, parse_with,
    samples::{config, everything, mutated_sample, plausible_line},
};

fn any_features() -> impl Strategy<Value = Features> {
    prop::sample::select(vec![Features::default(), everything()])
}

proptest! {
    #[test]
    fn an_answer_has_the_sections_of_the_offer(
        text in mutated_sample(),
        features in any_features(),
    ) {
        let Ok(offer) = parse(&text) else { return Ok(()) };
        let config = LocalConfig { features, ..config() };
        let Ok(negotiated) = answer(&config, &offer) else { return Ok(()) };
        let mut ignored = Vec::new();
        let local = parse_with(&negotiated.local.to_string(), |line| ignored.push(line)).unwrap();
        prop_assert_eq!(ignored, [], "strict in what is written");
        prop_assert_eq!(local.media.len(), offer.media.len());
        for (ours, theirs) in local.media.iter().zip(&offer.media) {
            prop_assert_eq!(&ours.kind, &theirs.kind);
            // A section without a mid may get one that a group names.
            prop_assert!(theirs.mid.is_none() || ours.mid == theirs.mid);
            prop_assert_eq!(&ours.protocol, &theirs.protocol);
            let offered = |codec: &crate::Codec| theirs.codec(codec.payload_type).is_some();
            // Port 0 needs a format even where none was offered.
            prop_assert!(theirs.codecs.is_empty() || ours.codecs.iter().all(offered));
            prop_assert!(!ours.codecs.is_empty() || !ours.formats.is_empty());
            let mapped =
                |extmap: &crate::ExtMap| theirs.extmaps.iter().any(|other| other.id == extmap.id);
            prop_assert!(ours.extmaps.iter().all(mapped));
        }
    }

    #[test]
    fn every_accepted_section_has_one_transport(text in mutated_sample()) {
        let Ok(offer) = parse(&text) else { return Ok(()) };
        let Ok(negotiated) = answer(&config(), &offer) else { return Ok(()) };
        for (index, section) in negotiated.local.media.iter().enumerate() {
            let media: Vec<_> =
                negotiated.media.iter().filter(|media| media.mline_index == index).collect();
            let idle = negotiated.idle_transport(index).is_some();
            prop_assert!(!idle || section.direction == crate::Direction::Inactive);
            prop_assert_eq!(media.len(), usize::from(!section.is_rejected() && !idle));
            prop_assert_eq!(negotiated.transport_of(index).is_some(), !media.is_empty());
            for media in media {
                let transport = &negotiated.transports[media.transport];
                prop_assert!(transport.mline_indexes.contains(&index));
                prop_assert!(!transport.remote_fingerprints.is_empty());
                prop_assert_eq!(section.setup, Some(transport.role.into()));
            }
        }
    }

    #[test]
    fn a_spoilt_answer_does_no_harm(
        position in any::<prop::sample::Index>(),
        line in plausible_line(),
        features in any_features(),
    ) {
        let config = LocalConfig { features, ..config() };
        let offer = offer(&config, OfferOptions::default()).unwrap();
        let text = answer(&config, &offer).unwrap().local.to_string();
        let mut lines: Vec<&str> = text.lines().collect();
        let position = position.index(lines.len());
        lines[position] = &line;
        let Ok(answer) = parse(&lines.join("\r\n")) else { return Ok(()) };
        if let Ok(negotiated) = accept_answer(&offer, &answer) {
            for media in &negotiated.media {
                prop_assert!(negotiated.transport_of(media.mline_index).is_some());
            }
        }
    }
}
