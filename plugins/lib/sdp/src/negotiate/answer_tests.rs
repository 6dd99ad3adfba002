use super::*;
use crate::{
    DtlsRole, H264Profile, MatchParameters, RemoteStream, RtcpFeedback, SctpParameters,
    extension_uri,
    samples::{self, config, everything, read},
};

fn answered(offer: &str) -> Negotiated {
    answer(&config(), &read(offer)).unwrap()
}

fn answered_with_everything(offer: &str) -> Negotiated {
    let config = LocalConfig {
        features: everything(),
        ..config()
    };
    answer(&config, &read(offer)).unwrap()
}

fn lines<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    text.split("\r\n")
        .filter(|line| line.starts_with(prefix))
        .collect()
}

/// The lines of Kurento 7.3's answer to the same offer, identifiers aside; `a=fmtp` and so on
/// follow from the formats.
#[test]
fn chromium_is_answered_as_kurento_does() {
    let config = LocalConfig {
        data: None,
        ..config()
    };
    let text = answer(&config, &read(samples::CHROMIUM))
        .unwrap()
        .local
        .to_string();
    let (session, rest) = text.split_once("m=audio").unwrap();
    assert_eq!(
        session,
        "v=0\r\no=- 4004160642 4004160642 IN IP4 0.0.0.0\r\ns=Kurento Media Server\r\n\
         c=IN IP4 0.0.0.0\r\nt=0 0\r\na=extmap-allow-mixed\r\n\
         a=msid-semantic: WMS 11111111-2222-4333-8444-555555555555\r\na=group:BUNDLE 0 1\r\n"
    );
    let (audio, _) = rest.split_once("m=video").unwrap();
    let fingerprint = vec!["AB"; 32].join(":");
    assert_eq!(
        audio,
        format!(
            " 1 UDP/TLS/RTP/SAVPF 111 0 8\r\n\
             a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n\
             a=sendrecv\r\na=mid:0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=rtpmap:111 opus/48000/2\r\n\
             a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
             a=fmtp:111 minptime=10;useinbandfec=1\r\na=setup:active\r\na=rtcp-mux\r\n\
             a=ice-ufrag:aufrag\r\na=ice-pwd:apasswordpasswordpassword\r\n\
             a=fingerprint:sha-256 {fingerprint}\r\na=ssrc:1111 cname:user1@host-1\r\n"
        )
    );
    assert_eq!(
        lines(&text, "m="),
        [
            "m=audio 1 UDP/TLS/RTP/SAVPF 111 0 8",
            "m=video 1 UDP/TLS/RTP/SAVPF 96 102 104 108 114 116 39 45 98 100",
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
        ]
    );
    assert_eq!(
        lines(&text, "a=rtcp-fb:39 "),
        [
            "a=rtcp-fb:39 goog-remb",
            "a=rtcp-fb:39 ccm fir",
            "a=rtcp-fb:39 nack",
            "a=rtcp-fb:39 nack pli",
        ]
    );
    assert!(text.ends_with("webrtc-datachannel\r\na=inactive\r\na=mid:2\r\n"));
}

#[test]
fn chromium_outcome() {
    let negotiated = answered(samples::CHROMIUM);
    assert_eq!(negotiated.transports.len(), 1);
    let transport = &negotiated.transports[0];
    assert_eq!(transport.mline_indexes, [0, 1, 2]);
    assert!(transport.bundled && transport.remote_trickle);
    assert_eq!(transport.role, DtlsRole::Active);
    assert_eq!(transport.remote_ice.ufrag, "OAmA");
    let video = negotiated.media_of(&MediaKind::Video).unwrap();
    assert!(video.send && video.receive);
    assert_eq!(video.extension_id(extension_uri::ABS_SEND_TIME), Some(2));
    assert_eq!(video.extension_id(extension_uri::TRANSPORT_CC), None);
    assert_eq!(
        video.codec(102).unwrap().match_parameters,
        MatchParameters::H264 {
            profile: H264Profile::Baseline,
            packetization_mode: 1
        }
    );
    assert_eq!(
        video.codec(100).unwrap().match_parameters,
        MatchParameters::Vp9 { profile_id: 2 }
    );
    assert!(video.codecs[0].allows(&RtcpFeedback::NackPli));
    assert_eq!(video.codecs[0].rtx_payload_type, None);
    assert_eq!(
        video.remote_streams,
        [RemoteStream {
            ssrc: 2031862518,
            rtx_ssrc: Some(1566075531),
            cname: Some("aRv25ZqsmeTVNaIG".into())
        }]
    );
    let data = negotiated.media_of(&MediaKind::Application).unwrap();
    assert_eq!(
        data.sctp,
        Some(SctpParameters {
            local_port: 5000,
            remote_port: 5000,
            remote_max_message_size: 262144
        })
    );
}

