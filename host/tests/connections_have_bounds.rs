//! Connections that leave messages unfinished, read nothing or say nothing cost little, and keep
//! nobody from being served.

use std::time::Duration;

use crate::common::{Bench, Client, Toys};
use futures_util::{SinkExt, StreamExt};
use rivero::accounts::{Bounds, Limits, Resource};
use rivero::core;
use rivero::observe::usage;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Message};

async fn bench(limits: Limits) -> Bench {
    let options = core::Options {
        limits,
        ..core::Options::default()
    };
    Bench::of(options, Toys::new(), |_| {}).await
}

/// The head of a masked text frame that announces so many bytes.
fn announced(length: u64) -> Vec<u8> {
    let mut head = vec![0x81, 0x80 | 127];
    head.extend(length.to_be_bytes());
    head.extend([0; 4]);
    head
}

/// What the server closes a connection with.
async fn close_of(client: &mut Client) -> (CloseCode, String) {
    while let Some(Ok(message)) = client.socket.next().await {
        if let Message::Close(Some(frame)) = message {
            return (frame.code, frame.reason.to_string());
        }
    }
    panic!("no close frame");
}

#[tokio::test]
async fn unfinished_messages_are_bounded_together() {
    let bounds = Bounds {
        total: 10_000_000,
        account: 1_000_000,
    };
    let bench = bench(Limits::default().with(Resource::RequestBytes, bounds)).await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = bench.client().await;
        let socket = client.socket.get_mut();
        socket.write_all(&announced(30_000_000)).await.unwrap();
        clients.push(client);
    }
    let part = vec![b' '; 600_000];
    for client in &mut clients {
        // Those that are refused may have been closed in the midst of it.
        let _ = client.socket.get_mut().write_all(&part).await;
    }
    let mut refused = 0;
    for client in &mut clients[1..] {
        let ended = tokio::time::timeout(Duration::from_secs(5), close_of(client));
        if let Ok((code, reason)) = ended.await {
            assert_eq!(
                (code, &*reason),
                (
                    CloseCode::Again,
                    "mediaServer.limits.account.requestBytes is reached"
                )
            );
            refused += 1;
        }
    }
    assert!(refused >= 2, "{refused}");
    assert!(bench.core.accounts.usage(Resource::RequestBytes) <= 1_000_000);
    assert_eq!(
        bench.client().await.result("ping", json!({})).await["value"],
        "pong"
    );
}

#[tokio::test]
async fn an_unfinished_message_ends_its_connection_after_a_while() {
    let mut limits = Limits::default();
    limits.message_idle_seconds = 1;
    let bench = bench(limits).await;
    // Silence between messages is none of its kind, pings are no messages.
    let mut silent = bench.client().await;
    silent
        .socket
        .send(Message::Ping(Bytes::new()))
        .await
        .unwrap();
    let mut begun = Vec::new();
    for bytes in [announced(100), vec![0x81], vec![0x01, 0x80, 0, 0, 0, 0]] {
        let mut client = bench.client().await;
        client.socket.get_mut().write_all(&bytes).await.unwrap();
        begun.push(client);
    }
    for client in &mut begun {
        let (code, reason) = close_of(client).await;
        assert_eq!(
            (code, &*reason),
            (CloseCode::Policy, "A message was left unfinished")
        );
    }
    let pong = silent.receive_text().await.unwrap().unwrap();
    assert!(pong.starts_with("Pong"), "{pong}");
    assert_eq!(silent.result("ping", json!({})).await["value"], "pong");
}

#[tokio::test]
async fn clients_that_read_nothing_are_bounded_together() {
    let bounds = Bounds {
        total: 10_000_000,
        account: 2_000_000,
    };
    let bench = bench(Limits::default().with(Resource::UnreadBytes, bounds)).await;
    let params = json!({"object": "manager_ServerManager", "operation": "getKmd", "operationParams": {"moduleName": "core"}});
    let mut deaf = Vec::new();
    for _ in 0..10 {
        let mut client = bench.client().await;
        for _ in 0..30 {
            client.send("invoke", params.clone()).await;
        }
        deaf.push(client);
        assert!(bench.core.accounts.usage(Resource::UnreadBytes) <= 2_000_000);
    }
    let mut reading = bench.client().await;
    for _ in 0..30 {
        reading.result("invoke", params.clone()).await;
    }
}

#[tokio::test]
async fn large_messages_leave_no_room_taken() {
    let bench = bench(Limits::default()).await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(bench.client().await);
    }
    // As bytes, since the client of the tests would keep room, too.
    let text = format!(
        r#"{{"jsonrpc":"2.0","id":0,"method":"ping","params":{{"x":"{}"}}}}"#,
        "x".repeat(8_000_000)
    );
    let mut message = announced(text.len() as u64);
    message.extend(text.into_bytes());
    let before = usage::memory_kib();
    for client in &mut clients {
        client.socket.get_mut().write_all(&message).await.unwrap();
        assert_eq!(client.receive().await["result"]["value"], "pong");
        // The next message is where the library would keep the room of the last.
        client.result("ping", json!({})).await;
    }
    rivero_plugin_api::abi::heap::give_back();
    let grown = usage::memory_kib().saturating_sub(before) >> 10;
    assert!(
        grown < 40,
        "{grown} MiB with ten connections that had sent 8 MB each"
    );
}

#[tokio::test]
async fn connections_without_a_request_make_room_for_others() {
    let bounds = Bounds {
        total: 10,
        account: 8,
    };
    let bench = bench(Limits::default().with(Resource::Connections, bounds)).await;
    let mut talking = bench.client().await;
    talking.result("ping", json!({})).await;
    let mut idle = Vec::new();
    for _ in 0..40 {
        idle.push(bench.client().await);
        idle.push(Client::connect(bench.address, "/kurento").await);
    }
    let mut page = TcpStream::connect(bench.address).await.unwrap();
    page.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    page.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut newcomer = bench.client().await;
    assert_eq!(newcomer.result("ping", json!({})).await["value"], "pong");
    assert_eq!(talking.result("ping", json!({})).await["value"], "pong");
    assert!(bench.core.accounts.usage(Resource::Connections) <= 8);
}

#[tokio::test]
async fn who_finds_no_room_is_told_so() {
    let bounds = Bounds {
        total: 10,
        account: 3,
    };
    let bench = bench(Limits::default().with(Resource::Connections, bounds)).await;
    let mut talking = Vec::new();
    for _ in 0..3 {
        let mut client = bench.client().await;
        client.result("ping", json!({})).await;
        talking.push(client);
    }
    let (code, reason) = close_of(&mut bench.client().await).await;
    assert_eq!(
        (code, &*reason),
        (
            CloseCode::Again,
            "mediaServer.limits.account.connections is reached"
        )
    );
    for client in &mut talking {
        assert_eq!(client.result("ping", json!({})).await["value"], "pong");
    }
}
