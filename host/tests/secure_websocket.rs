//! The TLS listener behaves as the plain one.

use std::time::Duration;

use crate::common::certificates::Certificate;
use crate::common::{Bench, Toys, binding};
use futures_util::StreamExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

async fn start(certificate: &Certificate) -> Bench {
    Bench::of(crate::common::with_long_names(), Toys::new(), |options| {
        options.secure = Some((binding(), certificate.load()));
    })
    .await
}

#[tokio::test]
async fn both_listeners_lead_to_the_same_objects() {
    let certificate = Certificate::new();
    let bench = start(&certificate).await;
    let secure = bench.secure_address.unwrap();
    assert_ne!(secure, bench.address);
    let mut client = certificate.client(secure, "/kurento?access_token=x").await;
    let pong = client.result("ping", json!({"interval": 5000})).await;
    assert_eq!(pong["value"], "pong");
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let mut plain = bench.client().await;
    let name = plain.invoke(&pipeline, "getName", json!({})).await;
    assert_eq!(name, json!(pipeline));
    bench.stop().await;
}

#[tokio::test]
async fn large_messages_pass_in_both_directions() {
    let certificate = Certificate::new();
    let bench = start(&certificate).await;
    let mut client = certificate
        .client(bench.secure_address.unwrap(), "/kurento")
        .await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let name = "é".repeat(1_500_000);
    client
        .invoke(&pipeline, "setName", json!({"name": name}))
        .await;
    let returned = client.invoke(&pipeline, "getName", json!({})).await;
    assert!(returned == json!(name));
}

#[tokio::test]
async fn a_server_may_be_secure_only() {
    let certificate = Certificate::new();
    let bench = Bench::with(Toys::new(), |options| {
        options.secure = options
            .binding
            .take()
            .map(|binding| (binding, certificate.load()));
    })
    .await;
    let mut client = certificate
        .client(bench.secure_address.unwrap(), "/kurento")
        .await;
    client.result("ping", json!({})).await;
}

#[tokio::test]
async fn the_rules_of_the_handshake_are_the_same() {
    let certificate = Certificate::new();
    let bench = start(&certificate).await;
    let secure = bench.secure_address.unwrap();
    let mut wrong = certificate.client(secure, "/other").await;
    match wrong.socket.next().await {
        Some(Ok(Message::Close(Some(frame)))) => {
            assert_eq!(
                (frame.code, frame.reason.as_str()),
                (CloseCode::Protocol, "Invalid path")
            );
        }
        other => panic!("{other:?}"),
    }
    let probe =
        "GET /kurento HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let plain = "GET /kurento HTTP/1.1\r\nHost: x\r\n\r\n";
    for (request, status) in [(probe, "HTTP/1.1 500 "), (plain, "HTTP/1.1 426 ")] {
        let mut stream = certificate.connect(secure).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(status), "{answer}");
    }
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_keeps_the_old_ones() {
    let mut certificate = Certificate::new();
    let bench = start(&certificate).await;
    let secure = bench.secure_address.unwrap();
    let mut early = certificate.client(secure, "/kurento").await;
    std::fs::write(certificate.file(), "half a certificate").unwrap();
    early.result("ping", json!({})).await;
    certificate.client(secure, "/kurento").await;
    certificate.replace();
    let mut attempts = tokio::time::interval(Duration::from_millis(50));
    let replaced = async {
        while certificate.try_connect(secure).await.is_err() {
            attempts.tick().await;
        }
    };
    let replaced = tokio::time::timeout(Duration::from_secs(30), replaced).await;
    assert!(replaced.is_ok(), "the certificate is not taken over");
    let mut late = certificate.client(secure, "/kurento").await;
    late.result("ping", json!({})).await;
    early.result("ping", json!({})).await;
}

#[tokio::test]
async fn whoever_speaks_no_tls_is_cut_off_and_harms_nobody() {
    let certificate = Certificate::new();
    let bench = start(&certificate).await;
    let secure = bench.secure_address.unwrap();
    let silent = TcpStream::connect(secure).await.unwrap();
    let mut plain = TcpStream::connect(secure).await.unwrap();
    plain
        .write_all(b"GET /kurento HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // An alert, an orderly end or a reset: in any case no HTTP.
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let mut client = certificate.client(secure, "/kurento").await;
    client.result("ping", json!({})).await;
    drop(silent);
}
