//! What a client does first: ping, connect, create, describe, invoke.

use crate::common::{Bench, Client};
use serde_json::{Value, json};

#[tokio::test]
async fn ping_and_connect() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    client
        .send_text(r#"{"id":1,"method":"ping","params":{"interval":240000},"jsonrpc":"2.0"}"#)
        .await;
    let pong = client.receive_text().await.unwrap().unwrap();
    assert_eq!(
        pong,
        r#"{"id":1,"jsonrpc":"2.0","result":{"value":"pong"}}"#
    );
    let connected = client.result("connect", json!({})).await;
    assert_eq!(connected.as_object().unwrap().len(), 2);
    assert_eq!(
        client.result("ping", json!({})).await["sessionId"],
        connected["sessionId"]
    );
    assert_eq!(
        client.error("connect", json!({})).await,
        (40007, "Invalid session".into())
    );
}

#[tokio::test]
async fn a_pipeline_from_birth_to_death() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    assert!(pipeline.ends_with("_kurento.MediaPipeline"));
    let described = client.result("describe", json!({"object": pipeline})).await;
    assert_eq!(described["type"], "MediaPipeline");
    assert_eq!(described["qualifiedType"], "kurento.MediaPipeline");
    assert_eq!(described["hierarchy"], json!(["kurento.MediaObject"]));
    assert_eq!(
        client.invoke(&pipeline, "getName", Value::Null).await,
        json!(pipeline)
    );
    assert_eq!(
        client
            .invoke(&pipeline, "setName", json!({"name": "x"}))
            .await,
        Value::Null
    );
    assert_eq!(
        client.invoke(&pipeline, "getName", Value::Null).await,
        json!("x")
    );
    client.result("release", json!({"object": pipeline})).await;
    assert_eq!(
        client
            .error("describe", json!({"object": pipeline}))
            .await
            .0,
        40101
    );
    assert_eq!(bench.core.registry.object_count(), 0);
}

#[tokio::test]
async fn elements_live_below_their_pipeline() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let pipeline = client.create("kurento.MediaPipeline", json!({})).await;
    let element = client.element("PassThrough", &pipeline).await;
    assert!(
        element.starts_with(&format!("{pipeline}/")) && element.ends_with("_kurento.PassThrough")
    );
    assert_eq!(
        client.invoke(&element, "getParent", Value::Null).await,
        json!(pipeline)
    );
    assert_eq!(
        client
            .invoke(&element, "getMediaPipeline", Value::Null)
            .await,
        json!(pipeline)
    );
    assert_eq!(
        client.invoke(&pipeline, "getChildren", Value::Null).await,
        json!([element])
    );
    let hub = client
        .create("Composite", json!({"mediaPipeline": pipeline}))
        .await;
    let port = client.create("HubPort", json!({"hub": hub})).await;
    assert_eq!(
        client.invoke(&port, "getParent", Value::Null).await,
        json!(hub)
    );
    client.result("release", json!({"object": pipeline})).await;
    let calls = bench.toys.calls();
    let ends: Vec<_> = calls
        .iter()
        .filter(|call| call.contains("release") || call.contains("port_removed"))
        .collect();
    assert_eq!(ends.len(), 3, "{ends:?}");
    assert!(
        ends.iter().position(|call| call.contains("port_removed"))
            < ends
                .iter()
                .position(|call| call.starts_with("Composite.release"))
    );
}

#[tokio::test]
async fn properties_are_set_at_creation() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let properties = json!({"name": "alpha", "mtu": 1100, "id": "ignored", "nonsense": 1});
    let params = json!({"type": "WebRtcEndpoint", "constructorParams": {"mediaPipeline": pipeline}, "properties": properties});
    let element = client.result("create", params).await["value"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        client.invoke(&element, "getName", Value::Null).await,
        json!("alpha")
    );
    assert!(
        bench
            .toys
            .calls()
            .contains(&r#"WebRtcEndpoint.setMtu {"mtu":1100}"#.to_owned())
    );
    let wrong = json!({"type": "MediaPipeline", "properties": {"name": {}}});
    assert_eq!(client.error("create", wrong).await.0, 40001);
    assert_eq!(bench.core.registry.pipelines().len(), 1);
}

#[tokio::test]
async fn the_server_describes_itself() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let info = client
        .invoke("manager_ServerManager", "getInfo", Value::Null)
        .await;
    assert_eq!(
        (&info["version"], &info["__type__"]),
        (&json!("7.3.0"), &json!("ServerInfo"))
    );
    let names: Vec<_> = info["modules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|module| module["name"].clone())
        .collect();
    assert_eq!(names, ["core", "elements", "filters"]);
    let factories = info["modules"][0]["factories"].as_array().unwrap();
    assert!(factories.contains(&json!("MediaPipeline")) && factories.contains(&json!("HubPort")));
    let kmd = client
        .invoke(
            "manager_ServerManager",
            "getKmd",
            json!({"moduleName": "core"}),
        )
        .await;
    let kmd: Value = serde_json::from_str(kmd.as_str().unwrap()).unwrap();
    assert_eq!(kmd["name"], "core");
}

#[tokio::test]
async fn classes_without_module_are_not_available() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    for class in [
        "NoSuchType",
        "core.MediaPipeline",
        "",
        "MediaElement",
        "ServerManager",
        "Hub",
    ] {
        let error = client
            .error("create", json!({"type": class, "constructorParams": {}}))
            .await;
        assert_eq!(error, (40108, format!("Factory '{class}' not found")));
    }
}

#[tokio::test]
async fn large_replies_arrive_whole() {
    let bench = Bench::of(
        crate::common::with_long_names(),
        crate::common::Toys::new(),
        |_| {},
    )
    .await;
    let mut client: Client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let name = "é€".repeat(600_000);
    client
        .invoke(&pipeline, "setName", json!({"name": name}))
        .await;
    assert_eq!(
        client.invoke(&pipeline, "getName", Value::Null).await,
        json!(name)
    );
}
