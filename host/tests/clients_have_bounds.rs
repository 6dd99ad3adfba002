//! What a client may ask for and have is bounded; each refusal names its setting, and what is
//! refused to one request leaves the connection as it was.

use crate::common::{Bench, Client, Toys};
use rivero::accounts::{Bounds, Limits, Resource};
use rivero::core;
use rivero::observe::usage;
use serde_json::{Value, json};

const MANAGER: &str = "manager_ServerManager";

async fn bench(change: impl FnOnce(&mut Limits)) -> Bench {
    let mut limits = Limits::default();
    change(&mut limits);
    let options = core::Options {
        limits,
        ..core::Options::default()
    };
    Bench::of(options, Toys::new(), |_| {}).await
}

async fn assert_refused(client: &mut Client, method: &str, params: Value, setting: &str) {
    let (code, message) = client.error(method, params).await;
    assert_eq!(code, 40009, "{message}");
    assert!(message.contains(setting), "{message}");
    assert_eq!(client.result("ping", json!({})).await["value"], "pong");
}

#[tokio::test]
async fn messages_of_too_many_values_are_not_parsed() {
    let bench = bench(|_| {}).await;
    let mut client = bench.client().await;
    let before = usage::memory_kib();
    for values in [r#"{"":0},"#, "0,", "[],", "[[]],", "\"\","] {
        let many = values.repeat(6_000_000 / values.len());
        let text =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":[{many}0]}}}}"#);
        client.send_text(&text).await;
        let reply = client.receive().await;
        assert_eq!(
            (&reply["id"], &reply["error"]["code"]),
            (&json!(1), &json!(40009))
        );
        let message = reply["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("mediaServer.limits.message.values"),
            "{message}"
        );
    }
    let grown = usage::memory_kib().saturating_sub(before) >> 10;
    assert!(grown < 150, "{grown} MiB");
    // One long text is one value.
    let long = "x".repeat(6_000_000);
    assert_eq!(
        client.result("ping", json!({"x": long})).await["value"],
        "pong"
    );
}

#[tokio::test]
async fn transactions_end_at_their_bounds() {
    let bench = bench(|limits| {
        limits.transaction_operations = 20;
        limits.transaction_bytes = 100_000;
    })
    .await;
    let mut client = bench.client().await;
    let kmd = |id: usize| {
        json!({"jsonrpc": "2.0", "id": id, "method": "invoke", "params": {
            "object": MANAGER, "operation": "getKmd", "operationParams": {"moduleName": "core"}}})
    };
    let many: Vec<Value> = (0..21).map(kmd).collect();
    let setting = "mediaServer.limits.transaction.operations";
    assert_refused(
        &mut client,
        "transaction",
        json!({"operations": many}),
        setting,
    )
    .await;
    let some: Vec<Value> = (0..20).map(kmd).collect();
    let result = client
        .result("transaction", json!({"operations": some}))
        .await;
    let responses = result["value"].as_array().unwrap();
    assert!(
        responses.len() > 1 && responses.len() < 20,
        "{}",
        responses.len()
    );
    let (last, others) = responses.split_last().unwrap();
    assert!(
        others
            .iter()
            .all(|response| response["result"]["value"].is_string())
    );
    let message = last["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("mediaServer.limits.transaction.bytes"),
        "{message}"
    );
    assert_eq!(bench.core.accounts.usage(Resource::RequestBytes), 0);
}

