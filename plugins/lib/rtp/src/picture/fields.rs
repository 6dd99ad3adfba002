//! Where payload descriptors have their numbers, and what is written in their place.

use crate::codec::VideoCodec;

/// Bytes at the front of a payload that are written anew, at most.
const MAX_FRONT: usize = 6;
/// A picture id is there (VP8: in the second byte; VP9: in the first).
const HAS_ID: u8 = 0x80;
/// An id of 15 bits.
const WIDE: u8 = 0x80;

/// What the beginning of a payload is replaced by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Front {
    bytes: [u8; MAX_FRONT],
    length: u8,
    /// Bytes of the payload in whose place these stand.
    pub replaced: u8,
}

impl Front {
    /// What stands in front of the rest of the payload.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&[])
    }

    #[inline]
    fn push(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(usize::from(self.length))? = byte;
        self.length += 1;
        Some(())
    }
}

/// A picture id as a sender wrote it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picture {
    pub(super) id: u16,
    /// 15 bits rather than 7.
    wide: bool,
}

impl Picture {
    #[inline]
    fn at(payload: &[u8], offset: usize) -> Option<Self> {
        let first = *payload.get(offset)?;
        let wide = first & WIDE != 0;
        let id = if wide {
            u16::from(first & !WIDE) << 8 | u16::from(*payload.get(offset + 1)?)
        } else {
            u16::from(first)
        };
        Some(Self { id, wide })
    }

    fn len(self) -> usize {
        1 + usize::from(self.wide)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Without the second byte, which says what follows.
    Vp8Short,
    Vp8,
    Vp9,
}

/// The numbers of a payload descriptor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    form: Form,
    pub(super) picture: Option<Picture>,
    /// Bytes between the id and the index of the base layer.
    between: usize,
    base_index: Option<u8>,
    /// The picture names others that it refers to by how far back their ids are (RFC 9628 §4.2: F).
    pub(super) counts_references: bool,
}

impl Fields {
    #[inline]
    pub(super) fn of(codec: VideoCodec, payload: &[u8]) -> Option<Self> {
        match codec {
            VideoCodec::Vp8 => Self::of_vp8(payload),
            VideoCodec::Vp9 => Self::of_vp9(payload),
            _ => None,
        }
    }

    #[inline]
    fn of_vp8(payload: &[u8]) -> Option<Self> {
        let [first, flags, ..] = *payload else {
            return None;
        };
        if first & 0x80 == 0 {
            return Some(Self {
                form: Form::Vp8Short,
                picture: None,
                between: 0,
                base_index: None,
                counts_references: false,
            });
        }
        let picture = match flags & HAS_ID {
            0 => None,
            _ => Some(Picture::at(payload, 2)?),
        };
        let offset = 2 + picture.map_or(0, Picture::len);
        let base_index = match flags & 0x40 {
            0 => None,
            _ => Some(*payload.get(offset)?),
        };
        Some(Self {
            form: Form::Vp8,
            picture,
            between: 0,
            base_index,
            counts_references: false,
        })
    }

    #[inline]
    fn of_vp9(payload: &[u8]) -> Option<Self> {
        let flags = *payload.first()?;
        let picture = match flags & HAS_ID {
            0 => None,
            _ => Some(Picture::at(payload, 1)?),
        };
        // The layers' byte is followed by the index, but for flexible mode.
        let offset = 2 + picture.map_or(0, Picture::len);
        let base_index = match flags & 0x30 {
            0x20 => Some(*payload.get(offset)?),
            _ => None,
        };
        Some(Self {
            form: Form::Vp9,
            picture,
            between: 1,
            base_index,
            counts_references: flags & 0x10 != 0,
        })
    }

    /// The number of the last frame of the base layer (TL0PICIDX).
    #[inline]
    pub(super) fn base_index(&self) -> Option<u8> {
        self.base_index
    }

    /// How many pictures later this one is than one with the id `before`, by the ids of the sender.
    pub(super) fn pictures_since(&self, before: Option<Picture>) -> Option<u16> {
        let (this, before) = (self.picture?, before?);
        let mask = if this.wide { 0x7fff } else { 0x7f };
        Some(this.id.wrapping_sub(before.id) & mask)
    }

    /// The descriptor up to these numbers, with an id of 15 bits.
    #[inline]
    pub(super) fn front(&self, payload: &[u8], number: u16, base_offset: u8) -> Option<Front> {
        let mut front = Front::default();
        let first = *payload.first()?;
        let mut replaced = 1;
        match self.form {
            Form::Vp9 => front.push(first | HAS_ID)?,
            Form::Vp8Short => {
                front.push(first | 0x80)?;
                front.push(HAS_ID)?;
            }
            Form::Vp8 => {
                front.push(first)?;
                front.push(*payload.get(1)? | HAS_ID)?;
                replaced = 2;
            }
        }
        let [high, low] = number.to_be_bytes();
        front.push(WIDE | high)?;
        front.push(low)?;
        replaced += self.picture.map_or(0, Picture::len);
        if let Some(index) = self.base_index {
            for byte in payload.get(replaced..replaced + self.between)? {
                front.push(*byte)?;
            }
            front.push(index.wrapping_add(base_offset))?;
            replaced += self.between + 1;
        }
        front.replaced = u8::try_from(replaced).ok()?;
        Some(front)
    }
}
