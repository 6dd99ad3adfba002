//! What an endpoint without ICE is able and willing to do.

use super::super::{CodecCapability, LocalMedia};
use crate::{Connection, CryptoSuite, ExtMap, InlineKey, MediaKind, extension_uri};

/// Of an extension that is answered, under the peer's number, and never offered.
const MID_ID: u16 = 8;

/// Everything that an offer or answer is made from. Random values come from the caller, so that a
/// negotiation is reproducible.
#[derive(Debug, Clone)]
pub struct RtpConfig {
    /// Session identifier of o=.
    pub session_id: u64,
    /// Version of o=; a later description of the same session needs a higher one.
    pub session_version: u64,
    /// s=
    pub session_name: String,
    /// Address of o= and c=: where media is to be sent.
    pub connection: Connection,
    /// `None` rejects audio.
    pub audio: Option<RtpMedia>,
    /// `None` rejects video.
    pub video: Option<RtpMedia>,
    /// Only what is encrypted is offered and accepted. Otherwise only a profile that is not secure is,
    /// but with keys where the peer has some.
    pub secure: bool,
    /// Whether the sections of a group that the peer offers may share the port of one of them (BUNDLE, RFC 9143); own offers
    /// ask for it never.
    pub bundle: bool,
    /// A key of ours for each suite that is spoken, in the order of preference.
    pub keys: Vec<(CryptoSuite, InlineKey)>,
}

impl RtpConfig {
    pub(super) fn media(&self, kind: &MediaKind) -> Option<&RtpMedia> {
        match kind {
            MediaKind::Audio => self.audio.as_ref(),
            MediaKind::Video => self.video.as_ref(),
            _ => None,
        }
    }
}

/// One kind of media.
#[derive(Debug, Clone)]
pub struct RtpMedia {
    /// What is offered, and the rest that descriptions have in common.
    pub media: LocalMedia,
    /// Codecs that are accepted and not offered.
    pub accepted: Vec<CodecCapability>,
    /// Where it is received.
    pub ports: RtpPorts,
    /// Whether RTP and RTCP may share a port (RFC 5761); offered never, since gateways are seen that
    /// reject what offers it.
    pub rtcp_mux: bool,
}

impl RtpMedia {
    /// What an answer may have: with [`accepted`](Self::accepted), and the name of the section on its packets, which only
    /// those of a bundle need.
    pub(super) fn answering(&self) -> LocalMedia {
        let mut media = self.media.clone();
        media.codecs.extend(self.accepted.iter().cloned());
        media
            .extensions
            .push(ExtMap::new(MID_ID, extension_uri::MID));
        media
    }
}

/// Ports of one kind of media (RFC 3550 §11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpPorts {
    /// Even.
    pub rtp: u16,
    /// The next one.
    pub rtcp: u16,
}
