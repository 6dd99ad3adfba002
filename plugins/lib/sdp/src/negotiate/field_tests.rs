//! Offers of stacks that are none of a browser's, through all that templates and gateways do to
//! lines.

use super::*;
use crate::{
    parse,
    samples::{self, config, read},
};

fn m_lines(negotiated: &Negotiated) -> Vec<String> {
    let text = negotiated.local.to_string();
    let lines = text.lines().filter(|line| line.starts_with("m="));
    lines.map(str::to_owned).collect()
}

fn answered(offer: &str) -> Negotiated {
    answer(&config(), &read(offer)).unwrap()
}

#[test]
fn a_border_controller() {
    let negotiated = answered(samples::BORDER_CONTROLLER);
    assert_eq!(
        m_lines(&negotiated),
        [
            "m=audio 1 UDP/TLS/RTP/SAVP 8 104 0",
            "m=video 1 UDP/TLS/RTP/SAVP 105"
        ]
    );
    assert!(negotiated.remote_ice_lite);
    assert_eq!(negotiated.transports.len(), 1);
    let limits = negotiated.media.iter().map(|media| media.max_send_bitrate);
    assert_eq!(limits.collect::<Vec<_>>(), [Some(64_000), Some(1_600_000)]);
}

#[test]
fn a_telephone_system() {
    let negotiated = answered(samples::TELEPHONE_SYSTEM);
    assert_eq!(m_lines(&negotiated), ["m=audio 1 RTP/SAVPF 114 0 8"]);
    let [transport] = negotiated.transports.as_slice() else {
        panic!("{:?}", negotiated.transports)
    };
    assert_eq!(transport.remote_fingerprints[0].algorithm, "sha-1");
    assert_eq!(transport.remote_candidates.len(), 1);
}

#[test]
fn a_recorder_that_follows_no_grammar() {
    let offer = read(samples::RECORDER);
    assert_eq!(offer.origin.username, "Door Station 2");
    assert_eq!(offer.origin.session_id, "18446744073709551617");
    assert_eq!(offer.session_name, "-");
    let negotiated = answer(&config(), &offer).unwrap();
    assert_eq!(
        m_lines(&negotiated),
        [
            "m=audio 1 UDP/TLS/RTP/SAVPF 8",
            "m=video 1 UDP/TLS/RTP/SAVPF 96"
        ]
    );
    let [audio, video] = negotiated.transports.as_slice() else {
        panic!("{:?}", negotiated.transports)
    };
    assert_eq!(audio.remote_ice.ufrag, "7ia");
    assert_eq!(audio.remote_fingerprints.len(), 1);
    assert_eq!(audio.remote_fingerprints, video.remote_fingerprints);
    // The address in brackets; nobody is told of the others, which are of no use.
    assert_eq!(audio.remote_candidates.len(), 1);
    let unread: Vec<crate::CandidateError> = offer
        .unread_candidates()
        .map(|text| text.parse::<crate::Candidate>().unwrap_err())
        .collect();
    assert_eq!(unread.len(), 3);
    assert!(unread.iter().all(crate::CandidateError::is_foreign));
    assert_eq!(negotiated.media[0].max_send_bitrate, Some(64_000));
    assert!(negotiated.media[1].receive && !negotiated.media[1].send);
}

#[test]
fn a_broadcaster() {
    let negotiated = answered(samples::BROADCASTER);
    assert_eq!(
        m_lines(&negotiated),
        [
            "m=audio 1 UDP/TLS/RTP/SAVPF 111",
            "m=video 1 UDP/TLS/RTP/SAVPF 96"
        ]
    );
    let [transport] = negotiated.transports.as_slice() else {
        panic!("{:?}", negotiated.transports)
    };
    assert!(transport.remote_end_of_candidates && transport.bundled);
    assert_eq!(transport.remote_ice.ufrag, "9/bC");
}

#[test]
fn every_layout_of_every_sample_reads_the_same() {
    for sample in samples::ALL.into_iter().chain(samples::OTHERS) {
        let plain = parse(sample);
        assert!(plain.is_ok(), "{sample}");
        let lines: Vec<&str> = sample.lines().collect();
        for (what, text) in [
            ("CR CR LF", lines.join("\r\r\n")),
            ("LF CR", lines.join("\n\r")),
            ("CR", lines.join("\r")),
            ("NUL", lines.join("\0\n")),
            (
                "indented",
                format!("\n    {}\n    \n", lines.join("\n    ")),
            ),
            ("blanks after", lines.join("  \r\n")),
            (
                "MIME",
                format!("--b\r\nContent-Type: application/sdp\r\n\r\n{sample}--b--\r\n"),
            ),
        ] {
            assert_eq!(parse(&text), plain, "{what}");
        }
    }
}

#[test]
fn answers_can_be_read_by_a_strict_reader() {
    for sample in samples::ALL.into_iter().chain(samples::OTHERS) {
        let text = answered(sample).local.to_string();
        let mut ignored = Vec::new();
        crate::parse_with(&text, |line| ignored.push(line)).unwrap();
        assert_eq!(ignored, [], "{text}");
        let head = "v=0\r\no=- 4004160642 4004160642 IN IP4 0.0.0.0\r\ns=Kurento Media Server\r\n";
        assert!(text.starts_with(head), "{text}");
        assert!(text.ends_with("\r\n") && !text.contains("\r\n\r\n"));
    }
}