#[test]
fn rtx_and_transport_cc_only_when_enabled() {
    let negotiated = answered_with_everything(samples::CHROMIUM);
    let video = negotiated.media_of(&MediaKind::Video).unwrap();
    assert_eq!(video.codec(96).unwrap().rtx_payload_type, Some(97));
    assert_eq!(video.repaired_by(46).unwrap().name, "AV1");
    assert_eq!(video.local_rtx_ssrc, Some(2223));
    assert_eq!(video.extension_id(extension_uri::TRANSPORT_CC), Some(3));
    assert!(video.codecs[0].allows(&RtcpFeedback::TransportCc));
    assert!(video.reduced_size_rtcp);
    let text = negotiated.local.to_string();
    // 119 repairs red, which is not accepted.
    assert_eq!(
        lines(&text, "m=video"),
        [
            "m=video 1 UDP/TLS/RTP/SAVPF 96 97 102 103 104 107 108 109 114 115 116 117 39 40 45 46 98 99 100 101"
        ]
    );
    assert_eq!(lines(&text, "a=ssrc-group"), ["a=ssrc-group:FID 2222 2223"]);

    let plain = answered(samples::CHROMIUM).local.to_string();
    assert!(!plain.contains("rtx/") && !plain.contains("transport-"));
}

#[test]
fn simulcast_is_received_by_rid() {
    let negotiated = answered_with_everything(samples::CHROMIUM_SIMULCAST);
    assert_eq!(negotiated.media[0].receive_rids, ["h", "m", "l"]);
    assert!(negotiated.media[0].receive && !negotiated.media[0].send);
    let text = negotiated.local.to_string();
    assert_eq!(lines(&text, "a=simulcast"), ["a=simulcast:recv h;m;l"]);
    assert_eq!(
        lines(&text, "a=rid"),
        ["a=rid:h recv", "a=rid:m recv", "a=rid:l recv"]
    );
    assert_eq!(lines(&text, "a=recvonly").len(), 1);

    let plain = answered(samples::CHROMIUM_SIMULCAST);
    assert!(plain.media[0].receive_rids.is_empty());
    assert!(!plain.local.to_string().contains("a=rid"));
}

#[test]
fn firefox() {
    let negotiated = answered(samples::FIREFOX);
    let text = negotiated.local.to_string();
    assert_eq!(
        lines(&text, "m="),
        [
            "m=audio 1 UDP/TLS/RTP/SAVPF 109 0 8",
            "m=video 1 UDP/TLS/RTP/SAVPF 120 121 126",
            // Bundle-only in the offer, hence port 0 there, and accepted.
            "m=application 1 UDP/DTLS/SCTP webrtc-datachannel",
        ]
    );
    assert_eq!(lines(&text, "a=group"), ["a=group:BUNDLE 0 1 2"]);
    assert!(!text.contains("bundle-only"));
    assert_eq!(negotiated.transports.len(), 1);
    assert_eq!(negotiated.transports[0].remote_ice.ufrag, "3f2a1b0c");
    let audio = negotiated.media_of(&MediaKind::Audio).unwrap();
    assert_eq!(audio.codecs[0].parameters.get("stereo"), Some("1"));
}

