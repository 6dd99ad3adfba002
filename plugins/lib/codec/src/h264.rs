//! H.264: keyframes, and their size and `avcC`, from the parameter sets (ITU-T H.264 §7.3.2,
//! ISO/IEC 14496-15 §5.3.3).

use crate::{
    Colour, Shape, annex_b, bits::BitReader, colour, crop::Crop, parameter_sets,
    track::Description, vui,
};

// NAL unit types (ITU-T H.264 table 7-1).

/// A slice of a picture that is no IDR picture.
pub const SLICE: u8 = 1;
/// A slice of an IDR picture: decoders begin there.
pub const IDR_SLICE: u8 = 5;
/// Supplemental enhancement information.
pub const SUPPLEMENTAL: u8 = 6;
/// A sequence parameter set.
pub const SEQUENCE_PARAMETER_SET: u8 = 7;
/// A picture parameter set.
pub const PICTURE_PARAMETER_SET: u8 = 8;
/// An access unit delimiter.
pub const ACCESS_UNIT_DELIMITER: u8 = 9;
/// Filler data.
pub const FILLER: u8 = 12;

/// The type that the first byte of a unit says.
#[inline]
#[must_use]
pub fn unit_type(header: u8) -> u8 {
    header & 0x1f
}

fn type_of(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |header| unit_type(*header))
}

/// Whether a unit of this type stands at the beginning of a keyframe: a slice of an IDR picture, or a
/// sequence parameter set, which encoders write before each of them.
#[inline]
#[must_use]
pub fn begins_keyframe(unit_type: u8) -> bool {
    matches!(unit_type, IDR_SLICE | SEQUENCE_PARAMETER_SET)
}

/// Whether nothing is lost without a unit of this type where frames are kept apart anyway, as in RTP
/// packets and in files.
#[inline]
#[must_use]
pub fn is_dispensable(unit_type: u8) -> bool {
    matches!(unit_type, ACCESS_UNIT_DELIMITER | FILLER)
}

/// The number of a parameter set (`seq_parameter_set_id`, `pic_parameter_set_id`); `None` for other
/// units, for numbers that no set can have, and where it is cut off.
#[must_use]
pub fn parameter_set_id(unit_type: u8, unit: &[u8]) -> Option<u32> {
    let (before, most) = match unit_type {
        // Profile, constraints and level stand in front.
        SEQUENCE_PARAMETER_SET => (4, 31),
        PICTURE_PARAMETER_SET => (1, 255),
        _ => return None,
    };
    parameter_sets::number_at(unit, before).filter(|id| *id <= most)
}

/// A byte stream in the form of containers. Parameter sets stay in the samples besides: they may
/// change in mid-stream, while the `avcC` of a file cannot.
#[must_use]
pub fn length_prefixed(frame: &[u8]) -> Vec<u8> {
    annex_b::length_prefixed(frame, |unit| !is_dispensable(type_of(unit)))
}

/// Size of a keyframe with its parameter sets, and its `avcC` with all of them
/// (AVCDecoderConfigurationRecord, units behind lengths of four bytes). `None` where a parameter set of
/// either kind is missing, or that of the sequence damaged, or the picture larger than containers can say.
#[must_use]
pub fn describe(keyframe: &[u8]) -> Option<Description> {
    let of_type =
        |wanted| annex_b::units_or_bare(keyframe).filter(move |unit| type_of(unit) == wanted);
    let first = of_type(SEQUENCE_PARAMETER_SET).next()?;
    let payload = annex_b::without_emulation_prevention(first.get(1..)?);
    let parameters = Parameters::parse(&payload)?;
    let (sequence, picture) = (
        distinct(of_type(SEQUENCE_PARAMETER_SET)),
        distinct(of_type(PICTURE_PARAMETER_SET)),
    );
    // Without one no decoder begins, and the set may still come: it need not stand in every keyframe.
    if picture.is_empty() {
        return None;
    }
    let mut record = vec![
        1, // configurationVersion
        parameters.profile,
        parameters.constraints,
        parameters.level,
        0xff, // reserved bits, lengthSizeMinusOne 3
    ];
    // Three reserved bits, then the count.
    record.push(0xe0 | u8::try_from(sequence.len()).ok()?);
    append_sets(&mut record, &sequence)?;
    record.push(u8::try_from(picture.len()).ok()?);
    append_sets(&mut record, &picture)?;
    if parameters.is_high() {
        // Reserved bits around chroma_format and the depths; no extensions of parameter sets.
        record.extend([
            0xfc | parameters.chroma_format,
            0xf8 | parameters.luma_depth,
            0xf8 | parameters.chroma_depth,
            0,
        ]);
    }
    Some(Description {
        shape: parameters.size()?,
        configuration: record,
        colour: parameters.colour,
    })
}

