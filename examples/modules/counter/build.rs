//! Generates the trait of the module's class, and what the server reads without loading the library.

fn main() {
    rivero_sdk::build::descriptor("counter.kmd.json");
}
