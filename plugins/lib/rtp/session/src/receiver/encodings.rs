//! The streams of a track: which encoding each one is, and which it repairs.

use rivero_rtp::{ExtensionMap, HeaderExtension, RtpHeader};

/// How the peer tells the encodings of one picture apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Encodings {
    /// There is one.
    #[default]
    One,
    /// By names in a header extension (RFC 8852), in the order of the description.
    Rids(Vec<String>),
    /// By SSRC, in the order of `a=ssrc-group:SIM`.
    Ssrcs(Vec<u32>),
}

/// What the description says about the streams that will come.
#[derive(Debug, Clone, Default)]
pub struct StreamDescription {
    /// How encodings of one picture are told apart.
    pub encodings: Encodings,
    /// SSRC of retransmissions, and of what they repeat (`a=ssrc-group:FID`).
    pub repairs: Vec<(u32, u32)>,
}

impl StreamDescription {
    /// Number of encodings.
    #[inline]
    pub(super) fn count(&self) -> usize {
        match &self.encodings {
            Encodings::One => 1,
            Encodings::Rids(rids) => rids.len(),
            Encodings::Ssrcs(ssrcs) => ssrcs.len(),
        }
    }

    /// The name of an encoding; empty where they have none.
    pub(super) fn rid(&self, encoding: usize) -> &str {
        match &self.encodings {
            Encodings::Rids(rids) => rids.get(encoding).map_or("", String::as_str),
            _ => "",
        }
    }

    /// The encoding that a packet of a stream not yet known belongs to. `None` for one that
    /// does not say so, which more packets will.
    pub(super) fn encoding_of(
        &self,
        extensions: &ExtensionMap,
        header: &RtpHeader,
        packet: &[u8],
    ) -> Option<u8> {
        let position = match &self.encodings {
            Encodings::One => Some(0),
            Encodings::Rids(rids) => {
                let elements = header.extensions(packet);
                let named = extensions.find(HeaderExtension::RtpStreamId, elements)?;
                rids.iter().position(|rid| rid.as_bytes() == named)
            }
            Encodings::Ssrcs(ssrcs) => ssrcs.iter().position(|ssrc| *ssrc == header.ssrc),
        };
        position.and_then(|position| u8::try_from(position).ok())
    }

    /// The number that an encoding has, which had `encoding` in the description before; `None`
    /// when it is no more.
    pub(super) fn renumbered(&self, before: &Self, ssrc: u32, encoding: u8) -> Option<u8> {
        let position = match (&self.encodings, &before.encodings) {
            (Encodings::One, _) => Some(0),
            (Encodings::Rids(rids), Encodings::Rids(_)) => {
                let named = before.rid(usize::from(encoding));
                rids.iter().position(|rid| rid == named)
            }
            (Encodings::Ssrcs(ssrcs), _) => ssrcs.iter().position(|known| *known == ssrc),
            (Encodings::Rids(_), _) => return Some(encoding),
        };
        position.and_then(|position| u8::try_from(position).ok())
    }

    /// The encoding that a retransmission of a stream not yet known says to repair.
    pub(super) fn repaired_encoding(
        &self,
        extensions: &ExtensionMap,
        header: &RtpHeader,
        packet: &[u8],
    ) -> Option<u8> {
        let Encodings::Rids(rids) = &self.encodings else {
            return None;
        };
        let elements = header.extensions(packet);
        let named = extensions.find(HeaderExtension::RepairedRtpStreamId, elements)?;
        let position = rids.iter().position(|rid| rid.as_bytes() == named)?;
        u8::try_from(position).ok()
    }

    /// The SSRC that the description says a retransmission stream repairs.
    pub(super) fn repaired_ssrc(&self, rtx_ssrc: u32) -> Option<u32> {
        let known = self.repairs.iter().find(|(rtx, _)| *rtx == rtx_ssrc);
        known.map(|(_, ssrc)| *ssrc)
    }
}
