//! WebRtcEndpoint: a full-ICE DTLS-SRTP peer
pub mod peer;
