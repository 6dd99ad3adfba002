//! The VP8 payload descriptor (RFC 7741 §4.2).

use rivero_codec::vp8::is_keyframe;

use crate::cursor::Cursor;

/// A parsed VP8 payload descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// The packet begins a partition.
    pub partition_start: bool,
    /// Number of the partition, 0–7; 0 is the first.
    pub partition: u8,
    /// The frame may be left out: no other depends on it.
    pub non_reference: bool,
    /// 7 or 15 bits.
    pub picture_id: Option<u16>,
    /// Running number of base layer frames.
    pub tl0_picture_index: Option<u8>,
    /// 0 for the base layer.
    pub temporal_layer: Option<u8>,
    /// The frame depends on the base layer only: a receiver may switch up here.
    pub layer_sync: bool,
    /// Bytes of the descriptor.
    pub len: usize,
}

impl Descriptor {
    /// Parses the descriptor at the front of `payload`; `None` if it is cut off.
    #[inline]
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(payload);
        let first = cursor.u8()?;
        let extended = first & 0x80 != 0;
        let flags = if extended { cursor.u8()? } else { 0 };
        let mut descriptor = Self {
            partition_start: first & 0x10 != 0,
            partition: first & 0x07,
            non_reference: first & 0x20 != 0,
            picture_id: None,
            tl0_picture_index: None,
            temporal_layer: None,
            layer_sync: false,
            len: 0,
        };
        if flags & 0x80 != 0 {
            descriptor.picture_id = Some(picture_id(&mut cursor)?);
        }
        if flags & 0x40 != 0 {
            descriptor.tl0_picture_index = Some(cursor.u8()?);
        }
        // One byte holds temporal layer and key index, if either is present.
        if flags & 0x30 != 0 {
            let layers = cursor.u8()?;
            if flags & 0x20 != 0 {
                descriptor.temporal_layer = Some(layers >> 6);
                descriptor.layer_sync = layers & 0x20 != 0;
            }
        }
        descriptor.len = payload.len() - cursor.rest().len();
        Some(descriptor)
    }

    /// Whether the packet begins a keyframe: first partition, and the frame header's inverse
    /// keyframe bit is clear (RFC 6386 §9.1).
    #[inline]
    #[must_use]
    pub fn is_keyframe_start(&self, payload: &[u8]) -> bool {
        self.partition_start
            && self.partition == 0
            && payload.get(self.len..).is_some_and(is_keyframe)
    }
}

/// A picture id of 7 bits, or of 15 if the first bit is set. VP9 has the same form.
pub(super) fn picture_id(cursor: &mut Cursor<'_>) -> Option<u16> {
    let first = cursor.u8()?;
    if first & 0x80 == 0 {
        return Some(u16::from(first));
    }
    Some(u16::from(first & 0x7f) << 8 | u16::from(cursor.u8()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_descriptor() {
        let payload = [0x90, 0xf0, 0x92, 0x34, 7, 0b1010_0001, 0x10];
        let descriptor = Descriptor::parse(&payload).unwrap();
        assert_eq!(descriptor.picture_id, Some(0x1234));
        assert_eq!(descriptor.tl0_picture_index, Some(7));
        assert_eq!(descriptor.temporal_layer, Some(2));
        assert!(descriptor.layer_sync);
        assert_eq!(descriptor.len, 6);
        assert!(descriptor.is_keyframe_start(&payload));
    }

    #[test]
    fn keyframes_begin_in_the_first_partition_only() {
        let starts = |payload: &[u8]| {
            Descriptor::parse(payload)
                .unwrap()
                .is_keyframe_start(payload)
        };
        assert!(starts(&[0x10, 0x00]));
        assert!(!starts(&[0x10, 0x01]), "interframe");
        assert!(!starts(&[0x00, 0x00]), "not the start of a partition");
        assert!(!starts(&[0x11, 0x00]), "second partition");
        assert!(!starts(&[0x10]), "nothing follows");
        assert!(starts(&[0x90, 0x80, 0x05, 0x02]), "7-bit picture id");
        assert_eq!(Descriptor::parse(&[0x90, 0x80]), None);
    }
}