/// Whoever watches Safari through a server decodes Constrained Baseline, and hardly ever High.
#[test]
fn safari_is_asked_for_the_profile_that_most_can_decode() {
    let video_line = |offer: &str| {
        let text = answered_with_everything(offer).local.to_string();
        lines(&text, "m=video").concat()
    };
    assert_eq!(
        video_line(samples::SAFARI),
        "m=video 1 UDP/TLS/RTP/SAVPF 98 99 103 104 96 97 100 101 107 108 109 35 36 37 38 39"
    );
    assert_eq!(
        video_line(samples::IOS),
        "m=video 1 UDP/TLS/RTP/SAVPF 98 99 96 97 100 101"
    );
    let negotiated = answered(samples::IOS);
    let video = negotiated.media_of(&MediaKind::Video).unwrap();
    let [first, ..] = video.codecs.as_slice() else {
        panic!("{video:?}")
    };
    assert_eq!(first.payload_type, 98, "what is sent to it, too");
}

#[test]
fn the_offerers_order_of_codecs_stands_unless_it_is_configured() {
    let offer = read(samples::SAFARI);
    let ordered = |names: &[&str]| {
        let mut config = config();
        let video = config.video.as_mut().unwrap();
        video.answer_order = names.iter().map(|name| (*name).to_owned()).collect();
        let negotiated = answer(&config, &offer).unwrap();
        let text = negotiated.local.to_string();
        lines(&text, "m=video").concat()
    };
    let numbers = |line: String| line.split_once("SAVPF ").unwrap().1.to_owned();
    assert_eq!(numbers(ordered(&[])), "98 103 96 100 107 109 36 38");
    assert_eq!(
        numbers(ordered(&["VP9", "vp8"])),
        "109 36 107 98 103 96 100 38"
    );
}

#[test]
fn aiortc() {
    let negotiated = answered(samples::AIORTC);
    let transport = &negotiated.transports[0];
    assert_eq!(transport.remote_candidates.len(), 2);
    assert!(transport.remote_end_of_candidates && !transport.remote_trickle);
    assert_eq!(transport.remote_fingerprints.len(), 2);
    let text = negotiated.local.to_string();
    assert_eq!(
        lines(&text, "m=video"),
        ["m=video 1 UDP/TLS/RTP/SAVPF 97 99 101"]
    );
}

#[test]
fn webrtcbin() {
    let negotiated = answered(samples::WEBRTCBIN);
    let text = negotiated.local.to_string();
    assert_eq!(
        lines(&text, "m="),
        [
            "m=video 1 UDP/TLS/RTP/SAVPF 96",
            "m=audio 1 UDP/TLS/RTP/SAVPF 97"
        ]
    );
    assert_eq!(lines(&text, "a=rtpmap:97"), ["a=rtpmap:97 OPUS/48000/2"]);
    assert_eq!(lines(&text, "a=framerate"), ["a=framerate:30"]);
    assert_eq!(lines(&text, "a=rtcp-mux").len(), 2);
    assert_eq!(negotiated.media[0].mid.as_deref(), Some("video0"));
}

#[test]
fn sections_without_bundle_have_their_own_transports() {
    let negotiated = answered(samples::UNBUNDLED);
    let [audio, video] = negotiated.transports.as_slice() else {
        panic!("{:?}", negotiated.transports);
    };
    assert_eq!(
        (audio.role, video.role),
        (DtlsRole::Active, DtlsRole::Passive)
    );
    assert_eq!(audio.local_ice.ufrag, "aufrag");
    assert_eq!(video.local_ice.ufrag, "bufrag");
    assert_eq!(video.remote_ice.ufrag, "vvvv");
    assert_eq!(audio.remote_candidates.len(), 1, "component 2 is not used");
    assert_eq!(negotiated.media[1].transport, 1);
    assert!(negotiated.local.groups.is_empty());
    let text = negotiated.local.to_string();
    assert_eq!(
        lines(&text, "a=setup"),
        ["a=setup:active", "a=setup:passive"]
    );
    assert_eq!(lines(&text, "a=ptime"), ["a=ptime:20"]);
    assert_eq!(lines(&text, "m=video"), ["m=video 1 RTP/SAVPF 100"]);
}

#[test]
fn the_peers_bandwidth_limits_what_is_sent() {
    let negotiated = answered(samples::UNBUNDLED);
    let limits: Vec<Option<u64>> = negotiated
        .media
        .iter()
        .map(|media| media.max_send_bitrate)
        .collect();
    assert_eq!(limits, [Some(64_000), Some(800_000)]);
}

