//! Descriptions as an RtpEndpoint negotiates: each offer has an answer of as many sections, which can be read and goes on.

use rivero_sdp::{
    CodecCapability, Connection, CryptoSuite, InlineKey, LocalMedia, MediaKind, OfferOptions,
    RtpConfig, RtpMedia, RtpPorts, accept_rtp_answer, answer_rtp, offer_rtp, offer_rtp_again,
    parse,
};

pub(crate) fn run(input: &[u8]) {
    let Some(text) = std::str::from_utf8(input).ok() else {
        return;
    };
    let Ok(description) = parse(text) else {
        return;
    };
    for secure in [false, true] {
        let config = config(secure);
        if let Ok(negotiated) = answer_rtp(&config, &description) {
            let written = negotiated.local.to_string();
            let sections = parse(&written).map(|local| local.media.len());
            assert_eq!(sections, Ok(description.media.len()), "{written}");
            for media in &negotiated.media {
                assert!(!media.sent.is_empty(), "{written}");
                assert!(!secure || media.keys.is_some(), "{written}");
            }
            std::hint::black_box(offer_rtp_again(&config, &negotiated.local));
        }
        let ours = offer_rtp(&config, OfferOptions::default());
        let accepted = ours.and_then(|ours| accept_rtp_answer(&config, &ours, &description));
        drop(std::hint::black_box(accepted));
    }
}

/// An endpoint that is the same each time.
fn config(secure: bool) -> RtpConfig {
    RtpConfig {
        session_id: 1,
        session_version: 1,
        session_name: "-".to_owned(),
        connection: Connection::from(std::net::IpAddr::from([192, 0, 2, 1])),
        audio: Some(media(
            MediaKind::Audio,
            &["opus", "PCMU", "AMR", "G722"],
            5000,
        )),
        video: Some(media(MediaKind::Video, &["H265", "VP8", "H264"], 5002)),
        secure,
        bundle: true,
        keys: vec![
            (CryptoSuite::AesCm128HmacSha1_80, key(16)),
            (CryptoSuite::Aes256CmHmacSha1_32, key(32)),
        ],
    }
}

fn media(kind: MediaKind, names: &[&str], rtp: u16) -> RtpMedia {
    let codecs = names
        .iter()
        .filter_map(|name| CodecCapability::from_config_name(&kind, name).ok());
    RtpMedia {
        media: LocalMedia::new(codecs.collect(), 7, "us"),
        accepted: Vec::new(),
        ports: RtpPorts { rtp, rtcp: rtp + 1 },
        rtcp_mux: true,
    }
}

fn key(bytes: usize) -> InlineKey {
    InlineKey {
        key: vec![7; bytes],
        salt: vec![9; 14],
        lifetime: None,
        mki: None,
    }
}
