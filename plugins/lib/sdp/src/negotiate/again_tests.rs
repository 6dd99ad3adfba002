use super::*;
use crate::{
    DtlsRole, OfferOptions, accept_answer, accept_answer_again, answer, answer_again, offer, parse,
    samples::{self, config, read},
};

fn fresh() -> LocalConfig {
    let mut config = config();
    config.session_version += 1;
    for (number, ice) in config.transport.ice.iter_mut().enumerate() {
        ice.ufrag = format!("fresh{number}");
    }
    config
}

fn first() -> Negotiated {
    answer(&config(), &read(samples::CHROMIUM)).unwrap()
}

/// What Chromium offers after `change` to its first offer.
fn next(change: impl Fn(&str) -> String) -> Negotiated {
    let text = change(samples::CHROMIUM);
    answer_again(&fresh(), &first(), &read(&text)).unwrap()
}

fn section(kind: &str, mid: &str, more: &str) -> String {
    let format = if kind == "audio" { "111" } else { "96" };
    let codec = if kind == "audio" {
        "opus/48000/2"
    } else {
        "VP8/90000"
    };
    format!(
        "m={kind} 9 UDP/TLS/RTP/SAVPF {format}\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\n\
         a=rtpmap:{format} {codec}\r\na=mid:{mid}\r\n{more}"
    )
}

#[test]
fn the_same_credentials_continue_transport_and_role() {
    let again = next(|text| text.replace("a=setup:actpass", "a=setup:active"));
    let transport = &again.transports[0];
    assert_eq!(transport.continues, Some(0));
    assert!(!transport.restarts_ice);
    assert_eq!(transport.local_ice, first().transports[0].local_ice);
    assert_eq!(transport.role, DtlsRole::Active, "as it was settled");
    assert_eq!(again.media[0].local_ssrc, first().media[0].local_ssrc);
}

#[test]
fn new_credentials_restart_ice_and_keep_the_association() {
    let again = next(|text| text.replace("OAmA", "newfrag"));
    let transport = &again.transports[0];
    assert_eq!(transport.continues, Some(0));
    assert!(transport.restarts_ice);
    assert_eq!(transport.local_ice.ufrag, "fresh0");
}

#[test]
fn another_certificate_is_another_association() {
    let fingerprint = read(samples::CHROMIUM).media[0].fingerprints[0].to_string();
    let other = crate::Fingerprint::sha256([0xCD; 32]).to_string();
    let again = next(|text| text.replace(&fingerprint, &other));
    assert_eq!(again.transports[0].continues, None);
    assert_eq!(again.transports[0].local_ice.ufrag, "fresh0");
}

/// A page that keeps its certificate for the connections that it makes.
#[test]
fn another_session_with_the_certificate_is_another_association() {
    let other = |text: &str| text.replace("2842079915031027674", "1111111111111111111");
    let again = next(|text| other(&text.replace("OAmA", "newfrag")));
    assert_eq!(again.transports[0].continues, None);
    assert!(!again.transports[0].restarts_ice);
    assert_eq!(again.transports[0].local_ice.ufrag, "fresh0");
    // A stack that numbers each description anew.
    let renumbered = next(|text| other(text));
    assert_eq!(renumbered.transports[0].continues, Some(0));
    let versions = next(|text| {
        text.replace("OAmA", "newfrag").replace(
            "2842079915031027674 2 IN IP4 127.0.0.1",
            "2842079915031027674 3 IN IP4 192.0.2.7",
        )
    });
    assert_eq!(versions.transports[0].continues, Some(0), "an ICE restart");
}

#[test]
fn another_session_that_answers_an_ice_restart_is_another_association() {
    let ours = offer(&config(), OfferOptions::default()).unwrap();
    let before = accept_answer(&ours, &answered(&ours, "peerfrag")).unwrap();
    let again = offer_again(&fresh(), &before, OfferOptions::default(), true).unwrap();
    let mut others = answered(&again, "otherfrag");
    let result = accept_answer_again(&before, &again, &others).unwrap();
    assert_eq!(result.transports[0].continues, Some(0));
    others.origin.session_id = "78".to_owned();
    let result = accept_answer_again(&before, &again, &others).unwrap();
    assert_eq!(result.transports[0].continues, None);
}

