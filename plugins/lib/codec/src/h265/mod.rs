//! H.265: random access, and the size and `hvcC` of keyframes, from the parameter sets
//! (ITU-T H.265 §7.3.2, ISO/IEC 14496-15 §8.3.3).

mod usability;

use std::ops::RangeInclusive;

use crate::{
    Colour, Shape, annex_b, bits::BitReader, crop::Crop, parameter_sets, track::Description,
};

// NAL unit types (ITU-T H.265 table 7-1).

/// Slices of pictures that decoders begin with: BLA, IDR, CRA, and two reserved types.
pub const RANDOM_ACCESS: RangeInclusive<u8> = 16..=23;
/// The last type of a slice; all beyond belong to no picture.
pub const LAST_SLICE: u8 = 31;
/// A video parameter set.
pub const VIDEO_PARAMETER_SET: u8 = 32;
/// A sequence parameter set.
pub const SEQUENCE_PARAMETER_SET: u8 = 33;
/// A picture parameter set.
pub const PICTURE_PARAMETER_SET: u8 = 34;
/// An access unit delimiter.
pub const ACCESS_UNIT_DELIMITER: u8 = 35;
/// Filler data.
pub const FILLER: u8 = 38;

/// Bytes of profile_tier_level() up to general_level_idc.
const PROFILE_TIER_LEVEL: usize = 12;

/// The type that the first of a unit's two header bytes says.
#[inline]
#[must_use]
pub fn unit_type(header: u8) -> u8 {
    header >> 1 & 0x3f
}

fn type_of(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |header| unit_type(*header))
}

/// Whether a unit of this type stands at the beginning of a keyframe: a slice of a random access
/// picture, or a parameter set that encoders write before each of them.
#[inline]
#[must_use]
pub fn begins_keyframe(unit_type: u8) -> bool {
    RANDOM_ACCESS.contains(&unit_type)
        || matches!(unit_type, VIDEO_PARAMETER_SET | SEQUENCE_PARAMETER_SET)
}

/// Whether nothing is lost without a unit of this type where frames are kept apart anyway, as in RTP
/// packets and in files.
#[inline]
#[must_use]
pub fn is_dispensable(unit_type: u8) -> bool {
    matches!(unit_type, ACCESS_UNIT_DELIMITER | FILLER)
}

/// The number of a parameter set; `None` for other units, for numbers that no set can have, and where it
/// is cut off.
#[must_use]
pub fn parameter_set_id(unit_type: u8, unit: &[u8]) -> Option<u32> {
    match unit_type {
        // vps_video_parameter_set_id, 4 bits behind the header.
        VIDEO_PARAMETER_SET => Some(u32::from(unit.get(2)? >> 4)),
        SEQUENCE_PARAMETER_SET => sequence_parameter_set_id(unit).filter(|id| *id <= 15),
        PICTURE_PARAMETER_SET => parameter_sets::number_at(unit, 2).filter(|id| *id <= 63),
        _ => None,
    }
}

fn sequence_parameter_set_id(unit: &[u8]) -> Option<u32> {
    let payload = annex_b::without_emulation_prevention(unit.get(2..)?);
    read_up_to_id(&mut BitReader::new(&payload)).map(|(_, id)| id)
}

/// Reads a sequence parameter set up to its number: `sps_max_sub_layers_minus1` and that number.
fn read_up_to_id(bits: &mut BitReader<'_>) -> Option<(u32, u32)> {
    bits.skip(4)?; // sps_video_parameter_set_id
    let layers = bits.read(3)?;
    bits.skip(1 + PROFILE_TIER_LEVEL * 8)?;
    skip_sub_layers(bits, layers)?;
    Some((layers, bits.exp_golomb()?))
}

/// A byte stream in the form of containers. Parameter sets stay in the samples besides: they may
/// change in mid-stream, while the `hvcC` of a file cannot.
#[must_use]
pub fn length_prefixed(frame: &[u8]) -> Vec<u8> {
    annex_b::length_prefixed(frame, |unit| !is_dispensable(type_of(unit)))
}

