//! Writes the manifest: a module without classes, and what it converts.

use rivero_idl::build::{
    Module,
    Packaging::{Frame, Raw, Rtp},
};

include!("src/table.rs");

/// In the order of `conversions::all`.
fn main() -> Result<(), rivero_idl::Error> {
    println!("cargo::rerun-if-changed=src/table.rs");
    // Not `packetization-mode` of H.264: pictures whose units fit into packets (mode 0) are encoded so, and cannot be made of
    // others by packing them anew. What comes in mode 0 whoever knows mode 1 takes as it is.
    let mut module = Module::new("codecs").packaging_parameters(&["octet-align"]);
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
