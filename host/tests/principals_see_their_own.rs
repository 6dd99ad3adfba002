//! What belongs to another principal answers as what does not exist, by every way in.

use std::sync::Arc;

use crate::common::jwt::{Signer, claims};
use crate::common::{Bench, Client, Toys, guard, token};
use serde_json::{Value, json};

async fn bench() -> Bench {
    let auth = json!({"tokens": {
        "a": {"value": token("a")},
        "b": {"value": token("b")},
        "all": {"value": token("all"), "scope": "all"},
    }});
    Bench::with(Toys::new(), |options| options.guard = Arc::new(guard(auth))).await
}

/// What a principal has.
struct Having {
    client: Client,
    session: String,
    pipeline: String,
    element: String,
    hub: String,
    port: String,
    subscription: String,
}

async fn having(bench: &Bench, name: &str) -> Having {
    let mut client = Client::bearing(bench.address, &token(name)).await;
    let session = client.result("connect", json!({})).await["sessionId"].clone();
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let element = client.element("PassThrough", &pipeline).await;
    let hub = client.element("Composite", &pipeline).await;
    let port = client.create("HubPort", json!({ "hub": hub })).await;
    let subscription = client.subscribe(&element, "ElementConnected").await;
    Having {
        client,
        session: session.as_str().unwrap().to_owned(),
        pipeline,
        element,
        hub,
        port,
        subscription,
    }
}

/// A name of the same form that nobody has.
fn unknown(id: &str) -> String {
    let last = |text: &str| if text.starts_with('0') { "1" } else { "0" };
    let parts = id
        .split('/')
        .map(|part| format!("{}{}", last(part), &part[1..]));
    parts.collect::<Vec<_>>().join("/")
}

/// Every request that can name an object; `X` stands for it.
fn ways_to_an_object(own: &Having) -> Vec<(&'static str, Value)> {
    let invoke = |operation: &str, params: Value| json!({"object": "X", "operation": operation, "operationParams": params});
    let mine = |operation: &str, params: Value| json!({"object": own.element, "operation": operation, "operationParams": params});
    let create = |class: &str, params: Value| json!({"type": class, "constructorParams": params});
    let mut ways = vec![
        ("describe", json!({"object": "X"})),
        ("ref", json!({"object": "X"})),
        ("subscribe", json!({"object": "X", "type": "Error"})),
        (
            "subscribe",
            json!({"object": "X", "type": "ElementConnected"}),
        ),
        ("subscribe", json!({"object": "X", "type": "nonsense"})),
        (
            "create",
            create("PassThrough", json!({"mediaPipeline": "X"})),
        ),
        (
            "create",
            create(
                "RecorderEndpoint",
                json!({"mediaPipeline": "X", "uri": "file:///x"}),
            ),
        ),
        ("create", create("HubPort", json!({"hub": "X"}))),
        ("invoke", mine("connect", json!({"sink": "X"}))),
        (
            "invoke",
            mine("connect", json!({"sink": "X", "mediaType": "AUDIO"})),
        ),
        ("invoke", mine("disconnect", json!({"sink": "X"}))),
        (
            "invoke",
            json!({"object": own.hub, "operation": "connect", "operationParams": {"source": "X", "sink": "X"}}),
        ),
    ];
    for (operation, params) in [
        ("getName", json!({})),
        ("setName", json!({"name": "stolen"})),
        ("getId", json!({})),
        ("getParent", json!({})),
        ("getMediaPipeline", json!({})),
        ("getChildren", json!({})),
        ("getChilds", json!({})),
        ("getCreationTime", json!({})),
        ("addTag", json!({"key": "k", "value": "v"})),
        ("removeTag", json!({"key": "k"})),
        ("getTag", json!({"key": "k"})),
        ("getTags", json!({})),
        ("getSendTagsInEvents", json!({})),
        ("setSendTagsInEvents", json!({"sendTagsInEvents": true})),
        ("getGstreamerDot", json!({})),
        ("getStats", json!({})),
        ("getSourceConnections", json!({})),
        ("getSinkConnections", json!({})),
        ("connect", json!({"sink": own.element})),
        ("connect", json!({"sink": "X"})),
        ("disconnect", json!({"sink": own.element})),
        ("setLatencyStats", json!({"latencyStats": true})),
        ("record", json!({})),
        ("nonsense", json!({})),
    ] {
        ways.push(("invoke", invoke(operation, params)));
    }
    // Each of them within a transaction, too, also behind a reference to another request.
    let single = ways.clone();
    for (method, params) in single {
        let operation = json!({"id": 0, "jsonrpc": "2.0", "method": method, "params": params});
        ways.push(("transaction", json!({"operations": [operation]})));
    }
    // Of what does not exist these are no errors, and may do nothing.
    ways.push(("unref", json!({"object": "X"})));
    ways.push(("unsubscribe", json!({"object": "X", "subscription": "S"})));
    ways.push(("release", json!({"object": "X"})));
    ways
}

