//! The usability information at the end of a sequence parameter set (ITU-T H.264 §E.1).

use crate::{bits::BitReader, colour};

/// Schedules of a decoder's buffer at most (§E.2.2).
const MOST_SCHEDULES: u32 = 32;

/// `max_num_reorder_frames`; `bits` is at `vui_parameters_present_flag`. `None` where it is not said.
pub(crate) fn reordered_pictures(bits: &mut BitReader<'_>) -> Option<u32> {
    colour::read_signal_type(bits)?;
    if bits.flag()? {
        bits.exp_golomb()?; // chroma_sample_loc_type_top_field
        bits.exp_golomb()?; // chroma_sample_loc_type_bottom_field
    }
    if bits.flag()? {
        bits.skip(65)?; // num_units_in_tick, time_scale, fixed_frame_rate_flag
    }
    let mut has_schedules = false;
    for _ in ["nal", "vcl"] {
        if bits.flag()? {
            skip_schedules(bits)?;
            has_schedules = true;
        }
    }
    if has_schedules {
        bits.flag()?; // low_delay_hrd_flag
    }
    bits.flag()?; // pic_struct_present_flag
    if !bits.flag()? {
        return None;
    }
    bits.flag()?; // motion_vectors_over_pic_boundaries_flag
    for _ in 0..4 {
        bits.exp_golomb()?; // sizes of a picture and a macroblock, and of motion vectors
    }
    bits.exp_golomb()
}

/// `hrd_parameters()` (§E.1.2).
fn skip_schedules(bits: &mut BitReader<'_>) -> Option<()> {
    let count = bits.exp_golomb()?;
    if count >= MOST_SCHEDULES {
        return None;
    }
    bits.skip(8)?; // bit_rate_scale, cpb_size_scale
    for _ in 0..=count {
        bits.exp_golomb()?; // bit_rate_value_minus1
        bits.exp_golomb()?; // cpb_size_value_minus1
        bits.flag()?; // cbr_flag
    }
    bits.skip(20) // lengths of delays and of the time offset
}
