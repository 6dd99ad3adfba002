//! `kmd` from the outside: exit codes, and what stands on which stream.

#![allow(clippy::unwrap_used, reason = "a failed call fails the test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn kmd(arguments: &[&str]) -> (bool, String, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_kmd"))
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.success(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn lens() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/lens.kmd.json");
    path.to_str().unwrap().to_owned()
}

/// A file below cargo's directory for the temporary files of tests.
fn file(name: &str, text: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kmd-commands");
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn check_is_silent_about_the_standard_descriptors() {
    let interfaces = Path::new(env!("CARGO_MANIFEST_DIR")).join("interfaces");
    let result = kmd(&["check", "--strict", interfaces.to_str().unwrap()]);
    assert_eq!(result, (true, String::new(), String::new()));
}

#[test]
fn check_tells_each_problem_on_a_line_and_fails() {
    let text = r#"{"name": "m", "version": "1.0.0", "kurentoVersion": "^7.0.0",
        "remoteClasses": [{"name": "A", "extends": "Filtr", "events": ["Nope"]}]}"#;
    let path = file("wrong.kmd.json", text);
    let path = path.to_str().unwrap();
    let (success, _, told) = kmd(&["check", path]);
    assert!(!success);
    let expected = [
        format!("{path}: remoteClasses[0].extends: class 'Filtr' is not known"),
        format!("{path}: remoteClasses[0].events[0]: event 'Nope' is not known"),
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn warnings_fail_only_when_asked_for() {
    let (success, _, told) = kmd(&["check", &lens()]);
    assert!(
        success && told.contains("warning: optional 'partner' has no defaultValue"),
        "{told}"
    );
    assert!(!kmd(&["check", "--strict", &lens()]).0);
}

#[test]
fn check_knows_dependencies_without_judging_them() {
    let text = r#"{"name": "user", "version": "1.0.0", "kurentoVersion": "^7.0.0",
        "imports": [{"name": "lens", "version": "^1.0.0"}],
        "remoteClasses": [{"name": "Telescope", "extends": "lens.Lens"}]}"#;
    let path = file("user.kmd.json", text);
    let path = path.to_str().unwrap();
    let result = kmd(&["check", "--strict", path, "--dependency", &lens()]);
    assert_eq!(result, (true, String::new(), String::new()));
    assert!(!kmd(&["check", path]).0);
}

#[test]
fn show_prints_the_merged_descriptor() {
    let (success, printed, _) = kmd(&["show", "elements"]);
    let shown: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert!(success && shown.get("name").unwrap() == "elements");
    assert_eq!(
        shown
            .get("remoteClasses")
            .unwrap()
            .as_array()
            .unwrap()
            .len(),
        11
    );
}

#[test]
fn docs_and_code_of_a_file_are_printed() {
    let (success, page, _) = kmd(&["docs", &lens()]);
    assert!(success && page.contains("### Lens\n"), "{page}");
    let (success, code, _) = kmd(&["gen", "rust", &lens()]);
    assert!(
        success && code.contains("pub trait Lens: Element {"),
        "{code}"
    );
    let (success, code, _) = kmd(&["gen", "rust", "--class", "SdpEndpoint", "--type", "Tag"]);
    assert!(success && code.contains("pub trait SdpEndpoint") && code.contains("pub struct Tag"));
}

#[test]
fn what_cannot_be_done_is_said_on_standard_error() {
    for (arguments, message) in [
        (
            &["gen", "rust", "--class", "Hub"][..],
            "kurento.Hub is implemented by the host\n",
        ),
        (
            &["gen", "rust", "--class", "Nope"],
            "there is no class 'Nope'\n",
        ),
        (
            &["show", "no-such-file"],
            "no-such-file: No such file or directory (os error 2)\n",
        ),
    ] {
        let (success, printed, told) = kmd(arguments);
        assert_eq!(
            (success, printed.as_str(), told.as_str()),
            (false, "", message)
        );
    }
}

/// `UPDATE_SNAPSHOTS=1 cargo test -p rivero-idl --test kmd-commands` writes it anew. The file is
/// committed so that it is read where the sources are.
#[test]
fn the_committed_reference_is_what_the_descriptors_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let modules = std::fs::read_dir(root.join("plugins")).unwrap();
    let files = modules.flat_map(|module| std::fs::read_dir(module.unwrap().path()).unwrap());
    let mut files: Vec<String> = files
        .map(|file| file.unwrap().path().to_str().unwrap().to_owned())
        .filter(|file| file.ends_with(".kmd.json"))
        .collect();
    files.sort();
    let mut arguments = vec!["docs", "core", "elements", "filters"];
    arguments.extend(files.iter().map(String::as_str));
    let (success, page, told) = kmd(&arguments);
    assert!(success, "{told}");
    let committed = root.join("docs/api.md");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&committed, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(&committed).unwrap_or_default() == page,
        "docs/api.md is stale: look at the difference after UPDATE_SNAPSHOTS=1 cargo test -p rivero-idl --test kmd-commands"
    );
    assert!(page.starts_with("# Contents\n\n| module |"), "{page}");
    for class in ["WebRtcEndpoint", "HubPort", "RtmpIngest"] {
        let anchor = class.to_lowercase();
        assert!(page.contains(&format!("[{class}](#{anchor})")), "{class}");
        assert!(page.contains(&format!("\n### {class}\n")), "{class}");
    }
}

/// The sources of the kit, where they are in the repository.
fn kit() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin-api/sdk");
    path.to_str().unwrap().to_owned()
}

#[test]
fn new_makes_a_project_whose_descriptor_is_right() {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kmd-new");
    let _ = std::fs::remove_dir_all(&home);
    for kind in [
        "filter",
        "sound-filter",
        "sink",
        "source",
        "hub",
        "endpoint",
        "converter",
    ] {
        let project = home.join(kind);
        let output = project.to_str().unwrap();
        let mut arguments = vec!["new", kind, "acme.Thing", "--sdk", &*kit(), "-o", output]
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        if kind != "converter" {
            let property = |text: &str| ["--property".to_owned(), text.to_owned()];
            arguments.extend(
                ["a:int=3", "maxB:float=0.5", "c:String"]
                    .iter()
                    .flat_map(|text| property(text)),
            );
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (success, _, told) = kmd(&arguments);
        assert!(success, "{told}");
        let code = std::fs::read_to_string(project.join("src/lib.rs")).unwrap();
        assert!(!code.contains('@'), "{code}");
        let manifest = std::fs::read_to_string(project.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("plugin-api/sdk") && !manifest.contains("@module@"));
        let descriptor = project.join("acme.kmd.json");
        assert_eq!(descriptor.exists(), kind != "converter");
        if descriptor.exists() {
            let result = kmd(&["check", "--strict", descriptor.to_str().unwrap()]);
            assert_eq!(result, (true, String::new(), String::new()));
        }
        // What is there is never written over.
        assert!(!kmd(&arguments).0);
    }
}
