//! Raw pictures: GStreamer rounds rows and planes up, packets have neither gaps nor padding.

use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use rivero_plugin_api::{Bytes, BytesMut};

use crate::{Error, buffer};

/// Sides beyond this are no picture; the limit of H.264 and VP8 is near.
const LARGEST: u32 = 16_384;

/// The three planes of an I420 picture, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

impl Layout {
    /// `None` if the sides are 0 or too long.
    pub fn new(width: u32, height: u32) -> Option<Self> {
        let sensible = 1..=LARGEST;
        (sensible.contains(&width) && sensible.contains(&height)).then_some(Self { width, height })
    }

    /// Of pictures with these caps.
    pub(crate) fn of(caps: &gst::Caps) -> Option<Self> {
        let info = gst_video::VideoInfo::from_caps(caps).ok()?;
        Self::new(info.width(), info.height())
    }

    /// Width and height of the planes, bytes.
    fn planes(self) -> [(usize, usize); 3] {
        let size = |side: u32| usize::try_from(side).unwrap_or(0);
        let luma = (size(self.width), size(self.height));
        let chroma = (luma.0.div_ceil(2), luma.1.div_ceil(2));
        [luma, chroma, chroma]
    }

    /// Bytes of the whole picture.
    pub fn size(self) -> usize {
        self.planes()
            .iter()
            .map(|(width, height)| width * height)
            .sum()
    }

    /// Where the planes begin, and their rows' lengths.
    fn offsets_and_strides(self) -> ([usize; 3], [i32; 3]) {
        let planes = self.planes();
        let mut at = 0;
        let offsets = planes.map(|(width, height)| {
            let offset = at;
            at += width * height;
            offset
        });
        let strides = planes.map(|(width, _)| i32::try_from(width).unwrap_or(i32::MAX));
        (offsets, strides)
    }
}

/// A buffer of GStreamer that is an I420 picture, as the bytes of a packet. Copied only if it has
/// gaps.
///
/// # Errors
/// [`Error::Media`] if it is none, or cannot be read.
pub fn to_bytes(picture: gst::Buffer, caps: &gst::Caps) -> Result<Bytes, Error> {
    let info = gst_video::VideoInfo::from_caps(caps)
        .map_err(|error| Error::Media(format!("a picture with caps {caps}: {error}")))?;
    let layout = Layout::new(info.width(), info.height())
        .ok_or_else(|| Error::Media(format!("a picture with caps {caps}")))?;
    let (offsets, strides) = layout.offsets_and_strides();
    let is_tight = match picture.meta::<gst_video::VideoMeta>() {
        Some(meta) => meta.offset() == offsets && meta.stride() == strides,
        None => info.offset() == offsets && info.stride() == strides,
    };
    if is_tight && picture.size() == layout.size() {
        return buffer::to_bytes(picture);
    }
    copy(&picture, &info, layout)
}

fn copy(
    picture: &gst::Buffer,
    info: &gst_video::VideoInfo,
    layout: Layout,
) -> Result<Bytes, Error> {
    let unreadable = || Error::Media("a picture of GStreamer cannot be read".to_owned());
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(picture, info)
        .map_err(|_| unreadable())?;
    let mut tight = BytesMut::new(layout.size());
    let mut rest: &mut [u8] = &mut tight;
    let strides = frame.plane_stride().to_vec();
    for ((plane, stride), (width, height)) in (0..).zip(strides).zip(layout.planes()) {
        let data = frame.plane_data(plane).map_err(|_| unreadable())?;
        let stride = usize::try_from(stride).map_err(|_| unreadable())?;
        for row in data.chunks(stride.max(1)).take(height) {
            let (to, after) = rest.split_at_mut_checked(width).ok_or_else(unreadable)?;
            to.copy_from_slice(row.get(..width).ok_or_else(unreadable)?);
            rest = after;
        }
    }
    Ok(tight.freeze())
}

/// The colours of pictures with these caps in the range of television, if they are in the full one (ITU-T H.273 §8.3):
/// packets are taken for the limited one by whatever encodes them. `None` where nothing is to be done.
///
/// `videoconvert` would leave the pictures as they are: it has a way of its own between equal formats, and does not look
/// at their ranges there.
pub(crate) fn limited_range(caps: &gst::Caps) -> Option<gst_video::VideoColorimetry> {
    use gst_video::{VideoColorMatrix as Matrix, VideoColorRange as Range};
    // Of caps that know the range alone, a `VideoInfo` forgets that, too.
    let own: gst_video::VideoColorimetry = caps
        .structure(0)?
        .get::<&str>("colorimetry")
        .ok()?
        .parse()
        .ok()?;
    let is_rgb = gst_video::VideoInfo::from_caps(caps).is_ok_and(|info| info.is_rgb());
    if is_rgb || own.range() != Range::Range0_255 {
        return None;
    }
    let matrix = match own.matrix() {
        Matrix::Unknown | Matrix::Rgb => Matrix::Bt601,
        matrix => matrix,
    };
    let (transfer, primaries) = (own.transfer(), own.primaries());
    Some(gst_video::VideoColorimetry::new(
        Range::Range16_235,
        matrix,
        transfer,
        primaries,
    ))
}

