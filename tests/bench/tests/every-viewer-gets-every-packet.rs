//! I06: the benchmark itself, small: it needs what `make build-tests` leaves.

use std::{path::PathBuf, process::Command};

use serde_json::Value;

fn release_dir() -> PathBuf {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/release");
    std::env::var_os("RIVERO_RELEASE_DIR").map_or_else(|| built.into(), PathBuf::from)
}

#[test]
fn every_viewer_gets_every_packet() {
    let output = Command::new(env!("CARGO_BIN_EXE_rivero-bench"))
        .args([
            "--viewers",
            "3",
            "--seconds",
            "2",
            "--control-seconds",
            "0.2",
        ])
        .args(["--json", "--no-gates", "--release-dir"])
        .arg(release_dir())
        .output()
        .unwrap();
    let trouble = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{trouble}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let run = &report["forwarding"][0]["median"];
    let figure = |key: &str| run[key].as_f64().unwrap_or(f64::NAN);
    assert!((100.0..=300.0).contains(&figure("sent")), "{run}");
    assert_eq!((figure("lost"), figure("repeated")), (0.0, 0.0), "{run}");
    for measured in [
        "cpu_us_per_packet",
        "floor_gso_us",
        "floor_single_us",
        "forwarder_us",
    ] {
        assert!(figure(measured) > 0.0, "{run}");
    }
    assert!(
        figure("latency_p50_ms") <= figure("latency_p99_ms"),
        "{run}"
    );
    let control = &report["control"]["median"];
    assert!(control["create_release"].as_f64() > Some(0.0), "{control}");
}
