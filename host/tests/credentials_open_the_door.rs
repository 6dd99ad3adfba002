//! Who shows no right credential gets nothing: no WebSocket, no page, and no word about why.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::common::jwt::{RSA_PUBLIC_KEY, Signer, claims, now, url_safe};
use crate::common::{Bench, Client, Toys, binding, guard, guard_in, http, token};
use rivero::auth::Guard;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

async fn with_guard(guard: Guard) -> Bench {
    Bench::with(Toys::new(), |options| {
        options.guard = Arc::new(guard);
        options.management = Some(binding());
    })
    .await
}

/// The head of the answer to a handshake.
async fn handshake(address: SocketAddr, path: &str, fields: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{UPGRADE}{fields}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0);
    }
    String::from_utf8(answer).unwrap()
}

async fn status(address: SocketAddr, token: &str) -> u16 {
    let fields = format!("Authorization: Bearer {token}\r\n");
    let answer = handshake(address, "/kurento", &fields).await;
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn tokens() -> Value {
    json!({"tokens": {
        "app": {"value": token("app")},
        "all": {"value": token("all"), "scope": "all"},
    }})
}

#[tokio::test]
async fn a_token_is_shown_in_the_head_or_in_the_query() {
    let bench = with_guard(guard(tokens())).await;
    let token = token("app");
    for (path, fields) in [
        ("/kurento", format!("Authorization: Bearer {token}\r\n")),
        (&format!("/kurento?access_token={token}"), String::new()),
        (
            &format!("/kurento?a=b&access_token={token}"),
            "Authorization: Basic dTpw\r\n".into(),
        ),
    ] {
        let answer = handshake(bench.address, path, &fields).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{path} {answer}");
    }
    let mut client = Client::bearing(bench.address, &token).await;
    client.create("MediaPipeline", json!({})).await;
}

#[tokio::test]
async fn whoever_shows_none_or_a_wrong_one_learns_nothing() {
    let bench = with_guard(guard(tokens())).await;
    let missing = handshake(bench.address, "/kurento", "").await;
    let wrong = handshake(bench.address, "/kurento?access_token=wrong", "").await;
    for (answer, field) in [
        (missing, "www-authenticate: bearer realm=\"media\"\r\n"),
        (
            wrong,
            "www-authenticate: bearer realm=\"media\", error=\"invalid_token\"\r\n",
        ),
    ] {
        let answer = answer.to_lowercase();
        assert!(
            answer.starts_with("http/1.1 401 ") && answer.contains(field),
            "{answer}"
        );
        assert!(answer.contains("content-length: 0\r\n") && answer.ends_with("\r\n\r\n"));
        assert!(
            !answer.contains("rivero") && !answer.contains("server:"),
            "{answer}"
        );
    }
    // The same whatever the path, the method and the version: nobody finds out what there is.
    let management = bench.management_address.unwrap();
    for address in [bench.address, management] {
        for path in ["/", "/kurento", "/health", "/metrics", "/nothing", "/..%2f"] {
            for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS"] {
                let ask = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
                let answer = http(address, &ask).await;
                assert!(
                    answer.starts_with("HTTP/1.1 401 "),
                    "{method} {path} {answer}"
                );
                assert!(
                    answer.ends_with("\r\n\r\n") && !answer.contains("Rivero"),
                    "{answer}"
                );
            }
        }
    }
    let old = UPGRADE.replace("13", "8");
    let ask = format!("GET /kurento HTTP/1.1\r\nHost: localhost\r\n{old}\r\n");
    assert!(bench.http(&ask).await.starts_with("HTTP/1.1 401 "));
    // Health checks made for Kurento look for this.
    let probe = "GET /kurento HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert!(bench.http(probe).await.starts_with("HTTP/1.1 500 "));
}

