//! A request that comes again, on whichever connection, is answered and not carried out again.

use crate::common::{Bench, Client, Toys};
use serde_json::{Value, json};

fn create(id: u64, session: Option<&str>) -> String {
    let mut params = json!({"type": "MediaPipeline"});
    if let Some(session) = session {
        params["sessionId"] = json!(session);
    }
    json!({"jsonrpc": "2.0", "id": id, "method": "create", "params": params}).to_string()
}

async fn pipelines(client: &mut Client) -> usize {
    let all = client
        .invoke("manager_ServerManager", "getPipelines", Value::Null)
        .await;
    all.as_array().unwrap().len()
}

#[tokio::test]
async fn the_first_request_of_a_session_may_come_again_with_the_id_that_it_got() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    client.send_text(&create(1_000_001, None)).await;
    let first = client.receive_text().await.unwrap().unwrap();
    let reply: Value = serde_json::from_str(&first).unwrap();
    let session = reply["result"]["sessionId"].as_str().unwrap();
    let mut again = bench.client().await;
    again.send_text(&create(1_000_001, Some(session))).await;
    assert_eq!(again.receive_text().await.unwrap().unwrap(), first);
    assert_eq!(pipelines(&mut client).await, 1);
}

/// Both connections write before either is answered, so that the server handles them at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_id_on_two_connections_runs_once() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    client.create("MediaPipeline", json!({"x": 0})).await;
    let (mut first, mut second) = (bench.client().await, bench.client().await);
    let rounds = 1_000;
    for round in 0..rounds {
        // Half of the sessions are known already when they are used on two connections.
        let session = (round / 2).to_string();
        let text = create(2_000_000 + round, Some(&session));
        let (one, other) = tokio::join!(ask(&mut first, &text), ask(&mut second, &text));
        assert_eq!(one, other);
    }
    assert_eq!(
        pipelines(&mut client).await,
        1 + usize::try_from(rounds).unwrap()
    );
}

async fn ask(client: &mut Client, text: &str) -> String {
    client.send_text(text).await;
    client.receive_text().await.unwrap().unwrap()
}

#[tokio::test]
async fn the_same_id_joins_a_call_that_still_runs() {
    let toys = Toys::new();
    let unblock = toys.block("create");
    let bench = Bench::with(toys, |_| {}).await;
    let mut client = bench.client().await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let params = json!({"type": "PassThrough", "constructorParams": {"mediaPipeline": pipeline}, "sessionId": "new"});
    let request = json!({"jsonrpc": "2.0", "id": 3_000_001, "method": "create", "params": params});
    let mut other = bench.client().await;
    client.send_text(&request.to_string()).await;
    other.send_text(&request.to_string()).await;
    // Both have been read when a later request is answered.
    client.result("ping", json!({})).await;
    other.result("ping", json!({})).await;
    drop(unblock);
    assert_eq!(client.receive().await, other.receive().await);
    let children = client.invoke(&pipeline, "getChildren", Value::Null).await;
    assert_eq!(children.as_array().unwrap().len(), 1);
}
