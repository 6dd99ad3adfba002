//! `kmd gen js|ts|java|c`: files, errors, and that a second run changes nothing. What the code does is
//! tested in tests/clients, by Node.js and the compilers.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed call fails the test"
)]

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// An empty directory below cargo's for the temporary files of tests.
fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("client-code")
        .join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn lens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/lens.kmd.json")
}

/// Runs `kmd gen`; what it says on standard error, and whether it succeeded.
fn generate(target: &str, modules: &[&Path], output: &Path) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_kmd"))
        .args(["gen", target])
        .args(modules)
        .arg("--output")
        .arg(output)
        .output()
        .unwrap();
    assert!(output.stdout.is_empty());
    (
        output.status.success(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// All files below a directory, by their paths in it.
fn files(directory: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path
                    .strip_prefix(directory)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                found.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn each_target_has_its_files() {
    for (target, expected) in [
        ("js", &["README.md", "lib/index.js", "package.json"][..]),
        (
            "ts",
            &[
                "README.md",
                "lib/index.d.ts",
                "lib/index.js",
                "package.json",
            ],
        ),
    ] {
        let output = directory(&format!("files-{target}"));
        assert_eq!(generate(target, &[&lens()], &output), (true, String::new()));
        let expected: Vec<String> = expected
            .iter()
            .map(|name| format!("kurento-module-lens/{name}"))
            .collect();
        assert_eq!(files(&output).into_keys().collect::<Vec<_>>(), expected);
    }
    let output = directory("files-java");
    generate("java", &[&lens()], &output);
    let expected = [
        "org/kurento/module/LensModuleInfo.java",
        "org/kurento/module/lens/Lens.java",
        "org/kurento/module/lens/LostEvent.java",
        "org/kurento/module/lens/Marker.java",
        "org/kurento/module/lens/Mode.java",
        "org/kurento/module/lens/Options.java",
        "org/kurento/module/lens/Point.java",
        "org/kurento/module/lens/SeenEvent.java",
    ];
    assert_eq!(files(&output).into_keys().collect::<Vec<_>>(), expected);
    let output = directory("files-c");
    generate("c", &[&lens()], &output);
    assert_eq!(
        files(&output).into_keys().collect::<Vec<_>>(),
        ["lens.module.c", "lens.module.map"]
    );
}

#[test]
fn a_second_run_changes_nothing() {
    for target in ["ts", "java", "c"] {
        let output = directory(&format!("twice-{target}"));
        generate(target, &[&lens()], &output);
        let first = files(&output);
        let earlier = SystemTime::now() - Duration::from_secs(3600);
        for name in first.keys() {
            let file = fs::File::options()
                .write(true)
                .open(output.join(name))
                .unwrap();
            file.set_modified(earlier).unwrap();
        }
        assert!(generate(target, &[&lens()], &output).0);
        assert_eq!(files(&output), first);
        for name in first.keys() {
            let modified = fs::metadata(output.join(name)).unwrap().modified().unwrap();
            assert_eq!(modified, earlier, "{name} was written again");
        }
    }
}

#[test]
fn the_descriptor_names_the_packages() {
    let output = directory("named");
    let descriptor = output.join("named.kmd.json");
    let write = |node: &str, java: &str| {
        let text = format!(
            r#"{{"name": "named", "version": "1.0.0", "kurentoVersion": "^7.0.0",
                "code": {{"api": {{"js": {{"nodeName": "{node}"}}, "java": {{"packageName": "{java}"}}}}}},
                "remoteClasses": [{{"name": "N", "extends": "Filter"}}]}}"#
        );
        fs::write(&descriptor, text).unwrap();
    };
    write("@acme/lens", "com.acme.lens");
    let made = output.join("made");
    assert!(generate("js", &[&descriptor], &made).0 && generate("java", &[&descriptor], &made).0);
    let files = files(&made);
    assert!(files["@acme/lens/package.json"].contains(r#""name": "@acme/lens""#));
    assert!(files["com/acme/lens/N.java"].contains("package com.acme.lens;"));
    assert!(files["org/kurento/module/NamedModuleInfo.java"].contains("\"com.acme.lens\""));
    // Names become paths: none leads out of the output directory.
    for (target, node, java) in [
        ("js", "../../x", "a"),
        ("js", "/x", "a"),
        ("js", "@../x", "a"),
        ("java", "x", "a..b"),
        ("java", "x", "com.int"),
        ("java", "x", "../x"),
    ] {
        write(node, java);
        let (success, told) = generate(target, &[&descriptor], &output.join("out"));
        assert!(
            !success && told.contains("named.kmd.json: code.api."),
            "{told}"
        );
    }
    assert!(!output.join("out").exists());
}

#[test]
fn what_cannot_be_generated_is_said() {
    let output = directory("refused");
    let file = |name: &str, text: &[u8]| {
        let path = output.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let out = output.join("out");
    let own = fs::read(env!("CARGO_BIN_EXE_kmd")).unwrap();
    let interfaces = Path::new(env!("CARGO_MANIFEST_DIR")).join("interfaces");
    fs::create_dir(output.join("empty")).unwrap();
    let named_name = br#"{"name": "m", "version": "1.0.0", "kurentoVersion": "^7.0.0", "remoteClasses": [{"name": "abstracts", "extends": "Filter"}]}"#;
    let keyword = br#"{"name": "m", "version": "1.0.0", "kurentoVersion": "^7.0.0", "remoteClasses": [{"name": "int", "extends": "Filter"}]}"#;
    for (target, path, message) in [
        ("js", output.join("absent.kmd.json"), "No such file"),
        (
            "js",
            output.join("empty"),
            "no *.so and no *.kmd.json file in it",
        ),
        ("js", file("cut.so", &own[..2000]), "cut.so: "),
        ("ts", file("kmd.so", &own), "not a Rivero module"),
        (
            "java",
            interfaces.clone(),
            "the module 'core' is part of kurento-client",
        ),
        (
            "c",
            interfaces,
            "these are several: core, elements, filters",
        ),
        (
            "js",
            file("a.kmd.json", named_name),
            "kurento-client cannot have a class 'abstracts'",
        ),
        (
            "java",
            file("b.kmd.json", keyword),
            "Java can have no class 'int'",
        ),
        (
            "js",
            file("c.kmd.json", br#"{"name": "m"}"#),
            "none of the module's files has a version",
        ),
    ] {
        let (success, told) = generate(target, &[&path], &out);
        assert!(
            !success && told.contains(message),
            "{target} {}: {told}",
            path.display()
        );
    }
    assert!(!out.exists());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        rng_seed: RngSeed::Fixed(0x6b6d64),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever a descriptor's texts and names are, each target writes something or says what is wrong.
    #[test]
    fn any_descriptor_is_generated_from_or_refused(
        name in "[a-z][a-zA-Z0-9]{0,8}",
        class in "[A-Za-z][A-Za-z0-9]{0,8}",
        members in prop::collection::vec("[a-zA-Z][a-zA-Z0-9_]{0,8}", 1..4),
        doc in "\\PC*|(\\*/|\\\\u|[<>&@{}\"'\n/*])*",
    ) {
        let values: Vec<serde_json::Value> = members.iter().map(|member| {
            serde_json::json!({"name": member, "type": "int[]<>", "doc": doc, "optional": true, "defaultValue": {}})
        }).collect();
        let descriptor = serde_json::json!({
            "name": name, "version": "1.0.0", "kurentoVersion": "^7.0.0",
            "remoteClasses": [{"name": class, "doc": doc, "extends": "Filter",
                "constructor": {"doc": doc, "params": [{"name": "mediaPipeline", "type": "MediaPipeline"}]},
                "methods": [{"name": members[0], "doc": doc, "params": values}], "events": ["E"]}],
            "events": [{"name": "E", "doc": doc, "extends": "Media", "properties": values}],
        });
        let output = directory("any");
        let path = output.join("any.kmd.json");
        fs::write(&path, descriptor.to_string()).unwrap();
        for target in ["ts", "java", "c"] {
            let out = output.join(target);
            let (success, told) = generate(target, &[&path], &out);
            prop_assert!(!told.contains("panicked"), "{told}");
            prop_assert_eq!(success, out.exists(), "{}", told);
            prop_assert!(success || !told.is_empty());
        }
    }
}
