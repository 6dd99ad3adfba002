//! What happens on the socket before and around requests.

use crate::common::{Bench, Client, http};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};

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
    let old = http(bench.address, "GET /health HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200 "), "{old}");
}

#[tokio::test]
async fn kurentos_own_health_check_finds_its_500() {
    let bench = Bench::start().await;
    // What the installation guide of Kurento and its container send.
    let probe = "GET /kurento HTTP/1.1\r\nHost: 127.0.0.1:8888\r\nUser-Agent: curl/7.68.0\r\nAccept: */*\r\n\
                 Connection: Upgrade\r\nUpgrade: websocket\r\nOrigin: 127.0.0.1\r\n\r\n";
    let elsewhere = probe.replace("Host: 127.0.0.1:8888", "Host: 10.1.2.3:8888");
    for probe in [probe, &elsewhere] {
        let answer = bench.http(probe).await;
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    }
}

#[tokio::test]
async fn only_get_and_head_are_methods() {
    let bench = Bench::start().await;
    for path in ["/health", "/metrics", "/kurento", "/nowhere"] {
        for method in [
            "POST",
            "DELETE",
            "PUT",
            "PATCH",
            "OPTIONS",
            "TRACE",
            "FROBNICATE",
        ] {
            let request =
                format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
            let answer = bench.http(&request).await;
            assert!(answer.starts_with("HTTP/1.1 405 "), "{request}{answer}");
            assert!(answer.contains("\r\nAllow: GET, HEAD\r\n"), "{answer}");
        }
        let got = bench
            .http(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        let (head, body) = got.split_once("\r\n\r\n").unwrap();
        assert!(!body.is_empty(), "{got}");
        let answer = bench
            .http(&format!("HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        let (line, fields) = answer.split_once("\r\n").unwrap();
        assert!(head.starts_with(line), "{answer}");
        let has_length = path == "/metrics"
            || head
                .lines()
                .filter(|line| line.starts_with("Content-Length"))
                .all(|line| fields.contains(line));
        assert!(has_length && answer.ends_with("\r\n\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_nobody_asked_for_does_not_cost_the_answer() {
    let bench = Bench::start().await;
    let body = "x".repeat(4 << 20);
    let request = format!(
        "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = bench.http(&request).await;
    assert!(
        answer.starts_with("HTTP/1.1 405 ") && answer.ends_with("Only GET and HEAD\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn heads_have_a_limit() {
    let bench = Bench::start().await;
    let long = format!(
        "GET /health HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    let many = format!(
        "GET /health HTTP/1.1\r\nHost: x\r\n{}\r\n",
        "X: y\r\n".repeat(1_000)
    );
    let target = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(100_000));
    for request in [long, many, target] {
        let answer = bench.http(&request).await;
        let status = answer.get(..13).unwrap_or_default();
        assert!(
            ["HTTP/1.1 431 ", "HTTP/1.1 414 "].contains(&status),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn other_versions_are_told_the_one_that_is_spoken() {
    let bench = Bench::start().await;
    let ask = |version: &str| {
        format!(
            "GET /kurento HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: {version}\r\n\r\n"
        )
    };
    let answer = bench.http(&ask("8")).await;
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    let field = "sec-websocket-version: 13\r\n";
    assert!(answer.to_ascii_lowercase().contains(field), "{answer}");
    // HTTP/1.0 knows no upgrade: what a proxy makes of a handshake that was not told to use 1.1.
    let old = ask("13").replace("HTTP/1.1", "HTTP/1.0");
    assert!(bench.http(&old).await.starts_with("HTTP/1.0 426 "));
}

#[tokio::test]
async fn frames_that_come_with_the_handshake_are_requests() {
    let bench = Bench::start().await;
    let ping = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let mut request =
        b"GET http://127.0.0.1/kurento HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\n\r\n"
            .to_vec();
    // A text whose mask is of zeros (RFC 6455 section 5.2).
    request.extend([0x81, 0x80 | u8::try_from(ping.len()).unwrap(), 0, 0, 0, 0]);
    request.extend(ping);
    let mut stream = TcpStream::connect(bench.address).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(br#""result":{"value":"pong"}}"#) {
        let length = stream.read_buf(&mut answer).await.unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&answer));
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(
        answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
        "{answer}"
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
        (
            CloseCode::Size,
            "A message exceeds mediaServer.limits.message.bytes".into()
        )
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
