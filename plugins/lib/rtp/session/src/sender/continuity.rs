//! Numbers within the media that have to go on when another source feeds a stream.

use rivero_plugin_api::Packet;
use rivero_rtp::{
    dependency::{DescriptorFront, FrameNumbers},
    picture::PictureNumbers,
};

use super::{config::Negotiated, source_of};
use crate::extensions;

/// Those of pictures, in the payload, and those of frames, in the dependency descriptor.
#[derive(Default)]
pub(super) struct MediaNumbers {
    pub(super) pictures: PictureNumbers,
    frames: FrameNumbers,
}

impl MediaNumbers {
    /// How the dependency descriptor of a packet is to begin, where it has one and the peer takes it.
    #[inline]
    pub(super) fn descriptor(
        &mut self,
        negotiated: &Negotiated,
        packet: &Packet,
    ) -> Option<DescriptorFront> {
        let descriptor = descriptor_of(negotiated, packet)?;
        self.frames.rewrite(source_of(packet), descriptor)
    }

    /// The same for a packet that was sent before.
    #[inline]
    pub(super) fn descriptor_again(
        &self,
        negotiated: &Negotiated,
        packet: &Packet,
    ) -> Option<DescriptorFront> {
        let descriptor = descriptor_of(negotiated, packet)?;
        self.frames.rewrite_again(descriptor)
    }
}

#[inline]
fn descriptor_of<'a>(negotiated: &Negotiated, packet: &'a Packet) -> Option<&'a [u8]> {
    let taken = negotiated.takes_descriptors;
    taken.then(|| extensions::descriptor(&packet.rtp.extensions, &packet.bytes))?
}
