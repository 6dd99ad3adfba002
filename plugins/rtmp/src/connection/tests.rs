use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use rivero_uri::UriSettings;
use url::Url;

use super::*;
use crate::protocol::{
    COMMAND, ChunkWriter, Message,
    amf0::{self, Value},
};

fn redirection(url: &str) -> Vec<u8> {
    let entry = |name: &str, value| (name.to_owned(), value);
    let more = vec![
        entry("code", Value::Number(302.0)),
        entry("redirect", Value::text(url)),
    ];
    let information = Value::Object(vec![
        entry("level", Value::text("error")),
        entry("ex", Value::Object(more)),
    ]);
    let body = amf0::write(&[
        Value::text("_error"),
        Value::Number(1.0),
        Value::Null,
        information,
    ]);
    let mut bytes = Vec::new();
    let message = Message {
        kind: COMMAND,
        time: 0,
        stream: 0,
        body,
    };
    ChunkWriter::new().write(&message, &mut bytes);
    bytes
}

/// A server on loopback that sends all who come elsewhere; its port.
fn redirects_to(url: impl Fn(u16) -> String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut answer = vec![3];
    answer.extend([0; 3072]);
    answer.extend(redirection(&url(port)));
    thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            let _ = client.write_all(&answer);
            // Until the client has gone, or its last bytes would be lost with the connection.
            let _ = client.read_to_end(&mut Vec::new());
        }
    });
    port
}

async fn failure_at(port: u16) -> Failure {
    let url = Url::parse(&format!("rtmp://127.0.0.1:{port}/live/key")).unwrap();
    let target = Target::parse(&url).unwrap();
    let policy = Policy::new(&UriSettings::default());
    match Connection::open(Role::Publish { is_enhanced: true }, &target, &policy).await {
        Ok(_) => panic!("nobody lets media in"),
        Err(failure) => failure,
    }
}

#[tokio::test]
async fn a_redirection_leads_nowhere_that_the_policy_forbids() {
    let port = redirects_to(|_| "rtmp://169.254.169.254/latest".to_owned());
    let failure = failure_at(port).await;
    assert!(matches!(failure, Failure::Forbidden(_)), "{failure}");
}

#[tokio::test]
async fn redirections_in_a_circle_end() {
    let port = redirects_to(|port| format!("rtmp://127.0.0.1:{port}/other"));
    let failure = failure_at(port).await;
    assert!(matches!(failure, Failure::Circle), "{failure}");
}