#[test]
fn own_bandwidth_limit_is_written() {
    let mut config = config();
    config.video.as_mut().unwrap().max_receive_bandwidth = 1200;
    let text = answer(&config, &read(samples::CHROMIUM))
        .unwrap()
        .local
        .to_string();
    assert_eq!(lines(&text, "b="), ["b=AS:1200"]);
}

#[test]
fn directions_are_mirrored() {
    for (offered, answered, send, receive) in [
        ("sendrecv", "a=sendrecv", true, true),
        ("sendonly", "a=recvonly", false, true),
        ("recvonly", "a=sendonly", true, false),
        ("inactive", "a=inactive", false, false),
    ] {
        let offer = samples::CHROMIUM_SIMULCAST.replace("a=sendonly", &format!("a={offered}"));
        let negotiated = super::answer(&config(), &read(&offer)).unwrap();
        assert!(negotiated.local.to_string().contains(answered), "{offered}");
        let media = &negotiated.media[0];
        assert_eq!((media.send, media.receive), (send, receive), "{offered}");
    }
}

#[test]
fn what_cannot_be_used_is_rejected() {
    let offer = samples::CHROMIUM
        .replace("opus/48000/2", "L16/48000/2")
        .replace("PCMU/8000", "PCMU/16000")
        .replace("PCMA/8000", "iLBC/8000");
    let text = answered(&offer).local.to_string();
    assert_eq!(
        lines(&text, "m="),
        [
            "m=audio 0 UDP/TLS/RTP/SAVPF 111",
            "m=video 1 UDP/TLS/RTP/SAVPF 96 102 104 108 114 116 39 45 98 100",
            "m=application 1 UDP/DTLS/SCTP webrtc-datachannel",
        ]
    );
    assert_eq!(lines(&text, "a=group"), ["a=group:BUNDLE 1 2"]);
}

#[test]
fn other_profiles_and_kinds_are_rejected() {
    let offer = samples::CHROMIUM
        .replace("m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/AVP")
        .replace("m=video 9 ", "m=text 9 ")
        .replace("a=sctp-port:5000\n", "");
    let negotiated = answered(&offer);
    assert!(negotiated.media.is_empty() && negotiated.transports.is_empty());
    let text = negotiated.local.to_string();
    assert_eq!(lines(&text, "m=text"), ["m=text 0 UDP/TLS/RTP/SAVPF 96"]);
    assert_eq!(lines(&text, "a=group"), ["a=group:BUNDLE"]);
}

#[test]
fn one_section_of_each_kind() {
    let (session, section) =
        samples::UNBUNDLED.split_at(samples::UNBUNDLED.find("m=audio").unwrap());
    let (audio, video) = section.split_at(section.find("m=video").unwrap());
    let refused = audio.replacen("m=audio 40000", "m=audio 0", 1);
    let offer = format!("{session}{refused}{audio}{audio}{video}{video}");
    let text = answered(&offer).local.to_string();
    assert_eq!(
        lines(&text, "m="),
        [
            "m=audio 0 RTP/SAVPF 111",
            "m=audio 1 RTP/SAVPF 111",
            "m=audio 0 RTP/SAVPF 111",
            "m=video 1 RTP/SAVPF 100",
            "m=video 0 RTP/SAVPF 100",
        ]
    );
}

