//! SIGHUP: what changes in a server that runs, what does not, and what is said of it.

use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::common::certificates::Certificate;
use crate::common::process::{PATIENCE, Running, free_address, listening_at, wait_for_line};
use crate::common::{Client, token};

/// The first of the words that a service manager is told next that contains `text`.
fn word(manager: &UnixDatagram, text: &str) -> String {
    let mut buffer = [0; 1024];
    loop {
        let length = manager.recv(&mut buffer).unwrap();
        let word = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if word.contains(text) {
            return word;
        }
    }
}

/// What `configuration` says of tokens, limits, metadata, modules and ports besides.
fn with_everything(mut configuration: Value) -> Value {
    let server = &mut configuration["mediaServer"];
    server["auth"] = json!({"tokens": {"app": {"value": token("app"), "scope": "all"}}});
    server["limits"] = json!({"object": {"labelBytes": 10}});
    server["net"]["websocket"]["allowedOrigins"] = json!("https://app.example");
    server["net"]["websocket"]["threads"] = json!(1);
    configuration["metadata"] = json!({"fleet": 2});
    configuration["modules"] = json!({"kurento": {"MediaElement": {"encoderBitrate": 1}}});
    configuration
}

#[tokio::test]
async fn what_can_change_does_and_every_key_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut server = Running::start(|command| {
        command.env("NOTIFY_SOCKET", &socket);
        command.args(["--management-port", "0"]);
    });
    let lines = server.lines();
    let mut early = Client::connect(server.address, "/kurento").await;
    let pipeline = early.create("MediaPipeline", json!({})).await;

    server.configure(&with_everything(listening_at(server.address)));
    server.signal(Signal::HUP);
    for (key, effect) in [
        (
            "mediaServer.auth.tokens.app.scope",
            "counts for new connections",
        ),
        (
            "mediaServer.auth.tokens.app.value",
            "counts for new connections",
        ),
        ("mediaServer.limits.object.labelBytes", "counts from now on"),
        (
            "mediaServer.net.websocket.allowedOrigins",
            "counts from now on",
        ),
        (
            "mediaServer.net.websocket.threads",
            "counts from the next start",
        ),
        ("metadata.fleet", "counts from now on"),
        (
            "modules.kurento.MediaElement.encoderBitrate",
            "counts for new objects",
        ),
    ] {
        wait_for_line(&lines, &format!("{key} has changed, and {effect}"));
    }
    wait_for_line(&lines, "read again: 7 key(s) changed");
    let reloading = word(&manager, "RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    assert!(word(&manager, "READY=1").contains("STATUS=serving"));

    // Who is connected stays so, and goes by the new bounds and settings.
    let manager_object = "manager_ServerManager";
    let metadata = early
        .invoke(manager_object, "getMetadata", Value::Null)
        .await;
    assert_eq!(metadata, r#"{"fleet":2}"#);
    let name = json!({"object": pipeline, "operation": "setName", "operationParams": {"name": "12345678901"}});
    let (code, message) = early.error("invoke", name).await;
    assert!(code == 40009 && message.contains("labelBytes"), "{message}");
    // Who comes has to show what is asked for now.
    assert_eq!(Client::refused(server.address, &token("other")).await, 401);
    let mut late = Client::bearing(server.address, &token("app")).await;
    late.invoke(&pipeline, "getName", Value::Null).await;

    // A configuration that a start would refuse changes nothing.
    let mut broken = listening_at(server.address);
    broken["mediaServer"]["auth"] = json!({"tokens": {}});
    server.configure(&broken);
    server.signal(Signal::HUP);
    wait_for_line(
        &lines,
        "nothing changes, the configuration cannot be used: Error reading configuration",
    );
    word(&manager, "RELOADING=1");
    assert!(word(&manager, "READY=1").contains("the last reload failed"));
    std::fs::remove_file(server.directory.path().join("rivero.conf.json")).unwrap();
    server.signal(Signal::HUP);
    wait_for_line(&lines, "nothing changes");
    let mut late = Client::bearing(server.address, &token("app")).await;
    late.invoke(&pipeline, "getName", Value::Null).await;

    // And back: nobody is asked for anything any more.
    server.configure(&listening_at(server.address));
    server.signal(Signal::HUP);
    wait_for_line(&lines, "read again: 7 key(s) changed");
    let mut anyone = Client::connect(server.address, "/kurento").await;
    let metadata = anyone
        .invoke(manager_object, "getMetadata", Value::Null)
        .await;
    assert_eq!(metadata, "");
    assert!(server.terminate().success());
}

#[tokio::test]
async fn another_certificate_is_shown_and_a_new_listener_waits_for_a_start() {
    let (first, second) = (Certificate::new(), Certificate::new());
    let secure = free_address();
    let with = |address, certificate: &Certificate| {
        let mut configuration = listening_at(address);
        configuration["mediaServer"]["net"]["websocket"]["secure"] =
            json!({"port": secure.port(), "certificate": certificate.file()});
        configuration
    };
    let mut server = Running::start(|command| {
        command.args(["--management-port", "0"]);
    });
    let lines = server.lines();
    // A listener that was not there is a matter of the next start, and so is its port.
    server.configure(&with(server.address, &first));
    server.signal(Signal::HUP);
    wait_for_line(
        &lines,
        "secure.port has changed, and counts from the next start",
    );
    wait_for_line(&lines, "read again");
    assert!(tokio::net::TcpStream::connect(secure).await.is_err());
    drop(lines);

    let mut server = Running::start_with(|address| with(address, &first));
    let lines = server.lines();
    // The plain listener, by which a start is seen, is opened first.
    wait_for_line(&lines, "started: Rivero");
    first.client(secure, "/kurento").await;
    server.configure(&with(server.address, &second));
    server.signal(Signal::HUP);
    wait_for_line(
        &lines,
        "secure.certificate has changed, and counts for new connections",
    );
    wait_for_line(&lines, "read again");
    second.client(secure, "/kurento").await;
    assert!(first.try_connect(secure).await.is_err());
}
