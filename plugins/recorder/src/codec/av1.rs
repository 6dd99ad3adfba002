//! AV1: size and `av1C` from the sequence header (AV1 specification §5.5; AV1
//! codec ISO media file format binding §2.3).

use rivero_plugin_api::Bytes;

use super::{Shape, bits::Bits};

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const TILE_LIST: u8 = 8;
const PADDING: u8 = 15;

/// An open bitstream unit.
struct Unit<'a> {
    kind: u8,
    /// With its header.
    whole: &'a [u8],
    payload: &'a [u8],
}

/// The units of a temporal unit in the low-overhead format (§5.2).
fn units(data: &[u8]) -> impl Iterator<Item = Unit<'_>> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let header = *rest.first()?;
        let start = if header & 4 != 0 { 2 } else { 1 };
        let (size, start) = if header & 2 != 0 {
            let (size, length) = leb128(rest.get(start..)?)?;
            (size, start + length)
        } else {
            (rest.len().checked_sub(start)?, start)
        };
        let end = start.checked_add(size)?;
        let unit = Unit {
            kind: header >> 3 & 15,
            whole: rest.get(..end)?,
            payload: rest.get(start..end)?,
        };
        rest = rest.get(end..)?;
        Some(unit)
    })
}

/// Value and number of bytes (§4.10.5).
fn leb128(data: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0usize;
    for (index, byte) in data.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

/// Containers do not carry temporal delimiters (§2.4 of the binding).
pub(super) fn without_delimiters(frame: &Bytes) -> Bytes {
    let unwanted = |unit: &Unit<'_>| matches!(unit.kind, TEMPORAL_DELIMITER | TILE_LIST | PADDING);
    let mut units = units(frame);
    match units.next() {
        // The common case: one delimiter, in front.
        Some(first) if unwanted(&first) && !units.any(|unit| unwanted(&unit)) => {
            frame.slice(first.whole.len()..frame.len())
        }
        _ if !self::units(frame).any(|unit| unwanted(&unit)) => frame.clone(),
        _ => {
            let kept = self::units(frame).filter(|unit| !unwanted(unit));
            kept.flat_map(|unit| unit.whole)
                .copied()
                .collect::<Vec<u8>>()
                .into()
        }
    }
}

/// Size and `av1C` of a temporal unit with a sequence header.
pub(super) fn describe(frame: &[u8]) -> Option<(Shape, Vec<u8>)> {
    let header = units(frame).find(|unit| unit.kind == SEQUENCE_HEADER)?;
    let sequence = Sequence::parse(header.payload)?;
    let shape = Shape::picture(sequence.width, sequence.height)?;
    let mut private = vec![
        0x81,
        sequence.profile << 5 | sequence.level,
        sequence.tier << 7 | sequence.colour,
        0,
    ];
    private.extend_from_slice(header.whole);
    Some((shape, private))
}

#[derive(Default)]
struct Sequence {
    profile: u8,
    level: u8,
    tier: u8,
    width: u32,
    height: u32,
    /// Depth, monochrome, subsampling and position, as `av1C` has them.
    colour: u8,
}

impl Sequence {
    /// sequence_header_obu()
    fn parse(data: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(data);
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
        sequence.colour = colour(&mut bits, sequence.profile)?;
        Some(sequence)
    }

    fn parse_operating_points(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let mut delay_bits = None;
        if bits.flag()? {
            bits.skip(64)?; // num_units_in_display_tick, time_scale
            if bits.flag()? {
                bits.exp_golomb()?; // num_ticks_per_picture_minus_1
            }
            if bits.flag()? {
                delay_bits = Some(bits.read(5)? as usize + 1);
                bits.skip(42)?;
            }
        }
        let has_display_delay = bits.flag()?;
        for point in 0..=bits.read(5)? {
            bits.skip(12)?; // operating_point_idc
            let level = u8::try_from(bits.read(5)?).ok()?;
            let tier = if level > 7 { u8::from(bits.flag()?) } else { 0 };
            if point == 0 {
                (self.level, self.tier) = (level, tier);
            }
            if let Some(delay_bits) = delay_bits
                && bits.flag()?
            {
                bits.skip(2 * delay_bits + 1)?;
            }
            if has_display_delay && bits.flag()? {
                bits.skip(4)?;
            }
        }
        Some(())
    }
}

/// What stands between the size and color_config().
fn skip_tools(bits: &mut Bits<'_>, reduced: bool) -> Option<()> {
    if !reduced && bits.flag()? {
        bits.skip(7)?; // frame ids
    }
    bits.skip(3)?; // 128x128 superblocks, filter intra, intra edge filter
    if !reduced {
        bits.skip(4)?; // interintra, masked, warped motion, dual filter
        let order_hint = bits.flag()?;
        if order_hint {
            bits.skip(2)?;
        }
        let chooses_tools = bits.flag()?;
        let screen_content = chooses_tools || bits.flag()?;
        if screen_content && !bits.flag()? {
            bits.skip(1)?; // seq_force_integer_mv
        }
        if order_hint {
            bits.skip(3)?;
        }
    }
    bits.skip(3) // superres, cdef, restoration
}

/// color_config()
fn colour(bits: &mut Bits<'_>, profile: u8) -> Option<u8> {
    let high = bits.flag()?;
    let twelve = profile == 2 && high && bits.flag()?;
    let monochrome = profile != 1 && bits.flag()?;
    let base = u8::from(high) << 6 | u8::from(twelve) << 5 | u8::from(monochrome) << 4;
    let description = if bits.flag()? {
        (bits.read(8)?, bits.read(8)?, bits.read(8)?)
    } else {
        (2, 2, 2)
    };
    if monochrome {
        return Some(base | 0b1100);
    }
    if description == (1, 13, 0) {
        return Some(base);
    }
    bits.skip(1)?; // color_range
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
    Some(base | u8::from(x) << 3 | u8::from(y) << 2 | position)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Delimiter, sequence header of libaom (320x240), one byte of a frame.
    pub(crate) const FRAME: [u8; 18] = [
        0x12, 0x00, 0x0a, 0x0a, 0x00, 0x00, 0x00, 0x04, 0x3c, 0xff, 0xbc, 0xff, 0x98, 0x08, 0x32,
        0x02, 0x10, 0x00,
    ];

    #[test]
    fn the_delimiter_is_left_out() {
        let frame = Bytes::copy_from(&FRAME);
        assert_eq!(&without_delimiters(&frame)[..], &FRAME[2..]);
        assert_eq!(&without_delimiters(&frame.slice(2..18))[..], &FRAME[2..]);
    }

    #[test]
    fn the_configuration_holds_the_sequence_header() {
        let (_, private) = describe(&FRAME).unwrap();
        assert_eq!(private[0], 0x81);
        assert_eq!(private[4..], FRAME[2..14]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(data in proptest::collection::vec(any::<u8>(), 0..48)) {
            let left = without_delimiters(&Bytes::copy_from(&data));
            prop_assert!(units(&left).all(|unit| unit.kind != TEMPORAL_DELIMITER));
        }
    }
}
