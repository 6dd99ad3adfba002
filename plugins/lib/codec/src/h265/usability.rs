//! The way through a sequence parameter set to its usability information (ITU-T H.265 §7.3.2.2.1, from
//! `log2_max_pic_order_cnt_lsb_minus4` on): all that stands in between has lengths of its own.

use crate::{Colour, bits::BitReader, colour};

/// `num_short_term_ref_pic_sets`, `num_delta_pocs` and pictures of other lists are fewer (§7.4.3.2.1,
/// §7.4.8); a hostile set would say more.
const MOST: u32 = 64;

/// What the set says of colour; `None` where that is nothing, and where the set is damaged or cut off
/// before. `layers`: `sps_max_sub_layers_minus1`.
pub(super) fn colour(bits: &mut BitReader<'_>, layers: u32) -> Option<Colour> {
    let order_bits = bits.exp_golomb()?.checked_add(4)?; // log2_max_pic_order_cnt_lsb
    let all_layers = bits.flag()?;
    for _ in 0..if all_layers { layers + 1 } else { 1 } {
        skip_numbers(bits, 3)?; // buffering, reordering, latency
    }
    skip_numbers(bits, 6)?; // sizes of coding and transform blocks
    if bits.flag()? && bits.flag()? {
        skip_scaling_lists(bits)?;
    }
    bits.skip(2)?; // amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if bits.flag()? {
        bits.skip(8)?; // depths of pcm
        skip_numbers(bits, 2)?; // sizes of pcm blocks
        bits.skip(1)?; // pcm_loop_filter_disabled_flag
    }
    let sets = bits.exp_golomb()?;
    let mut pictures = 0;
    for index in 0..bounded(sets)? {
        pictures = reference_set(bits, index, pictures)?;
    }
    if bits.flag()? {
        for _ in 0..bounded(bits.exp_golomb()?)? {
            bits.skip(usize::try_from(order_bits).ok()?)?; // lt_ref_pic_poc_lsb_sps
            bits.skip(1)?; // used_by_curr_pic_lt_sps_flag
        }
    }
    bits.skip(2)?; // temporal motion vectors, strong intra smoothing
    colour::of_usability_information(bits)
}

fn bounded(count: u32) -> Option<u32> {
    (count <= MOST).then_some(count)
}

fn skip_numbers(bits: &mut BitReader<'_>, count: usize) -> Option<()> {
    (0..count).try_for_each(|_| bits.exp_golomb().map(|_| ()))
}

/// `scaling_list_data()` (§7.3.4).
fn skip_scaling_lists(bits: &mut BitReader<'_>) -> Option<()> {
    for size in 0..4u32 {
        // Of the largest blocks there are two lists.
        for _ in 0..if size == 3 { 2 } else { 6 } {
            if !bits.flag()? {
                bits.exp_golomb()?; // a list that is a copy
                continue;
            }
            if size > 1 {
                bits.signed_exp_golomb()?; // of the first coefficient
            }
            for _ in 0..64.min(1 << (4 + 2 * size)) {
                bits.signed_exp_golomb()?;
            }
        }
    }
    Some(())
}

/// `st_ref_pic_set()` (§7.3.7): how many pictures it has. `former`: how many the set before it has.
fn reference_set(bits: &mut BitReader<'_>, index: u32, former: u32) -> Option<u32> {
    if index > 0 && bits.flag()? {
        bits.skip(1)?; // delta_rps_sign
        bits.exp_golomb()?; // abs_delta_rps_minus1
        let mut pictures = 0;
        for _ in 0..=former {
            // used_by_curr_pic_flag, else use_delta_flag: in the set unless both are clear.
            let is_in_set = bits.flag()? || bits.flag()?;
            pictures += u32::from(is_in_set);
        }
        return bounded(pictures);
    }
    let (before, after) = (bits.exp_golomb()?, bits.exp_golomb()?);
    let pictures = bounded(before.checked_add(after)?)?;
    for _ in 0..pictures {
        bits.exp_golomb()?; // distance to the one before
        bits.skip(1)?; // used by the current picture
    }
    Some(pictures)
}
