//! Pages of other hosts, and names that lead here without being the server's, are refused.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::common::certificates::Certificate;
use crate::common::{Bench, Toys, binding, http};
use rivero::http::access::Policy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATHS: [&str; 3] = ["/kurento", "/health", "/metrics"];

/// A handshake, or a request for a page, with these fields.
fn request(path: &str, fields: &str) -> String {
    let upgrade = match path {
        "/kurento" => {
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        }
        _ => "",
    };
    format!("GET {path} HTTP/1.1\r\n{upgrade}{fields}\r\n")
}

/// The status of the answer, and all of it.
async fn status(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    // A WebSocket goes on after its head.
    let mut answer = Vec::new();
    while !answer.starts_with(b"HTTP/1.1 101 ") && stream.read_buf(&mut answer).await.unwrap() > 0 {
    }
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse();
    (status.unwrap(), answer)
}

async fn with_policy(policy: Policy, address: IpAddr) -> Bench {
    Bench::with(Toys::new(), |options| {
        for binding in options.binding.iter_mut() {
            binding.address = Some(address);
        }
        options.access = policy;
        options.management = Some(binding());
    })
    .await
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const EVERYWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Where a client on this machine finds it.
fn reachable(bench: &Bench) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, bench.address.port()).into()
}

#[tokio::test]
async fn a_page_of_another_host_gets_no_socket_and_no_page() {
    for address in [LOOPBACK, EVERYWHERE] {
        let bench = with_policy(Policy::default(), address).await;
        for path in PATHS {
            for origin in [
                "https://evil.example",
                "null",
                "http://127.0.0.1.evil.example",
            ] {
                let fields = format!("Host: 127.0.0.1:8888\r\nOrigin: {origin}\r\n");
                let (status, answer) = status(reachable(&bench), &request(path, &fields)).await;
                assert_eq!(status, 403, "{path} {origin}");
                let setting = "mediaServer.net.websocket.allowedOrigins";
                assert!(
                    answer.contains(setting) && !answer.contains("rivero_objects"),
                    "{answer}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_page_of_the_same_host_gets_its_socket() {
    let bench = with_policy(Policy::default(), LOOPBACK).await;
    for (host, origin) in [
        ("127.0.0.1", "127.0.0.1:8080"),
        ("localhost:8888", "localhost"),
    ] {
        let fields = format!("Host: {host}\r\nOrigin: http://{origin}\r\n");
        assert_eq!(
            status(bench.address, &request("/kurento", &fields)).await.0,
            101
        );
    }
}

#[tokio::test]
async fn allowed_origins_get_their_socket() {
    let policy = Policy {
        allowed_origins: vec!["*.partner.example".parse().unwrap()],
        ..Policy::default()
    };
    let bench = with_policy(policy, LOOPBACK).await;
    let ask = |origin| {
        request(
            "/kurento",
            &format!("Host: x\r\nOrigin: https://{origin}\r\n"),
        )
    };
    assert_eq!(
        status(bench.address, &ask("app.partner.example")).await.0,
        101
    );
    assert_eq!(
        status(bench.address, &ask("partner.example.org")).await.0,
        403
    );
}

#[tokio::test]
async fn a_rebound_name_gets_nothing_on_loopback() {
    let policy = Policy {
        allowed_hosts: vec!["media.example".parse().unwrap()],
        ..Policy::default()
    };
    let bench = with_policy(policy, LOOPBACK).await;
    let ports = [bench.address, bench.management_address.unwrap()];
    for path in PATHS {
        for port in ports {
            let ask = request(path, "Host: rebound.example:8888\r\n");
            let (status, answer) = status(port, &ask).await;
            assert_eq!(status, 403, "{path}");
            assert!(
                answer.contains("mediaServer.net.websocket.allowedHosts"),
                "{answer}"
            );
        }
        let known = request(path, "Host: media.example:8888\r\n");
        assert!([101, 200].contains(&status(bench.address, &known).await.0));
    }
    let everywhere = with_policy(Policy::default(), EVERYWHERE).await;
    let ask = request("/kurento", "Host: any.example:8888\r\n");
    assert_eq!(status(reachable(&everywhere), &ask).await.0, 101);
}

#[tokio::test]
async fn names_in_the_certificate_are_the_servers() {
    let certificate = Certificate::of(&["media.example", "*.edge.example"]);
    let bench = Bench::with(Toys::new(), |options| {
        options.secure = Some((binding(), certificate.load()));
    })
    .await;
    let mut statuses = Vec::new();
    for host in [
        "media.example",
        "one.edge.example",
        "edge.example",
        "evil.example",
    ] {
        let fields = format!("Host: {host}\r\nOrigin: https://{host}:1\r\n");
        statuses.push(status(bench.address, &request("/kurento", &fields)).await.0);
    }
    assert_eq!(statuses, [101, 101, 403, 403]);
}

#[tokio::test]
async fn whoever_breaks_the_rules_of_the_host_field_is_told_so() {
    let bench = with_policy(Policy::default(), LOOPBACK).await;
    for fields in [
        "",
        "Host: a\r\nHost: b\r\n",
        "Host: a b\r\n",
        "Host: user@a\r\n",
    ] {
        for path in PATHS {
            let (status, _) = status(bench.address, &request(path, fields)).await;
            assert_eq!(status, 400, "{fields}");
        }
    }
    let old = http(bench.address, "GET /health HTTP/1.0\r\n\r\n").await;
    assert!(old.contains(" 200 "), "{old}");
}
