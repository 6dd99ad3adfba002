//! J03: offers of further stacks, in their own style; identifiers are made up. What each of them is about
//! is in the test's name.

use super::*;
use crate::{
    DtlsRole,
    samples::{config, read},
};

const ICE: &str = "a=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\n";

fn fingerprint(algorithm: &str, bytes: usize) -> String {
    format!(
        "a=fingerprint:{algorithm} {}\n",
        vec!["AB"; bytes].join(":")
    )
}

fn answered(offer: &str) -> Negotiated {
    answer(&config(), &read(offer)).unwrap()
}

/// The m= lines of the answer.
fn sections(negotiated: &Negotiated) -> Vec<String> {
    let text = negotiated.local.to_string();
    let lines = text.lines().filter(|line| line.starts_with("m="));
    lines.map(str::to_owned).collect()
}

#[test]
fn android_and_chromium_of_plan_b() {
    let (ice, print) = (ICE, fingerprint("sha-256", 32));
    let offer = format!(
        "v=0\no=- 2327346457057842516 2 IN IP4 127.0.0.1\ns=-\nt=0 0\n\
         a=group:BUNDLE audio video data\na=msid-semantic: WMS ARDAMS SCREEN\n\
         m=audio 9 RTP/SAVPF 111 103 9 102 0 8 106 105 13 127 126\nc=IN IP4 0.0.0.0\n\
         a=rtcp:9 IN IP4 0.0.0.0\n{ice}a=ice-options:google-ice\n{print}a=setup:actpass\na=mid:audio\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\na=sendrecv\na=rtcp-mux\n\
         a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abcdefghijklmnopqrstuvwxyz0123456789ABCD\n\
         a=rtpmap:111 opus/48000/2\na=fmtp:111 minptime=10; useinbandfec=1\na=rtpmap:103 ISAC/16000\n\
         a=rtpmap:126 telephone-event/8000\na=maxptime:60\n\
         a=ssrc:11 cname:x\na=ssrc:11 msid:ARDAMS ARDAMSa0\na=ssrc:11 mslabel:ARDAMS\na=ssrc:11 label:ARDAMSa0\n\
         m=video 9 RTP/SAVPF 100 116 117 96\nc=IN IP4 0.0.0.0\na=rtcp:9 IN IP4 0.0.0.0\n{ice}{print}\
         a=setup:actpass\na=mid:video\na=extmap:2 urn:ietf:params:rtp-hdrext:toffset\na=sendrecv\na=rtcp-mux\n\
         a=rtpmap:100 VP8/90000\na=rtcp-fb:100 ccm fir\na=rtcp-fb:100 nack\na=rtcp-fb:100 nack pli\n\
         a=rtcp-fb:100 goog-remb\na=rtpmap:116 red/90000\na=rtpmap:117 ulpfec/90000\na=rtpmap:96 rtx/90000\n\
         a=fmtp:96 apt=100\na=ssrc-group:FID 21 22\na=ssrc:21 cname:x\na=ssrc:21 msid:ARDAMS ARDAMSv0\n\
         a=ssrc:22 cname:x\na=ssrc:22 msid:ARDAMS ARDAMSv0\na=ssrc-group:FID 31 32\na=ssrc:31 cname:x\n\
         a=ssrc:31 msid:SCREEN SCREENv0\na=ssrc:32 cname:x\na=ssrc:32 msid:SCREEN SCREENv0\n\
         m=application 9 DTLS/SCTP 5000\nc=IN IP4 0.0.0.0\n{ice}{print}a=setup:actpass\na=mid:data\n\
         a=sctpmap:5000 webrtc-datachannel 1024\n"
    );
    let negotiated = answered(&offer);
    assert_eq!(
        sections(&negotiated),
        [
            "m=audio 1 RTP/SAVPF 111 0 8",
            "m=video 1 RTP/SAVPF 100",
            "m=application 1 DTLS/SCTP 5000",
        ]
    );
    assert_eq!(negotiated.transports.len(), 1);
    assert!(!negotiated.local.to_string().contains("crypto"));
    let video = negotiated.media_of(&crate::MediaKind::Video).unwrap();
    // Two cameras are not two encodings of one.
    assert!(video.receive_ssrcs.len() <= 1, "{:?}", video.receive_ssrcs);
}

