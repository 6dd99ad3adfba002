use super::*;
use crate::{
    Direction, DtlsRole, RtcpFeedback, accept_answer, answer,
    samples::{config, everything, read},
};

fn offered() -> SessionDescription {
    offer(&config(), OfferOptions::default()).unwrap()
}

/// The peer of the tests: another endpoint of the same kind.
fn peer() -> LocalConfig {
    let mut peer = config();
    peer.session_id = 7;
    for ice in &mut peer.transport.ice {
        ice.ufrag.insert_str(0, "peer-");
    }
    peer
}

fn m_lines(description: &SessionDescription) -> Vec<String> {
    let text = description.to_string();
    text.lines()
        .filter(|line| line.starts_with("m="))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_default_offer_has_kurentos_numbers() {
    let offer = offered();
    assert_eq!(
        m_lines(&offer),
        [
            "m=audio 1 RTP/SAVPF 96 0 8",
            "m=video 1 RTP/SAVPF 102 103 104 105",
            "m=application 1 UDP/DTLS/SCTP webrtc-datachannel",
        ]
    );
    let text = offer.to_string();
    for line in [
        "a=group:BUNDLE audio0 video0 application0",
        "a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        "a=setup:actpass",
        "a=fmtp:102 level-idx=5;profile=0;tier=0",
        "a=fmtp:105 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        "a=rtcp-fb:104 goog-remb",
        "a=mid:video0",
        "a=sctp-port:5000",
    ] {
        assert!(text.contains(&format!("{line}\r\n")), "{line}\n{text}");
    }
    assert_eq!(read(&text), offer);
}

#[test]
fn sections_can_be_left_out() {
    let mut config = config();
    config.data = None;
    let video = OfferOptions {
        audio: false,
        video: true,
    };
    assert_eq!(
        m_lines(&offer(&config, video).unwrap()),
        ["m=video 1 RTP/SAVPF 102 103 104 105"]
    );
    let nothing = OfferOptions {
        audio: false,
        video: false,
    };
    let text = offer(&config, nothing).unwrap().to_string();
    assert!(text.ends_with("t=0 0\r\na=group:BUNDLE\r\n"));
}

#[test]
fn directions_and_limits_of_the_configuration() {
    let mut config = config();
    let video = config.video.as_mut().unwrap();
    video.direction = Direction::SendOnly;
    video.max_receive_bandwidth = 900;
    let text = offer(&config, OfferOptions::default()).unwrap().to_string();
    let (_, video) = text.split_once("m=video").unwrap();
    assert!(video.contains("b=AS:900\r\n") && video.contains("a=sendonly\r\n"));
}

#[test]
fn optional_features_are_offered_when_on() {
    let config = LocalConfig {
        features: everything(),
        ..config()
    };
    let offer = offer(&config, OfferOptions::default()).unwrap();
    assert_eq!(
        m_lines(&offer)[1],
        "m=video 1 RTP/SAVPF 102 103 104 105 97 98 99 100"
    );
    let video = &offer.media[1];
    assert_eq!(video.codec(97).unwrap().rtx_apt(), Some(102));
    assert_eq!(video.extension_id(extension_uri::TRANSPORT_CC), Some(1));
    assert!(
        video.codecs[0]
            .feedback
            .contains(&RtcpFeedback::TransportCc)
    );
}

#[test]
fn payload_types_run_out() {
    let mut config = config();
    let video = config.video.as_mut().unwrap();
    video.codecs = vec![video.codecs[0].clone(); 40];
    assert!(matches!(
        offer(&config, OfferOptions::default()),
        Err(SdpError::Configuration(_))
    ));
}

#[test]
fn header_extension_identifiers_are_checked() {
    let mut config = config();
    config.video.as_mut().unwrap().extensions[0].id = 4096;
    assert!(matches!(
        offer(&config, OfferOptions::default()),
        Err(SdpError::Configuration(_))
    ));
}

#[test]
fn two_endpoints_agree() {
    for features in [crate::Features::default(), everything()] {
        let with_features = |config| LocalConfig { features, ..config };
        let offer = offer(&with_features(config()), OfferOptions::default()).unwrap();
        let answerer = answer(&with_features(peer()), &offer).unwrap();
        let offerer = accept_answer(&offer, &read(&answerer.local.to_string())).unwrap();
        assert_eq!(offerer.transports.len(), 1);
        assert_eq!(offerer.transports[0].role, DtlsRole::Passive);
        assert_eq!(answerer.transports[0].role, DtlsRole::Active);
        assert_eq!(offerer.transports[0].remote_ice.ufrag, "peer-aufrag");
        assert_eq!(offerer.transports[0].local_ice.ufrag, "aufrag");
        assert!(!offerer.media.is_empty() && offerer.media.len() == answerer.media.len());
        for (ours, theirs) in offerer.media.iter().zip(&answerer.media) {
            assert_eq!(ours.codecs, theirs.codecs);
            assert_eq!(ours.extensions, theirs.extensions);
            assert_eq!((ours.send, ours.receive), (theirs.receive, theirs.send));
            assert_eq!(ours.sctp.is_some(), theirs.sctp.is_some());
        }
    }
}

fn answer_text() -> String {
    answer(&peer(), &offered()).unwrap().local.to_string()
}

#[test]
fn the_answer_chooses_codecs_and_direction() {
    let text = answer_text()
        .replace("SAVPF 102 103 104 105", "SAVPF 104 96")
        .replacen(
            "a=sendrecv\r\na=mid:video0",
            "a=recvonly\r\na=mid:video0",
            1,
        );
    let negotiated = accept_answer(&offered(), &read(&text)).unwrap();
    let video = &negotiated.media[1];
    assert_eq!(video.codecs.len(), 1);
    assert_eq!(video.codecs[0].name, "VP8");
    assert!(video.send && !video.receive);
}

#[test]
fn refused_sections_are_left_out() {
    let text = answer_text().replace("m=video 1 ", "m=video 0 ");
    let negotiated = accept_answer(&offered(), &read(&text)).unwrap();
    assert_eq!(negotiated.media.len(), 2);
    assert!(negotiated.transport_of(1).is_none());
    assert_eq!(negotiated.transports[0].mline_indexes, [0, 2]);
}

#[test]
fn an_answer_without_bundle() {
    let text = answer_text().replace("a=group:BUNDLE audio0 video0 application0\r\n", "");
    let negotiated = accept_answer(&offered(), &read(&text)).unwrap();
    // The credentials of all are the same, so somebody on the way has left the line out.
    assert_eq!(negotiated.transports.len(), 1);
    assert_eq!(negotiated.transports[0].mline_indexes, [0, 1, 2]);
    // A peer that does not bundle has its own for each section,
    let mut own = read(&text);
    for (number, section) in own.media.iter_mut().enumerate() {
        section.ice.as_mut().unwrap().ufrag = format!("own{number}");
    }
    let negotiated = accept_answer(&offered(), &own).unwrap();
    assert_eq!(negotiated.transports.len(), 3);
    assert_eq!(negotiated.media[2].transport, 2);
    // or other addresses.
    let mut own = read(&text);
    for (section, port) in own.media.iter_mut().zip(5000..) {
        let address = "192.0.2.1".parse().unwrap();
        section.candidates = vec![crate::Candidate::host_udp("1", 7, address, port)];
    }
    let negotiated = accept_answer(&offered(), &own).unwrap();
    assert_eq!(negotiated.transports.len(), 3);
}

#[test]
fn answers_that_do_not_fit() {
    let one = OfferOptions {
        audio: true,
        video: false,
    };
    let short = offer(&config(), one).unwrap();
    assert_eq!(
        accept_answer(&short, &read(&answer_text())).unwrap_err(),
        SdpError::SectionCount {
            offered: 2,
            answered: 3
        }
    );
    for (from, to) in [
        ("m=audio 1 RTP/SAVPF 96 0 8", "m=text 1 RTP/SAVPF 96 0 8"),
        ("a=mid:audio0", "a=mid:sound0"),
        ("a=rtpmap:104 VP8", "a=rtpmap:104 VP7"),
        ("a=sctp-port:5000\r\n", ""),
    ] {
        let text = answer_text()
            .replace("SAVPF 102 103 104 105", "SAVPF 104")
            .replace(from, to);
        assert!(
            matches!(
                accept_answer(&offered(), &read(&text)),
                Err(SdpError::SectionMismatch { .. })
            ),
            "{to}"
        );
    }
    for (from, to) in [
        ("a=setup:active", "a=setup:holdconn"),
        ("a=ice-ufrag", "a=x-ufrag"),
        ("a=fingerprint", "a=x-fingerprint"),
    ] {
        assert!(
            matches!(
                accept_answer(&offered(), &read(&answer_text().replace(from, to))),
                Err(SdpError::NoCommonTransport { .. })
            ),
            "{to}"
        );
    }
}
