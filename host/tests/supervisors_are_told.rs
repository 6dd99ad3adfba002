//! Whoever restarts servers asks `/healthz`, whoever sends them clients asks `/readyz`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::common::process::{self, PATIENCE, Running};
use crate::common::{Bench, Toys, http};
use rivero::core;
use rivero::core::monitor::HealthOptions;
use rivero::lifecycle::Event;
use serde_json::{Value, json};

const JSON: &str = "Accept: application/json\r\n";

async fn get(address: SocketAddr, path: &str, fields: &str) -> (u16, String) {
    let answer = http(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n"),
    )
    .await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn a_server_that_goes_is_alive_and_not_ready() {
    let options = core::Options {
        drain: Duration::from_secs(60),
        ..core::Options::default()
    };
    let bench = Bench::of(options, Toys::new(), |_| {}).await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    assert_eq!(
        get(bench.address, "/readyz", "").await,
        (200, "ready\n".into())
    );
    bench.core.lifecycle.step(Event::Stop);
    assert_eq!(
        get(bench.address, "/readyz", "").await,
        (503, "not ready\n".into())
    );
    assert_eq!(
        get(bench.address, "/healthz", "").await,
        (200, "ok\n".into())
    );
    let (status, details) = get(bench.address, "/readyz", JSON).await;
    let details: Value = serde_json::from_str(&details).unwrap();
    assert_eq!(
        (status, &details["checks"]["watchdog"]["ok"]),
        (503, &json!(true))
    );
    let problems = json!(["the server is draining"]);
    assert_eq!(details["checks"]["lifecycle"]["problems"], problems);
    let page = bench.core.metrics.page();
    assert!(
        page.contains("rivero_unready{check=\"lifecycle\"} 1\n"),
        "{page}"
    );
    client.call("release", json!({"object": pipeline})).await;
    bench.ended().await;
}

#[tokio::test]
async fn without_room_for_recordings_it_is_not_ready() {
    let directory = tempfile::tempdir().unwrap();
    let options = core::Options {
        health: HealthOptions {
            recordings: vec![directory.path().to_owned()],
            least_free: u64::MAX,
        },
        ..core::Options::default()
    };
    let bench = Bench::of(options, Toys::new(), |_| {}).await;
    let deadline = Instant::now() + PATIENCE;
    while get(bench.address, "/readyz", "").await.0 != 503 {
        assert!(Instant::now() < deadline, "the disk is not looked at");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (_, details) = get(bench.address, "/readyz", JSON).await;
    assert!(details.contains("MiB left"), "{details}");
    assert_eq!(get(bench.address, "/healthz", "").await.0, 200);
    let page = bench.core.metrics.page();
    assert!(
        page.contains("rivero_recordings_free_bytes{directory="),
        "{page}"
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_port_that_is_open_to_others_says_the_status_alone() {
    let bench = Bench::with(Toys::new(), |options| {
        for binding in options.binding.iter_mut() {
            binding.address = Some(Ipv4Addr::UNSPECIFIED.into());
        }
    })
    .await;
    let address: SocketAddr = (Ipv4Addr::LOCALHOST, bench.address.port()).into();
    for path in ["/healthz", "/readyz"] {
        let (status, text) = get(address, path, JSON).await;
        assert!(status == 200 && !text.contains('{'), "{path}: {text}");
    }
    bench.stop().await;
}

#[test]
fn a_refused_module_is_named_to_those_who_may_know() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("broken.so"), "no library").unwrap();
    let modules = directory.path().to_owned();
    let mut running = Running::start(|command| {
        command.arg("--modules-path").arg(&modules);
    });
    let request = |fields: &str| {
        let head = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
        running.request(&format!("{head}{fields}\r\n"))
    };
    let answer = request("");
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\nnot ready\n"),
        "{answer}"
    );
    assert!(request(JSON).contains("broken.so"));
    assert!(running.page("/healthz") == "ok\n");
    let page = running.page("/metrics");
    assert!(
        page.contains("rivero_modules{state=\"refused\"} 1\n"),
        "{page}"
    );
    assert!(running.terminate().success());
}

#[test]
fn the_room_that_has_to_be_left_is_a_setting() {
    let directory = tempfile::tempdir().unwrap();
    let address = process::free_address();
    let mut configuration = process::listening_at(address);
    let recordings = directory.path().join("recordings");
    configuration["mediaServer"]["health"] =
        json!({"recordings": [&recordings], "minFreeMiB": 4_000_000_000_u32});
    let mut command = process::command(directory.path(), &configuration);
    let child = command.arg("--strict-config").spawn().unwrap();
    let mut running = Running {
        child,
        address,
        directory,
    };
    let deadline = Instant::now() + PATIENCE;
    let is_unready = || {
        std::net::TcpStream::connect(address).is_ok()
            && running
                .request("GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .starts_with("HTTP/1.1 503 ")
    };
    while !is_unready() {
        assert!(Instant::now() < deadline, "minFreeMiB has no effect");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(running.terminate().success());
}
