//! Descriptors: read, resolved beside the standard ones, and written.

use rivero_idl::{Descriptor, Model};

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let Ok(descriptor) = Descriptor::parse("fuzz.kmd.json", text) else {
        return;
    };
    let written = serde_json::to_string(&descriptor).expect("a descriptor can be written");
    let again = Descriptor::parse("again.kmd.json", &written);
    assert!(
        again.is_ok(),
        "what was read and written is read: {written}"
    );
    // A standard module's name would make it a part of that: also fine.
    if let Ok(model) = Model::with_standard(vec![descriptor]) {
        std::hint::black_box(model.classes().len());
    }
}
