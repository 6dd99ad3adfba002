//! A principal gets what its token permits, and a clear error beyond.

use std::sync::Arc;

use crate::common::jwt::{Signer, claims};
use crate::common::{Bench, Client, Toys, guard, token};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

const SECRET: &str = "a secret of thirty-two bytes and more";

async fn bench(quotas: Value) -> Bench {
    let auth = json!({
        "tokens": {"a": {"value": token("a"), "quotas": quotas}, "b": {"value": token("b")}},
        "jwt": {"keys": {"k": {"algorithm": "HS256", "value": SECRET}}},
    });
    Bench::with(Toys::new(), |options| options.guard = Arc::new(guard(auth))).await
}

async fn client(bench: &Bench, name: &str) -> Client {
    Client::bearing(bench.address, &token(name)).await
}

#[tokio::test]
async fn objects_and_sessions_are_bounded_for_all_connections_together() {
    let bench = bench(json!({"pipelines": 2, "objects": 4, "sessions": 2})).await;
    let (mut first, mut second) = (client(&bench, "a").await, client(&bench, "a").await);
    let pipeline = first.create("MediaPipeline", json!({})).await;
    second.create("MediaPipeline", json!({})).await;
    let (code, text) = first
        .error("create", json!({"type": "MediaPipeline"}))
        .await;
    assert!(
        code == 40009 && text.contains("permits 2 pipelines"),
        "{code} {text}"
    );
    first.element("PassThrough", &pipeline).await;
    first.element("PassThrough", &pipeline).await;
    let ask = json!({"type": "PassThrough", "constructorParams": {"mediaPipeline": pipeline}});
    let (code, text) = second.error("create", ask.clone()).await;
    assert!(
        code == 40009 && text.contains("permits 4 objects"),
        "{code} {text}"
    );
    let mut third = client(&bench, "a").await;
    let (code, text) = third.error("describe", json!({"object": pipeline})).await;
    assert!(
        code == 40009 && text.contains("permits 2 sessions"),
        "{code} {text}"
    );
    // Others have theirs, and what is given back can be had again.
    let mut other = client(&bench, "b").await;
    for _ in 0..5 {
        other.create("MediaPipeline", json!({})).await;
    }
    first.result("release", json!({"object": pipeline})).await;
    first.create("MediaPipeline", json!({})).await;
}

#[tokio::test]
async fn connections_are_bounded_and_the_refused_are_told() {
    let bench = bench(json!({"connections": 2})).await;
    let mut open = [client(&bench, "a").await, client(&bench, "a").await];
    for client in &mut open {
        client.result("ping", json!({})).await;
    }
    let mut refused = client(&bench, "a").await;
    match refused.socket.next().await {
        Some(Ok(Message::Close(Some(frame)))) => {
            assert_eq!(u16::from(frame.code), 1013);
            assert_eq!(
                frame.reason.as_str(),
                "The token's quota of connections is reached"
            );
        }
        other => panic!("{other:?}"),
    }
    client(&bench, "b").await.result("ping", json!({})).await;
    for client in &mut open {
        client.result("ping", json!({})).await;
    }
}

#[tokio::test]
async fn requests_are_bounded_also_within_transactions() {
    // Far more than a slow machine can send within the second that gives them back.
    let bench = bench(json!({"requestsPerSecond": 5})).await;
    let mut client = client(&bench, "a").await;
    let operations: Vec<Value> = (0..200)
        .map(|id| json!({"id": id, "jsonrpc": "2.0", "method": "ping"}))
        .collect();
    let answer = client
        .result("transaction", json!({"operations": operations}))
        .await;
    let answers = answer["value"].as_array().unwrap();
    let error = &answers.last().unwrap()["error"];
    assert_eq!(error["code"], 40009, "{}", answers.len());
    let text = error["message"].as_str().unwrap();
    assert!(text.contains("permits 5 requests per second"), "{text}");
    // A new connection is the same principal.
    let mut refused = 0;
    for _ in 0..100 {
        let mut again = self::client(&bench, "a").await;
        let reply = again.call("ping", json!({})).await;
        refused += usize::from(reply["error"]["code"] == 40009);
        if refused > 3 {
            break;
        }
    }
    assert!(refused > 3);
    let mut other = self::client(&bench, "b").await;
    for _ in 0..50 {
        other.result("ping", json!({})).await;
    }
}

#[tokio::test]
async fn quotas_of_a_jwt_are_its_claims() {
    let bench = bench(json!({})).await;
    let mut claims = claims("a", 60);
    claims["quotas"] = json!({"pipelines": 1});
    claims["classes"] = json!(["MediaPipeline"]);
    let token = Signer::Hs256(SECRET.into()).token(claims);
    let mut client = Client::bearing(bench.address, &token).await;
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let more = json!({"type": "MediaPipeline"});
    assert_eq!(client.error("create", more).await.0, 40009);
    let other = json!({"type": "PassThrough", "constructorParams": {"mediaPipeline": pipeline}});
    assert_eq!(client.error("create", other).await.0, 40108);
}