#[test]
fn servers_that_are_ice_lite_with_many_fingerprints() {
    // As mediasoup, Janus and LiveKit make them up: transport attributes at the session level.
    let prints: String = [
        ("sha-1", 20),
        ("sha-224", 28),
        ("sha-256", 32),
        ("sha-384", 48),
        ("sha-512", 64),
    ]
    .map(|(name, bytes)| fingerprint(name, bytes))
    .concat();
    let rest = format!(
        "{ICE}{prints}a=setup:actpass\na=group:BUNDLE 0 1\na=msid-semantic: WMS *\na=extmap-allow-mixed\n\
         m=video 7 UDP/TLS/RTP/SAVPF 101 102\nc=IN IP4 127.0.0.1\na=rtpmap:101 VP8/90000\n\
         a=rtpmap:102 rtx/90000\na=fmtp:102 apt=101\na=rtcp-fb:101 transport-cc \na=rtcp-fb:101 ccm fir\n\
         a=extmap:14 urn:ietf:params:rtp-hdrext:toffset\na=extmap:15/sendonly urn:example:two-byte\n\
         a=mid:0\na=msid:user track0\na=sendonly\na=rtcp-mux\na=rtcp-rsize\n\
         a=candidate:udpcandidate 1 udp 1076302079 192.0.2.9 40001 typ host\n\
         a=candidate:tcpcandidate 1 tcp 1076276479 192.0.2.9 40001 typ host tcptype passive\na=end-of-candidates\n\
         m=audio 7 UDP/TLS/RTP/SAVPF 100\nc=IN IP4 127.0.0.1\na=rtpmap:100 opus/48000/2\na=mid:1\na=sendonly\n\
         a=rtcp-mux\n"
    );
    let session = "v=0\no=mediasoup-client 10000 1 IN IP4 0.0.0.0\ns=-\nt=0 0\n";
    for offer in [
        format!("{session}a=ice-lite\n{rest}"),
        format!("{session}{rest}a=ice-lite\n"),
    ] {
        let negotiated = answered(&offer);
        assert!(negotiated.remote_ice_lite);
        let [transport] = negotiated.transports.as_slice() else {
            panic!("{:?}", negotiated.transports)
        };
        assert_eq!(transport.remote_fingerprints.len(), 5);
        assert_eq!(transport.remote_candidates.len(), 2);
        assert!(transport.remote_end_of_candidates);
        assert_eq!(
            sections(&negotiated),
            [
                "m=video 1 UDP/TLS/RTP/SAVPF 101",
                "m=audio 1 UDP/TLS/RTP/SAVPF 100"
            ]
        );
    }
}

#[test]
fn max_bundle_with_bundle_only_sections_that_say_nothing_of_the_transport() {
    let offer = format!(
        "v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE a v\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 0\nc=IN IP4 0.0.0.0\n{ICE}{}a=setup:active\na=mid:a\na=rtcp-mux\n\
         m=video 0 UDP/TLS/RTP/SAVPF 96\nc=IN IP4 0.0.0.0\na=bundle-only\na=mid:v\na=rtpmap:96 H264/90000\n",
        fingerprint("sha-384", 48)
    );
    let negotiated = answered(&offer);
    assert_eq!(
        sections(&negotiated),
        [
            "m=audio 1 UDP/TLS/RTP/SAVPF 0",
            "m=video 1 UDP/TLS/RTP/SAVPF 96"
        ]
    );
    assert_eq!(negotiated.transports[0].role, DtlsRole::Passive);
    assert!(!negotiated.transports[0].remote_trickle);
}

#[test]
fn data_alone_and_data_first() {
    let data = format!(
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\nc=IN IP4 0.0.0.0\n{ICE}{}a=setup:actpass\n\
         a=mid:0\na=sctp-port:5000\na=max-message-size:65536\n",
        fingerprint("sha-512", 64)
    );
    let session = "v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\n";
    let alone = answered(&format!("{session}a=group:BUNDLE 0\n{data}"));
    assert_eq!(
        sections(&alone),
        ["m=application 1 UDP/DTLS/SCTP webrtc-datachannel"]
    );
    // The section that speaks for the transport is refused; the others go on.
    let first = format!(
        "{session}a=group:BUNDLE 0 1\n{data}m=audio 9 UDP/TLS/RTP/SAVPF 8\na=mid:1\na=rtcp-mux\n"
    );
    let config = LocalConfig {
        data: None,
        ..config()
    };
    let negotiated = answer(&config, &read(&first)).unwrap();
    assert_eq!(
        sections(&negotiated),
        [
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
            "m=audio 1 UDP/TLS/RTP/SAVPF 8",
        ]
    );
    assert_eq!(negotiated.transports[0].remote_ice.ufrag, "abcd");
    assert!(
        negotiated
            .local
            .to_string()
            .contains("a=group:BUNDLE 1\r\n")
    );
}

