//! What was negotiated about what a peer sends.

use rivero_rtp::{ExtensionMap, HeaderExtension, RtpHeader};

use super::{ReceivedFormat, StreamDescription};

/// The part of a negotiation that every packet is read by.
pub(super) struct Negotiated {
    /// What the peer may send.
    pub(super) formats: Vec<ReceivedFormat>,
    /// Header extensions under the peer's ids.
    pub(super) extensions: ExtensionMap,
    /// The streams that will come.
    pub(super) described: StreamDescription,
    /// Parameter sets of the description, with their payload type.
    pub(super) given_sets: Vec<(u8, Vec<Box<[u8]>>)>,
    /// Payload types whose clock counts bytes.
    pub(super) byte_clocks: Vec<u8>,
    /// The name of the section, `a=mid`.
    pub(super) mid: Option<Box<str>>,
}

impl Negotiated {
    /// The timestamp units of a packet with so many bytes of payload; 0 where that is not known.
    #[inline]
    pub(super) fn ticks(&self, payload_type: u8, bytes: usize) -> u32 {
        match self.byte_clocks.contains(&payload_type) {
            true => u32::try_from(bytes).unwrap_or(0),
            false => 0,
        }
    }

    /// Whether a packet names this section.
    pub(super) fn is_named_by(&self, header: &RtpHeader, packet: &[u8]) -> bool {
        let Some(mid) = &self.mid else { return false };
        let elements = header.extensions(packet);
        self.extensions.find(HeaderExtension::Mid, elements) == Some(mid.as_bytes())
    }
}
