//! Whatever is logged, and however much: no token is in it.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;

use crate::common::jwt::{Signer, claims};
use crate::common::process::{PATIENCE, Running, command, listening_at};
use crate::common::token;
use serde_json::{Value, json};

fn with_tokens(configuration: &mut Value) {
    configuration["mediaServer"]["auth"] = json!({
        "tokens": {"app": {"value": token("s3cret-app")}, "file": {"file": "a.token"}},
        "jwt": {"keys": {"k": {"algorithm": "HS256", "value": SECRET}}},
    });
}

const SECRET: &str = "s3cret of thirty-two bytes and more";

/// The program, with tokens.
fn start() -> Running {
    Running::start(|command| {
        let file = command.get_args().nth(1).unwrap().to_owned();
        let mut configuration: Value =
            serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        with_tokens(&mut configuration);
        let directory = std::path::Path::new(&file).parent().unwrap();
        std::fs::write(directory.join("a.token"), token("s3cret-file")).unwrap();
        std::fs::write(&file, configuration.to_string()).unwrap();
        command.env("RUST_LOG", "trace").env("GST_DEBUG", "9");
    })
}

#[test]
fn a_server_that_logs_everything_logs_no_token() {
    let mut running = start();
    let lines = running.lines();
    let jwt = Signer::Hs256(SECRET.into()).token(claims("s3cret-subject", -60));
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let good = token("s3cret-app");
    for head in [
        format!(
            "GET /kurento?access_token=s3cret-wrong HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\n"
        ),
        format!(
            "GET /kurento HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer s3cret wrong\r\n{upgrade}\r\n"
        ),
        format!("GET /kurento?access_token={jwt} HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\n"),
        format!("GET /metrics?access_token={good} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!(
            "GET /kurento?access_token={good} HTTP/1.1\r\nHost: evil.s3cre.example\r\n{upgrade}\r\n"
        ),
        format!("GET /kurento?access_token={good} s3cret HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!("GET http://u:s3cret@localhost/?access_token={good} HTTP/1.1\r\n\r\n"),
    ] {
        let answer = running.request(&head);
        assert!(!answer.contains("s3cret"), "{answer}");
    }
    // Nor where the path is wrong, and the token right.
    let mut stream = TcpStream::connect(running.address).unwrap();
    let head =
        format!("GET /wrong?access_token={good} HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut all: Vec<String> = Vec::new();
    while !all.iter().any(|line| line.contains("wrong path")) {
        all.push(lines.recv_timeout(PATIENCE).unwrap());
    }
    assert!(all.iter().any(|line| line.contains("path=\"/wrong\"")));
    running.terminate();
    all.extend(lines.iter());
    assert!(
        all.iter().any(|line| line.contains("a wrong credential")),
        "{all:#?}"
    );
    let telling = all.iter().find(|line| line.contains("s3cret"));
    assert_eq!(telling, None);
}

#[test]
fn what_is_wrong_with_tokens_is_told_without_them() {
    let directory = tempfile::tempdir().unwrap();
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let refused = |auth: Value, told: &str| {
        let mut configuration = listening_at(address);
        configuration["mediaServer"]["auth"] = auth;
        for arguments in [&[][..], &["check-config"]] {
            let mut command: Command = command(directory.path(), &configuration);
            let output = command.args(arguments).output().unwrap();
            let text = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success() && text.contains(told), "{text}");
            assert!(!text.contains("s3cret"), "{text}");
        }
    };
    std::fs::write(directory.path().join("a.token"), "s3cret").unwrap();
    std::fs::write(directory.path().join("a.jwks"), "{\"keys\": s3cret}").unwrap();
    refused(
        json!({"tokens": {"a": {"value": "s3cret"}}}),
        "mediaServer.auth.tokens.a: a token has to have",
    );
    refused(
        json!({"tokens": {"a": {"file": "a.token"}}}),
        "mediaServer.auth.tokens.a: a token has to have",
    );
    refused(
        json!({"tokens": {"a": {"file": "none"}}}),
        "mediaServer.auth.tokens.a: none: ",
    );
    refused(
        json!({"tokens": {"a": {"sha256": "s3cret"}}}),
        "mediaServer.auth.tokens.a: 'sha256'",
    );
    refused(
        json!({"tokens": {"a": "s3cret"}}),
        "mediaServer.auth.tokens.a: it has to be an object",
    );
    refused(
        json!({"jwt": {"jwks": "a.jwks"}}),
        "mediaServer.auth.jwt.jwks: a.jwks: it is no set of keys",
    );
    let key = |algorithm: &str| json!({"jwt": {"keys": {"k": {"algorithm": algorithm, "value": "s3cret"}}}});
    refused(
        key("HS256"),
        "mediaServer.auth.jwt.keys.k: a secret of HS256 has to have 32 bytes",
    );
    refused(
        key("RS256"),
        "mediaServer.auth.jwt.keys.k: it contains no public key",
    );
    refused(key("none"), "mediaServer.auth.jwt.keys.k: 'algorithm'");
}

#[test]
fn a_server_that_is_open_to_the_network_says_so_or_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let open = json!({"mediaServer": {"net": {"websocket": {"address": "0.0.0.0", "port": 1}}}});
    let with = |key: &str, value: Value| {
        let mut configuration = open.clone();
        configuration["mediaServer"][key] = value;
        configuration
    };
    let check = |configuration: &Value, arguments: &[&str]| {
        let mut command = command(directory.path(), configuration);
        let output = command
            .arg("check-config")
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), text)
    };
    assert!(check(&open, &[]).0);
    for (configuration, arguments) in [
        (with("requireAuth", json!(true)), &[][..]),
        (open.clone(), &["--require-auth"]),
        (
            listening_at((Ipv4Addr::LOCALHOST, 0).into()),
            &["--require-auth", "--management-address", "0.0.0.0"],
        ),
    ] {
        let (fine, text) = check(&configuration, arguments);
        assert!(!fine && text.contains("requireAuth"), "{text}");
    }
    let (fine, text) = check(&with("requireAuth", json!("perhaps")), &[]);
    assert!(
        !fine && text.contains("mediaServer.requireAuth should be true or false"),
        "{text}"
    );
    for misspelt in ["Auth", "auht", "requireauth"] {
        let (fine, text) = check(&with(misspelt, json!(true)), &[]);
        assert!(!fine && text.contains("unknown key"), "{text}");
    }
    let mut protected = with("requireAuth", json!(true));
    protected["mediaServer"]["auth"] = json!({"tokens": {"a": {"value": token("a")}}});
    assert!(check(&protected, &[]).0, "{}", check(&protected, &[]).1);
}
