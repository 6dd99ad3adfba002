//! The log of a process whose standard error nobody reads, and what clients can write into it.

use crate::common::Client;
use crate::common::process::{PATIENCE, Running, wait_for_line};
use rustix::io::ioctl_fionread;
use serde_json::{Value, json};

/// Bytes in a pipe with which it may be full: it has 64 KiB, and lines are shorter than 1 KiB.
const FULL: u64 = 60_000;

async fn answers(running: &Running) {
    let mut client = Client::connect(running.address, "/kurento").await;
    client.result("ping", json!({})).await;
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_stops_neither_the_server_nor_its_end() {
    let mut running = Running::start(|command| {
        command.env("RUST_LOG", "trace");
    });
    let waiting = |running: &Running| ioctl_fionread(running.child.stderr.as_ref().unwrap());
    while waiting(&running).unwrap() < FULL {
        (0..20).for_each(|_| running.knock("/wrong"));
    }
    (0..200).for_each(|_| running.knock("/wrong"));
    answers(&running).await;
    assert!(running.terminate().success());
    assert!(waiting(&running).unwrap() >= FULL, "nobody has read it");
}

#[tokio::test]
async fn what_waited_comes_when_the_pipe_is_read() {
    let mut running = Running::start(|command| {
        command.env("RUST_LOG", "trace");
    });
    let stderr = running.child.stderr.as_ref().unwrap();
    while ioctl_fionread(stderr).unwrap() < FULL {
        (0..20).for_each(|_| running.knock("/wrong"));
    }
    let lines = running.lines();
    answers(&running).await;
    assert!(running.terminate().success());
    wait_for_line(&lines, "stopping: SIGTERM");
}

#[test]
fn a_client_cannot_flood_the_log() {
    let mut running = Running::start(|_| {});
    let lines = running.lines();
    (0..150).for_each(|_| running.knock("/wrong"));
    assert!(running.terminate().success());
    let lines: Vec<String> = lines.iter().collect();
    let refused = lines.iter().filter(|line| line.contains("wrong path"));
    assert_eq!(refused.count(), 101, "{lines:#?}");
    let told = lines
        .iter()
        .find(|line| line.contains("50 more lines like this"));
    assert!(told.is_some(), "{lines:#?}");
}

#[test]
fn a_client_writes_neither_long_lines_nor_control_characters() {
    let mut running = Running::start(|_| {});
    let lines = running.lines();
    running.knock(&format!("/{}", "y".repeat(7000)));
    let line = wait_for_line(&lines, "wrong path");
    assert!(line.len() < 1500, "{line}");
    running.knock("/\u{1b}[31m\u{9b}");
    assert!(running.terminate().success());
    let rest: Vec<String> = lines.iter().collect();
    let has_control = |line: &String| line.chars().any(char::is_control);
    assert!(!rest.iter().any(has_control), "{rest:#?}");
}

#[test]
fn lines_may_be_json() {
    let mut running = Running::start(|command| {
        command.args(["--log-format", "json"]);
    });
    let lines = running.lines();
    let start = wait_for_line(&lines, "Kurento Media Server started");
    let start: Value = serde_json::from_str(&start).unwrap();
    assert_eq!(start["level"], "INFO");
    running.knock("/wrong\"path");
    assert!(running.terminate().success());
    let deadline = std::time::Instant::now() + PATIENCE;
    for line in &lines {
        let object: Value = serde_json::from_str(&line).unwrap();
        assert!(object["timestamp"].is_string() && object["message"].is_string());
        assert!(std::time::Instant::now() < deadline);
    }
}

#[test]
fn another_format_is_refused() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_rivero"))
        .args(["--log-format", "xml"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("expected 'text' or 'json'"));
}