#[test]
fn an_association_that_is_over_is_not_continued() {
    let mut before = first();
    before.transports[0].ended = true;
    for text in [
        samples::CHROMIUM.to_owned(),
        samples::CHROMIUM.replace("OAmA", "newfrag"),
    ] {
        let again = answer_again(&fresh(), &before, &read(&text)).unwrap();
        let transport = &again.transports[0];
        assert_eq!(transport.continues, None);
        assert!(!transport.restarts_ice && !transport.ended);
        assert_eq!(transport.local_ice.ufrag, "fresh0");
    }
}

#[test]
fn a_later_offer_replaces_an_association_that_is_over() {
    let ours = offer(&config(), OfferOptions::default()).unwrap();
    let mut before = accept_answer(&ours, &answered(&ours, "peerfrag")).unwrap();
    before.transports[0].ended = true;
    let again = offer_again(&fresh(), &before, OfferOptions::default(), false).unwrap();
    for media in &again.media {
        assert_eq!(media.ice.as_ref().unwrap().ufrag, "fresh0");
    }
    assert_eq!(again.media.len(), ours.media.len());
    // The same peer with its certificate and credentials, or another one with the certificate.
    for ufrag in ["peerfrag", "otherfrag"] {
        let result = accept_answer_again(&before, &again, &answered(&again, ufrag)).unwrap();
        assert_eq!(result.transports[0].continues, None);
        assert_eq!(result.transports[0].local_ice.ufrag, "fresh0");
    }
}

#[test]
fn a_section_that_moves_is_known_by_its_mid() {
    let before = first();
    let video = before.media_of(&MediaKind::Video).unwrap();
    let text = samples::CHROMIUM;
    let audio_at = text.find("m=audio").unwrap();
    let (head, rest) = text.split_at(audio_at);
    let video_at = rest.find("m=video").unwrap();
    let (audio, rest) = rest.split_at(video_at);
    let reordered = format!("{head}{rest}{audio}");
    let again = answer_again(&fresh(), &before, &read(&reordered)).unwrap();
    let moved = again.media_of(&MediaKind::Video).unwrap();
    assert_eq!((moved.mline_index, &moved.mid), (0, &video.mid));
    assert_eq!(again.transports[0].continues, Some(0));
}

#[test]
fn the_section_taken_before_stays_taken_until_it_is_switched_off() {
    let more = section("video", "9", "");
    let group = |text: &str| text.replace("BUNDLE 0 1 2", "BUNDLE 0 1 2 9");
    let again = next(|text| group(text) + &more);
    assert_eq!(
        again.media_of(&MediaKind::Video).unwrap().mid.as_deref(),
        Some("1")
    );
    assert!(again.local.media[3].is_rejected());
    // Switched off, it gives its place to the other one.
    let off = |text: &str| {
        let at = text.find("m=video").unwrap();
        let (head, tail) = text.split_at(at);
        group(&format!(
            "{head}{}",
            tail.replacen("a=sendrecv", "a=inactive", 1)
        ))
    };
    let again = next(|text| off(text) + &more);
    assert_eq!(
        again.media_of(&MediaKind::Video).unwrap().mid.as_deref(),
        Some("9")
    );
    // Alone it stays, so that it can be switched on again.
    let again = next(off);
    let video = again.media_of(&MediaKind::Video).unwrap();
    assert_eq!(video.mid.as_deref(), Some("1"));
    assert!(!video.send && !video.receive);
    assert!(!again.local.media[1].is_rejected());
}

#[test]
fn an_added_section_joins_the_bundle() {
    let head = samples::CHROMIUM.split("m=video").next().unwrap();
    let audio_only = head.replace("BUNDLE 0 1 2", "BUNDLE 0");
    let before = answer(&config(), &read(&audio_only)).unwrap();
    let both = audio_only.replace("BUNDLE 0", "BUNDLE 0 1") + &section("video", "1", "");
    let again = answer_again(&fresh(), &before, &read(&both)).unwrap();
    assert_eq!(again.transports.len(), 1);
    assert_eq!(again.transports[0].continues, Some(0));
    assert_eq!(again.transports[0].mline_indexes, [0, 1]);
}