#[tokio::test]
async fn ids_names_and_tags_are_short() {
    let bench = bench(|_| {}).await;
    let mut client = bench.client().await;
    let long = "x".repeat(10_000);
    let pipeline = client.create("MediaPipeline", json!({})).await;
    for (operation, params) in [
        ("setName", json!({"name": long})),
        ("addTag", json!({"key": "k", "value": long})),
        ("addTag", json!({"key": long, "value": ""})),
    ] {
        let params = json!({"object": pipeline, "operation": operation, "operationParams": params});
        assert_refused(
            &mut client,
            "invoke",
            params,
            "mediaServer.limits.object.labelBytes",
        )
        .await;
    }
    let params = json!({"type": "MediaPipeline", "sessionId": long});
    assert_refused(&mut client, "create", params, "mediaServer.limits.idBytes").await;
    let request = json!({"jsonrpc": "2.0", "id": long, "method": "ping"});
    client.send_text(&request.to_string()).await;
    assert_eq!(client.receive().await["error"]["code"], 40009);
    // What is not found is not repeated at full length either.
    let (code, message) = client
        .error("create", json!({"type": "x".repeat(1 << 20)}))
        .await;
    assert!(code == 40108 && message.len() < 5_000, "{}", message.len());
}

#[tokio::test]
async fn an_account_has_so_many_objects_sessions_and_subscriptions() {
    let few = |resource| {
        move |limits: &mut Limits| {
            *limits = limits.clone().with(
                resource,
                Bounds {
                    total: 100,
                    account: 3,
                },
            );
        }
    };
    let pipeline =
        |session: usize| json!({"type": "MediaPipeline", "sessionId": session.to_string()});
    for resource in [Resource::Sessions, Resource::Objects, Resource::Pipelines] {
        let bench = bench(few(resource)).await;
        let mut client = bench.client().await;
        let mut last = String::new();
        for session in 0..3 {
            last = client.result("create", pipeline(session)).await["value"]
                .as_str()
                .unwrap()
                .to_owned();
        }
        let setting = format!("mediaServer.limits.account.{} (3)", resource.name());
        // Another connection from the same machine is of the same account.
        let mut other = bench.client().await;
        assert_refused(&mut other, "create", pipeline(3), &setting).await;
        client
            .result("release", json!({"object": last, "sessionId": "2"}))
            .await;
        client
            .result("closeSession", json!({"sessionId": "2"}))
            .await;
        other.result("create", pipeline(4)).await;
    }
    let bench = bench(few(Resource::Subscriptions)).await;
    let mut client = bench.client().await;
    let subscribe = json!({"object": MANAGER, "type": "ObjectCreated"});
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(client.result("subscribe", subscribe.clone()).await["value"].clone());
    }
    let setting = "mediaServer.limits.account.subscriptions (3)";
    assert_refused(&mut client, "subscribe", subscribe.clone(), setting).await;
    let params = json!({"object": MANAGER, "subscription": ids[0]});
    client.result("unsubscribe", params).await;
    client.result("subscribe", subscribe).await;
}

#[tokio::test]
async fn released_objects_leave_nothing_behind() {
    let bench = bench(|_| {}).await;
    let mut client = bench.client().await;
    for number in 0..20 {
        let pipeline = client.create("MediaPipeline", json!({})).await;
        let element = client.element("PassThrough", &pipeline).await;
        client.subscribe(&element, "ElementConnected").await;
        let params = json!({"key": "k", "value": number.to_string()});
        client.invoke(&element, "addTag", params).await;
        client.result("release", json!({"object": pipeline})).await;
    }
    client.result("closeSession", json!({})).await;
    drop(client);
    let counted = [
        Resource::Connections,
        Resource::Sessions,
        Resource::Pipelines,
        Resource::Holds,
        Resource::Subscriptions,
        Resource::LabelBytes,
        Resource::RequestBytes,
        Resource::ReplyBytes,
        Resource::UnreadBytes,
    ];
    let left = || counted.map(|resource| bench.core.accounts.usage(resource));
    // Modules let go of their objects, and the server of the connection, a moment later.
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while left() != [0; 9] && std::time::Instant::now() < patience {
        tokio::task::yield_now().await;
    }
    assert_eq!(left(), [0; 9]);
    // The server manager.
    assert_eq!(bench.core.accounts.usage(Resource::Objects), 1);
}