/// Size of a keyframe with its parameter sets, and its `hvcC` with the first of each kind
/// (HEVCDecoderConfigurationRecord, units behind lengths of four bytes). `None` where a parameter set
/// is missing or damaged, or the picture larger than containers can say.
#[must_use]
pub fn describe(keyframe: &[u8]) -> Option<Description> {
    let of_type = |wanted| annex_b::units_or_bare(keyframe).find(|unit| type_of(unit) == wanted);
    let sequence = of_type(SEQUENCE_PARAMETER_SET)?;
    let payload = annex_b::without_emulation_prevention(sequence.get(2..)?);
    let parameters = Parameters::parse(&payload)?;
    let mut record = vec![1]; // configurationVersion
    record.extend(payload.get(1..1 + PROFILE_TIER_LEVEL)?);
    let chroma = 0xfc | parameters.chroma_format;
    let [luma_depth, chroma_depth] = parameters.depth.map(|depth| 0xf8 | depth);
    // Reserved bits, no spatial segmentation, parallelism and frame rate unknown.
    record.extend([0xf0, 0, 0xfc, chroma, luma_depth, chroma_depth, 0, 0]);
    // One temporal layer, nested or not, four bytes of length.
    record.push(1 << 3 | 3);
    let sets = [
        VIDEO_PARAMETER_SET,
        SEQUENCE_PARAMETER_SET,
        PICTURE_PARAMETER_SET,
    ];
    record.push(u8::try_from(sets.len()).ok()?);
    for kind in sets {
        let unit = of_type(kind)?;
        // The array may not be all there is of its kind (the highest bit is clear), and has one unit.
        record.extend([kind, 0, 1]);
        record.extend(u16::try_from(unit.len()).ok()?.to_be_bytes());
        record.extend_from_slice(unit);
    }
    Some(Description {
        shape: parameters.size()?,
        configuration: record,
        colour: parameters.colour,
    })
}

/// How many pictures may come before one that is shown before them, as the first sequence parameter set of a
/// frame says: 0 where pictures come as they are shown. `None` where there is no such set.
#[must_use]
pub fn reordered_pictures(frame: &[u8]) -> Option<u32> {
    let set = annex_b::units_or_bare(frame).find(|unit| type_of(unit) == SEQUENCE_PARAMETER_SET)?;
    let payload = annex_b::without_emulation_prevention(set.get(2..)?);
    let mut bits = BitReader::new(&payload);
    let (_, layers) = Parameters::read(&mut bits)?;
    bits.exp_golomb()?; // log2_max_pic_order_cnt_lsb_minus4
    // Of each sub-layer, or of the highest alone; that one has the most.
    let told = if bits.flag()? { layers + 1 } else { 1 };
    let mut reordered = 0;
    for _ in 0..told {
        bits.exp_golomb()?; // sps_max_dec_pic_buffering_minus1
        reordered = bits.exp_golomb()?;
        bits.exp_golomb()?; // sps_max_latency_increase_plus1
    }
    Some(reordered)
}

/// What a sequence parameter set says, as far as containers care.
struct Parameters {
    chroma_format: u8,
    /// Pixels before the crop.
    size: (u32, u32),
    crop: Crop,
    /// Luma and chroma, less 8.
    depth: [u8; 2],
    colour: Option<Colour>,
}

impl Parameters {
    /// `data`: raw payload behind the NAL unit's header (§7.3.2.2.1).
    fn parse(data: &[u8]) -> Option<Self> {
        let mut bits = BitReader::new(data);
        let (mut parameters, layers) = Self::read(&mut bits)?;
        // Far behind what is needed: a picture without a colour is a picture.
        parameters.colour = usability::colour(&mut bits, layers);
        Some(parameters)
    }

