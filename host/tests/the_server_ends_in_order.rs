//! Draining lets what exists go on, ending leaves nothing behind and tells the clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::common::{Bench, Client, Toys};
use rivero::core;
use rivero::lifecycle::Event;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

/// Longer than any of these tests.
const DRAIN: Duration = Duration::from_secs(600);
const PATIENCE: Duration = Duration::from_secs(15);

async fn draining(toys: Arc<Toys>) -> Bench {
    let options = core::Options {
        drain: DRAIN,
        ..core::Options::default()
    };
    Bench::of(options, toys, |_| {}).await
}

/// Status and body of a page.
async fn page(address: SocketAddr, target: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The code and reason with which the server closes, after whatever else it sends.
async fn close_frame(client: &mut Client) -> (u16, String) {
    use futures_util::StreamExt;
    loop {
        let message = tokio::time::timeout(PATIENCE, client.socket.next()).await;
        let message = message.expect("no close frame came").expect("it was cut");
        if let Message::Close(frame) = message.unwrap() {
            let frame = frame.expect("a code");
            return (frame.code.into(), frame.reason.to_string());
        }
    }
}

async fn until(is_so: impl Fn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("in time");
}

fn pipeline() -> Value {
    json!({"type": "MediaPipeline", "constructorParams": {}})
}

fn pass_through(pipeline: &str) -> Value {
    json!({"type": "PassThrough", "constructorParams": {"mediaPipeline": pipeline}})
}

#[tokio::test]
async fn draining_refuses_what_is_new_and_ends_with_the_last_object() {
    let bench = draining(Toys::new()).await;
    let mut client = bench.client().await;
    let made = client.create("MediaPipeline", json!({})).await;
    assert!(
        page(bench.address, "/health")
            .await
            .starts_with("HTTP/1.1 200")
    );

    bench.core.lifecycle.step(Event::Stop);
    let health = page(bench.address, "/health").await;
    assert!(health.starts_with("HTTP/1.1 503"), "{health}");
    assert!(health.ends_with("draining\n"), "{health}");
    // What exists goes on,
    client.result("create", pass_through(&made)).await;
    client.invoke(&made, "getName", Value::Null).await;
    // but nothing new, whoever asks.
    let (code, message) = client.error("create", pipeline()).await;
    assert!(code == 40009 && message.contains("going down"), "{message}");
    let mut newcomer = bench.client().await;
    let named = json!({"sessionId": "mine", "object": made});
    for (method, params) in [
        ("connect", json!({})),
        ("create", pass_through(&made)),
        ("describe", named),
    ] {
        let (code, message) = newcomer.error(method, params).await;
        assert!(code == 40009 && message.contains("going down"), "{message}");
    }
    newcomer.result("ping", json!({})).await;

    client.result("release", json!({"object": made})).await;
    assert_eq!(close_frame(&mut client).await.0, 1001);
    assert_eq!(close_frame(&mut newcomer).await.0, 1001);
    bench.ended().await;
}

#[tokio::test]
async fn a_session_may_come_back_while_the_server_drains() {
    let bench = draining(Toys::new()).await;
    let mut client = bench.client().await;
    let made = client.create("MediaPipeline", json!({})).await;
    let session = client.result("ping", json!({})).await["sessionId"].clone();
    bench.core.lifecycle.step(Event::Stop);
    drop(client);
    let mut again = bench.client().await;
    again.result("connect", json!({"sessionId": session})).await;
    again.invoke(&made, "getName", Value::Null).await;
    again.result("release", json!({"object": made})).await;
    bench.ended().await;
}

#[tokio::test]
async fn without_objects_there_is_nothing_to_drain() {
    let bench = draining(Toys::new()).await;
    let mut client = bench.client().await;
    client.result("connect", json!({})).await;
    bench.core.lifecycle.step(Event::Stop);
    assert_eq!(close_frame(&mut client).await.0, 1001);
    bench.ended().await;
}

#[tokio::test]
async fn at_the_end_nothing_is_begun_and_every_client_is_told() {
    let toys = Toys::new();
    let unblock = toys.block("release");
    let bench = Bench::with(toys, |_| {}).await;
    let mut client = bench.client().await;
    let made = client.create("MediaPipeline", json!({})).await;
    let element = client.element("WebRtcEndpoint", &made).await;
    let mut idle = bench.client().await;
    bench.core.lifecycle.step(Event::Stop);
    // Served until its objects have come to their end, with errors where it begins something.
    for (method, params) in [
        ("create", pipeline()),
        ("create", pass_through(&made)),
        ("invoke", json!({"object": element, "operation": "getMtu"})),
        ("subscribe", json!({"object": element, "type": "Error"})),
        ("transaction", json!({"operations": []})),
    ] {
        let (code, message) = client.error(method, params).await;
        assert!(code == 40009 && message.contains("going down"), "{message}");
    }
    client.result("release", json!({"object": element})).await;
    unblock.send(()).unwrap();
    for client in [&mut client, &mut idle] {
        let (code, reason) = close_frame(client).await;
        assert_eq!((code, reason.as_str()), (1001, "The server is going down"));
    }
    bench.ended().await;
}

#[tokio::test]
async fn what_is_being_made_when_the_end_begins_does_not_outlive_it() {
    let toys = Toys::new();
    let unblock = toys.block("create");
    let bench = Bench::with(toys, |_| {}).await;
    let mut client = bench.client().await;
    let made = client.create("MediaPipeline", json!({})).await;
    let late = client.send("create", pass_through(&made)).await;
    client.result("ping", json!({})).await;
    bench.core.lifecycle.step(Event::Stop);
    // Everything that was there is being released.
    until(|| bench.object(&made).is_none()).await;
    unblock.send(()).unwrap();
    let reply = client.receive().await;
    assert_eq!(
        (&reply["id"], &reply["error"]["code"]),
        (&json!(late), &json!(40009))
    );
    let toys = bench.toys.clone();
    bench.ended().await;
    assert_eq!(toys.calls().last().unwrap(), "PassThrough.release null");
}

#[tokio::test]
async fn objects_whose_calls_run_are_waited_for_and_hold_up_no_others() {
    let toys = Toys::new();
    let unblock = toys.block("requestKeyframe");
    let bench = Bench::with(toys, |_| {}).await;
    let mut client = bench.client().await;
    let made = client.create("MediaPipeline", json!({})).await;
    let uri = json!({"mediaPipeline": made, "uri": "x"});
    client.create("PlayerEndpoint", uri).await;
    // More than the calls that modules work on at a time otherwise.
    let mut busy = Vec::new();
    for _ in 0..200 {
        busy.push(client.element("WebRtcEndpoint", &made).await);
    }
    for object in busy {
        let call = json!({"object": object, "operation": "requestKeyframe", "operationParams": {}});
        client.send("invoke", call).await;
    }
    client.result("ping", json!({})).await;
    let toys = bench.toys.clone();
    bench.core.lifecycle.step(Event::Stop);
    let released = "PlayerEndpoint.release null";
    until(|| toys.calls().iter().any(|call| call == released)).await;
    drop(unblock);
    bench.ended().await;
    let calls = toys.calls();
    let released = calls.iter().filter(|call| call.ends_with("release null"));
    assert_eq!(released.count(), 201);
}
