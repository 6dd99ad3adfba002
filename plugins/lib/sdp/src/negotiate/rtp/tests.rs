//! Offers and answers without ICE, as phones, FFmpeg and Kurento write them.

use super::*;
use crate::{
    CodecCapability, Connection, Crypto, CryptoSuite, Direction, InlineKey, LocalMedia, MediaKind,
    OfferOptions, SessionDescription, parse,
};

const KEY: &str = "inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";
const THEIRS: &str = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const LONG: &str = "inline:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLg==";

fn key(suite: &str, key: &str) -> (CryptoSuite, InlineKey) {
    let line: Crypto = format!("1 {suite} {key}").parse().unwrap();
    (line.suite, line.keys[0].clone())
}

fn media(kind: MediaKind, names: &[&str], port: u16) -> RtpMedia {
    let codec = |name: &&str| CodecCapability::from_config_name(&kind, name).unwrap();
    let digits = CodecCapability::digits(8000, None);
    let is_audio = kind == MediaKind::Audio;
    RtpMedia {
        media: LocalMedia::new(names.iter().map(codec).collect(), 7, "us"),
        accepted: is_audio.then_some(digits).into_iter().collect(),
        ports: RtpPorts {
            rtp: port,
            rtcp: port + 1,
        },
        rtcp_mux: true,
    }
}

fn plain() -> RtpConfig {
    RtpConfig {
        session_id: 1,
        session_version: 1,
        session_name: "test".to_owned(),
        connection: Connection::from(std::net::IpAddr::from([192, 0, 2, 1])),
        audio: Some(media(MediaKind::Audio, &["opus", "PCMU", "PCMA"], 5000)),
        video: Some(media(MediaKind::Video, &["VP8", "H264"], 5002)),
        secure: false,
        bundle: true,
        keys: vec![
            key("AES_CM_128_HMAC_SHA1_80", KEY),
            key("AES_256_CM_HMAC_SHA1_32", LONG),
        ],
    }
}

fn secure() -> RtpConfig {
    RtpConfig {
        secure: true,
        keys: vec![key("AES_CM_128_HMAC_SHA1_80", KEY)],
        ..plain()
    }
}

fn read(sections: &str) -> SessionDescription {
    let head = "v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\n";
    parse(&format!("{head}{sections}")).unwrap()
}

/// Port, profile and payload types of each answered section.
fn answered(config: &RtpConfig, sections: &str) -> Vec<String> {
    let local = answer_rtp(config, &read(sections)).unwrap().local;
    let line = |text: &str| {
        let lines = text.lines().filter(|line| line.starts_with("m="));
        lines.map(|line| line[2..].to_owned()).collect()
    };
    line(&local.to_string())
}

#[test]
fn profiles_are_answered_as_they_are_offered() {
    for profile in ["RTP/AVP", "RTP/AVPF"] {
        let offer =
            format!("m=audio 4000 {profile} 0\nm=video 4002 {profile} 96\na=rtpmap:96 VP8/90000\n");
        let expected = [
            format!("audio 5000 {profile} 0"),
            format!("video 5002 {profile} 96"),
        ];
        assert_eq!(answered(&plain(), &offer), expected);
        // A secured endpoint takes nothing that is not.
        assert_eq!(
            answered(&secure(), &offer)[0],
            format!("audio 0 {profile} 0")
        );
    }
    for profile in ["RTP/SAVP", "RTP/SAVPF"] {
        let offer =
            format!("m=audio 4000 {profile} 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {THEIRS}\n");
        assert_eq!(
            answered(&secure(), &offer),
            [format!("audio 5000 {profile} 0")]
        );
        // As Kurento's: without keys of its own it does not speak a secure profile.
        assert_eq!(answered(&plain(), &offer), [format!("audio 0 {profile} 0")]);
        let without = format!("m=audio 4000 {profile} 0\n");
        assert_eq!(
            answered(&secure(), &without),
            [format!("audio 0 {profile} 0")]
        );
    }
    let dtls = "m=audio 9 UDP/TLS/RTP/SAVPF 0 8\na=mid:0\n";
    assert_eq!(answered(&plain(), dtls), ["audio 0 UDP/TLS/RTP/SAVPF 0 8"]);
}

