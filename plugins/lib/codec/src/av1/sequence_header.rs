//! The sequence header of AV1 (AV1 specification §5.5), as far as containers need it.

use crate::{Colour, bits::BitReader, colour::UNSPECIFIED};

/// What a sequence header says.
#[derive(Default)]
pub(super) struct SequenceHeader {
    /// seq_profile, 3 bits.
    pub(super) profile: u8,
    /// seq_level_idx of the first operating point, 5 bits.
    pub(super) level: u8,
    /// seq_tier of the first operating point.
    pub(super) tier: u8,
    /// Pixels of the largest frame.
    pub(super) width: u32,
    pub(super) height: u32,
    /// Depth, monochrome, subsampling and position, as `av1C` has them.
    pub(super) samples: u8,
    pub(super) colour: Option<Colour>,
}

impl SequenceHeader {
    /// sequence_header_obu(); `None` where it is cut off.
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let mut bits = BitReader::new(data);
        let mut sequence = Self {
            profile: u8::try_from(bits.read(3)?).ok()?,
            ..Self::default()
        };
        bits.skip(1)?; // still_picture
        let reduced = bits.flag()?;
        if reduced {
            sequence.level = u8::try_from(bits.read(5)?).ok()?;
        } else {
            sequence.parse_operating_points(&mut bits)?;
        }
        let (width_bits, height_bits) = (bits.read(4)? + 1, bits.read(4)? + 1);
        sequence.width = bits.read(width_bits)? + 1;
        sequence.height = bits.read(height_bits)? + 1;
        skip_tools(&mut bits, reduced)?;
        (sequence.samples, sequence.colour) = colour(&mut bits, sequence.profile)?;
        Some(sequence)
    }

    /// Timing, decoder model and operating points: everything that a reduced header leaves out.
    fn parse_operating_points(&mut self, bits: &mut BitReader<'_>) -> Option<()> {
        let mut delay_bits = None;
        if bits.flag()? {
            bits.skip(64)?; // num_units_in_display_tick, time_scale
            if bits.flag()? {
                bits.exp_golomb()?; // num_ticks_per_picture_minus_1
            }
            if bits.flag()? {
                delay_bits = Some(bits.read(5)? as usize + 1);
                bits.skip(42)?; // num_units_in_decoding_tick and two more lengths
            }
        }
        let has_display_delay = bits.flag()?;
        for point in 0..=bits.read(5)? {
            bits.skip(12)?; // operating_point_idc
            let level = u8::try_from(bits.read(5)?).ok()?;
            // Only levels from 4.0 on have a high tier.
            let tier = if level > 7 { u8::from(bits.flag()?) } else { 0 };
            if point == 0 {
                (self.level, self.tier) = (level, tier);
            }
            if let Some(delay_bits) = delay_bits
                && bits.flag()?
            {
                bits.skip(2 * delay_bits + 1)?; // operating_parameters_info()
            }
            if has_display_delay && bits.flag()? {
                bits.skip(4)?; // initial_display_delay_minus_1
            }
        }
        Some(())
    }
}

/// What stands between the size and color_config().
fn skip_tools(bits: &mut BitReader<'_>, reduced: bool) -> Option<()> {
    if !reduced && bits.flag()? {
        bits.skip(7)?; // frame ids
    }
    bits.skip(3)?; // 128x128 superblocks, filter intra, intra edge filter
    if !reduced {
        bits.skip(4)?; // interintra, masked, warped motion, dual filter
        let order_hint = bits.flag()?;
        if order_hint {
            bits.skip(2)?; // jnt_comp, ref_frame_mvs
        }
        let chooses_tools = bits.flag()?;
        // Forced on or chosen frame by frame: then there is one more choice.
        let screen_content = chooses_tools || bits.flag()?;
        if screen_content && !bits.flag()? {
            bits.skip(1)?; // seq_force_integer_mv
        }
        if order_hint {
            bits.skip(3)?; // order_hint_bits_minus_1
        }
    }
    bits.skip(3) // superres, cdef, restoration
}

/// color_config(): the third byte of `av1C` but for its tier, and what the numbers mean.
fn colour(bits: &mut BitReader<'_>, profile: u8) -> Option<(u8, Option<Colour>)> {
    let high = bits.flag()?;
    let twelve = profile == 2 && high && bits.flag()?;
    let monochrome = profile != 1 && bits.flag()?;
    let base = u8::from(high) << 6 | u8::from(twelve) << 5 | u8::from(monochrome) << 4;
    let mut points = [UNSPECIFIED; 3];
    if bits.flag()? {
        for point in &mut points {
            *point = u8::try_from(bits.read(8)?).ok()?;
        }
    }
    let [primaries, transfer, matrix] = points;
    let known = |full_range| Colour::known(primaries, transfer, matrix, full_range);
    if monochrome {
        // Counts as subsampled both ways.
        return Some((base | 0b1100, known(bits.flag()?)));
    }
    // sRGB has neither range nor subsampling in its header.
    if points == [1, 13, 0] {
        return Some((base, known(true)));
    }
    let full_range = bits.flag()?;
    let (x, y) = match profile {
        0 => (true, true),
        1 => (false, false),
        _ if twelve => {
            let x = bits.flag()?;
            (x, x && bits.flag()?)
        }
        _ => (true, false),
    };
    let position = if x && y {
        u8::try_from(bits.read(2)?).ok()?
    } else {
        0
    };
    let samples = base | u8::from(x) << 3 | u8::from(y) << 2 | position;
    Some((samples, known(full_range)))
}
