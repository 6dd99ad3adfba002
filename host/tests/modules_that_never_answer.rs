//! A module that does not answer: the client is told in time, and nothing else waits.
//!
//! The bound is 9 s, less than the 10 s after which Java's client gives up; here it is shorter.

use std::time::Duration;

use crate::common::{Bench, Client, Toys};
use rivero::core::{CALL_TIMEOUT, Options};
use rivero::error::CallError;
use serde_json::{Value, json};

/// How long the modules of these tests may take.
const LIMIT: Duration = Duration::from_millis(300);

async fn bench(toys: std::sync::Arc<Toys>) -> Bench {
    let options = Options {
        call_timeout: LIMIT,
        ..Options::default()
    };
    Bench::of(options, toys, |_| {}).await
}

fn invoke(object: &str, operation: &str) -> Value {
    json!({"object": object, "operation": operation, "operationParams": {}})
}

async fn webrtc(client: &mut Client) -> (String, String) {
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let element = client.element("WebRtcEndpoint", &pipeline).await;
    (pipeline, element)
}

#[test]
fn the_bound_is_below_the_patience_of_the_java_client() {
    assert_eq!(Options::default().call_timeout, CALL_TIMEOUT);
    assert!(CALL_TIMEOUT >= Duration::from_secs(5) && CALL_TIMEOUT < Duration::from_secs(10));
}

#[tokio::test]
async fn a_call_that_is_not_answered_is_an_error_of_its_own() {
    let toys = Toys::new();
    let unblock = toys.block("requestKeyframe");
    let bench = bench(toys).await;
    let mut client = bench.client().await;
    let (pipeline, stuck) = webrtc(&mut client).await;
    let (code, message) = client
        .error("invoke", invoke(&stuck, "requestKeyframe"))
        .await;
    assert_eq!(code, 40003);
    assert!(
        message.contains("'requestKeyframe' has not finished within 0.3 s"),
        "{message}"
    );
    // What comes after it on the same object cannot begin, and is told so; others go on.
    assert_eq!(
        client.error("invoke", invoke(&stuck, "getMtu")).await.0,
        40003
    );
    let other = client.element("WebRtcEndpoint", &pipeline).await;
    assert_eq!(client.invoke(&other, "getMtu", json!({})).await, json!(0));
    unblock.send(()).unwrap();
    assert_eq!(client.invoke(&stuck, "getMtu", json!({})).await, json!(0));
    // The call that was given up while it waited was never carried out.
    let calls = bench.toys.calls();
    let of_mtu = calls.iter().filter(|call| call.contains("getMtu")).count();
    assert_eq!(of_mtu, 2, "{calls:?}");
}

#[tokio::test]
async fn an_object_that_comes_too_late_ends_at_once() {
    let toys = Toys::new();
    let unblock = toys.block("create");
    let bench = bench(toys).await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    for event in ["ObjectCreated", "ObjectDestroyed"] {
        client.subscribe("manager_ServerManager", event).await;
    }
    let params = json!({"type": "PassThrough", "constructorParams": {"mediaPipeline": pipeline}});
    assert_eq!(client.error("create", params).await.0, 40003);
    unblock.send(()).unwrap();
    assert_eq!(client.event().await["type"], "ObjectCreated");
    assert_eq!(client.event().await["type"], "ObjectDestroyed");
    assert_eq!(
        client.invoke(&pipeline, "getChildren", Value::Null).await,
        json!([])
    );
    assert_eq!(bench.core.registry.object_count(), 1);
}

#[tokio::test]
async fn statistics_that_do_not_come_are_an_error() {
    let toys = Toys::new();
    let (unblock, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = parking_lot::Mutex::new(blocked);
    toys.script("stats", move |_, _| {
        let _ = blocked.lock().recv();
        Err(CallError::unexpected("too late"))
    });
    let bench = bench(toys).await;
    let mut client = bench.client().await;
    let (_, element) = webrtc(&mut client).await;
    let (code, message) = client.error("invoke", invoke(&element, "getStats")).await;
    assert_eq!(code, 40003);
    assert!(message.contains("'getStats' has not finished"), "{message}");
    drop(unblock);
}

/// More calls than a module has threads: those of another module have threads of their own.
#[tokio::test]
async fn a_module_all_of_whose_threads_wait_delays_only_itself() {
    let toys = Toys::new();
    let unblock = toys.block("requestKeyframe");
    let bench = Bench::of(Options::default(), toys, |_| {}).await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let mut stuck = Vec::new();
    for _ in 0..80 {
        stuck.push(client.element("WebRtcEndpoint", &pipeline).await);
    }
    let mut blocked = bench.client().await;
    for element in &stuck {
        blocked
            .send("invoke", invoke(element, "requestKeyframe"))
            .await;
    }
    let waits =
        |page: &str| page.contains("rivero_module_calls_waiting{module=\"toy-WebRtcEndpoint\"} 16");
    while !waits(&bench.core.metrics.page()) {
        tokio::task::yield_now().await;
    }
    client.element("PassThrough", &pipeline).await;
    drop(unblock);
    for _ in &stuck {
        assert_eq!(blocked.receive().await["result"]["value"], Value::Null);
    }
}