/// An I420 picture of the full range in the limited one.
pub(crate) fn limit(bytes: &[u8], layout: Layout) -> Bytes {
    let mut limited = BytesMut::new(bytes.len());
    let [luma, ..] = layout.planes();
    let luma = luma.0 * luma.1;
    for (index, (to, from)) in limited.iter_mut().zip(bytes).enumerate() {
        let from = u32::from(*from);
        // 219 steps of luma from 16 on; 224 of chroma around 128. Both are rounded.
        let value = if index < luma {
            16 + (from * 219 + 127) / 255
        } else {
            (from * 224 + 16 * 255 + 127) / 255
        };
        *to = u8::try_from(value).unwrap_or(u8::MAX);
    }
    limited.freeze()
}

/// The bytes of a packet as a picture for GStreamer, without copying.
///
/// # Errors
/// They are not those of such a picture.
pub fn to_buffer(bytes: Bytes, layout: Layout) -> Result<gst::Buffer, Error> {
    if bytes.len() < layout.size() {
        return Err(Error::Media(format!(
            "{} bytes are no picture of {} x {}",
            bytes.len(),
            layout.width,
            layout.height
        )));
    }
    let mut picture = buffer::from_bytes(bytes.slice(0..layout.size()));
    let (offsets, strides) = layout.offsets_and_strides();
    if let Some(meta) = picture.get_mut() {
        gst_video::VideoMeta::add_full(
            meta,
            gst_video::VideoFrameFlags::empty(),
            gst_video::VideoFormat::I420,
            layout.width,
            layout.height,
            &offsets,
            &strides,
        )
        .map_err(|error| Error::Media(error.to_string()))?;
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(width: u32, height: u32) -> gst::Caps {
        gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, width, height)
            .build()
            .unwrap()
            .to_caps()
            .unwrap()
    }

    fn tight(width: u32, height: u32) -> (Layout, Bytes) {
        let layout = Layout::new(width, height).unwrap();
        let bytes: Vec<u8> = (0..layout.size())
            .map(|at| u8::try_from(at % 251).unwrap())
            .collect();
        (layout, Bytes::from(bytes))
    }

    #[test]
    fn pictures_of_any_size_pass_without_gaps() {
        crate::init().unwrap();
        for (width, height) in [(640, 480), (641, 479), (322, 241), (1, 1), (3, 2)] {
            let (layout, bytes) = tight(width, height);
            let address = bytes.as_ptr();
            let picture = to_buffer(bytes.clone(), layout).unwrap();
            let back = to_bytes(picture, &caps(width, height)).unwrap();
            assert_eq!(back.as_ptr(), address, "no copy of {width} x {height}");
            assert_eq!(&*back, &*bytes);
        }
    }

    #[test]
    fn rounded_up_rows_are_cut() {
        crate::init().unwrap();
        let (layout, bytes) = tight(6, 3);
        // GStreamer's own layout: rows of 8 and 4 bytes, 4 rows of luma.
        let mut rounded = Vec::new();
        let mut rest = &bytes[..];
        for (width, height, stride, rows) in [(6, 3, 8, 4), (3, 2, 4, 2), (3, 2, 4, 2)] {
            for _ in 0..height {
                let (row, after) = rest.split_at(width);
                rounded.extend_from_slice(row);
                rounded.resize(rounded.len() + stride - width, 0xee);
                rest = after;
            }
            rounded.resize(rounded.len() + stride * (rows - height), 0xee);
        }
        let picture = gst::Buffer::from_slice(rounded);
        let back = to_bytes(picture, &caps(6, 3)).unwrap();
        assert_eq!(back.len(), layout.size());
        assert_eq!(&*back, &*bytes);
    }

    #[test]
    fn full_range_becomes_limited_and_nothing_else_changes() {
        crate::init().unwrap();
        let of = |more: &str| {
            let text = format!("video/x-raw,width=64,height=64,{more}");
            let limited = limited_range(&text.parse().unwrap());
            limited.map(|colorimetry| colorimetry.to_string())
        };
        assert_eq!(
            of("format=I420,colorimetry=1:4:0:0").as_deref(),
            Some("2:4:0:0")
        );
        assert_eq!(
            of("format=I420,colorimetry=1:0:0:0").as_deref(),
            Some("2:4:0:0")
        );
        assert_eq!(
            of("format=NV12,colorimetry=1:3:5:1").as_deref(),
            Some("bt709")
        );
        assert_eq!(of("format=I420,colorimetry=bt709"), None);
        assert_eq!(of("format=I420"), None);
        assert_eq!(of("format=RGB"), None);
        let layout = Layout::new(2, 2).unwrap();
        let limited = limit(&[0, 128, 255, 1, 0, 255], layout);
        assert_eq!(&*limited, [16, 126, 235, 17, 16, 240]);
        assert_eq!(limit(&[0, 0, 0, 0, 128, 128], layout)[4..], [128, 128]);
    }

    #[test]
    fn what_is_no_picture_is_an_error() {
        crate::init().unwrap();
        assert_eq!(Layout::new(0, 480), None);
        assert_eq!(Layout::new(640, 1 << 20), None);
        let layout = Layout::new(640, 480).unwrap();
        assert!(to_buffer(Bytes::copy_from(&[0; 100]), layout).is_err());
        assert!(to_bytes(gst::Buffer::from_slice([0u8; 100]), &caps(640, 480)).is_err());
    }
}
