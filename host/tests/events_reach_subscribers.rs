//! Events: once per session, in order, with the members that clients expect.

use crate::common::{Bench, Toys};
use serde_json::{Value, json};

#[tokio::test]
async fn links_are_announced_by_their_source() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let (source, sink) = (
        client.element("PassThrough", &pipeline).await,
        client.element("PassThrough", &pipeline).await,
    );
    for event in ["ElementConnected", "ElementDisconnected"] {
        client.subscribe(&source, event).await;
        client.subscribe(&source, event).await;
    }
    client
        .invoke(&source, "connect", json!({"sink": sink}))
        .await;
    let event = client.event().await;
    assert_eq!(
        (&event["object"], &event["type"]),
        (&json!(source), &json!("ElementConnected"))
    );
    let data = &event["data"];
    let expected = [
        "mediaType",
        "sink",
        "sinkMediaDescription",
        "source",
        "sourceMediaDescription",
        "tags",
        "timestampMillis",
        "type",
    ];
    assert_eq!(
        data.as_object().unwrap().keys().collect::<Vec<_>>(),
        expected
    );
    assert_eq!(
        (&data["mediaType"], &data["sink"], &data["tags"]),
        (&json!("AUDIO"), &json!(sink), &json!([]))
    );
    assert!(
        data["timestampMillis"]
            .as_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            > 1_700_000_000_000
    );
    assert_eq!(
        client.event_types().await,
        ["ElementConnected", "ElementConnected"]
    );

    let connections = client
        .invoke(&source, "getSinkConnections", json!({"mediaType": "VIDEO"}))
        .await;
    assert_eq!(connections.as_array().unwrap().len(), 1);
    assert_eq!(connections[0]["__type__"], "ElementConnectionData");
    client
        .invoke(&source, "disconnect", json!({"sink": sink}))
        .await;
    assert_eq!(client.event_types().await.len(), 3);
    client
        .invoke(
            &source,
            "connect",
            json!({"sink": sink, "mediaType": "AUDIO"}),
        )
        .await;
    client.event_types().await;
    client.result("release", json!({"object": sink})).await;
    assert_eq!(client.event_types().await, ["ElementDisconnected"]);
}

#[tokio::test]
async fn a_released_element_raises_nothing_about_its_own_end() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let mut elements = Vec::new();
    for _ in 0..3 {
        elements.push(client.element("PassThrough", &pipeline).await);
    }
    for (source, sink) in [(0, 1), (1, 2), (1, 1)] {
        let sink = json!({"sink": elements[sink]});
        client.invoke(&elements[source], "connect", sink).await;
    }
    for element in &elements {
        client.subscribe(element, "ElementDisconnected").await;
    }
    let middle = json!({"object": elements[1]});
    client.result("release", middle).await;
    // What fed it before was cut when it was connected to itself.
    assert_eq!(client.event_types().await, [""; 0]);
    let sink = json!({"sink": elements[2]});
    client.invoke(&elements[0], "connect", sink).await;
    let last = json!({"object": elements[2]});
    client.result("release", last).await;
    assert_eq!(client.event_types().await, ["ElementDisconnected"; 3]);
}

#[tokio::test]
async fn elements_of_different_pipelines_cannot_be_connected() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let (first, second) = (
        client.create("MediaPipeline", json!({})).await,
        client.create("MediaPipeline", json!({})).await,
    );
    let (source, sink) = (
        client.element("PassThrough", &first).await,
        client.element("PassThrough", &second).await,
    );
    let params =
        json!({"object": source, "operation": "connect", "operationParams": {"sink": sink}});
    assert_eq!(
        client.error("invoke", params).await,
        (40004, "Media elements do not share pipeline".into())
    );
    let params =
        json!({"object": source, "operation": "connect", "operationParams": {"sink": first}});
    assert_eq!(client.error("invoke", params).await.0, 40001);
    // Nor are they connected, so that parting them does nothing, and no harm.
    let parted = client
        .invoke(&source, "disconnect", json!({"sink": sink}))
        .await;
    assert_eq!(parted, Value::Null);
}

