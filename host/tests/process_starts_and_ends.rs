//! The process: what keeps it from starting, and when it ends by itself.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::certificates::Certificate;
use crate::common::{Client, http};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

const PATIENCE: Duration = Duration::from_secs(20);

/// The program with a configuration file in `directory`.
fn command(directory: &Path, configuration: &Value) -> Command {
    let file = directory.join("rivero.conf.json");
    std::fs::write(&file, configuration.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rivero"));
    command
        .arg("--conf-file")
        .arg(file)
        .arg("--data-path")
        .arg(directory);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command.env("RIVERO_MANAGEMENT_PORT", "0");
    command
}

/// A port that is free now, of the loopback address.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// Waits for the line that tells of the start; the rest is read and dropped meanwhile.
fn wait_for_start(child: &mut Child) {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let is_start = |line: String| line.contains("Kurento Media Server started");
    assert!(lines.by_ref().map_while(Result::ok).any(is_start));
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
}

fn refusal(directory: &Path, secure: &Value) -> String {
    let configuration =
        json!({"mediaServer": {"net": {"websocket": {"port": 0, "secure": secure}}}});
    let output = command(directory, &configuration).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    text.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn an_unusable_certificate_is_one_line_and_exit_1() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let named = json!({"port": 8433, "certificate": "cert.pem"});
    let file = directory.join("cert.pem");
    let start = format!("Cannot use the certificate {}: ", file.display());
    assert!(refusal(directory, &named).starts_with(&start));
    std::fs::write(&file, "nothing of use").unwrap();
    assert_eq!(
        refusal(directory, &named),
        format!("{start}it contains no certificate")
    );
    let unnamed = refusal(directory, &json!({"port": 8433}));
    assert!(
        unnamed.ends_with("secure.certificate is missing"),
        "{unnamed}"
    );
    let nothing = refusal(directory, &json!({"port": 0}));
    assert!(
        nothing.ends_with("there is nothing to listen on"),
        "{nothing}"
    );
}

#[test]
fn an_address_that_is_none_does_not_let_everybody_in() {
    let directory = tempfile::tempdir().unwrap();
    let configuration =
        json!({"mediaServer": {"net": {"websocket": {"port": 0, "address": "10.0.0.1/8"}}}});
    let output = command(directory.path(), &configuration).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains(r#"address: "10.0.0.1/8" is no address"#),
        "{text}"
    );
}

#[tokio::test]
async fn a_log_that_nobody_reads_does_not_end_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let address = free_address();
    let configuration = json!({"mediaServer": {
        "net": {"websocket": {"address": address.ip(), "port": address.port()}},
    }});
    let mut child = command(directory.path(), &configuration)
        .env("RUST_LOG", "debug")
        .spawn()
        .unwrap();
    let mut child = spawn_blocking(move || {
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let is_start = |line: String| line.contains("Kurento Media Server started");
        assert!(lines.by_ref().map_while(Result::ok).any(is_start));
        child
    })
    .await
    .unwrap();
    // The pipe is closed now, and each connection writes lines.
    for _ in 0..3 {
        let mut client = Client::connect(address, "/kurento").await;
        client.result("ping", json!({})).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The address in the first line of the log that contains `before` it.
fn logged_address(lines: &mut impl Iterator<Item = String>, before: &str) -> SocketAddr {
    let address = lines.find_map(|line| {
        let (_, rest) = line.split_once(before)?;
        rest.split('/').next()?.parse().ok()
    });
    address.unwrap()
}

#[tokio::test]
async fn every_listener_is_where_its_setting_says() {
    let directory = tempfile::tempdir().unwrap();
    let certificate = Certificate::new();
    std::fs::copy(certificate.file(), directory.path().join("cert.pem")).unwrap();
    let secure = json!({"port": free_address().port(), "certificate": "cert.pem"});
    let configuration = json!({"mediaServer": {
        "net": {"websocket": {"address": "127.0.0.1", "port": free_address().port(), "secure": secure}},
    }});
    let mut child = command(directory.path(), &configuration)
        .env("RIVERO_MANAGEMENT_PORT", "0")
        .env("RIVERO_MANAGEMENT_ADDRESS", "127.0.0.2")
        .spawn()
        .unwrap();
    let addresses = spawn_blocking(move || {
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        let addresses = ["on ws://", "on wss://", "management on http://"]
            .map(|before| logged_address(&mut lines, before));
        (child, addresses)
    });
    let (mut child, [plain, secure, management]) = addresses.await.unwrap();
    assert_eq!([plain.ip(), secure.ip()], [Ipv4Addr::LOCALHOST; 2]);
    assert_eq!(management.ip(), Ipv4Addr::new(127, 0, 0, 2));
    let request = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    assert!(http(management, request).await.starts_with("HTTP/1.1 200 "));
    let elsewhere = (Ipv4Addr::new(127, 0, 0, 3), secure.port());
    assert!(tokio::net::TcpStream::connect(elsewhere).await.is_err());
    certificate.client(secure, "/kurento").await;
    child.kill().unwrap();
    child.wait().unwrap();
}

struct Running {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn start(resources: Value) -> Running {
    start_with(json!({"resources": resources})).await
}

/// With these settings of `mediaServer`.
async fn start_with(mut settings: Value) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let address = free_address();
    settings["net"] = json!({"websocket": {"address": address.ip(), "port": address.port()}});
    let configuration = json!({"mediaServer": settings});
    let mut child = command(directory.path(), &configuration).spawn().unwrap();
    let child = spawn_blocking(move || {
        wait_for_start(&mut child);
        child
    });
    let child = tokio::time::timeout(PATIENCE, child).await;
    Running {
        child: child.expect("no start").unwrap(),
        address,
        _directory: directory,
    }
}

#[tokio::test]
async fn beyond_the_kill_limit_the_last_object_ends_the_process() {
    let mut running = start(json!({"killLimit": 0.000_000_1})).await;
    let mut client = Client::connect(running.address, "/kurento").await;
    let first = client.create("MediaPipeline", json!({})).await;
    let second = client.create("MediaPipeline", json!({})).await;
    client.result("release", json!({"object": first})).await;
    client.result("ping", json!({})).await;
    client.send("release", json!({"object": second})).await;
    while let Some(Ok(_)) = client.receive_text().await {}
    let status = spawn_blocking(move || running.child.wait().unwrap()).await;
    assert_eq!(status.unwrap().code(), Some(0));
}

#[tokio::test]
async fn within_the_kill_limit_the_process_goes_on() {
    let running = start(json!({"killLimit": 1.0})).await;
    let mut client = Client::connect(running.address, "/kurento").await;
    for _ in 0..3 {
        let pipeline = client.create("MediaPipeline", json!({})).await;
        client.result("release", json!({"object": pipeline})).await;
    }
    client.result("ping", json!({})).await;
}

fn signal(running: &Running, signal: Signal) {
    let process = Pid::from_child(&running.child);
    kill_process(process, signal).unwrap();
}

/// Waits for the end; the exit code.
async fn exit_code(mut running: Running) -> Option<i32> {
    let ended = spawn_blocking(move || running.child.wait().unwrap().code());
    let ended = tokio::time::timeout(PATIENCE, ended).await;
    ended.expect("it does not end").unwrap()
}

#[tokio::test]
async fn it_drains_if_told_to_and_a_second_signal_ends_it_at_once() {
    let running = start_with(json!({"drainTimeout": 600})).await;
    let mut client = Client::connect(running.address, "/kurento").await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    signal(&running, Signal::HUP);
    signal(&running, Signal::TERM);
    let another = json!({"type": "MediaPipeline", "constructorParams": {}});
    while client
        .call("create", another.clone())
        .await
        .get("error")
        .is_none()
    {}
    client.invoke(&pipeline, "getName", Value::Null).await;
    signal(&running, Signal::INT);
    assert_eq!(exit_code(running).await, Some(1));
}

#[tokio::test]
async fn a_drained_process_ends_in_order() {
    let running = start_with(json!({"drainTimeout": 600})).await;
    let mut client = Client::connect(running.address, "/kurento").await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    signal(&running, Signal::INT);
    client.result("release", json!({"object": pipeline})).await;
    let close = client.receive_text().await.unwrap().unwrap();
    assert!(close.contains("Away"), "{close}");
    assert_eq!(exit_code(running).await, Some(0));
}
