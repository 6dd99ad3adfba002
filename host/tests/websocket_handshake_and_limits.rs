//! What happens on the socket before and around requests.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failure here is the failure of a test"
)]

mod common;

use std::net::SocketAddr;

use common::{Bench, Client};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};

async fn http(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn close_code(client: &mut Client) -> (CloseCode, String) {
    while let Some(message) = client.socket.next().await {
        if let Ok(Message::Close(Some(frame))) = message {
            return (frame.code, frame.reason.to_string());
        }
    }
    panic!("no close frame");
}

#[tokio::test]
async fn health_checks_get_what_they_expect() {
    let bench = Bench::start().await;
    let probe =
        "GET /kurento HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let answer = http(bench.address, probe).await;
    assert!(
        answer.starts_with("HTTP/1.1 500 ") && answer.contains("\r\nServer: "),
        "{answer}"
    );
    let plain = http(bench.address, "GET /kurento HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(plain.starts_with("HTTP/1.1 426 "), "{plain}");
    let health = http(bench.address, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(
        health.starts_with("HTTP/1.1 200 ") && health.ends_with("\r\n\r\nok\n"),
        "{health}"
    );
    let metrics = http(bench.address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(metrics.contains("\nrivero_objects 0\n"), "{metrics}");
    assert!(
        http(bench.address, "\x16\x03\x01nonsense\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 400 ")
    );
}

#[tokio::test]
async fn a_wrong_path_is_closed_after_the_handshake() {
    let bench = Bench::start().await;
    for path in ["/", "/kurento/", "/other"] {
        let mut client = Client::connect(bench.address, path).await;
        assert_eq!(
            close_code(&mut client).await,
            (CloseCode::Protocol, "Invalid path".into())
        );
    }
    let mut client = Client::connect(bench.address, "/kurento?access_token=x").await;
    client.result("ping", json!({})).await;
}

#[tokio::test]
async fn messages_of_32_megabytes_are_the_limit() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    client
        .result("ping", json!({"pad": "x".repeat(31_000_000)}))
        .await;
    let large = json!({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"pad": "x".repeat(33_000_000)}});
    let _ = client.socket.send(Message::text(large.to_string())).await;
    assert_eq!(
        close_code(&mut client).await,
        (CloseCode::Size, "A message was too large".into())
    );
}

#[tokio::test]
async fn malformed_messages_do_not_end_the_connection() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    client.create("MediaPipeline", json!({})).await;
    for (text, code) in [
        ("", -32700),
        ("{", -32700),
        ("[]", -32600),
        ("null", -32600),
        ("42", -32600),
    ] {
        client.send_text(text).await;
        let reply = client.receive().await;
        assert_eq!(
            (&reply["error"]["code"], &reply["id"]),
            (&json!(code), &json!(null)),
            "{text}"
        );
    }
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{}"#,
        r#"{"a":"#.repeat(100_000)
    );
    client.send_text(&deep).await;
    assert_eq!(client.receive().await["error"]["code"], -32700);
    client.result("ping", json!({})).await;
}

#[tokio::test]
async fn binary_and_fragmented_messages_are_requests() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let ping = r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":{"pad":"é"}}"#;
    client
        .socket
        .send(Message::binary(ping.as_bytes().to_vec()))
        .await
        .unwrap();
    assert_eq!(client.receive().await["id"], 7);
    // Cut within the character é.
    let (first, second) = ping.as_bytes().split_at(ping.find('é').unwrap() + 1);
    let frame = |bytes: &[u8], opcode, last| {
        Message::Frame(Frame::message(
            Bytes::copy_from_slice(bytes),
            OpCode::Data(opcode),
            last,
        ))
    };
    client
        .socket
        .send(frame(first, Data::Text, false))
        .await
        .unwrap();
    client
        .socket
        .send(frame(second, Data::Continue, true))
        .await
        .unwrap();
    assert_eq!(client.receive().await["id"], 7);
}

#[tokio::test]
async fn requests_sent_without_reading_are_all_answered() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    for id in 0..20_000 {
        client
            .socket
            .feed(Message::text(format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#
            )))
            .await
            .unwrap();
    }
    client.socket.flush().await.unwrap();
    for id in 0..20_000 {
        assert_eq!(client.receive().await["id"], id);
    }
}
