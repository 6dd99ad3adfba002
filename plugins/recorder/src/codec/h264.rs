//! H.264: size and `avcC` from the parameter sets (ITU-T H.264 §7.3.2,
//! ISO/IEC 14496-15 §5.3.3).

use super::{Shape, annex_b, bits::Bits};

const SEQUENCE_PARAMETER_SET: u8 = 7;
const PICTURE_PARAMETER_SET: u8 = 8;
const ACCESS_UNIT_DELIMITER: u8 = 9;
const FILLER: u8 = 12;

fn unit_type(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |first| first & 0x1f)
}

/// Parameter sets stay in the samples too: they may change in mid-stream.
pub(super) fn is_needed(unit: &[u8]) -> bool {
    !matches!(unit_type(unit), ACCESS_UNIT_DELIMITER | FILLER)
}

/// Size and `avcC` of a keyframe with its parameter sets.
pub(super) fn describe(frame: &[u8]) -> Option<(Shape, Vec<u8>)> {
    let of_type = |wanted| annex_b::units(frame).filter(move |unit| unit_type(unit) == wanted);
    let first = of_type(SEQUENCE_PARAMETER_SET).next()?;
    let parameters = Parameters::parse(&annex_b::raw_payload(first.get(1..)?))?;
    let (sequence, picture) = (
        distinct(of_type(SEQUENCE_PARAMETER_SET)),
        distinct(of_type(PICTURE_PARAMETER_SET)),
    );
    let mut private = vec![
        1,
        parameters.profile,
        parameters.constraints,
        parameters.level,
        0xff,
    ];
    private.push(0xe0 | u8::try_from(sequence.len()).ok()?);
    append_sets(&mut private, &sequence)?;
    private.push(u8::try_from(picture.len()).ok()?);
    append_sets(&mut private, &picture)?;
    if parameters.is_high() {
        let depth = [parameters.luma_depth, parameters.chroma_depth];
        private.extend([
            0xfc | parameters.chroma_format,
            0xf8 | depth[0],
            0xf8 | depth[1],
            0,
        ]);
    }
    Some((parameters.size()?, private))
}

fn distinct<'a>(units: impl Iterator<Item = &'a [u8]>) -> Vec<&'a [u8]> {
    let mut found: Vec<&[u8]> = Vec::new();
    for unit in units.take(31) {
        if !found.contains(&unit) {
            found.push(unit);
        }
    }
    found
}

fn append_sets(private: &mut Vec<u8>, sets: &[&[u8]]) -> Option<()> {
    for set in sets {
        private.extend(u16::try_from(set.len()).ok()?.to_be_bytes());
        private.extend_from_slice(set);
    }
    Some(())
}

/// What a sequence parameter set says, as far as containers care.
struct Parameters {
    profile: u8,
    constraints: u8,
    level: u8,
    chroma_format: u8,
    luma_depth: u8,
    chroma_depth: u8,
    macroblocks: (u32, u32),
    /// Left, right, top, bottom, in units of the chroma format.
    crop: [u32; 4],
    frame_only: bool,
}

impl Parameters {
    /// `data`: raw payload behind the NAL unit's header (§7.3.2.1.1).
    fn parse(data: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(data);
        let byte = |bits: &mut Bits<'_>| bits.read(8).and_then(|byte| u8::try_from(byte).ok());
        let (profile, constraints, level) = (byte(&mut bits)?, byte(&mut bits)?, byte(&mut bits)?);
        bits.exp_golomb()?; // seq_parameter_set_id
        let mut parameters = Self {
            profile,
            constraints,
            level,
            chroma_format: 1,
            luma_depth: 0,
            chroma_depth: 0,
            macroblocks: (0, 0),
            crop: [0; 4],
            frame_only: true,
        };
        if parameters.is_high() {
            parameters.parse_high(&mut bits)?;
        }
        bits.exp_golomb()?; // log2_max_frame_num_minus4
        skip_order_count(&mut bits)?;
        bits.exp_golomb()?; // max_num_ref_frames
        bits.flag()?; // gaps_in_frame_num_value_allowed_flag
        parameters.macroblocks = (
            bits.exp_golomb()?.checked_add(1)?,
            bits.exp_golomb()?.checked_add(1)?,
        );
        parameters.frame_only = bits.flag()?;
        if !parameters.frame_only {
            bits.flag()?; // mb_adaptive_frame_field_flag
        }
        bits.flag()?; // direct_8x8_inference_flag
        if bits.flag()? {
            for edge in &mut parameters.crop {
                *edge = bits.exp_golomb()?;
            }
        }
        Some(parameters)
    }