/// The same with other names.
fn naming(params: &Value, names: &[(&str, &str)]) -> Value {
    match params {
        Value::String(text) => {
            let found = names.iter().find(|(sign, _)| sign == text);
            found.map_or_else(|| params.clone(), |(_, name)| json!(name))
        }
        Value::Array(items) => items.iter().map(|item| naming(item, names)).collect(),
        Value::Object(members) => {
            let members = members.iter();
            members
                .map(|(key, value)| (key.clone(), naming(value, names)))
                .collect()
        }
        other => other.clone(),
    }
}

/// A reply without what differs by itself: its id, and names of which `sign` is put in their place.
async fn reply(client: &mut Client, method: &str, params: Value, names: &[(&str, &str)]) -> String {
    let mut reply = client.call(method, naming(&params, names)).await;
    reply["id"] = Value::Null;
    let mut text = reply.to_string();
    for (sign, name) in names {
        text = text.replace(name, sign);
    }
    text
}

#[tokio::test]
async fn another_ones_object_is_none() {
    let bench = bench().await;
    let (mut a, mut b) = (having(&bench, "a").await, having(&bench, "b").await);
    let ways = ways_to_an_object(&b);
    for object in [&a.pipeline, &a.element, &a.hub, &a.port] {
        let nothing = unknown(object);
        for (method, params) in &ways {
            let names = |object| [("X", object), ("S", a.subscription.as_str())];
            let of_other = reply(&mut b.client, method, params.clone(), &names(object)).await;
            let of_none = reply(&mut b.client, method, params.clone(), &names(&nothing)).await;
            assert_eq!(of_other, of_none, "{method} {params}");
        }
    }
    // And nothing has come of it.
    for object in [&a.pipeline, &a.element, &a.hub, &a.port] {
        let name = a.client.invoke(object, "getName", json!({})).await;
        assert_eq!(name, json!(object));
    }
    let params = json!({"sink": a.element, "mediaType": "AUDIO"});
    a.client.invoke(&a.element, "connect", params).await;
    assert_eq!(a.client.event_types().await, ["ElementConnected"]);
    assert!(b.client.event_types().await.is_empty());
}

/// Every request that can name a session; `X` stands for it.
fn ways_to_a_session(own: &Having) -> Vec<(&'static str, Value)> {
    vec![
        ("connect", json!({"sessionId": "X"})),
        ("keepAlive", json!({"sessionId": "X"})),
        ("closeSession", json!({"sessionId": "X"})),
        ("closeSession", json!({"sessionId": "X", "release": true})),
        ("ping", json!({"sessionId": "X"})),
        (
            "unsubscribe",
            json!({"sessionId": "X", "object": own.element, "subscription": "S"}),
        ),
        ("unref", json!({"sessionId": "X", "object": "O"})),
        ("release", json!({"sessionId": "X", "object": "O"})),
        ("ref", json!({"sessionId": "X", "object": "O"})),
        ("describe", json!({"sessionId": "X", "object": "O"})),
        (
            "invoke",
            json!({"sessionId": "X", "object": "O", "operation": "getName"}),
        ),
        (
            "subscribe",
            json!({"sessionId": "X", "object": "O", "type": "Error"}),
        ),
        ("transaction", json!({"sessionId": "X", "operations": []})),
        // From here on there is one of this name.
        (
            "subscribe",
            json!({"sessionId": "X", "object": own.element, "type": "Error"}),
        ),
        ("connect", json!({"sessionId": "X"})),
        ("ref", json!({"sessionId": "X", "object": "O"})),
        ("closeSession", json!({"sessionId": "X", "release": false})),
        ("connect", json!({"sessionId": "X"})),
    ]
}

