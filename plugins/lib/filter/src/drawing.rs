//! Packets with pictures: what their format is, and drawing into a copy of them.

use std::sync::Mutex;

use rivero_plugin_api::{Packet, host, supervise::lock};

#[cfg(feature = "images")]
use crate::Patch;
use crate::{PictureFormat, Planes};

/// The format of pictures by the number that packets have of it. The latest is kept, since it changes seldom.
#[derive(Debug, Default)]
pub struct Formats(Mutex<Option<(u32, Option<PictureFormat>)>>);

impl Formats {
    /// That of this number; `None` if it is none of pictures.
    pub fn get(&self, id: u32) -> Option<PictureFormat> {
        let mut known = lock(&self.0);
        match &*known {
            Some((latest, format)) if *latest == id => *format,
            _ => {
                let format = host()?.format(id);
                let format = format.as_ref().and_then(PictureFormat::of);
                *known = Some((id, format));
                format
            }
        }
    }
}

#[cfg(feature = "images")]
/// A copy of the picture with `patches` drawn into it, which were made for its format; `None` if its
/// bytes are too few.
pub fn draw<'a>(
    picture: &Packet,
    format: &PictureFormat,
    patches: impl IntoIterator<Item = &'a Patch>,
) -> Option<Packet> {
    drawn(picture, format, |planes| {
        for patch in patches {
            patch.draw(planes);
        }
    })
}

/// A copy of the picture, changed by `change`; `None` if its bytes are too few.
pub fn drawn(
    picture: &Packet,
    format: &PictureFormat,
    change: impl FnOnce(&mut Planes<'_>),
) -> Option<Packet> {
    let mut bytes = host()?.buffer(picture.bytes.len());
    bytes.copy_from_slice(&picture.bytes);
    change(&mut format.planes(&mut bytes)?);
    Some(Packet {
        bytes: bytes.freeze(),
        ..picture.clone()
    })
}
