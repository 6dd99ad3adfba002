use super::*;
use serde_json::json;

fn auth(auth: Value) -> Result<Option<Settings>, LoadError> {
    read(&json!({"mediaServer": {"auth": auth}}))
}

#[test]
fn tokens_and_keys_are_read() {
    let given = json!({
        "tokens": {
            "app": {"sha256": "AB".repeat(32), "classes": ["WebRtcEndpoint", "chroma.*"],
                "methods": "create, invoke.get*", "quotas": {"pipelines": "5", "requestsPerSecond": 10}},
            "ops": {"file": "ops.token", "scope": "all"},
        },
        "jwt": {"keys": {"k": {"algorithm": "RS256", "file": "k.pem"}}, "jwks": "set.json",
            "issuer": "https://i", "audience": "media", "leeway": 30},
    });
    let settings = auth(given).unwrap().unwrap();
    let [app, ops] = &settings.tokens[..] else {
        panic!("{settings:?}")
    };
    assert_eq!(app.secret, Secret::Sha256([0xab; 32]));
    assert_eq!((app.grant.scope, ops.grant.scope), (Scope::Own, Scope::All));
    let methods = app.grant.permissions.methods.as_ref().unwrap();
    assert_eq!(methods, &["create", "invoke.get*"]);
    let mut quotas = Quotas::default();
    assert!(quotas.set("pipelines", 5) && quotas.set("requestsPerSecond", 10));
    assert_eq!(app.grant.quotas, quotas);
    let jwt = settings.jwt.as_ref().unwrap();
    assert_eq!(
        (jwt.audience.as_slice(), jwt.keys.len()),
        (&["media".to_owned()][..], 1)
    );
    assert_eq!(read(&json!({})), Ok(None));
}

#[test]
fn the_documented_settings_can_be_pasted() {
    let document = include_str!("../../../../docs/security.md");
    let blocks = document.split("```json\n").skip(1);
    let blocks: Vec<_> = blocks
        .filter_map(|block| block.split("```").next())
        .collect();
    assert!(blocks.len() >= 5);
    for block in blocks {
        let whole = block.starts_with('{');
        let text = if whole {
            block.to_owned()
        } else {
            format!("{{{block}}}")
        };
        let given: Value = serde_json::from_str(&text).unwrap();
        let first = given.as_object().unwrap().keys().next().unwrap().clone();
        let tree = match first.as_str() {
            "mediaServer" => given,
            "auth" => json!({ "mediaServer": given }),
            "keys" => json!({"mediaServer": {"auth": {"jwt": given}}}),
            "quotas" => {
                let mut token = given;
                token["file"] = json!("x");
                json!({"mediaServer": {"auth": {"tokens": {"a": token}}}})
            }
            _ => json!({"mediaServer": {"auth": {"tokens": given}}}),
        };
        let mut tree = tree;
        if block.contains("clientCertificates") {
            tree["mediaServer"]["net"] = json!({"websocket": {"secure": {"port": 8433}}});
        }
        assert!(read(&tree).unwrap().is_some(), "{block}");
    }
}

#[test]
fn nothing_may_be_misspelt_and_nothing_secret_is_told() {
    let token = |token: Value| json!({"tokens": {"a": token}});
    for (wrong, told) in [
        (json!({}), "mediaServer.auth.tokens: there is no token"),
        (
            json!({"clientCertificates": {"ca": "s3cret"}}),
            "mediaServer.auth.tokens: there is no token",
        ),
        (
            json!({"clientCertificates": {"others": {}}}),
            "mediaServer.auth.clientCertificates: 'ca' has",
        ),
        (
            json!({"clientCertificates": {"ca": "s3cret", "others": {}}}),
            "mediaServer.auth.clientCertificates: clients show",
        ),
        (
            json!({"clientCertificates": {"ca": "s3cret", "others": {"names": []}}}),
            "mediaServer.auth.clientCertificates.others.names: there is no such",
        ),
        (
            json!({"clientCertificates": {"ca": "s3cret", "required": "maybe"}}),
            "mediaServer.auth.clientCertificates.required: it has to be true",
        ),
        (
            json!({"clientCertificates": {"ca": "s3cret", "principals": {"a": {"scope": "all"}}}}),
            "mediaServer.auth.clientCertificates.principals.a: a principal",
        ),
        (
            json!({"token": {}}),
            "mediaServer.auth.token: there is no such key",
        ),
        (
            json!({"tokens": {"a": "s3cret"}}),
            "mediaServer.auth.tokens.a: it has to be an object",
        ),
        (
            token(json!({})),
            "mediaServer.auth.tokens.a: it has to have one of",
        ),
        (
            token(json!({"value": "s3cret", "file": "x"})),
            "mediaServer.auth.tokens.a: it has",
        ),
        (
            token(json!({"value": ["s3cret"]})),
            "mediaServer.auth.tokens.a.value: it has to be a text",
        ),
        (
            token(json!({"sha256": "s3cret"})),
            "mediaServer.auth.tokens.a: 'sha256'",
        ),
        (
            token(json!({"value": "s3cret", "Scope": "all"})),
            "mediaServer.auth.tokens.a.Scope",
        ),
        (
            token(json!({"value": "s3cret", "scope": "every"})),
            "mediaServer.auth.tokens.a: 'scope'",
        ),
        (
            token(json!({"value": "s3cret", "classes": 1})),
            "mediaServer.auth.tokens.a.classes",
        ),
        (
            token(json!({"value": "s3cret", "quotas": {"x": 1}})),
            "mediaServer.auth.tokens.a.quotas.x",
        ),
        (
            token(json!({"value": "s3cret", "quotas": {"objects": -1}})),
            "mediaServer.auth.tokens.a.quotas.objects",
        ),
        (
            json!({"jwt": {"keys": {"k": {"algorithm": "none", "value": "s3cret"}}}}),
            "mediaServer.auth.jwt.keys.k",
        ),
        (
            json!({"jwt": {"leeway": 601}}),
            "mediaServer.auth.jwt: 'leeway'",
        ),
    ] {
        let error = auth(wrong).unwrap_err().to_string();
        assert!(
            error.starts_with(told) && !error.contains("s3cret"),
            "{error}"
        );
    }
}