#[tokio::test]
async fn another_ones_session_is_none() {
    let bench = bench().await;
    let (mut a, b) = (having(&bench, "a").await, having(&bench, "b").await);
    let nothing = unknown(&a.session);
    for (method, params) in ways_to_a_session(&b) {
        let mut replies = Vec::new();
        for session in [&a.session, &nothing] {
            // On a connection of its own, since some change which session a connection has.
            let mut client = Client::bearing(bench.address, &token("b")).await;
            let names = [
                ("X", session.as_str()),
                ("S", &a.subscription),
                ("O", &a.pipeline),
            ];
            let mut reply = reply(&mut client, method, params.clone(), &names).await;
            if method == "subscribe" && reply.contains("value") {
                // The id of the subscription.
                reply = reply.split("value").next().unwrap().to_owned();
            }
            replies.push(reply);
        }
        assert_eq!(replies[0], replies[1], "{method} {params}");
    }
    // A reply that is kept is repeated to nobody else.
    let ask = json!({"jsonrpc": "2.0", "id": "kept", "method": "invoke", "params":
        {"sessionId": a.session, "object": a.pipeline, "operation": "getName"}});
    a.client.send_text(&ask.to_string()).await;
    let first = a.client.receive().await;
    assert_eq!(first["result"]["value"], json!(a.pipeline));
    let mut thief = Client::bearing(bench.address, &token("b")).await;
    thief.send_text(&ask.to_string()).await;
    assert_eq!(thief.receive().await["error"]["code"], 40101);
    // The session goes on, with its events.
    let params = json!({"sink": a.element, "mediaType": "AUDIO"});
    a.client.invoke(&a.element, "connect", params).await;
    assert_eq!(a.client.event_types().await, ["ElementConnected"]);
    let mut again = Client::bearing(bench.address, &token("a")).await;
    let connected = again
        .result("connect", json!({"sessionId": a.session}))
        .await;
    assert_eq!(connected["sessionId"], json!(a.session));
}

const MANAGER: &str = "manager_ServerManager";