    fn is_high(&self) -> bool {
        matches!(
            self.profile,
            100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
        )
    }

    fn parse_high(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        self.chroma_format = u8::try_from(bits.exp_golomb()?)
            .ok()
            .filter(|format| *format <= 3)?;
        if self.chroma_format == 3 {
            bits.flag()?; // separate_colour_plane_flag
        }
        let depth = |bits: &mut Bits<'_>| {
            u8::try_from(bits.exp_golomb()?)
                .ok()
                .filter(|depth| *depth <= 6)
        };
        (self.luma_depth, self.chroma_depth) = (depth(bits)?, depth(bits)?);
        bits.flag()?; // qpprime_y_zero_transform_bypass_flag
        if bits.flag()? {
            let lists = if self.chroma_format == 3 { 12 } else { 8 };
            for list in 0..lists {
                if bits.flag()? {
                    skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
        Some(())
    }

    fn size(&self) -> Option<Shape> {
        let (unit_x, unit_y) = match self.chroma_format {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let fields = if self.frame_only { 1 } else { 2 };
        let [left, right, top, bottom] = self.crop.map(u64::from);
        let (columns, rows) = (u64::from(self.macroblocks.0), u64::from(self.macroblocks.1));
        let width = (columns * 16).checked_sub((left + right) * unit_x)?;
        let height = (rows * 16 * fields).checked_sub((top + bottom) * unit_y * fields)?;
        Shape::picture(width, height)
    }
}

fn skip_order_count(bits: &mut Bits<'_>) -> Option<()> {
    match bits.exp_golomb()? {
        0 => {
            bits.exp_golomb()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            bits.flag()?; // delta_pic_order_always_zero_flag
            bits.signed_exp_golomb()?; // offset_for_non_ref_pic
            bits.signed_exp_golomb()?; // offset_for_top_to_bottom_field
            for _ in 0..bits.exp_golomb()?.min(255) {
                bits.signed_exp_golomb()?;
            }
        }
        _ => {}
    }
    Some(())
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: usize) -> Option<()> {
    let (mut last, mut next) = (8i64, 8i64);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.signed_exp_golomb()? + 256).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// 320x240 constrained baseline of x264, and its picture parameter set.
    pub(crate) const SPS: [u8; 25] = [
        0x67, 0x42, 0xc0, 0x0d, 0xda, 0x05, 0x07, 0xec, 0x04, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40,
        0x00, 0x00, 0x0f, 0x03, 0xc5, 0x0a, 0xa8, 0x00, 0x00, 0x01,
    ];
    pub(crate) const PPS: [u8; 4] = [0x68, 0xce, 0x0f, 0xc8];

    pub(crate) fn keyframe() -> Vec<u8> {
        let start = [0u8, 0, 0, 1];
        [
            &start[..],
            SPS.get(..22).unwrap(),
            &start,
            &PPS,
            &start,
            &[0x65, 0x88, 0x84],
        ]
        .concat()
    }

    #[test]
    fn size_and_configuration_come_from_the_parameter_sets() {
        let (shape, private) = describe(&keyframe()).unwrap();
        assert_eq!(
            shape,
            Shape::Video {
                width: 320,
                height: 240
            }
        );
        assert_eq!(private.get(..6).unwrap(), [1, 0x42, 0xc0, 0x0d, 0xff, 0xe1]);
        assert!(private.ends_with(&[1, 0, 4, 0x68, 0xce, 0x0f, 0xc8]));
    }

    #[test]
    fn a_frame_without_parameter_sets_describes_nothing() {
        assert_eq!(describe(&[0, 0, 0, 1, 0x65, 0x88]), None);
    }
}
