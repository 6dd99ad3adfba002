//! The tests of this folder, one file for each: one program, as each would be linked anew otherwise.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failure here is the failure of a test"
)]

mod certificates_open_the_door;
mod check_config_finds_what_a_start_refuses;
mod clients_have_bounds;
mod clients_of_generation_6;
mod common;
mod configuration_is_read_again;
mod connections_have_bounds;
mod console_shows_what_happens;
mod credentials_expire;
mod credentials_open_the_door;
mod deadly_requests_harm_nobody;
mod events_reach_subscribers;
mod golden_replies;
mod guesses_are_slowed;
mod logging_blocks_nobody;
mod management_port;
mod metrics_are_documented;
mod metrics_page_is_always_readable;
mod modules_that_never_answer;
mod new_servers_take_over;
mod principals_see_their_own;
mod process_starts_and_ends;
mod protocol_first_contact;
mod quotas_bound_principals;
mod registrar_is_told;
mod repeated_requests_run_once;
mod secure_websocket;
mod sessions_hold_objects;
mod slow_calls_are_overtaken;
mod supervisors_are_told;
mod systemd_is_told;
mod the_server_ends_in_order;
mod tokens_are_in_no_log;
mod values_survive_the_round_trip;
mod websocket_handshake_and_limits;
mod who_may_speak;

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
