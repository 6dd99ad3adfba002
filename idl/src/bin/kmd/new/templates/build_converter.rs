//! Says what the module converts, for the server to plan with.

use rivero_sdk::build::{
    Packaging::{Frame, Raw},
    generate, module,
};

fn main() {
    generate(module("@module@").conversion(("@encoding@", Frame), ("I420", Raw), 20));
}
