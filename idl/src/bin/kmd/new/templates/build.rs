//! Generates the traits and structures of the descriptor.

fn main() {
    rivero_sdk::build::descriptor("@module@.kmd.json");
}