#[tokio::test]
async fn the_server_manager_tells_of_nobody_else() {
    let bench = bench().await;
    let mut watching = Client::bearing(bench.address, &token("b")).await;
    let mut all = Client::bearing(bench.address, &token("all")).await;
    for client in [&mut watching, &mut all] {
        client.subscribe(MANAGER, "ObjectCreated").await;
        client.subscribe(MANAGER, "ObjectDestroyed").await;
    }
    let (mut a, mut b) = (having(&bench, "a").await, having(&bench, "b").await);
    a.client
        .result("release", json!({"object": a.pipeline}))
        .await;
    let listed = |value: &Value| {
        let ids = value.as_array().unwrap().iter();
        ids.map(|id| id.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let pipelines = b.client.invoke(MANAGER, "getPipelines", json!({})).await;
    assert_eq!(listed(&pipelines), [b.pipeline.clone()]);
    let sessions = listed(&b.client.invoke(MANAGER, "getSessions", json!({})).await);
    assert!(sessions.contains(&b.session) && !sessions.contains(&a.session));
    assert!(listed(&b.client.invoke(MANAGER, "getChildren", json!({})).await).is_empty());
    let pipelines = a.client.invoke(MANAGER, "getPipelines", json!({})).await;
    assert!(listed(&pipelines).is_empty());

    watching.result("ping", json!({})).await;
    all.result("ping", json!({})).await;
    let of_own = watching.events.iter().map(|event| event["data"].clone());
    let told: Vec<_> = of_own
        .map(|data| data["object"].as_str().map(str::to_owned))
        .collect();
    let own = [&b.pipeline, &b.element, &b.hub, &b.port].map(|id| Some(id.clone()));
    assert_eq!(told, own, "{:?}", watching.events);
    assert_eq!(all.events.len(), 12, "{:?}", all.events);
}

#[tokio::test]
async fn nobody_leaves_a_word_for_others_on_the_server_manager() {
    let bench = bench().await;
    let mut b = Client::bearing(bench.address, &token("b")).await;
    let mut all = Client::bearing(bench.address, &token("all")).await;
    for (operation, params) in [
        ("setName", json!({"name": "a word"})),
        ("addTag", json!({"key": "a", "value": "word"})),
        ("removeTag", json!({"key": "a"})),
        ("setSendTagsInEvents", json!({"sendTagsInEvents": true})),
    ] {
        let ask = json!({"object": MANAGER, "operation": operation, "operationParams": params});
        assert_eq!(b.error("invoke", ask.clone()).await.0, 40111, "{operation}");
        all.result("invoke", ask).await;
    }
    let tag = json!({"key": "a", "value": "word"});
    all.invoke(MANAGER, "addTag", tag).await;
    assert_eq!(b.invoke(MANAGER, "getTags", json!({})).await, json!([]));
    assert_eq!(
        b.invoke(MANAGER, "getName", json!({})).await,
        json!(MANAGER)
    );
    let ask = json!({"object": MANAGER, "operation": "getTag", "operationParams": {"key": "a"}});
    assert_eq!(b.error("invoke", ask).await.0, 40110);
    // It cannot be ended, by nobody.
    b.result("release", json!({"object": MANAGER})).await;
    b.invoke(MANAGER, "getInfo", json!({})).await;
}

#[tokio::test]
async fn who_sees_all_works_in_the_session_of_another_whose_the_objects_are() {
    let bench = bench().await;
    let mut a = having(&bench, "a").await;
    let mut all = Client::bearing(bench.address, &token("all")).await;
    let pipelines = all.invoke(MANAGER, "getPipelines", json!({})).await;
    assert_eq!(pipelines, json!([a.pipeline]));
    all.result("connect", json!({"sessionId": a.session})).await;
    let pipeline = all.create("MediaPipeline", json!({})).await;
    let element = all.element("PassThrough", &a.pipeline).await;
    for object in [pipeline, element] {
        a.client.invoke(&object, "getName", json!({})).await;
    }
    // What is put into somebody's pipeline is his, whoever does it.
    let mut all = Client::bearing(bench.address, &token("all")).await;
    let element = all.element("PassThrough", &a.pipeline).await;
    a.client.invoke(&element, "getName", json!({})).await;
    let mut b = Client::bearing(bench.address, &token("b")).await;
    assert_eq!(
        b.error("describe", json!({"object": element})).await.0,
        40101
    );
}

#[tokio::test]
async fn a_subject_is_one_principal_and_no_tokens_name_is_its() {
    let secret = "a secret of thirty-two bytes and more";
    let auth = json!({
        "tokens": {"a": {"value": token("a")}},
        "jwt": {"keys": {"k": {"algorithm": "HS256", "value": secret}}},
    });
    let bench = Bench::with(Toys::new(), |options| options.guard = Arc::new(guard(auth))).await;
    let signer = Signer::Hs256(secret.into());
    let mut first = Client::bearing(bench.address, &signer.token(claims("a", 60))).await;
    let pipeline = first.create("MediaPipeline", json!({})).await;
    let mut second = Client::bearing(bench.address, &signer.token(claims("a", 90))).await;
    second.invoke(&pipeline, "getName", json!({})).await;
    for other in [signer.token(claims("b", 60)), token("a")] {
        let mut client = Client::bearing(bench.address, &other).await;
        let error = client.error("describe", json!({"object": pipeline})).await;
        assert_eq!(error.0, 40101);
    }
}

#[tokio::test]
async fn methods_and_classes_are_what_the_token_permits() {
    let auth = json!({"tokens": {
        "reader": {"value": token("reader"), "scope": "all", "methods": ["describe", "invoke.get*"]},
        "maker": {"value": token("maker"), "classes": ["MediaPipeline", "kurento.Pass*"]},
    }});
    let bench = Bench::with(Toys::new(), |options| options.guard = Arc::new(guard(auth))).await;
    let mut maker = Client::bearing(bench.address, &token("maker")).await;
    let pipeline = maker.create("MediaPipeline", json!({})).await;
    let element = maker.element("PassThrough", &pipeline).await;
    let ask = json!({"type": "WebRtcEndpoint", "constructorParams": {"mediaPipeline": pipeline}});
    let (code, text) = maker.error("create", ask).await;
    assert!(code == 40108 && text.contains("'classes'"), "{code} {text}");

    let mut reader = Client::bearing(bench.address, &token("reader")).await;
    reader.result("connect", json!({})).await;
    reader.result("describe", json!({"object": element})).await;
    reader.invoke(&element, "getName", json!({})).await;
    for (method, params) in [
        ("create", json!({"type": "MediaPipeline"})),
        ("release", json!({"object": pipeline})),
        ("closeSession", json!({})),
        ("subscribe", json!({"object": element, "type": "Error"})),
        (
            "invoke",
            json!({"object": element, "operation": "setName", "operationParams": {"name": "x"}}),
        ),
        (
            "invoke",
            json!({"object": element, "operation": "connect", "operationParams": {"sink": element}}),
        ),
    ] {
        let (code, text) = reader.error(method, params.clone()).await;
        assert!(
            code == 40111 && text.contains("'methods'"),
            "{method} {code} {text}"
        );
        let operation = json!({"id": 0, "jsonrpc": "2.0", "method": method, "params": params});
        let answer = reader
            .result("transaction", json!({"operations": [operation]}))
            .await;
        assert_eq!(answer["value"][0]["error"]["code"], 40111, "{answer}");
    }
    maker.invoke(&element, "getName", json!({})).await;
}