#[test]
fn a_plain_profile_with_keys_is_answered_with_one_and_encrypted() {
    let offer = format!(
        "m=audio 4000 RTP/AVP 0\na=crypto:1 F8_128_HMAC_SHA1_80 {THEIRS}\n\
         a=crypto:3 AES_CM_128_HMAC_SHA1_80 {THEIRS}|2^20|1:4\n"
    );
    for config in [plain(), secure()] {
        let negotiated = answer_rtp(&config, &read(&offer)).unwrap();
        let keys = negotiated.media[0].keys.clone().unwrap();
        assert_eq!((keys.local.tag, keys.remote.tag), (3, 3));
        assert_eq!(keys.remote.keys[0].lifetime, Some(1 << 20));
        assert_eq!(keys.remote.keys[0].mki.map(|mki| mki.bytes), Some(4));
        let text = negotiated.local.to_string();
        assert_eq!(text.matches("a=crypto:").count(), 1);
        assert!(text.contains(&format!("a=crypto:3 AES_CM_128_HMAC_SHA1_80 {KEY}\r\n")));
        assert!(text.contains("RTP/AVP 0"));
    }
    // Keys that nobody here can use.
    let foreign = format!("m=audio 4000 RTP/AVP 0\na=crypto:1 F8_128_HMAC_SHA1_80 {THEIRS}\n");
    assert!(
        answer_rtp(&plain(), &read(&foreign)).unwrap().media[0]
            .keys
            .is_none()
    );
}

#[test]
fn of_a_medium_that_comes_twice_the_secure_one_is_taken() {
    let crypto = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {THEIRS}\n");
    let offer = format!(
        "m=audio 4000 RTP/FOO 0\nm=audio 4002 RTP/AVP 0\nm=audio 4004 RTP/AVP 0\n{crypto}\
         m=image 4006 udptl t38\nm=audio 4008 RTP/SAVP 0\n{crypto}"
    );
    let ports = |config: &RtpConfig| -> Vec<String> {
        let lines = answered(config, &offer).into_iter();
        lines
            .map(|line| line.split(' ').nth(1).unwrap().to_owned())
            .collect()
    };
    assert_eq!(ports(&plain()), ["0", "0", "5000", "0", "0"]);
    assert_eq!(ports(&secure()), ["0", "0", "5000", "0", "0"]);
    assert!(answered(&plain(), &offer)[3].starts_with("image 0 udptl t38"));
}

#[test]
fn digits_are_taken_beside_sound_of_their_clock_rate() {
    let digits = "a=rtpmap:101 telephone-event/8000\na=rtpmap:110 telephone-event/48000\n";
    let offer = format!("m=audio 4000 RTP/AVP 0 101 110\n{digits}");
    assert_eq!(answered(&plain(), &offer), ["audio 5000 RTP/AVP 0 101"]);
    let negotiated = answer_rtp(&plain(), &read(&offer)).unwrap();
    let media = &negotiated.media[0];
    assert_eq!(media.media.codecs.len(), 1);
    assert_eq!(media.sent_events[0].payload_type, 101);
    let alone = format!("m=audio 4000 RTP/AVP 101\n{digits}");
    assert_eq!(answered(&plain(), &alone), ["audio 0 RTP/AVP 101"]);
}

#[test]
fn codecs_of_telephones_are_taken_in_the_forms_that_are_spoken() {
    let mut config = plain();
    config.audio = Some(media(MediaKind::Audio, &["G722", "AMR", "AMR-WB"], 5000));
    let offer = read(
        "m=audio 4000 RTP/AVP 9 96 97 98 100\na=rtpmap:9 G722/16000\na=rtpmap:96 AMR/8000\n\
         a=fmtp:96 octet-align=1;crc=1\na=rtpmap:97 AMR/8000\na=fmtp:97 octet-align=1\n\
         a=rtpmap:98 AMR-WB/16000\na=rtpmap:100 telephone-event/8000\n",
    );
    let negotiated = answer_rtp(&config, &offer).unwrap();
    let audio = negotiated.media_of(&MediaKind::Audio).unwrap();
    let codecs = audio.media.codecs.iter();
    let codecs: Vec<(u8, u32)> = codecs
        .map(|codec| (codec.payload_type, codec.clock_rate))
        .collect();
    assert_eq!(codecs, [(9, 8000), (97, 8000), (98, 16_000)]);
    assert_eq!(audio.media.events.len(), 1, "digits at the rate of G722");
    let text = negotiated.local.to_string();
    assert!(text.contains("a=rtpmap:9 G722/16000") && text.contains("a=fmtp:97 octet-align=1"));
}

