//! What H.264 (§7.4.2.1.1) and H.265 (§7.4.3.2.1) cut off their pictures, which are whole blocks inside.

use crate::{Shape, bits::BitReader};

/// Left, right, top, bottom, in units that depend on the chroma format.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Crop([u32; 4]);

impl Crop {
    /// A flag (`frame_cropping_flag`, `conformance_window_flag`) and, if it is set, the offsets.
    pub(crate) fn parse(bits: &mut BitReader<'_>) -> Option<Self> {
        let mut crop = Self::default();
        if bits.flag()? {
            for edge in &mut crop.0 {
                *edge = bits.exp_golomb()?;
            }
        }
        Some(crop)
    }

    /// What is left of pictures of `width` by `height` pixels; `None` if that is nothing.
    /// `chroma_format`: `chroma_format_idc`. `fields`: of a frame, 2 where pictures may be fields, whose
    /// rows are cut off together.
    pub(crate) fn apply(
        self,
        width: u64,
        height: u64,
        chroma_format: u8,
        fields: u64,
    ) -> Option<Shape> {
        // SubWidthC and SubHeightC (table 6-1 of both): a sample of chroma cannot be cut in two.
        let (unit_x, unit_y) = match chroma_format {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let [left, right, top, bottom] = self.0.map(u64::from);
        let width = width.checked_sub((left + right) * unit_x)?;
        let height = height.checked_sub((top + bottom) * unit_y * fields)?;
        Shape::picture(width, height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_the_chroma_format() {
        // The flag, then 0, 1, 0, 4 as exp-Golomb codes.
        let crop = Crop::parse(&mut BitReader::new(&[0b1101_0100, 0b1010_0000])).unwrap();
        let picture = |width, height| Shape::picture(width, height);
        assert_eq!(crop.apply(1920, 1088, 1, 1), picture(1918u16, 1080u16));
        assert_eq!(crop.apply(1920, 1088, 2, 1), picture(1918u16, 1084u16));
        assert_eq!(crop.apply(1920, 1088, 3, 2), picture(1919u16, 1080u16));
        assert_eq!(crop.apply(1920, 8, 1, 1), None);
        let none = Crop::parse(&mut BitReader::new(&[0])).unwrap();
        assert_eq!(none.apply(320, 240, 1, 1), picture(320u16, 240u16));
    }
}