#[tokio::test]
async fn pages_are_for_those_who_see_all() {
    let bench = with_guard(guard(tokens())).await;
    let management = bench.management_address.unwrap();
    let ask = |path: &str, name: &str| {
        let token = token(name);
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n")
    };
    for path in ["/health", "/metrics"] {
        let own = http(management, &ask(path, "app")).await;
        assert!(
            own.starts_with("HTTP/1.1 403 ") && own.ends_with("\r\n\r\n"),
            "{own}"
        );
        let all = http(management, &ask(path, "all")).await;
        assert!(all.starts_with("HTTP/1.1 200 "), "{all}");
    }
    let by_query = format!(
        "GET /metrics?access_token={} HTTP/1.1\r\nHost: x\r\n\r\n",
        token("all")
    );
    assert!(
        http(management, &by_query)
            .await
            .contains("rivero_objects 0")
    );
}

const SECRET: &str = "a secret of thirty-two bytes and more";

async fn of_jwt(jwt: Value) -> Bench {
    with_guard(guard(json!({ "jwt": jwt }))).await
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

#[tokio::test]
async fn jwts_of_each_algorithm_are_verified() {
    let (ed25519, in_pem) = (Signer::ed25519(), Signer::ed25519());
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("rsa.pem"), RSA_PUBLIC_KEY).unwrap();
    std::fs::write(directory.path().join("ed25519.pem"), in_pem.ed25519_pem()).unwrap();
    let set = json!({"keys": [
        {"kty": "OKP", "crv": "Ed25519", "kid": "e", "use": "sig", "x": url_safe(ed25519.ed25519_key())},
        {"kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "new", "alg": "unheard of"},
        "nonsense",
    ]});
    std::fs::write(directory.path().join("set.json"), set.to_string()).unwrap();
    let jwt = json!({"jwks": "set.json", "keys": {
        "h": {"algorithm": "HS256", "value": SECRET},
        "r": {"algorithm": "RS256", "file": "rsa.pem"},
        "p": {"algorithm": "EdDSA", "file": "ed25519.pem"},
    }});
    let bench = with_guard(guard_in(directory.path(), json!({ "jwt": jwt }))).await;
    for (signer, kid, algorithm) in [
        (Signer::Hs256(SECRET.into()), "h", "HS256"),
        (Signer::rsa(), "r", "RS256"),
        (ed25519, "e", "EdDSA"),
        (in_pem, "p", "EdDSA"),
    ] {
        let good = signer.token(claims("a", 60));
        assert_eq!(status(bench.address, &good).await, 101, "{kid}");
        let header: Value = json!({ "alg": algorithm });
        let named = signer.with_header(with(header.clone(), "kid", json!(kid)), claims("a", 60));
        assert_eq!(status(bench.address, &named).await, 101, "{kid}");
        let other = signer.with_header(with(header, "kid", json!("x")), claims("a", 60));
        assert_eq!(status(bench.address, &other).await, 401, "{kid}");
    }
}

#[tokio::test]
async fn the_algorithm_is_that_of_the_key_and_not_what_the_token_says() {
    let rsa = json!({"keys": {"r": {"algorithm": "RS256", "value": RSA_PUBLIC_KEY}}});
    let der: Vec<u8> = {
        use tokio_rustls::rustls::pki_types::SubjectPublicKeyInfoDer;
        use tokio_rustls::rustls::pki_types::pem::PemObject;
        let der = SubjectPublicKeyInfoDer::from_pem_slice(RSA_PUBLIC_KEY.as_bytes()).unwrap();
        der.as_ref().to_vec()
    };
    let claims = claims("a", 60);
    let unsigned = Signer::None.token(claims.clone());
    let mut forged = vec![
        unsigned.clone(),
        Signer::None.with_header(json!({"alg": "None"}), claims.clone()),
        Signer::None.with_header(json!({"alg": "RS256"}), claims.clone()),
        Signer::None.with_header(json!({}), claims.clone()),
        Signer::Hs256(RSA_PUBLIC_KEY.into()).token(claims.clone()),
        Signer::Hs256(RSA_PUBLIC_KEY.trim().into()).token(claims.clone()),
        Signer::Hs256(der).token(claims.clone()),
        Signer::Hs256(RSA_PUBLIC_KEY.into()).with_header(json!({"alg": "RS256"}), claims.clone()),
        Signer::rsa().with_header(json!({"alg": "HS256"}), claims.clone()),
        Signer::rsa().with_header(json!({"alg": "RS512"}), claims.clone()),
        Signer::rsa().with_header(json!({"alg": "RS256", "crit": ["exp"]}), claims.clone()),
    ];
    let good = Signer::rsa().token(claims.clone());
    let (head, signature) = good.rsplit_once('.').unwrap();
    forged.push(format!("{head}."));
    forged.push(format!(
        "{head}.{}",
        signature.chars().rev().collect::<String>()
    ));
    forged.push(format!("{good}.x"));
    let payload = Signer::None.token(with(claims, "scope", json!("all")));
    let payload = payload.split('.').nth(1).unwrap();
    let first = head.split('.').next().unwrap();
    forged.push(format!("{first}.{payload}.{signature}"));
    for token in forged {
        // Each at a server of its own, since the answers to guesses come late.
        let bench = of_jwt(rsa.clone()).await;
        assert_eq!(status(bench.address, &token).await, 401, "{token}");
    }
    assert_eq!(status(of_jwt(rsa).await.address, &good).await, 101);
}

#[tokio::test]
async fn claims_have_to_be_those_that_are_asked_for() {
    let signer = Signer::Hs256(SECRET.into());
    let jwt = json!({"issuer": "https://issuer", "audience": ["media", "all-media"],
        "keys": {"h": {"algorithm": "HS256", "value": SECRET}}});
    let good = with(claims("a", 60), "iss", json!("https://issuer"));
    let good = with(good, "aud", json!("media"));
    for (claim, value, expected) in [
        ("x", json!(1), 101),
        ("aud", json!(["other", "all-media"]), 101),
        ("exp", json!(now() as f64 + 60.5), 101),
        ("nbf", json!(now() - 1), 101),
        ("aud", json!("other"), 401),
        ("aud", json!([]), 401),
        ("aud", Value::Null, 401),
        ("aud", json!(1), 401),
        ("iss", json!("https://other"), 401),
        ("iss", Value::Null, 401),
        ("iss", json!(["https://issuer"]), 401),
        ("exp", json!(now() - 1), 401),
        ("exp", json!(0), 401),
        ("exp", Value::Null, 401),
        ("exp", json!("9999999999"), 401),
        ("nbf", json!(now() + 60), 401),
        ("nbf", json!("soon"), 401),
        ("sub", Value::Null, 401),
        ("sub", json!(""), 401),
        ("sub", json!("a\u{0}b"), 401),
        ("sub", json!("x".repeat(300)), 401),
        ("sub", json!(1), 401),
        ("quotas", json!({"nonsense": 1}), 401),
        ("quotas", json!({"pipelines": -1}), 401),
        ("classes", json!("PassThrough"), 401),
    ] {
        let bench = of_jwt(jwt.clone()).await;
        let token = signer.token(with(good.clone(), claim, value.clone()));
        assert_eq!(
            status(bench.address, &token).await,
            expected,
            "{claim} {value}"
        );
    }
    // Whoever is told for whom a token is, and is nobody in particular, is not meant.
    let bench = of_jwt(json!({"keys": {"h": {"algorithm": "HS256", "value": SECRET}}})).await;
    let token = signer.token(with(claims("a", 60), "aud", json!("media")));
    assert_eq!(status(bench.address, &token).await, 401);
}

#[tokio::test]
async fn keys_that_change_are_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, token("old")).unwrap();
    let auth = json!({"tokens": {"app": {"file": "token"}}});
    let guard = Arc::new(guard_in(directory.path(), auth));
    let bench = Bench::with(Toys::new(), |options| options.guard = guard.clone()).await;
    let mut early = Client::bearing(bench.address, &token("old")).await;
    std::fs::write(&file, "short").unwrap();
    assert!(guard.reload().is_err());
    assert_eq!(status(bench.address, &token("old")).await, 101);
    std::fs::write(&file, token("new")).unwrap();
    // The server looks as well, and may have been first.
    guard.reload().unwrap();
    assert_eq!(status(bench.address, &token("old")).await, 401);
    assert_eq!(status(bench.address, &token("new")).await, 101);
    early.create("MediaPipeline", json!({})).await;
}
