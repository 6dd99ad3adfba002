//! Runs a trial of `rivero-bench` against what `make build-tests` left.

#![allow(clippy::unwrap_used, reason = "a failed call fails the test")]

use std::{path::PathBuf, process::Command};

use serde_json::Value;

/// How many times the everyday count (environment variable `SCALE`).
pub(crate) fn scale() -> u64 {
    let scale = std::env::var("SCALE").ok();
    scale.and_then(|scale| scale.parse().ok()).unwrap_or(1)
}

/// The outcome of a trial.
pub(crate) fn run(arguments: &[&str]) -> Value {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/release");
    let release_dir =
        std::env::var_os("RIVERO_RELEASE_DIR").map_or_else(|| built.into(), PathBuf::from);
    let output = Command::new(env!("CARGO_BIN_EXE_rivero-bench"))
        .args(arguments)
        .arg("--release-dir")
        .arg(release_dir)
        .output()
        .unwrap();
    let trouble = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{trouble}");
    serde_json::from_slice(&output.stdout).unwrap()
}
