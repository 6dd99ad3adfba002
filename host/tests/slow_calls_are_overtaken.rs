//! A slow call delays only later calls on its object; replies come in order otherwise.

use crate::common::{Bench, Toys};
use rivero::error::CallError;
use serde_json::{Value, json};

fn invoke(object: &str, operation: &str) -> Value {
    json!({"object": object, "operation": operation, "operationParams": {}})
}

#[tokio::test]
async fn later_requests_overtake_a_slow_one() {
    let toys = Toys::new();
    let unblock = toys.block("requestKeyframe");
    let bench = Bench::with(toys, |_| {}).await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let (slow, other) = (
        client.element("WebRtcEndpoint", &pipeline).await,
        client.element("WebRtcEndpoint", &pipeline).await,
    );
    let blocked = client
        .send("invoke", invoke(&slow, "requestKeyframe"))
        .await;
    let behind = client.send("invoke", invoke(&slow, "getName")).await;
    let behind_too = client.send("invoke", invoke(&slow, "getMtu")).await;
    let free = client.send("invoke", invoke(&other, "getMtu")).await;
    let ping = client.send("ping", json!({})).await;
    assert_eq!(
        [
            client.receive().await["id"].clone(),
            client.receive().await["id"].clone()
        ],
        [json!(free), json!(ping)]
    );
    unblock.send(()).unwrap();
    let mut order = Vec::new();
    for _ in 0..3 {
        order.push(client.receive().await["id"].clone());
    }
    for id in [blocked, behind, behind_too] {
        assert!(order.contains(&json!(id)), "{order:?}");
    }
    let calls = bench.toys.calls();
    let position = |what: &str| calls.iter().position(|call| call.contains(what)).unwrap();
    assert!(position("requestKeyframe") < position("getMtu"));
}

#[tokio::test]
async fn quick_calls_of_modules_keep_their_order() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let element = client.element("WebRtcEndpoint", &pipeline).await;
    let mut sent = Vec::new();
    for number in 0..100 {
        let (method, params) = match number % 3 {
            0 => ("invoke", invoke(&element, "getMtu")),
            1 => ("ping", json!({})),
            _ => ("invoke", invoke(&element, "getName")),
        };
        sent.push(client.send(method, params).await);
    }
    for id in sent {
        assert_eq!(client.receive().await["id"], id);
    }
}

#[tokio::test]
async fn the_same_request_again_waits_for_the_one_reply() {
    let toys = Toys::new();
    let unblock = toys.block("create");
    let bench = Bench::with(toys, |_| {}).await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let params = json!({"type": "PassThrough", "constructorParams": {"mediaPipeline": pipeline}});
    let request =
        json!({"jsonrpc": "2.0", "id": "again", "method": "create", "params": params}).to_string();
    client.send_text(&request).await;
    client.send_text(&request).await;
    client.send("ping", json!({})).await;
    assert_eq!(client.receive().await["result"]["value"], "pong");
    unblock.send(()).unwrap();
    let created = client.receive().await;
    client.send_text(&request).await;
    assert_eq!(client.receive().await, created);
    assert_eq!(
        client
            .invoke(&pipeline, "getChildren", Value::Null)
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn work_goes_on_when_the_client_has_gone() {
    let toys = Toys::new();
    let unblock = toys.block("create");
    let bench = Bench::with(toys, |_| {}).await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    client
        .send(
            "create",
            json!({"type": "PassThrough", "constructorParams": {"mediaPipeline": pipeline}}),
        )
        .await;
    client.result("ping", json!({})).await;
    drop(client);
    let mut other = bench.client().await;
    other
        .subscribe("manager_ServerManager", "ObjectCreated")
        .await;
    unblock.send(()).unwrap();
    assert_eq!(other.event().await["type"], "ObjectCreated");
    assert_eq!(
        other
            .invoke(&pipeline, "getChildren", Value::Null)
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn failures_of_modules_are_errors_of_their_calls() {
    let toys = Toys::new();
    toys.script("getMtu", |_, _| panic!("on purpose"));
    toys.script("getVideoInfo", |_, _| Ok(json!("not a VideoInfo")));
    toys.script("processOffer", |_, _| {
        Err(CallError::sdp_parse("Invalid SDP"))
    });
    let bench = Bench::with(toys, |_| {}).await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let webrtc = client.element("WebRtcEndpoint", &pipeline).await;
    assert_eq!(
        client.error("invoke", invoke(&webrtc, "getMtu")).await.0,
        40003
    );
    let offer =
        json!({"object": webrtc, "operation": "processOffer", "operationParams": {"offer": "x"}});
    assert_eq!(
        client.error("invoke", offer).await,
        (40201, "Invalid SDP".into())
    );
    let player = client
        .create(
            "PlayerEndpoint",
            json!({"mediaPipeline": pipeline, "uri": "x"}),
        )
        .await;
    let (code, message) = client
        .error("invoke", invoke(&player, "getVideoInfo"))
        .await;
    assert!(
        code == 40003 && message.contains("does not fit its descriptor"),
        "{code} {message}"
    );
    client.invoke(&webrtc, "getName", Value::Null).await;
}

#[tokio::test]
async fn an_object_released_while_it_works_ends_after_its_work() {
    let toys = Toys::new();
    let unblock = toys.block("requestKeyframe");
    let bench = Bench::with(toys, |_| {}).await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let element = client.element("WebRtcEndpoint", &pipeline).await;
    let blocked = client
        .send("invoke", invoke(&element, "requestKeyframe"))
        .await;
    let released = client.send("release", json!({"object": element})).await;
    assert_eq!(
        client.error("describe", json!({"object": element})).await.0,
        40101
    );
    unblock.send(()).unwrap();
    let mut ids = [
        client.receive().await["id"].as_u64().unwrap(),
        client.receive().await["id"].as_u64().unwrap(),
    ];
    ids.sort_unstable();
    assert_eq!(ids, [blocked, released]);
    let calls = bench.toys.calls();
    assert_eq!(calls.last().unwrap(), "WebRtcEndpoint.release null");
}
