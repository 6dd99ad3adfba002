//! Names of the 6.x API: answered for those who use them, invisible to all others.

use crate::common::{Bench, Toys};
use serde_json::{Map, Value, json};

/// A toy endpoint that finds a candidate when it gathers, and remembers its external addresses.
fn toys() -> std::sync::Arc<Toys> {
    let toys = Toys::new();
    toys.script("gatherCandidates", |toy, _| {
        let candidate = json!({"candidate": "x", "sdpMid": "0", "sdpMLineIndex": 0});
        let found = Map::from_iter([("candidate".to_owned(), candidate)]);
        toy.sink.emit("IceCandidateFound", found);
        Ok(Value::Null)
    });
    toys.script("getExternalIPv4", |_, _| Ok(json!("")));
    toys.script("getExternalIPv6", |_, _| Ok(json!("2001:db8::1")));
    toys.script("setExternalIPv4", |_, _| Ok(Value::Null));
    toys.script("getICECandidatePairs", |_, _| {
        Ok(json!([{"streamId": "0", "componentId": 1, "localCandidate": "l", "remoteCandidate": "r"}]))
    });
    toys.script("stats", |_, _| {
        let stats = json!({"__type__": "ElementStats", "id": "x", "type": "element", "timestampMillis": 5999, "inputLatency": []});
        Ok(json!({"x": stats}))
    });
    toys
}

#[tokio::test]
async fn each_generation_gets_an_event_under_its_name() {
    let bench = Bench::with(toys(), |_| {}).await;
    let (mut old, mut new) = (bench.client().await, bench.client().await);
    let pipeline = old.create("MediaPipeline", json!({})).await;
    let element = old.element("WebRtcEndpoint", &pipeline).await;
    let subscription = old.subscribe(&element, "OnIceCandidate").await;
    new.subscribe(&element, "IceCandidateFound").await;
    old.invoke(&element, "gatherCandidates", Value::Null).await;

    let event = old.event().await;
    assert_eq!(event["type"], "OnIceCandidate");
    let data = &event["data"];
    assert_eq!(
        (&data["type"], &data["candidate"]["__type__"]),
        (&json!("OnIceCandidate"), &json!("IceCandidate"))
    );
    let number = |name: &str| data[name].as_str().unwrap().parse::<u64>().unwrap();
    assert_eq!(number("timestamp"), number("timestampMillis") / 1000);

    let event = new.event().await;
    assert_eq!(
        (&event["type"], &event["data"]["type"]),
        (&json!("IceCandidateFound"), &json!("IceCandidateFound"))
    );
    assert!(event["data"].get("timestamp").is_none());
    assert!(old.event_types().await.is_empty());

    let params = json!({"object": element, "subscription": subscription});
    old.result("unsubscribe", params).await;
    old.invoke(&element, "gatherCandidates", Value::Null).await;
    assert!(old.event_types().await.is_empty());
}

#[tokio::test]
async fn old_names_are_known_only_to_the_classes_that_had_them() {
    let bench = Bench::with(toys(), |_| {}).await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let element = client.element("PassThrough", &pipeline).await;
    client.subscribe(&element, "MediaFlowInStateChange").await;
    let params = json!({"object": element, "type": "OnIceCandidate"});
    assert_eq!(
        client.error("subscribe", params).await,
        (40106, "Event 'OnIceCandidate' not supported".into())
    );
    let params = json!({"object": element, "operation": "getExternalAddress"});
    assert_eq!(client.error("invoke", params).await.0, 40008);
}

#[tokio::test]
async fn old_properties_read_and_write_those_of_today() {
    let bench = Bench::with(toys(), |_| {}).await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let element = client.element("WebRtcEndpoint", &pipeline).await;
    assert_eq!(
        client.invoke(&pipeline, "getChilds", Value::Null).await,
        json!([element])
    );
    for (setter, param, getter) in [
        ("setOutputBitrate", "bitrate", "getEncoderBitrate"),
        (
            "setMinOuputBitrate",
            "minOuputBitrate",
            "getMinOutputBitrate",
        ),
        (
            "setMaxOutputBitrate",
            "maxOutputBitrate",
            "getMaxEncoderBitrate",
        ),
    ] {
        client
            .invoke(&element, setter, json!({param: 640_000}))
            .await;
        assert_eq!(client.invoke(&element, getter, Value::Null).await, 640_000);
    }
    assert_eq!(
        client
            .invoke(&element, "getExternalAddress", Value::Null)
            .await,
        "2001:db8::1"
    );
    let address = json!({"externalAddress": "192.0.2.1"});
    client.invoke(&element, "setExternalAddress", address).await;
    let params = json!({"object": element, "operation": "setOutputBitrate", "operationParams": {}});
    assert_eq!(client.error("invoke", params).await.0, 40001);
}

#[tokio::test]
async fn values_have_the_fields_of_both_generations() {
    let bench = Bench::with(toys(), |_| {}).await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let element = client.element("WebRtcEndpoint", &pipeline).await;
    let pairs = client
        .invoke(&element, "getICECandidatePairs", Value::Null)
        .await;
    assert_eq!(
        (&pairs[0]["streamID"], &pairs[0]["componentID"]),
        (&json!("0"), &json!(1))
    );
    let stats = client.invoke(&element, "getStats", Value::Null).await;
    assert_eq!(
        (&stats["x"]["timestamp"], &stats["x"]["inputVideoLatency"]),
        (&json!(5), &json!(0.0))
    );
}
