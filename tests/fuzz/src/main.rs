//! libFuzzer's program: the target is the one that `RIVERO_FUZZ_TARGET` names.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use rivero_fuzz::Target;

static TARGET: OnceLock<Target> = OnceLock::new();

fn target() -> Target {
    let name = std::env::var("RIVERO_FUZZ_TARGET").unwrap_or_default();
    match rivero_fuzz::target(&name) {
        Some(target) => target,
        None => {
            eprintln!("RIVERO_FUZZ_TARGET is '{name}', which is no target");
            std::process::exit(2)
        }
    }
}

fuzz_target!(|input: &[u8]| TARGET.get_or_init(target)(input));