#[test]
fn gateways_of_sip_without_mid_or_bundle() {
    let (ice, print) = (ICE, fingerprint("SHA-1", 20));
    let section = |head: &str, tail: &str| {
        format!("m={head}\nc=IN IP4 192.0.2.5\n{ice}{print}a=setup:actpass\na=rtcp-mux\n{tail}")
    };
    let offer = format!(
        "v=0\no=FreeSWITCH 1700000000 1700000001 IN IP4 192.0.2.5\ns=FreeSWITCH\nc=IN IP4 192.0.2.5\n\
         t=0 0\na=msid-semantic: WMS gateway\n{}{}",
        section(
            "audio 20000/1 RTP/SAVPF 0 101",
            "a=rtpmap:0 PCMU/8000/1\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-16\na=silenceSupp:off - - - -\n\
             a=ptime:20\na=rtcp:20000 IN IP4 192.0.2.5\na=candidate:1 1 udp 659136 192.0.2.5 20000 typ host generation 0\n\
             a=candidate:1 2 udp 659135 192.0.2.5 20001 typ host generation 0\n"
        ),
        section(
            "video 20002 RTP/SAVPF 99",
            "b=AS:1024\na=rtpmap:99 H264/90000\na=fmtp:99 profile-level-id=42801F\n"
        )
    );
    let negotiated = answered(&offer);
    assert_eq!(
        sections(&negotiated),
        ["m=audio 1 RTP/SAVPF 0", "m=video 1 RTP/SAVPF 99"]
    );
    assert_eq!(negotiated.transports.len(), 2);
    assert!(negotiated.media.iter().all(|media| media.mid.is_none()));
}

#[test]
fn h265_is_rejected_alone_and_left_out_beside_others() {
    let offer = |formats: &str| {
        format!(
            "v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\nm=video 9 UDP/TLS/RTP/SAVPF {formats}\n{ICE}{}\
             a=setup:actpass\na=rtcp-mux\na=rtpmap:96 H265/90000\na=rtpmap:97 VP8/90000\n",
            fingerprint("sha-256", 32)
        )
    };
    assert_eq!(
        sections(&answered(&offer("96"))),
        ["m=video 0 UDP/TLS/RTP/SAVPF 96"]
    );
    assert_eq!(
        sections(&answered(&offer("96 97"))),
        ["m=video 1 UDP/TLS/RTP/SAVPF 97"]
    );
}

#[test]
fn safari_with_its_ports_lines_and_inactive_sections() {
    let offer = format!(
        "v=0\r\no=- 6154253466534534543 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\n\
         a=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n{ICE}\
         a=ice-options:trickle\r\n{print}a=setup:actpass\r\na=mid:0\r\na=inactive\r\na=rtcp-mux\r\n\
         a=rtpmap:111 opus/48000/2\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n{ICE}{print}a=setup:actpass\r\na=mid:1\r\n\
         a=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
         m=video 0 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\na=rtpmap:96 H264/90000\r\n",
        print = fingerprint("sha-256", 32)
    );
    let negotiated = answered(&offer);
    assert_eq!(
        sections(&negotiated),
        [
            "m=audio 1 UDP/TLS/RTP/SAVPF 111 0",
            "m=audio 1 UDP/TLS/RTP/SAVPF 111",
            "m=video 0 UDP/TLS/RTP/SAVPF 96",
        ]
    );
    // The first is idle: the transport of the bundle is its own.
    let directions = negotiated.local.media.iter().map(|media| media.direction);
    let directions: Vec<Direction> = directions.collect();
    assert_eq!(
        directions,
        [
            Direction::Inactive,
            Direction::SendRecv,
            Direction::Inactive
        ]
    );
    assert_eq!(negotiated.media.len(), 1);
    assert_eq!(negotiated.media[0].mline_index, 1);
}

#[test]
fn media_whose_rtcp_has_a_port_of_its_own_is_rejected() {
    let offer = format!(
        "v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\nm=audio 9 UDP/TLS/RTP/SAVPF 0\n{ICE}{}a=setup:actpass\n",
        fingerprint("sha-256", 32)
    );
    assert_eq!(
        sections(&answered(&offer)),
        ["m=audio 0 UDP/TLS/RTP/SAVPF 0"]
    );
}

#[test]
fn credentials_of_any_length_are_taken() {
    for (ufrag, password) in [
        ("a", "b"),
        ("7ia", "123"),
        ("abcd", "51d7b2c0"),
        ("x", "123456789012345678901"),
    ] {
        let offer = format!(
            "v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=rtcp-mux\n\
             a=ice-ufrag:{ufrag}\na=ice-pwd:{password}\n{}",
            fingerprint("sha-256", 32)
        );
        let negotiated = answered(&offer);
        assert_eq!(negotiated.transports[0].remote_ice.ufrag, ufrag);
        assert_eq!(negotiated.transports[0].remote_ice.password, password);
    }
}

#[test]
fn malformed_candidates_are_kept_for_a_report() {
    let offer = format!(
        "v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\nm=audio 9 UDP/TLS/RTP/SAVPF 0\n{ICE}{}a=setup:actpass\n\
         a=rtcp-mux\na=candidate:1 1 udp 1 192.0.2.1 5000 typ host\na=candidate:1 1 udp 1 192.0.2.300 5000 typ host\n",
        fingerprint("sha-256", 32)
    );
    let offer = read(&offer);
    let unread: Vec<&str> = offer.unread_candidates().collect();
    assert_eq!(unread, ["1 1 udp 1 192.0.2.300 5000 typ host"]);
    assert_eq!(
        answer(&config(), &offer).unwrap().transports[0]
            .remote_candidates
            .len(),
        1
    );
}
