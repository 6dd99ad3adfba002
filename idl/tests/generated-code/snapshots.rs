//! The generated code is committed, so that a change of the generator shows in review, and so that
//! it is compiled here.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p rivero-idl --test generated-code` rewrites the files.

use rivero_idl::rust::{Request, generate};
use rivero_idl::{Descriptor, Model};
use std::fs;
use std::path::PathBuf;

#[track_caller]
fn assert_current(model: &Model, class: &str, file: &str) {
    let request = Request {
        classes: vec![class.to_owned()],
        types: Vec::new(),
    };
    let generated = generate(model, &request).unwrap();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/generated-code/snapshots")
        .join(file);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "{file} is stale: look at the difference after UPDATE_SNAPSHOTS=1 cargo test -p rivero-idl --test generated-code"
    );
}

#[test]
fn the_committed_code_of_standard_classes_is_current() {
    let model = Model::standard().unwrap();
    for (class, file) in [
        ("WebRtcEndpoint", "web_rtc_endpoint.rs"),
        ("PassThrough", "pass_through.rs"),
        ("Composite", "composite.rs"),
        ("RecorderEndpoint", "recorder_endpoint.rs"),
        ("FaceOverlayFilter", "face_overlay_filter.rs"),
    ] {
        assert_current(&model, class, file);
    }
}

#[test]
fn the_committed_code_of_a_module_with_its_own_descriptor_is_current() {
    let descriptor =
        Descriptor::parse("lens.kmd.json", include_str!("../data/lens.kmd.json")).unwrap();
    let model = Model::with_standard(vec![descriptor]).unwrap();
    assert_current(&model, "lens.Lens", "lens.rs");
}
