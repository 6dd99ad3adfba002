//! What a module's `build.rs` gets from `rivero_idl::build`.

#![allow(clippy::unwrap_used, reason = "a failed call fails the test")]

use rivero_idl::build::{
    Module,
    Packaging::{Frame, Raw, Rtp},
};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// An empty directory of this name, in the place of `OUT_DIR`.
fn out_dir(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("build-script")
        .join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// Without the versions that it was built with, which change.
fn manifest(directory: &Path) -> Value {
    let text = fs::read_to_string(directory.join("module.json")).unwrap();
    let mut manifest: Value = serde_json::from_str(&text).unwrap();
    let built_with = manifest.as_object_mut().unwrap().remove("built_with");
    let built_with = built_with.unwrap().as_str().unwrap().to_owned();
    assert!(
        built_with.starts_with("rivero-plugin-api 0."),
        "{built_with}"
    );
    manifest
}

fn lens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/lens.kmd.json")
}

#[test]
fn a_module_of_standard_classes_names_them_and_has_no_descriptor() {
    let out = out_dir("hubs");
    let module = Module::new("hubs")
        .version("0.2.0")
        .classes(&["Composite", "kurento.Mixer"]);
    module.generate_into(&out).unwrap();
    let expected = serde_json::json!({
        "name": "hubs", "version": "0.2.0", "classes": ["Composite", "Mixer"], "descriptor": null
    });
    assert_eq!(manifest(&out), expected);
    let code = fs::read_to_string(out.join("api.rs")).unwrap();
    assert!(
        code.contains("pub trait Composite: Element") && code.contains("pub trait Mixer: Element")
    );
}

#[test]
fn a_module_with_a_descriptor_carries_it() {
    let out = out_dir("lens");
    Module::new("lens")
        .descriptor(lens())
        .generate_into(&out)
        .unwrap();
    let manifest = manifest(&out);
    assert_eq!(manifest.pointer("/version"), Some(&"1.2.3".into()));
    assert_eq!(
        manifest.pointer("/classes"),
        Some(&serde_json::json!(["Lens"]))
    );
    assert_eq!(manifest.pointer("/descriptor/name"), Some(&"lens".into()));
    // The host reads it with the same parser, without the file.
    let descriptor = manifest.get("descriptor").unwrap().to_string();
    let descriptor = rivero_idl::Descriptor::parse("lens.so", &descriptor).unwrap();
    assert!(
        rivero_idl::Model::with_standard(vec![descriptor])
            .unwrap()
            .class("lens.Lens")
            .is_some()
    );
}

#[test]
fn code_may_name_one_crate_alone() {
    let out = out_dir("one-crate");
    let module = Module::new("lens").descriptor(lens()).library("rivero_sdk");
    module.generate_into(&out).unwrap();
    let code = fs::read_to_string(out.join("api.rs")).unwrap();
    assert!(code.contains("use rivero_sdk::{") && code.contains("use rivero_sdk::serde::{"));
    assert!(!code.contains("rivero_plugin_api") && !code.contains("use serde"));
    let derives = code.matches("Deserialize)]").count();
    let named = code.matches(r#"#[serde(crate = "rivero_sdk::serde")]"#);
    assert_eq!(named.count(), derives);
    let error = Module::new("lens").descriptor(lens()).library("no path");
    assert!(error.generate_into(&out).is_err());
}

#[test]
fn a_module_of_converters_has_no_classes_and_lists_its_conversions() {
    let out = out_dir("codecs");
    Module::new("codecs")
        .version("0.1.0")
        .conversion(("VP8", Rtp), ("VP8", Frame), 2)
        .conversion(("VP8", Frame), ("I420", Raw), 40)
        .packaging_parameters(&["packetization-mode"])
        .generate_into(&out)
        .unwrap();
    let expected = serde_json::json!({
        "name": "codecs", "version": "0.1.0", "classes": [], "descriptor": null,
        "conversions": [
            {"input": ["VP8", "Rtp"], "output": ["VP8", "Frame"], "cost": 2},
            {"input": ["VP8", "Frame"], "output": ["I420", "Raw"], "cost": 40},
        ],
        "packaging_parameters": ["packetization-mode"],
    });
    assert_eq!(manifest(&out), expected);
    assert!(fs::read_to_string(out.join("api.rs")).is_ok());
}

#[test]
fn mistakes_are_told_and_nothing_is_written() {
    let out = out_dir("mistakes");
    for (module, message) in [
        (
            Module::new("x").classes(&["Nope"]),
            "there is no class 'Nope'",
        ),
        (
            Module::new("x").classes(&["SdpEndpoint"]),
            "class 'SdpEndpoint' is abstract, nothing can implement it alone",
        ),
        (
            Module::new("x").classes(&["HubPort"]),
            "kurento.HubPort is implemented by the host",
        ),
        (
            Module::new("x").classes(&["Mixer"]).types(&["Nope"]),
            "there is no complex type 'Nope'",
        ),
    ] {
        assert_eq!(module.generate_into(&out).unwrap_err().to_string(), message);
    }
    let error = Module::new("x")
        .descriptor(lens())
        .generate_into(&out)
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("the descriptor is of module 'lens', build.rs says 'x'"),
        "{error}"
    );
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
}

#[test]
fn settings_are_declared_in_the_manifest() {
    let out = out_dir("settings");
    let file = out.join("settings.json");
    let declare = |text: &str| {
        fs::write(&file, text).unwrap();
        let module = Module::new("hubs").version("1.0.0").classes(&["Mixer"]);
        module.settings(&file).generate_into(&out)
    };
    declare(r#"[{"class": "Hub", "key": "size", "type": "integer", "min": 1, "max": 9, "default": "3", "doc": "How big."}]"#)
        .unwrap();
    assert_eq!(
        manifest(&out).pointer("/settings/0/key"),
        Some(&"size".into())
    );
    for (text, reason) in [
        (
            r#"[{"class": "Hub", "key": "size", "type": "metre", "doc": ""}]"#,
            "metre",
        ),
        (
            r#"[{"class": "Hubb", "key": "size", "type": "text", "doc": ""}]"#,
            "there is no class 'Hubb'",
        ),
        ("{", "settings.json"),
    ] {
        let error = declare(text).unwrap_err().to_string();
        assert!(
            error.contains(reason) && error.contains("settings.json"),
            "{error}"
        );
    }
}