#[test]
fn an_offer_without_media_is_answered() {
    let negotiated = answered("v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\n");
    assert_eq!(
        negotiated.local.to_string(),
        "v=0\r\no=- 4004160642 4004160642 IN IP4 0.0.0.0\r\ns=Kurento Media Server\r\n\
         c=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    );
}

#[test]
fn missing_transport_attributes() {
    for (line, reason) in [
        (
            "a=ice-pwd:vvvvvvvvvvvvvvvvvvvvvv\n",
            "a=ice-ufrag or a=ice-pwd is missing",
        ),
        ("a=ice-ufrag:vvvv\n", "a=ice-ufrag or a=ice-pwd is missing"),
    ] {
        let offer = samples::UNBUNDLED.replace(line, "");
        assert_eq!(
            answer(&config(), &read(&offer)).unwrap_err(),
            SdpError::NoCommonTransport {
                mline_index: 1,
                reason
            }
        );
    }
    let offer: String = samples::UNBUNDLED
        .lines()
        .filter(|line| !line.starts_with("a=fingerprint"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(matches!(
        answer(&config(), &read(&offer)),
        Err(SdpError::NoCommonTransport { mline_index: 0, .. })
    ));
}

#[test]
fn bundled_sections_need_not_repeat_the_transport() {
    let (first, rest) = samples::AIORTC.split_at(samples::AIORTC.find("m=video").unwrap());
    let rest: String = rest
        .lines()
        .filter(|line| !line.starts_with("a=ice-") && !line.starts_with("a=fingerprint"))
        .map(|line| format!("{line}\n"))
        .collect();
    let negotiated = answered(&format!("{first}{rest}"));
    assert_eq!(negotiated.transports[0].mline_indexes, [0, 1]);
}

#[test]
fn a_held_connection_is_refused() {
    let offer = samples::UNBUNDLED.replace("a=setup:passive", "a=setup:holdconn");
    let negotiated = answered(&offer);
    assert_eq!(negotiated.media.len(), 1);
    assert_eq!(negotiated.media[0].kind, MediaKind::Video);
}

#[test]
fn candidates_are_added_to_every_section_of_the_transport() {
    let mut negotiated = answered(samples::CHROMIUM);
    let candidate = crate::Candidate::host_udp("1", 7, "192.0.2.2".parse().unwrap(), 5000);
    let sections = &negotiated.transports[0].mline_indexes;
    negotiated.local.add_candidate(sections, &candidate);
    negotiated
        .local
        .set_default_candidate(sections, "192.0.2.2:5000".parse().unwrap());
    let text = negotiated.local.to_string();
    assert_eq!(
        lines(&text, "a=candidate"),
        ["a=candidate:1 1 UDP 7 192.0.2.2 5000 typ host"; 3]
    );
    assert_eq!(lines(&text, "m=application 5000").len(), 1);
    assert_eq!(lines(&text, "a=rtcp:5000 IN IP4 192.0.2.2").len(), 2);
}

#[test]
fn answers_are_readable() {
    for text in samples::ALL {
        let local = answered_with_everything(text).local;
        assert_eq!(read(&local.to_string()).to_string(), local.to_string());
    }
}

#[test]
fn the_data_section_of_old_browsers_is_answered_in_kind() {
    let text = samples::CHROMIUM.replace("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5001");
    let text = text.replace("a=sctp-port:5000", "a=sctpmap:5001 webrtc-datachannel 1024");
    let negotiated = answered(&text);
    let data = negotiated.media_of(&MediaKind::Application).unwrap();
    assert_eq!(data.sctp.unwrap().remote_port, 5001);
    let answer = negotiated.local.to_string();
    assert!(
        answer.contains("m=application 1 DTLS/SCTP 5001\r\n"),
        "{answer}"
    );
    assert!(answer.contains("a=sctpmap:5001 webrtc-datachannel 1024\r\n"));
    assert!(!answer.contains("a=sctp-port"));
}

/// As many payload types as there are, none of which is like the other.
#[test]
fn made_up_profiles_are_not_answered() {
    let types = 1..=127u8;
    let mut offer = samples::CHROMIUM
        .split("m=video")
        .next()
        .unwrap()
        .to_owned();
    let numbers: Vec<String> = types.clone().map(|number| number.to_string()).collect();
    offer += &format!(
        "m=video 9 UDP/TLS/RTP/SAVPF {}\r\na=mid:1\r\na=rtcp-mux\r\na=setup:actpass\r\n",
        numbers.join(" ")
    );
    offer += "a=ice-ufrag:OAmA\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n";
    for number in types {
        let (name, parameters) = match number % 3 {
            0 => (
                "H264",
                format!(
                    "profile-level-id={number:02x}001f;packetization-mode={}",
                    number % 2
                ),
            ),
            1 => ("AV1", format!("profile={number}")),
            _ => ("VP9", format!("profile-id={number}")),
        };
        offer += &format!("a=rtpmap:{number} {name}/90000\r\na=fmtp:{number} {parameters}\r\n");
    }
    let negotiated = answered(&offer);
    let video = negotiated.media_of(&MediaKind::Video).unwrap();
    let known: Vec<u8> = video
        .codecs
        .iter()
        .map(|codec| codec.payload_type)
        .collect();
    assert_eq!(known, [1, 2, 0x42]);
}