#[test]
fn holds_and_times_are_answered() {
    for (offered, direction) in [
        ("a=sendonly\n", Direction::RecvOnly),
        ("a=inactive\n", Direction::Inactive),
        ("", Direction::SendRecv),
    ] {
        let offer = format!("m=audio 4000 RTP/AVP 0\na=ptime:30\n{offered}");
        let negotiated = answer_rtp(&plain(), &read(&offer)).unwrap();
        assert_eq!(negotiated.local.media[0].direction, direction);
        assert_eq!(negotiated.media[0].packet_time, Some(30));
        assert!(negotiated.local.to_string().contains("a=ptime:30\r\n"));
    }
    let offer = "m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0\n";
    let negotiated = answer_rtp(&plain(), &read(offer)).unwrap();
    assert_eq!(negotiated.media[0].target.rtp_address(), None);
    assert_eq!(
        answered(&plain(), "m=audio 0 RTP/AVP 0\n"),
        ["audio 0 RTP/AVP 0"]
    );
}

/// Sound and pictures in one group, as an offer has them.
const GROUP: &str = "a=group:BUNDLE v a\nm=audio 4000 RTP/AVP 0 101\na=mid:a\na=rtcp-mux\n\
    a=rtpmap:101 telephone-event/8000\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\n\
    m=video 4002 RTP/AVPF 96\na=mid:v\na=rtcp-mux\na=rtpmap:96 VP8/90000\n\
    a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\n";

#[test]
fn a_group_shares_the_port_of_its_first_section() {
    let offer = read(GROUP);
    let negotiated = answer_rtp(&plain(), &offer).unwrap();
    assert_eq!(negotiated.bundle, Some(MediaKind::Video));
    let text = negotiated.local.to_string();
    assert!(text.contains("a=group:BUNDLE v a\r\n"), "{text}");
    assert!(text.contains("m=audio 5002 ") && text.contains("m=video 5002 "));
    assert!(!text.contains("a=rtcp:") && text.matches("sdes:mid").count() == 2);
    let targets = negotiated.media.iter().map(|media| media.target.rtp_port);
    assert_eq!(targets.collect::<Vec<_>>(), [4002, 4002]);

    // Whoever has no address of its own has that of the first.
    let only = GROUP
        .replace("m=audio 4000", "m=audio 0")
        .replace("a=mid:a", "a=mid:a\na=bundle-only");
    let negotiated = answer_rtp(&plain(), &read(&only)).unwrap();
    assert_eq!(negotiated.media.len(), 2);
    assert!(negotiated.local.to_string().contains("m=audio 5002 "));

    // A later offer of ours goes on with the group, and an answer may take it apart.
    let config = RtpConfig {
        session_version: 2,
        ..plain()
    };
    let again = offer_rtp_again(&config, &answer_rtp(&plain(), &offer).unwrap().local);
    let answer = "a=group:BUNDLE v a\nm=audio 4002 RTP/AVP 0\na=mid:a\na=rtcp-mux\n\
                  m=video 4002 RTP/AVPF 96\na=mid:v\na=rtcp-mux\na=rtpmap:96 VP8/90000\n";
    let settled = accept_rtp_answer(&config, &again, &read(answer)).unwrap();
    assert_eq!(settled.bundle, Some(MediaKind::Video));
    let apart = read(&answer.replace("a=group:BUNDLE v a\n", ""));
    assert_eq!(
        accept_rtp_answer(&config, &again, &apart).unwrap().bundle,
        None
    );
}

