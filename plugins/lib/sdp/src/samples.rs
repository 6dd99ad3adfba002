//! Offers as real stacks write them, for tests. Identifiers are made up.

mod mutation;

pub(crate) use mutation::{mutated_sample, plausible_line};

use crate::{
    CodecCapability, Connection, Features, Fingerprint, IceCredentials, LocalConfig, LocalData,
    LocalMedia, LocalTransport, SessionDescription, parse,
};

pub(crate) const CHROMIUM: &str = include_str!("samples/chromium.sdp");
pub(crate) const CHROMIUM_SIMULCAST: &str = include_str!("samples/chromium_simulcast.sdp");
pub(crate) const FIREFOX: &str = include_str!("samples/firefox.sdp");
/// Desktop Safari: four forms of H264 before everything else, High before Baseline.
pub(crate) const SAFARI: &str = include_str!("samples/safari.sdp");
/// A phone of some years: two forms of H264, then VP8.
pub(crate) const IOS: &str = include_str!("samples/ios.sdp");
pub(crate) const AIORTC: &str = include_str!("samples/aiortc.sdp");
pub(crate) const WEBRTCBIN: &str = include_str!("samples/webrtcbin.sdp");
pub(crate) const UNBUNDLED: &str = include_str!("samples/unbundled.sdp");

pub(crate) const ALL: [&str; 8] = [
    CHROMIUM,
    CHROMIUM_SIMULCAST,
    FIREFOX,
    SAFARI,
    IOS,
    AIORTC,
    WEBRTCBIN,
    UNBUNDLED,
];

/// An edge of a telephone network: ICE-lite, capability lines of RFC 5939, names in lower case.
pub(crate) const BORDER_CONTROLLER: &str = include_str!("samples/border_controller.sdp");
/// A hosted telephone system: one section, no mid, a hash of its own choice.
pub(crate) const TELEPHONE_SYSTEM: &str = include_str!("samples/telephone_system.sdp");
/// A door station behind a video recorder: little of it follows the grammar.
pub(crate) const RECORDER: &str = include_str!("samples/recorder.sdp");
/// A broadcaster's program: the transport stands at the session level.
pub(crate) const BROADCASTER: &str = include_str!("samples/broadcaster.sdp");

/// Of stacks that are none of a browser's.
pub(crate) const OTHERS: [&str; 4] = [BORDER_CONTROLLER, TELEPHONE_SYSTEM, RECORDER, BROADCASTER];

/// A sample as types.
pub(crate) fn read(text: &str) -> SessionDescription {
    parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A WebRTC endpoint with everything Kurento offers, and no optional features.
pub(crate) fn config() -> LocalConfig {
    let ice = |name: &str| IceCredentials {
        ufrag: format!("{name}ufrag"),
        password: format!("{name}passwordpasswordpassword"),
    };
    let media = |codecs, ssrc| LocalMedia::new(codecs, ssrc, "user1@host-1");
    LocalConfig {
        session_id: 4004160642,
        session_version: 4004160642,
        session_name: "Kurento Media Server".into(),
        connection: Connection::unspecified(),
        audio: Some(media(CodecCapability::webrtc_audio(), 1111)),
        video: Some(LocalMedia {
            rtx_ssrc: Some(2223),
            ..media(CodecCapability::webrtc_video(), 2222)
        }),
        data: Some(LocalData {
            sctp_port: 5000,
            max_message_size: None,
        }),
        transport: LocalTransport {
            ice: [ice("a"), ice("b"), ice("c")],
            fingerprint: Fingerprint::sha256([0xAB; 32]),
            trickle: false,
        },
        features: Features::default(),
    }
}

/// All optional features on.
pub(crate) fn everything() -> Features {
    Features {
        rtx: true,
        transport_cc: true,
        simulcast: true,
        reduced_size_rtcp: true,
    }
}
