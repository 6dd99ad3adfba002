//! After its token has expired a connection begins nothing new, goes on for a while, and ends.

use std::sync::Arc;
use std::time::Duration;

use crate::common::jwt::{Signer, claims, now};
use crate::common::{Bench, Client, Toys, guard};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

const SECRET: &str = "a secret of thirty-two bytes and more";

async fn bench(grace: Duration) -> (Bench, Signer) {
    let auth = json!({"jwt": {"keys": {"k": {"algorithm": "HS256", "value": SECRET}}}});
    let guard = Arc::new(guard(auth).with_grace(grace));
    let bench = Bench::with(Toys::new(), |options| options.guard = guard).await;
    (bench, Signer::Hs256(SECRET.into()))
}

/// Until the clock of tokens says so.
async fn wait_until(second: i64) {
    while now() < second {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_runs_goes_on_and_nothing_new_begins() {
    let (bench, signer) = bench(Duration::from_secs(600)).await;
    let expiry = now() + 3;
    let mut claims = claims("a", 0);
    claims["exp"] = json!(expiry);
    let old = signer.token(claims.clone());
    let mut client = Client::bearing(bench.address, &old).await;
    let session = client.result("connect", json!({})).await["sessionId"].clone();
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let element = client.element("PassThrough", &pipeline).await;
    client.subscribe(&element, "ElementConnected").await;
    wait_until(expiry + 1).await;

    let expired = |error: (i64, String)| error.0 == 40007 && error.1.contains("has expired");
    let create = json!({"type": "MediaPipeline"});
    assert!(expired(client.error("create", create.clone()).await));
    assert!(expired(
        client.error("connect", json!({"sessionId": session})).await
    ));
    let other = json!({"sessionId": "new", "object": element, "type": "Error"});
    assert!(expired(client.error("subscribe", other).await));
    let operation = json!({"id": 0, "jsonrpc": "2.0", "method": "create", "params": create});
    let answer = client
        .result("transaction", json!({"operations": [operation]}))
        .await;
    assert_eq!(answer["value"][0]["error"]["code"], 40007);
    let params = json!({"sink": element, "mediaType": "AUDIO"});
    client.invoke(&element, "connect", params).await;
    assert_eq!(client.event_types().await, ["ElementConnected"]);

    // A new token for the same subject takes over.
    claims["exp"] = json!(expiry + 600);
    let mut renewed = Client::bearing(bench.address, &signer.token(claims)).await;
    renewed
        .result("connect", json!({"sessionId": session}))
        .await;
    renewed.element("PassThrough", &pipeline).await;
    let refused = Client::refused(bench.address, &old).await;
    assert_eq!(refused, 401);
    // And what is there can be ended.
    client.result("release", json!({"object": pipeline})).await;
}

#[tokio::test]
async fn the_connection_ends_with_a_reason_and_the_session_stays() {
    let (bench, signer) = bench(Duration::from_secs(1)).await;
    let expiry = now() + 2;
    let mut client = Client::bearing(bench.address, &signer.token(claims("a", 2))).await;
    let session = client.result("connect", json!({})).await["sessionId"].clone();
    let pipeline = client.create("MediaPipeline", json!({})).await;
    loop {
        match client.socket.next().await {
            Some(Ok(Message::Close(Some(frame)))) => {
                assert_eq!(frame.code, CloseCode::Policy);
                assert_eq!(frame.reason.as_str(), "The token has expired");
                break;
            }
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(now() > expiry);
    let mut renewed = Client::bearing(bench.address, &signer.token(claims("a", 60))).await;
    let again: Value = renewed
        .result("connect", json!({"sessionId": session}))
        .await;
    assert_eq!(again["sessionId"], session);
    renewed.invoke(&pipeline, "getName", json!({})).await;
}
