//! WebRtcEndpoint: a full-ICE DTLS-SRTP peer
