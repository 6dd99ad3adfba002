use proptest::prelude::*;

use super::*;
use crate::{
    Direction, MediaKind, RtcpFeedback, Setup, TransportOffer,
    limits::{MAX_BYTES, MAX_FEEDBACK, MAX_GROUPS, MAX_SECTIONS, MAX_SOURCES},
    samples::{self, mutated_sample, plausible_line},
};

const HEADER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";

fn error(text: &str) -> String {
    match parse(text) {
        Err(error) => error.to_string(),
        Ok(description) => panic!("accepted: {description:?}"),
    }
}

#[test]
fn samples_round_trip() {
    for text in samples::ALL.into_iter().chain(samples::OTHERS) {
        let description = samples::read(text);
        assert_eq!(samples::read(&description.to_string()), description);
    }
}

#[test]
fn chromium_sections() {
    let offer = samples::read(samples::CHROMIUM);
    let kinds: Vec<&MediaKind> = offer.media.iter().map(|section| &section.kind).collect();
    assert_eq!(
        kinds,
        [
            &MediaKind::Audio,
            &MediaKind::Video,
            &MediaKind::Application
        ]
    );
    assert!(offer.extmap_allow_mixed);
    let video = &offer.media[1];
    assert_eq!(video.codecs.len(), 23);
    assert_eq!(video.codec(97).unwrap().rtx_apt(), Some(96));
    assert_eq!(video.codec(96).unwrap().feedback.len(), 5);
    assert_eq!(video.source_groups[0].rtx_of(2031862518), Some(1566075531));
    assert_eq!(video.sources[0].cname.as_deref(), Some("aRv25ZqsmeTVNaIG"));
    let data = &offer.media[2];
    assert_eq!(data.formats, ["webrtc-datachannel"]);
    assert_eq!(
        (data.sctp_port, data.max_message_size),
        (Some(5000), Some(262144))
    );
}

#[test]
fn session_attributes_become_section_attributes() {
    let offer = samples::read(samples::FIREFOX);
    for section in &offer.media {
        assert_eq!(section.fingerprints.len(), 1);
        assert_eq!(section.ice_options, ["trickle"]);
    }
    let text = format!(
        "{HEADER}a=setup:passive\r\na=recvonly\r\nm=audio 9 RTP/SAVPF 0\r\na=setup:active\r\n"
    );
    let section = &samples::read(&text).media[0];
    assert_eq!(section.setup, Some(Setup::Active));
    assert_eq!(section.direction, Direction::RecvOnly);
}

#[test]
fn feedback_for_all_formats() {
    let section = &samples::read(samples::UNBUNDLED).media[1];
    assert_eq!(
        section.codec(100).unwrap().feedback,
        [RtcpFeedback::CcmFir, RtcpFeedback::NackPli]
    );
}

#[test]
fn simulcast_and_rids() {
    let section = &samples::read(samples::CHROMIUM_SIMULCAST).media[0];
    let ids: Vec<&str> = section.rids.iter().map(|rid| rid.id.as_str()).collect();
    assert_eq!(ids, ["h", "m", "l"]);
    assert_eq!(section.simulcast.as_ref().unwrap().send.len(), 3);
}

#[test]
fn nothing_is_empty() {
    assert_eq!(parse(""), Err(SdpError::Empty));
    assert_eq!(parse(" \r\n\r\n"), Err(SdpError::Empty));
}

#[test]
fn errors_name_the_line() {
    assert_eq!(
        error("garbage"),
        "line 1: 'garbage' is not <letter>=<value>"
    );
    assert_eq!(
        error("o=-"),
        "line 1: a session description starts with v=0"
    );
    let formats = " 0".repeat(129);
    assert!(error(&format!("{HEADER}\r\nm=audio 9 RTP/AVP{formats}\r\n")).starts_with("line 6: "));
}

#[test]
fn ill_formed_informative_attributes_are_kept() {
    let text = format!(
        "{HEADER}m=video 9 RTP/SAVPF 96\r\na=candidate:nonsense\r\na=ssrc:x cname:y\r\n\
         a=simulcast: send rid=h\r\na=x-unknown\r\n"
    );
    let section = &samples::read(&text).media[0];
    let names: Vec<&str> = section.attributes.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["candidate", "ssrc", "simulcast", "x-unknown"]);
}

#[test]
fn attributes_of_unlisted_payload_types_are_dropped() {
    let text = format!("{HEADER}m=audio 9 RTP/AVP 0\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:97\r\n");
    let section = &samples::read(&text).media[0];
    assert_eq!(section.codecs.len(), 1);
    assert!(section.attributes.is_empty());
}

#[test]
fn repeated_fmtp_lines_add_up() {
    let text = format!("{HEADER}m=audio 9 RTP/AVP 96\r\na=fmtp:96 a=1\r\na=fmtp:96 b=2\r\n");
    let section = &samples::read(&text).media[0];
    assert_eq!(section.codecs[0].parameters.as_str(), "a=1;b=2");
}

