//! H.265: size and `hvcC` from the parameter sets (ITU-T H.265 §7.3.2,
//! ISO/IEC 14496-15 §8.3.3).

use super::{Shape, annex_b, bits::Bits};

const VIDEO_PARAMETER_SET: u8 = 32;
const SEQUENCE_PARAMETER_SET: u8 = 33;
const PICTURE_PARAMETER_SET: u8 = 34;
const ACCESS_UNIT_DELIMITER: u8 = 35;
const FILLER: u8 = 38;
/// profile_tier_level() up to general_level_idc.
const PROFILE_TIER_LEVEL: usize = 12;

fn unit_type(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |first| first >> 1 & 0x3f)
}

/// Parameter sets stay in the samples too: they may change in mid-stream.
pub(super) fn is_needed(unit: &[u8]) -> bool {
    !matches!(unit_type(unit), ACCESS_UNIT_DELIMITER | FILLER)
}

/// Size and `hvcC` of a keyframe with its parameter sets.
pub(super) fn describe(frame: &[u8]) -> Option<(Shape, Vec<u8>)> {
    let of_type = |wanted| annex_b::units(frame).find(|unit| unit_type(unit) == wanted);
    let sequence = of_type(SEQUENCE_PARAMETER_SET)?;
    let payload = annex_b::raw_payload(sequence.get(2..)?);
    let parameters = Parameters::parse(&payload)?;
    let mut private = vec![1];
    private.extend(payload.get(1..1 + PROFILE_TIER_LEVEL)?);
    let chroma = 0xfc | parameters.chroma_format;
    let [luma_depth, chroma_depth] = parameters.depth.map(|depth| 0xf8 | depth);
    // Reserved bits, no spatial segmentation, parallelism and frame rate unknown.
    private.extend([0xf0, 0, 0xfc, chroma, luma_depth, chroma_depth, 0, 0]);
    // One temporal layer, nested or not, four bytes of length.
    private.push(1 << 3 | 3);
    let sets = [
        VIDEO_PARAMETER_SET,
        SEQUENCE_PARAMETER_SET,
        PICTURE_PARAMETER_SET,
    ];
    private.push(u8::try_from(sets.len()).ok()?);
    for kind in sets {
        let unit = of_type(kind)?;
        private.extend([kind, 0, 1]);
        private.extend(u16::try_from(unit.len()).ok()?.to_be_bytes());
        private.extend_from_slice(unit);
    }
    Some((parameters.size()?, private))
}

/// What a sequence parameter set says, as far as containers care.
struct Parameters {
    chroma_format: u8,
    size: (u32, u32),
    /// Left, right, top, bottom, in units of the chroma format.
    crop: [u32; 4],
    /// Luma and chroma, less 8.
    depth: [u8; 2],
}

impl Parameters {
    /// `data`: raw payload behind the NAL unit's header (§7.3.2.2.1).
    fn parse(data: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(data);
        bits.skip(4)?; // sps_video_parameter_set_id
        let layers = bits.read(3)?;
        bits.skip(1 + PROFILE_TIER_LEVEL * 8)?;
        skip_sub_layers(&mut bits, layers)?;
        bits.exp_golomb()?; // sps_seq_parameter_set_id
        let chroma_format = u8::try_from(bits.exp_golomb()?)
            .ok()
            .filter(|format| *format <= 3)?;
        if chroma_format == 3 {
            bits.flag()?; // separate_colour_plane_flag
        }
        let size = (bits.exp_golomb()?, bits.exp_golomb()?);
        let mut crop = [0; 4];
        if bits.flag()? {
            for edge in &mut crop {
                *edge = bits.exp_golomb()?;
            }
        }
        let depth = |bits: &mut Bits<'_>| {
            u8::try_from(bits.exp_golomb()?)
                .ok()
                .filter(|depth| *depth <= 7)
        };
        let depth = [depth(&mut bits)?, depth(&mut bits)?];
        Some(Self {
            chroma_format,
            size,
            crop,
            depth,
        })
    }

    fn size(&self) -> Option<Shape> {
        let (unit_x, unit_y) = match self.chroma_format {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let [left, right, top, bottom] = self.crop.map(u64::from);
        let width = u64::from(self.size.0).checked_sub((left + right) * unit_x)?;
        let height = u64::from(self.size.1).checked_sub((top + bottom) * unit_y)?;
        Shape::picture(width, height)
    }
}

/// `layers`: sps_max_sub_layers_minus1 (§7.3.3).
fn skip_sub_layers(bits: &mut Bits<'_>, layers: u32) -> Option<()> {
    let mut present = Vec::new();
    for _ in 0..layers {
        present.push((bits.flag()?, bits.flag()?));
    }
    if layers > 0 {
        bits.skip(2 * (8 - usize::try_from(layers).ok()?))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    Some(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    // 320x240 of x265, main profile, level 2.
    const VPS: [u8; 24] = [
        0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00,
        0x03, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x95, 0x94, 0x09,
    ];
    const SPS: [u8; 42] = [
        0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00,
        0x03, 0x00, 0x3c, 0xa0, 0x0a, 0x08, 0x0f, 0x16, 0x59, 0x59, 0x52, 0x93, 0x0b, 0xc0, 0x5a,
        0x02, 0x00, 0x00, 0x03, 0x00, 0x02, 0x00, 0x00, 0x03, 0x00, 0x32, 0x10,
    ];
    const PPS: [u8; 6] = [0x44, 0x01, 0xc0, 0x73, 0xc1, 0x89];

    pub(crate) fn keyframe() -> Vec<u8> {
        let start = [0u8, 0, 0, 1];
        [
            &start[..],
            &VPS,
            &start,
            &SPS,
            &start,
            &PPS,
            &start,
            &[0x28, 0x01, 0xac],
        ]
        .concat()
    }

    /// ISO/IEC 14496-15 §8.3.3.1.2.
    #[test]
    fn size_and_configuration_come_from_the_parameter_sets() {
        let (shape, private) = describe(&keyframe()).unwrap();
        assert_eq!(shape, Shape::picture(320, 240).unwrap());
        // Version, profile, compatibility, constraints, level.
        assert_eq!(
            private[..13],
            [1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 60]
        );
        // 4:2:0, 8 bits, lengths of four bytes, three sets of one unit each.
        assert_eq!(private[16..23], [0xfd, 0xf8, 0xf8, 0, 0, 0x0b, 3]);
        assert_eq!(private[23..28], [32, 0, 1, 0, VPS.len() as u8]);
        assert!(private.ends_with(&PPS));
    }

    #[test]
    fn a_frame_without_parameter_sets_describes_nothing() {
        assert_eq!(describe(&[0, 0, 0, 1, 0x28, 0x01, 0xac]), None);
    }
}