#[test]
fn without_multiplexed_rtcp_a_section_is_rejected() {
    let lines = samples::CHROMIUM.lines();
    let rest: Vec<&str> = lines.filter(|line| *line != "a=rtcp-mux").collect();
    let text = rest.join("\r\n") + "\r\n";
    let negotiated = answer(&config(), &read(&text)).unwrap();
    let left: Vec<_> = negotiated
        .media
        .iter()
        .map(|media| media.sctp.is_some())
        .collect();
    assert_eq!(left, [true], "only the section that has no RTCP");
}

/// The session level and the sections of our offer, answered as a browser would.
fn answered(offer: &SessionDescription, ufrag: &str) -> SessionDescription {
    let mut peer = config();
    peer.session_id = 77;
    for ice in &mut peer.transport.ice {
        ice.ufrag = ufrag.to_owned();
    }
    answer(&peer, offer).unwrap().local
}

#[test]
fn a_later_offer_keeps_sections_numbers_and_credentials() {
    let before = first();
    let again = offer_again(&fresh(), &before, OfferOptions::default(), false).unwrap();
    let again = parse(&again.to_string()).unwrap();
    assert_eq!(again.media.len(), before.local.media.len());
    for (new, old) in again.media.iter().zip(&before.local.media) {
        assert_eq!((&new.mid, &new.kind), (&old.mid, &old.kind));
        assert_eq!(new.ice, old.ice);
        assert_eq!(new.setup, Some(Setup::ActPass));
        assert_eq!(new.sources, old.sources);
        for codec in &old.codecs {
            assert_eq!(new.codec(codec.payload_type).unwrap().name, codec.name);
        }
    }
    let result = accept_answer_again(&before, &again, &answered(&again, "OAmA"));
    // The peer's certificate in this test is our own: a new association.
    assert_eq!(result.unwrap().transports[0].continues, None);
}

#[test]
fn a_later_offer_of_our_own_session_goes_on() {
    let ours = offer(&config(), OfferOptions::default()).unwrap();
    let before = accept_answer(&ours, &answered(&ours, "peerfrag")).unwrap();
    let again = offer_again(&fresh(), &before, OfferOptions::default(), false).unwrap();
    let same = answered(&again, "peerfrag");
    let result = accept_answer_again(&before, &again, &same).unwrap();
    assert_eq!(result.transports[0].continues, Some(0));
    assert!(!result.transports[0].restarts_ice);
    let other = accept_answer_again(&before, &again, &answered(&again, "otherfrag"));
    assert!(matches!(other, Err(SdpError::NoCommonTransport { .. })));

    let restart = offer_again(&fresh(), &before, OfferOptions::default(), true).unwrap();
    let result = accept_answer_again(&before, &restart, &answered(&restart, "newpeer")).unwrap();
    assert!(result.transports[0].restarts_ice);
    assert_eq!(result.transports[0].local_ice.ufrag, "fresh0");
    assert!(accept_answer_again(&before, &restart, &answered(&restart, "peerfrag")).is_err());
}

#[test]
fn a_later_offer_adds_what_was_left_out_and_stops_what_is_not_wanted() {
    let audio = OfferOptions {
        audio: true,
        video: false,
    };
    let ours = offer(
        &LocalConfig {
            data: None,
            ..config()
        },
        audio,
    )
    .unwrap();
    let before = accept_answer(&ours, &answered(&ours, "peerfrag")).unwrap();
    let video = OfferOptions {
        audio: false,
        video: true,
    };
    let again = offer_again(&fresh(), &before, video, false).unwrap();
    let mids: Vec<_> = again
        .media
        .iter()
        .map(|media| media.mid.clone().unwrap())
        .collect();
    assert_eq!(mids, ["audio0", "video0", "application0"]);
    assert_eq!(again.media[0].direction, Direction::SendOnly);
    assert_eq!(again.groups[0].mids, mids);
    assert_eq!(again.media[1].ice, again.media[0].ice);
    let types: Vec<u8> = again
        .media
        .iter()
        .flat_map(|media| &media.codecs)
        .map(|codec| codec.payload_type)
        .collect();
    let mut unique = types.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), types.len(), "{types:?}");
}