#[tokio::test]
async fn a_hub_knows_only_its_own_ports() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let (hub, other) = (
        client.element("Dispatcher", &pipeline).await,
        client.element("Dispatcher", &pipeline).await,
    );
    let (port, foreign) = (
        client.create("HubPort", json!({"hub": hub})).await,
        client.create("HubPort", json!({"hub": other})).await,
    );
    let connect = |sink: &str| json!({"object": hub, "operation": "connect", "operationParams": {"source": port, "sink": sink}});
    client.result("invoke", connect(&port)).await;
    assert_eq!(
        client.error("invoke", connect(&foreign)).await,
        (40004, "Can not connect ports".into())
    );
    let element = client.element("PassThrough", &pipeline).await;
    assert_eq!(client.error("invoke", connect(&element)).await.0, 40001);
}

#[tokio::test]
async fn events_of_modules_are_completed() {
    let toys = Toys::new();
    toys.script("gatherCandidates", |toy, _| {
        let candidate = json!({"candidate": "x", "sdpMid": "0", "sdpMLineIndex": 0});
        toy.sink.emit(
            "IceCandidateFound",
            json!({"candidate": candidate}).as_object().unwrap().clone(),
        );
        toy.sink.emit("IceGatheringDone", serde_json::Map::new());
        toy.sink.error("RESOURCE_ERROR_OPEN", 3, "cannot open");
        Ok(Value::Null)
    });
    let bench = Bench::with(toys, |_| {}).await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let element = client.element("WebRtcEndpoint", &pipeline).await;
    for event in ["IceCandidateFound", "IceGatheringDone", "Error"] {
        client.subscribe(&element, event).await;
    }
    client
        .invoke(&element, "addTag", json!({"key": "a", "value": "b"}))
        .await;
    client
        .invoke(
            &element,
            "setSendTagsInEvents",
            json!({"sendTagsInEvents": true}),
        )
        .await;
    client
        .invoke(&element, "gatherCandidates", Value::Null)
        .await;
    let found = client.event().await["data"].clone();
    assert_eq!(
        (&found["type"], &found["source"]),
        (&json!("IceCandidateFound"), &json!(element))
    );
    assert_eq!(found["candidate"]["__type__"], "IceCandidate");
    assert_eq!(
        found["tags"],
        json!([{"__module__": "kurento", "__type__": "Tag", "key": "a", "value": "b"}])
    );
    assert_eq!(client.event().await["type"], "IceGatheringDone");
    let error = client.event().await;
    assert_eq!(
        (&error["type"], &error["data"]["type"]),
        (&json!("Error"), &json!("RESOURCE_ERROR_OPEN"))
    );
    assert_eq!(
        (&error["data"]["errorCode"], &error["data"]["description"]),
        (&json!(3), &json!("cannot open"))
    );
}

#[tokio::test]
async fn unsubscribed_events_do_not_come() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let subscription = client
        .subscribe("manager_ServerManager", "ObjectCreated")
        .await;
    client.create("MediaPipeline", json!({})).await;
    assert_eq!(client.event_types().await, ["ObjectCreated"]);
    let params = json!({"object": "manager_ServerManager", "subscription": subscription});
    client.result("unsubscribe", params).await;
    client.create("MediaPipeline", json!({})).await;
    assert!(client.event_types().await.is_empty());
    let params = json!({"object": "manager_ServerManager", "type": "Nonsense"});
    assert_eq!(
        client.error("subscribe", params).await,
        (40106, "Event 'Nonsense' not supported".into())
    );
}

#[tokio::test]
async fn statistics_are_labelled_or_null() {
    let toys = Toys::new();
    toys.script("stats", |_, _| {
        let stats = json!({"__type__": "ElementStats", "id": "x", "type": "element", "timestampMillis": 5, "inputLatency": []});
        Ok(json!({"x": stats}))
    });
    let bench = Bench::with(toys, |_| {}).await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let element = client.element("PassThrough", &pipeline).await;
    let stats = client.invoke(&element, "getStats", Value::Null).await;
    assert_eq!(
        (&stats["x"]["__type__"], &stats["x"]["__module__"]),
        (&json!("ElementStats"), &json!("kurento"))
    );
    let hub = client.element("Composite", &pipeline).await;
    let port = client.create("HubPort", json!({"hub": hub})).await;
    assert_eq!(
        client.invoke(&port, "getStats", Value::Null).await,
        Value::Null
    );
}