/// How many pictures may come before one that is shown before them, as the first sequence parameter set of a
/// frame says: 0 where pictures come as they are shown. `None` where there is no such set, or it does not say.
#[must_use]
pub fn reordered_pictures(frame: &[u8]) -> Option<u32> {
    let set = annex_b::units_or_bare(frame).find(|unit| type_of(unit) == SEQUENCE_PARAMETER_SET)?;
    let payload = annex_b::without_emulation_prevention(set.get(1..)?);
    let mut bits = BitReader::new(&payload);
    let parameters = Parameters::read(&mut bits)?;
    // There are no pictures out of their order in baseline profiles (§A.2.1), and with this type none but
    // in the order of decoding (§8.2.1.3).
    if parameters.profile == 66 || parameters.order_count_type == 2 {
        return Some(0);
    }
    vui::reordered_pictures(&mut bits)
}

/// Units that differ, among the first 31: as many as the five bits of the count of sequence parameter
/// sets can say.
fn distinct<'a>(units: impl Iterator<Item = &'a [u8]>) -> Vec<&'a [u8]> {
    let mut found: Vec<&[u8]> = Vec::new();
    for unit in units.take(31) {
        if !found.contains(&unit) {
            found.push(unit);
        }
    }
    found
}

/// Each set behind 16 bits of length; `None` for one that is longer than these can say.
fn append_sets(record: &mut Vec<u8>, sets: &[&[u8]]) -> Option<()> {
    for set in sets {
        record.extend(u16::try_from(set.len()).ok()?.to_be_bytes());
        record.extend_from_slice(set);
    }
    Some(())
}

/// What a sequence parameter set says, as far as containers care.
struct Parameters {
    profile: u8,
    constraints: u8,
    level: u8,
    chroma_format: u8,
    /// Bits of a sample, less 8.
    luma_depth: u8,
    /// Bits of a sample, less 8.
    chroma_depth: u8,
    /// Columns, and rows of macroblocks; of pairs of them where pictures may be fields.
    macroblocks: (u32, u32),
    crop: Crop,
    /// Pictures are frames, never fields.
    frame_only: bool,
    colour: Option<Colour>,
    /// How the order of pictures is told (§8.2.1).
    order_count_type: u32,
}

impl Parameters {
    /// `data`: raw payload behind the NAL unit's header (§7.3.2.1.1).
    fn parse(data: &[u8]) -> Option<Self> {
        let mut bits = BitReader::new(data);
        let mut parameters = Self::read(&mut bits)?;
        parameters.colour = colour::of_usability_information(&mut bits);
        Some(parameters)
    }

    /// The same without colour; `bits` is at `vui_parameters_present_flag` afterwards.
    fn read(bits: &mut BitReader<'_>) -> Option<Self> {
        let byte = |bits: &mut BitReader<'_>| bits.read(8).and_then(|byte| u8::try_from(byte).ok());
        let (profile, constraints, level) = (byte(bits)?, byte(bits)?, byte(bits)?);
        bits.exp_golomb()?; // seq_parameter_set_id
        let mut parameters = Self {
            profile,
            constraints,
            level,
            chroma_format: 1,
            luma_depth: 0,
            chroma_depth: 0,
            macroblocks: (0, 0),
            crop: Crop::default(),
            frame_only: true,
            colour: None,
            order_count_type: 0,
        };
        if parameters.is_high() {
            parameters.parse_high(bits)?;
        }
        bits.exp_golomb()?; // log2_max_frame_num_minus4
        parameters.order_count_type = read_order_count(bits)?;
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
        parameters.crop = Crop::parse(bits)?;
        Some(parameters)
    }

