//! The VP9 payload descriptor (RFC 9628 §4.2).

use super::vp8::picture_id;
use crate::cursor::Cursor;

/// References that one frame may name in flexible mode.
const MAX_REFERENCES: usize = 3;

/// The part of a VP9 payload descriptor that forwarding needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// 7 or 15 bits.
    pub picture_id: Option<u16>,
    /// The picture depends on earlier ones.
    pub inter_predicted: bool,
    /// The packet begins a layer's frame.
    pub frame_start: bool,
    /// The packet ends a layer's frame.
    pub frame_end: bool,
    /// The picture is not a reference for higher spatial layers.
    pub not_layer_reference: bool,
    /// 0–7.
    pub temporal_layer: u8,
    /// A receiver may switch up to this temporal layer here.
    pub switching_up_point: bool,
    /// 0–7.
    pub spatial_layer: u8,
    /// The frame depends on the next lower spatial layer of the same picture.
    pub inter_layer_dependency: bool,
    /// Running number of base layer frames; absent in flexible mode.
    pub tl0_picture_index: Option<u8>,
    /// A scalability structure follows: stated at keyframes.
    pub has_scalability_structure: bool,
    /// Bytes of the descriptor; those of all the payload if a scalability structure is cut off.
    pub len: usize,
}

impl Descriptor {
    /// Parses the descriptor at the front of `payload`; `None` if it is cut off.
    #[inline]
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(payload);
        let flags = cursor.u8()?;
        let has = |bit: u8| flags & bit != 0;
        let mut descriptor = Self {
            picture_id: None,
            inter_predicted: has(0x40),
            frame_start: has(0x08),
            frame_end: has(0x04),
            not_layer_reference: has(0x01),
            temporal_layer: 0,
            switching_up_point: false,
            spatial_layer: 0,
            inter_layer_dependency: false,
            tl0_picture_index: None,
            has_scalability_structure: has(0x02),
            len: 0,
        };
        let flexible = has(0x10);
        if has(0x80) {
            descriptor.picture_id = Some(picture_id(&mut cursor)?);
        }
        if has(0x20) {
            let layers = cursor.u8()?;
            descriptor.temporal_layer = layers >> 5;
            descriptor.switching_up_point = layers & 0x10 != 0;
            descriptor.spatial_layer = (layers >> 1) & 0x07;
            descriptor.inter_layer_dependency = layers & 0x01 != 0;
            if !flexible {
                descriptor.tl0_picture_index = Some(cursor.u8()?);
            }
        }
        if flexible && descriptor.inter_predicted {
            // The last of the reference indices has its lowest bit clear.
            let mut references = 0;
            while cursor.u8()? & 1 != 0 {
                references += 1;
                if references >= MAX_REFERENCES {
                    return None;
                }
            }
        }
        let structure = descriptor.has_scalability_structure;
        let complete = !structure || skip_scalability_structure(&mut cursor).is_some();
        descriptor.len = if complete {
            payload.len() - cursor.rest().len()
        } else {
            payload.len()
        };
        Some(descriptor)
    }

    /// Whether the packet begins a keyframe: the base layer's frame of a picture that depends on no
    /// earlier one.
    #[inline]
    #[must_use]
    pub fn is_keyframe_start(&self) -> bool {
        self.frame_start && !self.inter_predicted && self.spatial_layer == 0
    }
}

/// RFC 9628 §4.2.1.
fn skip_scalability_structure(cursor: &mut Cursor<'_>) -> Option<()> {
    let flags = cursor.u8()?;
    let layers = usize::from(flags >> 5) + 1;
    if flags & 0x10 != 0 {
        cursor.take(layers * 4)?;
    }
    if flags & 0x08 != 0 {
        for _ in 0..cursor.u8()? {
            let references = (cursor.u8()? >> 2) & 3;
            cursor.take(usize::from(references))?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_flexible_mode_with_layers() {
        let descriptor = Descriptor::parse(&[0xa8, 0x81, 0x02, 0b0101_0011, 9, 0]).unwrap();
        assert_eq!(descriptor.picture_id, Some(0x102));
        assert_eq!(
            (descriptor.temporal_layer, descriptor.spatial_layer),
            (2, 1)
        );
        assert!(descriptor.switching_up_point && descriptor.inter_layer_dependency);
        assert_eq!(descriptor.tl0_picture_index, Some(9));
        assert!(!descriptor.is_keyframe_start(), "an upper spatial layer");
    }

    #[test]
    fn keyframes_are_not_predicted() {
        let starts = |payload: &[u8]| Descriptor::parse(payload).unwrap().is_keyframe_start();
        assert!(starts(&[0x8a, 0x05, 0x00]));
        assert!(!starts(&[0xc8, 0x05, 0x00]), "predicted");
        assert!(!starts(&[0x82, 0x05, 0x00]), "not the start");
        assert!(starts(&[0xb8, 0x05, 0x00, 0x00]), "flexible mode");
    }

    #[test]
    fn the_payload_begins_after_the_scalability_structure() {
        let len = |payload: &[u8]| Descriptor::parse(payload).unwrap().len;
        assert_eq!(len(&[0x8c, 0x05, 0xaa]), 2);
        // Two layers with sizes; two pictures in the group, one with a reference.
        let structure = [
            0x8e, 0x05, 0x38, 1, 64, 0, 240, 2, 128, 1, 224, 2, 0x00, 0x04, 0x01, 0xaa,
        ];
        assert_eq!(len(&structure), 15);
        assert_eq!(len(&structure[..9]), 9, "cut off");
    }

    #[test]
    fn reference_lists_are_bounded() {
        assert!(Descriptor::parse(&[0x50, 0x03, 0x05, 0x06]).is_some());
        assert_eq!(Descriptor::parse(&[0x50, 0x03, 0x05, 0x07, 0x07]), None);
        assert_eq!(Descriptor::parse(&[0x50, 0x03]), None);
    }
}
