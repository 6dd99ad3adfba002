//! The tests of this folder, one file for each: one program, as each would be linked anew otherwise.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failure here is the failure of a test"
)]

mod bitrates_are_kept_at_any_frame_rate;
mod conversions_end_without_a_trace;
mod encoded_sound_keeps_its_time;
mod encoders_follow_their_consumers;
mod every_conversion_keeps_colour_motion_and_tone;
mod grey_stays_grey_whatever_its_range;
mod losses_end_at_a_keyframe;
mod lost_sound_is_taken_from_the_packet_behind_it;
mod opus_has_the_channels_of_its_input;
mod pictures_are_turned_as_their_sender_asks;
mod pictures_at_odd_times_look_as_good;
mod pictures_shrink_where_the_bitrate_is_too_little;
mod rig;
mod silence_that_opus_leaves_out_goes_on;
mod sizes_that_the_host_forgot_are_named_anew;
mod slow_motion_stays_sharp;

#[test]
fn every_file_of_this_folder_is_a_part_of_it() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") else {
            continue;
        };
        assert!(
            include_str!("main.rs").contains(&format!("\nmod {module};\n")),
            "{name} is not run: main.rs does not name it"
        );
    }
}
