//! Which packets may be padded (RFC 3550 §5.1), and by what to compare their lengths: packets of one
//! length can leave in one message.

use rivero_plugin_api::Packet;

use super::Sender;
use crate::extensions;

impl Sender {
    /// Whether a packet may be padded. Where it would be sent again under its own number it has to be
    /// the same to the bit, since two packets under one number give the key of AES-GCM away
    /// (RFC 7714 §8.4), and how it was padded is not kept.
    #[inline]
    pub(crate) fn may_pad(&self, packet: &Packet) -> bool {
        let format = self.negotiated.format_of(packet);
        format.is_some_and(|format| self.repeats_in_a_stream(&format))
    }

    /// How a packet's length compares with that of others that this peer gets: without what all of
    /// them have, and with the header extensions that some have.
    #[inline]
    pub(crate) fn comparable_length(&self, packet: &Packet) -> usize {
        let extensions = extensions::length(&packet.rtp.extensions, &self.negotiated.extensions);
        packet.payload().len() + extensions
    }
}
