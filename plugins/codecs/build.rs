//! Writes the manifest: a module without classes, and what it converts.

use rivero_idl::build::{
    Module,
    Packaging::{Frame, Raw, Rtp},
};

include!("src/table.rs");

/// In the order of `conversions::all`.
fn main() -> Result<(), rivero_idl::Error> {
    println!("cargo::rerun-if-changed=src/table.rs");
    let packaging = ["packetization-mode", "octet-align"];
    let mut module = Module::new("codecs").packaging_parameters(&packaging);
    for (rtp, content) in PAYLOADS {
        let (packets, frames) = ((rtp, Rtp), (content, Frame));
        module = module.conversion(packets, frames, REPACKAGING);
        module = module.conversion(frames, packets, REPACKAGING);
    }
    for (encoding, raw, cost) in DECODED {
        module = module.conversion((encoding, Frame), (raw, Raw), cost);
    }
    for (encoding, raw, cost) in ENCODED {
        module = module.conversion((raw, Raw), (encoding, Frame), cost);
    }
    module.generate()
}