#[test]
fn a_group_that_cannot_share_a_port_has_one_for_each_section() {
    let sdes = |text: &str| {
        let key = format!("a=rtcp-mux\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {THEIRS}\n");
        text.replacen("a=rtcp-mux\n", &key, 1)
    };
    let clash = GROUP
        .replace("RTP/AVPF 96", "RTP/AVPF 101")
        .replace("rtpmap:96", "rtpmap:101");
    let others = [
        ("payload types that mean two things", clash),
        (
            "RTCP on a port of its own",
            GROUP.replace("a=rtcp-mux\n", ""),
        ),
        ("keys of one section", sdes(GROUP)),
        ("no group", GROUP.replace("a=group:BUNDLE v a\n", "")),
        (
            "a group of others",
            GROUP.replace("BUNDLE v a", "BUNDLE v b"),
        ),
    ];
    for (what, offer) in others {
        let negotiated = answer_rtp(&plain(), &read(&offer)).unwrap();
        assert_eq!(negotiated.bundle, None, "{what}");
        let text = negotiated.local.to_string();
        assert!(
            text.contains("m=audio 5000 ") && text.contains("m=video 5002 "),
            "{what}"
        );
        assert!(
            !text.contains("BUNDLE") && !text.contains("sdes:mid"),
            "{what}"
        );
        // Without the group this one has no address.
        let only = offer
            .replace("m=audio 4000", "m=audio 0")
            .replace("a=mid:a", "a=mid:a\na=bundle-only");
        let negotiated = answer_rtp(&plain(), &read(&only)).unwrap();
        assert!(negotiated.local.media[0].is_rejected(), "{what}");
        assert_eq!(negotiated.media.len(), 1, "{what}");
    }
    let config = RtpConfig {
        bundle: false,
        ..plain()
    };
    assert_eq!(answer_rtp(&config, &read(GROUP)).unwrap().bundle, None);
    // Of a group of which only one section is taken nothing is shared.
    let config = RtpConfig {
        video: None,
        ..plain()
    };
    let negotiated = answer_rtp(&config, &read(GROUP)).unwrap();
    assert_eq!((negotiated.bundle, negotiated.media.len()), (None, 1));
}

#[test]
fn a_group_with_keys_has_those_of_its_first_section() {
    let offer = GROUP.replace(
        "a=rtcp-mux\n",
        &format!("a=rtcp-mux\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {THEIRS}\n"),
    );
    let negotiated = answer_rtp(&plain(), &read(&offer)).unwrap();
    assert_eq!(negotiated.bundle, Some(MediaKind::Video));
    assert_eq!(negotiated.media[0].keys, negotiated.media[1].keys);
    assert!(negotiated.media[0].keys.is_some());
}

#[test]
fn who_has_no_address_is_waited_for() {
    for line in ["active", "both"] {
        let offer = format!("m=audio 9 RTP/AVP 0\na=direction:{line}\n");
        let negotiated = answer_rtp(&plain(), &read(&offer)).unwrap();
        assert!(negotiated.media[0].learns);
        assert!(
            negotiated
                .local
                .to_string()
                .contains("a=direction:passive\r\n")
        );
    }
    let offer = "m=audio 4000 RTP/AVP 0\na=direction:passive\n";
    assert!(!answer_rtp(&plain(), &read(offer)).unwrap().media[0].learns);
}

#[test]
fn a_group_of_receivers_is_no_peer() {
    for address in ["IP4 239.1.2.3/32", "IP4 224.0.0.5", "IP6 ff02::1"] {
        let offer = format!("m=video 27000 RTP/AVP 96\nc=IN {address}\na=rtpmap:96 VP8/90000\n");
        let error = answer_rtp(&plain(), &read(&offer)).unwrap_err();
        assert!(error.to_string().contains("multicast"), "{error}");
    }
}

#[test]
fn ports_of_reports_are_named_or_shared() {
    let offer =
        "m=audio 4000 RTP/AVP 0\nm=video 4002 RTP/AVPF 96\na=rtpmap:96 VP8/90000\na=rtcp-mux\n";
    let text = answer_rtp(&plain(), &read(offer))
        .unwrap()
        .local
        .to_string();
    assert!(text.contains("a=rtcp:5001\r\n") && !text.contains("a=rtcp:5003"));
    assert_eq!(text.matches("a=rtcp-mux\r\n").count(), 1);
}

