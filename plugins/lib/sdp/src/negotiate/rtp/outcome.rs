//! The result of a negotiation, seen from the local side.

use super::super::{NegotiatedCodec, NegotiatedMedia};
use crate::{Crypto, MediaKind, MediaTarget, SessionDescription};

/// What both sides agreed on.
#[derive(Debug, Clone)]
pub struct NegotiatedRtp {
    /// The local description: the answer, or the offer as it was.
    pub local: SessionDescription,
    /// The accepted sections, one of a kind at most.
    pub media: Vec<NegotiatedRtpMedia>,
    /// The kind whose transport all of them share (BUNDLE, RFC 9143): what is said of it holds for the others.
    pub bundle: Option<MediaKind>,
}

impl NegotiatedRtp {
    /// The accepted section of a kind.
    pub fn media_of(&self, kind: &MediaKind) -> Option<&NegotiatedRtpMedia> {
        self.media.iter().find(|media| media.media.kind == *kind)
    }
}

/// One accepted section.
#[derive(Debug, Clone)]
pub struct NegotiatedRtpMedia {
    /// As sections of all transports have it; its codecs have the numbers under which they come.
    pub media: NegotiatedMedia,
    /// The same codecs with the numbers under which the peer wants them (RFC 3264 §5.1).
    pub sent: Vec<NegotiatedCodec>,
    /// The same of digits.
    pub sent_events: Vec<NegotiatedCodec>,
    /// Where the peer receives.
    pub target: MediaTarget,
    /// The profile has timely feedback (RFC 4585).
    pub feedback: bool,
    /// RTP and RTCP share a port.
    pub rtcp_mux: bool,
    /// The peer's address is that which its packets come from (`a=direction:active`).
    pub learns: bool,
    /// Milliseconds of sound in a packet that the peer wants, if it says so.
    pub packet_time: Option<u64>,
    /// `None` for plain RTP.
    pub keys: Option<SdesKeys>,
}

/// The keys of one section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdesKeys {
    /// Protects what we send.
    pub local: Crypto,
    /// Opens what we receive.
    pub remote: Crypto,
}