    /// Whether the profile has chroma format and depths in its parameter sets (§7.3.2.1.1), and so in
    /// `avcC`.
    fn is_high(&self) -> bool {
        matches!(
            self.profile,
            100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
        )
    }

    fn parse_high(&mut self, bits: &mut BitReader<'_>) -> Option<()> {
        self.chroma_format = u8::try_from(bits.exp_golomb()?)
            .ok()
            .filter(|format| *format <= 3)?;
        if self.chroma_format == 3 {
            bits.flag()?; // separate_colour_plane_flag
        }
        let depth = |bits: &mut BitReader<'_>| {
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
        let fields = if self.frame_only { 1 } else { 2 };
        let (columns, rows) = (u64::from(self.macroblocks.0), u64::from(self.macroblocks.1));
        // A macroblock has 16 by 16 pixels.
        self.crop
            .apply(columns * 16, rows * 16 * fields, self.chroma_format, fields)
    }
}

/// `pic_order_cnt_type`, behind what depends on it.
fn read_order_count(bits: &mut BitReader<'_>) -> Option<u32> {
    let kind = bits.exp_golomb()?;
    match kind {
        0 => {
            bits.exp_golomb()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            bits.flag()?; // delta_pic_order_always_zero_flag
            bits.signed_exp_golomb()?; // offset_for_non_ref_pic
            bits.signed_exp_golomb()?; // offset_for_top_to_bottom_field
            // num_ref_frames_in_pic_order_cnt_cycle is 255 at most; a hostile one would say more.
            for _ in 0..bits.exp_golomb()?.min(255) {
                bits.signed_exp_golomb()?;
            }
        }
        _ => {}
    }
    Some(kind)
}

/// `scaling_list()` (§7.3.2.1.1.1): a list ends early where the next scale is 0.
fn skip_scaling_list(bits: &mut BitReader<'_>, size: usize) -> Option<()> {
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
        let Description {
            shape,
            configuration: record,
            colour,
        } = describe(&keyframe()).unwrap();
        assert_eq!(colour, None);
        assert_eq!(
            shape,
            Shape::Video {
                width: 320,
                height: 240
            }
        );
        assert_eq!(record.get(..6).unwrap(), [1, 0x42, 0xc0, 0x0d, 0xff, 0xe1]);
        assert!(record.ends_with(&[1, 0, 4, 0x68, 0xce, 0x0f, 0xc8]));
    }

    /// Of x264 at 320x240, high profile: without B-pictures, with them, with some that others refer to.
    const HIGH: [(&str, u32); 3] = [
        ("6764000cacb20283f60220000003002000000303c1e28549", 0),
        ("6764000cacd10141fb0110000003001000000301e0f1429120", 1),
        ("6764000cacd94141fb0110000003001000000301e0f1429960", 2),
    ];

    #[test]
    fn pictures_out_of_their_order_are_announced() {
        for (set, expected) in HIGH {
            let set = crate::hex::decode(set).unwrap();
            assert_eq!(reordered_pictures(&set), Some(expected));
        }
        assert_eq!(reordered_pictures(&keyframe()), Some(0), "baseline");
        assert_eq!(reordered_pictures(&[0, 0, 0, 1, 0x65, 0x88]), None);
    }

    #[test]
    fn a_frame_without_parameter_sets_describes_nothing() {
        assert_eq!(describe(&[0, 0, 0, 1, 0x65, 0x88]), None);
        let mut half = Vec::new();
        annex_b::append(&mut half, &SPS[..22]);
        assert_eq!(describe(&half), None, "no picture parameter set");
    }

    #[test]
    fn colour_comes_from_the_usability_information() {
        // 320x240 of x264 with full range and BT.709.
        let sps = [
            0x67, 0x42, 0xc0, 0x0d, 0xd9, 0x01, 0x41, 0xfb, 0x01, 0x6e, 0x02, 0x02, 0x02, 0x80,
            0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x19, 0x07, 0x8a, 0x15, 0x24,
        ];
        let mut keyframe = Vec::new();
        annex_b::append(&mut keyframe, &sps);
        annex_b::append(&mut keyframe, &PPS);
        let found = describe(&keyframe).unwrap().colour;
        assert_eq!(found, Colour::known(1, 1, 1, true));
    }
}
