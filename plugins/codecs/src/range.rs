//! Pictures of one range of values made into those of another (ITU-T H.273, `VideoFullRangeFlag`).
//!
//! GStreamer's `videoconvert` does it where the matrix changes, too, and copies the values as they are
//! where nothing but the range does.

use rivero_plugin_api::{Bytes, BytesMut};

use crate::picture::Layout;

/// Names of GStreamer for colours of the limited range, and the rest of their numbers.
const NAMES: [(&str, &str); 4] = [
    ("bt601", "4:16:4"),
    ("bt709", "3:5:1"),
    ("smpte240m", "5:6:5"),
    ("bt2020", "6:11:7"),
];

/// What each value of luma and of chroma becomes.
pub(crate) struct RangeTable {
    luma: [u8; 256],
    chroma: [u8; 256],
}

/// Whether pictures of these colours use all values from 0 to 255.
pub(crate) fn is_full(colours: &str) -> bool {
    colours.starts_with("1:") || colours == "sRGB"
}

/// The same colours with the other range; `None` where these are not known.
pub(crate) fn with_other_range(colours: &str) -> Option<String> {
    if let Some((_, rest)) = NAMES.iter().find(|(name, _)| *name == colours) {
        return Some(format!("1:{rest}"));
    }
    match colours.split_once(':')? {
        ("1", rest) => Some(format!("2:{rest}")),
        ("2", rest) => Some(format!("1:{rest}")),
        _ => None,
    }
}

impl RangeTable {
    /// Into the full range, or out of it.
    pub(crate) fn new(into_full: bool) -> Self {
        let table = |offset: f32, span: f32, centre: f32| {
            std::array::from_fn(|value| {
                #[allow(clippy::cast_precision_loss)]
                let value = value as f32;
                let (from, to) = (centre, if centre > 0.0 { centre } else { offset });
                let result = if into_full {
                    (value - to) * 255.0 / span + from
                } else {
                    (value - from) * span / 255.0 + to
                };
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let result = result.round().clamp(0.0, 255.0) as u8;
                result
            })
        };
        Self {
            luma: table(16.0, 219.0, 0.0),
            chroma: table(16.0, 224.0, 128.0),
        }
    }

    /// The planes of a picture with other values.
    pub(crate) fn apply(&self, planes: &[u8], layout: Layout) -> Bytes {
        let mut changed = BytesMut::new(planes.len());
        let luma = u64::from(layout.width) * u64::from(layout.height);
        let luma = usize::try_from(luma)
            .unwrap_or(usize::MAX)
            .min(planes.len());
        for (at, (to, from)) in changed.iter_mut().zip(planes).enumerate() {
            let table = if at < luma { &self.luma } else { &self.chroma };
            *to = table.get(usize::from(*from)).copied().unwrap_or(*from);
        }
        changed.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_white_and_grey_are_those_of_the_other_range() {
        let layout = Layout::new(2, 2).unwrap();
        let full = [0, 255, 64, 128, 128, 0];
        let limited = RangeTable::new(false).apply(&full, layout);
        assert_eq!(&*limited, &[16, 235, 71, 126, 128, 16]);
        let back = RangeTable::new(true).apply(&limited, layout);
        assert_eq!(&*back, &[0, 255, 64, 128, 128, 1]);
        let beyond = RangeTable::new(true).apply(&[0, 255, 16, 235, 128, 255], layout);
        assert_eq!(&*beyond, &[0, 255, 0, 255, 128, 255]);
    }

    #[test]
    fn the_rest_of_the_colours_stays() {
        assert_eq!(with_other_range("bt709").as_deref(), Some("1:3:5:1"));
        assert_eq!(with_other_range("1:4:0:0").as_deref(), Some("2:4:0:0"));
        assert_eq!(with_other_range("2:4:16:4").as_deref(), Some("1:4:16:4"));
        assert_eq!(with_other_range("sRGB"), None);
        assert!(is_full("1:4:0:0") && is_full("sRGB") && !is_full("bt709"));
    }
}