#[test]
fn size_is_bounded() {
    let long = format!("{HEADER}a=x:{}", "y".repeat(MAX_BYTES));
    assert!(matches!(parse(&long), Err(SdpError::TooLarge { .. })));
    let groups = format!("a=group:BUNDLE{}\r\n", " x".repeat(500)).repeat(100);
    let groups = samples::read(&format!("{HEADER}{groups}")).groups;
    assert_eq!(groups.len(), MAX_GROUPS);
    assert!(groups.iter().all(|group| group.mids.len() == MAX_SECTIONS));
    let sections = "m=audio 9 RTP/AVP 0\r\n".repeat(MAX_SECTIONS + 1);
    assert!(error(&format!("{HEADER}{sections}")).contains("media sections"));
}

#[test]
fn look_ups_are_bounded() {
    let sources: String = (0..2 * MAX_SOURCES)
        .map(|ssrc| format!("a=ssrc:{ssrc} cname:x\r\n"))
        .collect();
    let feedback: String = (0..2 * MAX_FEEDBACK)
        .map(|number| format!("a=rtcp-fb:0 x{number}\r\n"))
        .collect();
    let description = samples::read(&format!(
        "{HEADER}m=audio 9 RTP/AVP 0\r\n{sources}{feedback}"
    ));
    let section = &description.media[0];
    assert_eq!(section.sources.len(), MAX_SOURCES);
    assert_eq!(section.attributes.len(), MAX_SOURCES);
    assert_eq!(section.codecs[0].feedback.len(), MAX_FEEDBACK);
    assert_eq!(samples::read(&description.to_string()), description);
}

proptest! {
    #[test]
    fn any_text_is_refused_or_can_be_written_and_read_again(text in any::<String>()) {
        if let Ok(description) = parse(&text) {
            prop_assert_eq!(parse(&description.to_string()), Ok(description));
        }
    }

    #[test]
    fn plausible_lines_are_refused_or_can_be_written_and_read_again(
        lines in prop::collection::vec(plausible_line(), 0..30)
    ) {
        if let Ok(description) = parse(&format!("{HEADER}{}", lines.join("\r\n"))) {
            prop_assert_eq!(parse(&description.to_string()), Ok(description));
        }
    }

    #[test]
    fn what_is_read_can_be_written_and_read_again(text in mutated_sample()) {
        if let Ok(description) = parse(&text) {
            let written = description.to_string();
            let mut ignored = Vec::new();
            let again = parse_with(&written, |line| ignored.push(line));
            prop_assert_eq!(again, Ok(description), "{}", written);
            // Lenient in what is read, strict in what is written.
            prop_assert_eq!(ignored, []);
        }
    }

    #[test]
    fn sections_round_trip(lines in prop::collection::vec(plausible_line(), 0..12)) {
        let text = format!("{HEADER}m=video 9 RTP/SAVPF 96 97 0\r\n{}", lines.join("\r\n"));
        if let Ok(description) = parse(&text) {
            prop_assert_eq!(parse(&description.to_string()), Ok(description));
        }
    }

    #[test]
    fn whatever_a_section_offers_can_be_asked_for(
        lines in prop::collection::vec(plausible_line(), 0..12),
        protocol in prop::sample::select(vec!["RTP/SAVP", "RTP/SAVPF", "RTP/AVP"]),
        number in "[0-9]{1,3}",
        key in "inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR(\\|2\\^[0-9]{1,2})?(\\|[0-9]:[0-9])?",
    ) {
        let text = format!(
            "{HEADER}m=video 5004 {protocol} 96 97 0\r\na=crypto:{number} AES_CM_128_HMAC_SHA1_80 {key}\r\n{}",
            lines.join("\r\n")
        );
        let Ok(description) = parse(&text) else { return Ok(()) };
        for section in &description.media {
            section.packet_time();
            for codec in &section.codecs {
                codec.telephone_events();
                codec.parameter_sets();
            }
            if let Some(TransportOffer::Sdes(offer)) = TransportOffer::of(&description, section) {
                for crypto in offer.crypto {
                    prop_assert_eq!(crypto.to_string().parse(), Ok(crypto));
                }
            }
        }
    }

    #[test]
    fn candidates_round_trip(text in "(candidate:)?[a-z0-9=:]{1,4} [0-9]{1,3} (udp|TCP) [0-9]{1,9} \
        (192\\.0\\.2\\.1|fd00::1|x\\.local) [0-9]{1,5} typ (host|srflx|relay)( raddr ::1 rport 9)?\
        ( tcptype (active|so))?( [a-z]{1,5} [a-z0-9]{1,3}){0,3}") {
        if let Ok(candidate) = text.parse::<crate::Candidate>() {
            prop_assert_eq!(candidate.to_string().parse(), Ok(candidate));
        }
    }
}

#[test]
fn feedback_for_all_formats_is_as_long_as_that_for_one() {
    let feedback = "a".repeat(crate::limits::MAX_FEEDBACK_BYTES);
    let text = format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96 102\r\na=rtcp-fb:* {feedback}\r\na=rtcp-fb:* {feedback}b\r\n"
    );
    let written = parse(&text).unwrap().to_string();
    assert_eq!(written.matches(&feedback).count(), 2, "{written}");
    assert_eq!(parse(&written).unwrap().to_string(), written);
}