#[test]
fn an_answer_numbers_formats_as_it_likes() {
    let offer = offer_rtp(&plain(), OfferOptions::default()).unwrap();
    let answer =
        read("m=audio 4000 RTP/AVP 111 0\na=rtpmap:111 opus/48000/2\nm=video 0 RTP/AVP 96\n");
    let negotiated = accept_rtp_answer(&plain(), &offer, &answer).unwrap();
    assert_eq!(negotiated.media.len(), 1);
    let media = &negotiated.media[0];
    let types = |codecs: &[crate::NegotiatedCodec]| -> Vec<u8> {
        codecs.iter().map(|codec| codec.payload_type).collect()
    };
    assert_eq!(types(&media.sent), [111, 0]);
    assert_eq!(types(&media.media.codecs), [96, 0]);
    assert!(!media.feedback);
    let foreign = read("m=audio 4000 RTP/AVP 18\nm=video 0 RTP/AVP 96\n");
    assert!(accept_rtp_answer(&plain(), &offer, &foreign).is_err());
}

#[test]
fn keys_of_an_answer_are_found_by_their_suite() {
    let config = secure();
    let offer = offer_rtp(
        &config,
        OfferOptions {
            audio: true,
            video: false,
        },
    )
    .unwrap();
    let text = offer.to_string();
    assert!(
        text.contains("RTP/SAVPF")
            && text.contains(&format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}"))
    );
    let answer = read(&format!(
        "m=audio 4000 RTP/SAVPF 0\na=crypto:2 AES_CM_128_HMAC_SHA1_80 {THEIRS}\n"
    ));
    let negotiated = accept_rtp_answer(&config, &offer, &answer).unwrap();
    assert_eq!(negotiated.media[0].keys.as_ref().unwrap().remote.tag, 2);
    let without = read("m=audio 4000 RTP/SAVPF 0\n");
    assert!(accept_rtp_answer(&config, &offer, &without).is_err());
}

#[test]
fn a_later_offer_has_the_sections_of_the_session() {
    let offer = "m=audio 4000 RTP/AVP 8 0\na=sendonly\nm=text 4002 RTP/AVP 98\n";
    let negotiated = answer_rtp(&plain(), &read(offer)).unwrap();
    let config = RtpConfig {
        session_version: 2,
        ..plain()
    };
    let again = offer_rtp_again(&config, &negotiated.local);
    assert_eq!(again.origin.session_version, "2");
    assert_eq!(again.media.len(), 2);
    assert_eq!(again.media[0].direction, Direction::SendRecv);
    assert!(again.to_string().contains("m=audio 5000 RTP/AVP 8 0\r\n"));
    assert!(again.media[1].is_rejected());
    let answer = read("m=audio 4000 RTP/AVP 8\nm=text 0 RTP/AVP 98\n");
    let negotiated = accept_rtp_answer(&config, &again, &answer).unwrap();
    assert!(negotiated.media[0].media.send && negotiated.media[0].media.receive);
}

proptest::proptest! {
    /// Whatever is offered is answered section by section, and our own offer survives any answer.
    #[test]
    fn any_offer_has_an_answer_of_as_many_sections(text in crate::samples::mutated_sample()) {
        let text = text.replace("UDP/TLS/RTP/SAVPF", "RTP/AVPF");
        let Ok(offer) = parse(&text) else { return Ok(()) };
        for config in [plain(), secure()] {
            if let Ok(negotiated) = answer_rtp(&config, &offer) {
                let local = parse(&negotiated.local.to_string()).unwrap();
                proptest::prop_assert_eq!(local.media.len(), offer.media.len());
                for media in &negotiated.media {
                    proptest::prop_assert!(!media.sent.is_empty() && !media.media.codecs.is_empty());
                    let section = &local.media[media.media.mline_index];
                    proptest::prop_assert_eq!(section.is_rejected(), false);
                    proptest::prop_assert_eq!(media.keys.is_some(), section.attributes.iter().any(|a| a.is("crypto")));
                }
                // Who shares a port may be told apart.
                if negotiated.bundle.is_some() {
                    let ports: Vec<u16> = negotiated.media.iter().map(|media| local.media[media.media.mline_index].port).collect();
                    proptest::prop_assert!(ports.windows(2).all(|pair| pair[0] == pair[1]));
                }
                // And again, as a later offer of ours.
                offer_rtp_again(&config, &negotiated.local);
            }
            let ours = offer_rtp(&config, OfferOptions::default()).unwrap();
            let _ = accept_rtp_answer(&config, &ours, &offer);
        }
    }
}
