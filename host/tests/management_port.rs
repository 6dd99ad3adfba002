//! Health and metrics have a port of their own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::common::{Bench, Toys, binding, http};

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

async fn start(control: IpAddr, management_port: u16) -> Bench {
    Bench::with(Toys::new(), |options| {
        for binding in options.binding.iter_mut() {
            binding.address = Some(control);
        }
        let mut management = binding();
        management.port = management_port;
        options.management = Some(management);
    })
    .await
}

#[tokio::test]
async fn supervisors_find_their_pages_and_no_socket() {
    let bench = start(Ipv4Addr::LOCALHOST.into(), 0).await;
    let management = bench.management_address.unwrap();
    assert!(management.ip().is_loopback() && management.port() != 0);
    let health = http(management, &get("/health")).await;
    assert!(
        health.starts_with("HTTP/1.1 200 ") && health.ends_with("\r\nok\n"),
        "{health}"
    );
    let metrics = http(management, &get("/metrics?x=1")).await;
    assert!(metrics.contains("\nrivero_objects 0\n"), "{metrics}");
    assert!(
        http(management, &get("/kurento"))
            .await
            .starts_with("HTTP/1.1 404 ")
    );
    let upgrade = "GET /kurento HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    assert!(http(management, upgrade).await.starts_with("HTTP/1.1 404 "));
    let post = get("/metrics").replace("GET", "POST");
    assert!(http(management, &post).await.starts_with("HTTP/1.1 405 "));
}

#[tokio::test]
async fn metrics_stay_on_the_control_port_only_on_loopback() {
    let open = start(Ipv4Addr::UNSPECIFIED.into(), 0).await;
    let address: SocketAddr = (Ipv4Addr::LOCALHOST, open.address.port()).into();
    let answer = http(address, &get("/metrics")).await;
    assert!(
        answer.starts_with("HTTP/1.1 404 ") && !answer.contains("rivero_objects"),
        "{answer}"
    );
    assert!(
        http(address, &get("/health"))
            .await
            .starts_with("HTTP/1.1 200 ")
    );
    let private = start(Ipv4Addr::new(127, 0, 0, 9).into(), 0).await;
    assert!(
        http(private.address, &get("/metrics"))
            .await
            .contains("rivero_objects")
    );
}

#[tokio::test]
async fn a_management_port_that_is_taken_keeps_nobody_from_being_served() {
    let first = start(Ipv4Addr::LOCALHOST.into(), 0).await;
    let taken = first.management_address.unwrap().port();
    let second = start(Ipv4Addr::LOCALHOST.into(), taken).await;
    assert_eq!(second.management_address, None);
    assert!(
        second
            .http(&get("/health"))
            .await
            .starts_with("HTTP/1.1 200 ")
    );
}