    /// The same without colour, and `sps_max_sub_layers_minus1`; `bits` is behind the depths afterwards.
    fn read(bits: &mut BitReader<'_>) -> Option<(Self, u32)> {
        let (layers, _) = read_up_to_id(bits)?;
        let chroma_format = u8::try_from(bits.exp_golomb()?)
            .ok()
            .filter(|format| *format <= 3)?;
        if chroma_format == 3 {
            bits.flag()?; // separate_colour_plane_flag
        }
        let size = (bits.exp_golomb()?, bits.exp_golomb()?);
        let crop = Crop::parse(bits)?;
        let depth = |bits: &mut BitReader<'_>| {
            u8::try_from(bits.exp_golomb()?)
                .ok()
                .filter(|depth| *depth <= 7)
        };
        let depth = [depth(bits)?, depth(bits)?];
        let parameters = Self {
            chroma_format,
            size,
            crop,
            depth,
            colour: None,
        };
        Some((parameters, layers))
    }

    fn size(&self) -> Option<Shape> {
        let (width, height) = (u64::from(self.size.0), u64::from(self.size.1));
        self.crop.apply(width, height, self.chroma_format, 1)
    }
}

/// What profile_tier_level() says of the sub-layers; `layers`: sps_max_sub_layers_minus1 (§7.3.3).
fn skip_sub_layers(bits: &mut BitReader<'_>, layers: u32) -> Option<()> {
    let mut present = Vec::new();
    for _ in 0..layers {
        present.push((bits.flag()?, bits.flag()?));
    }
    if layers > 0 {
        // reserved_zero_2bits up to eight sub-layers.
        bits.skip(2 * (8 - usize::try_from(layers).ok()?))?;
    }
    for (profile, level) in present {
        // A profile takes as many bits as the general one, less its level.
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    Some(())
}

#[cfg(test)]
pub(crate) mod tests {
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
        let Description {
            shape,
            configuration: record,
            ..
        } = describe(&keyframe()).unwrap();
        assert_eq!(shape, Shape::picture(320, 240).unwrap());
        // Version, profile, compatibility, constraints, level.
        assert_eq!(record[..13], [1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 60]);
        // 4:2:0, 8 bits, lengths of four bytes, three sets of one unit each.
        assert_eq!(record[16..23], [0xfd, 0xf8, 0xf8, 0, 0, 0x0b, 3]);
        assert_eq!(record[23..28], [32, 0, 1, 0, VPS.len() as u8]);
        assert!(record.ends_with(&PPS));
    }

    #[test]
    fn colour_comes_from_the_usability_information() {
        // Of x265 with B-pictures, scaling lists, full range and BT.2020 with PQ.
        let sps = [
            0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00,
            0x00, 0x03, 0x00, 0x3c, 0xa0, 0x0a, 0x08, 0x0f, 0x16, 0x59, 0x59, 0x64, 0x93, 0x95,
            0xe0, 0x2d, 0xc2, 0x44, 0x02, 0x41, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03,
            0x00, 0x19, 0x08,
        ];
        let mut keyframe = Vec::new();
        for unit in [&VPS[..], &sps, &PPS] {
            annex_b::append(&mut keyframe, unit);
        }
        let found = describe(&keyframe).unwrap().colour;
        assert_eq!(found, Colour::known(9, 16, 9, true));
    }

    #[test]
    fn pictures_out_of_their_order_are_announced() {
        // x265 with its own settings has B-pictures that others refer to.
        assert_eq!(reordered_pictures(&keyframe()), Some(2));
        let without =
            "42010101600000030090000003000003003ca00a080f16592a4932bc05a020000003002000000301e1";
        let set = crate::hex::decode(without).unwrap();
        assert_eq!(reordered_pictures(&set), Some(0));
        assert_eq!(reordered_pictures(&[0, 0, 0, 1, 0x28, 0x01, 0xac]), None);
    }

    #[test]
    fn a_frame_without_parameter_sets_describes_nothing() {
        assert_eq!(describe(&[0, 0, 0, 1, 0x28, 0x01, 0xac]), None);
    }
}
