//! Sessions: binding, holding, ending, and coming back.

use std::time::Duration;

use crate::common::{Bench, Toys};
use serde_json::{Value, json};

#[tokio::test]
async fn a_session_comes_back_on_another_connection() {
    let bench = Bench::start().await;
    let mut first = bench.client().await;
    let session = first.result("connect", json!({})).await["sessionId"].clone();
    let pipeline = first.create("MediaPipeline", json!({})).await;
    let element = first.element("PassThrough", &pipeline).await;
    first.subscribe(&element, "ElementConnected").await;
    first.socket.close(None).await.unwrap();
    while first
        .receive_text()
        .await
        .is_some_and(|message| message.is_ok())
    {}

    let mut other = bench.client().await;
    other
        .invoke(
            &element,
            "connect",
            json!({"sink": element, "mediaType": "AUDIO"}),
        )
        .await;

    let mut second = bench.client().await;
    let connected = second
        .result("connect", json!({"sessionId": session}))
        .await;
    assert_eq!(connected["sessionId"], session);
    // What happened meanwhile is told after the reply.
    assert_eq!(second.event().await["type"], "ElementConnected");
    assert_eq!(
        second.invoke(&pipeline, "getName", Value::Null).await,
        json!(pipeline)
    );
    second
        .invoke(
            &element,
            "connect",
            json!({"sink": element, "mediaType": "VIDEO"}),
        )
        .await;
    assert_eq!(second.event_types().await, ["ElementConnected"]);
}

#[tokio::test]
async fn unknown_sessions_cannot_be_resumed() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let invalid = (40007, "Invalid session".to_owned());
    assert_eq!(
        client.error("connect", json!({"sessionId": "nope"})).await,
        invalid
    );
    assert_eq!(
        client
            .error("keepAlive", json!({"sessionId": "nope"}))
            .await,
        invalid
    );
    assert_eq!(
        client
            .result("closeSession", json!({"sessionId": "nope"}))
            .await,
        Value::Null
    );
    assert!(client.result("connect", json!({})).await["sessionId"].is_string());
}

#[tokio::test]
async fn an_object_lives_as_long_as_a_session_holds_it() {
    let bench = Bench::start().await;
    let (mut first, mut second) = (bench.client().await, bench.client().await);
    let pipeline = first.create("MediaPipeline", json!({})).await;
    second.invoke(&pipeline, "getName", Value::Null).await;
    first.result("closeSession", json!({})).await;
    assert_eq!(
        second.invoke(&pipeline, "getName", Value::Null).await,
        json!(pipeline)
    );
    second.result("unref", json!({"object": pipeline})).await;
    assert_eq!(
        second.error("ref", json!({"object": pipeline})).await.0,
        40101
    );
}

#[tokio::test]
async fn closing_with_release_destroys_for_all() {
    let bench = Bench::start().await;
    let (mut first, mut second) = (bench.client().await, bench.client().await);
    let pipeline = first.create("MediaPipeline", json!({})).await;
    second.element("PassThrough", &pipeline).await;
    first.result("closeSession", json!({"release": true})).await;
    assert_eq!(
        second
            .error("describe", json!({"object": pipeline}))
            .await
            .0,
        40101
    );
    assert_eq!(
        bench.toys.calls().last().unwrap(),
        "PassThrough.release null"
    );
    // The connection goes on with its session's id as if nothing had been.
    assert!(
        first
            .create("MediaPipeline", json!({}))
            .await
            .ends_with("MediaPipeline")
    );
}

#[tokio::test]
async fn the_collector_ends_what_went_away() {
    let bench = Bench::with(Toys::new(), |options| {
        options.collector_period = Duration::from_millis(40)
    })
    .await;
    let mut gone = bench.client().await;
    let mut there = bench.client().await;
    let (lost, kept) = (
        gone.create("MediaPipeline", json!({})).await,
        there.create("MediaPipeline", json!({})).await,
    );
    there
        .subscribe("manager_ServerManager", "ObjectDestroyed")
        .await;
    drop(gone);
    let event = there.event().await;
    assert_eq!(
        (&event["type"], &event["data"]["objectId"]),
        (&json!("ObjectDestroyed"), &json!(lost))
    );
    assert!(event["data"].get("type").is_none());
    assert_eq!(
        there.invoke(&kept, "getName", Value::Null).await,
        json!(kept)
    );
}

#[tokio::test]
async fn sessions_are_listed_once() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let session = client.result("connect", json!({"sessionId": null})).await["sessionId"].clone();
    assert!(session.is_string());
    let sessions = client
        .invoke("manager_ServerManager", "getSessions", Value::Null)
        .await;
    assert_eq!(sessions.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn transactions_refer_to_earlier_results() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let request = |id: usize, method: &str, params: Value| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    let operations = json!([
        request(0, "create", json!({"type": "MediaPipeline"})),
        request(
            1,
            "create",
            json!({"type": "PassThrough", "constructorParams": {"mediaPipeline": "newref:0"}})
        ),
        request(
            2,
            "invoke",
            json!({"object": "newref:1", "operation": "getParent"})
        ),
        request(3, "create", json!({"type": "Nope"})),
        request(4, "create", json!({"type": "MediaPipeline"})),
    ]);
    let result = client
        .result("transaction", json!({"operations": operations}))
        .await;
    let responses = result["value"].as_array().unwrap();
    assert_eq!(responses.len(), 4);
    assert_eq!(
        responses[2]["result"]["value"],
        responses[0]["result"]["value"]
    );
    assert_eq!(responses[3]["error"]["code"], 40108);
    assert_eq!(
        responses[3]["error"]["data"]["type"],
        "MEDIA_OBJECT_NOT_AVAILABLE"
    );
    assert_eq!(bench.core.registry.pipelines().len(), 1);
}

#[tokio::test]
async fn everything_is_released_at_the_end() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    client.element("PassThrough", &pipeline).await;
    let (core, toys) = (bench.core.clone(), bench.toys.clone());
    bench.stop().await;
    assert_eq!(core.registry.object_count(), 0);
    assert_eq!(toys.calls().last().unwrap(), "PassThrough.release null");
}
