//! A14: the server tells a registrar where it is, and serves whatever becomes of the registrar.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::common::certificates::Certificate;
use crate::common::{Bench, Toys, binding};
use futures_util::StreamExt;
use rivero::protocol::registrar::Registrar;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::RootCertStore;
use tokio_tungstenite::{WebSocketStream, accept_async};

const PATIENCE: Duration = Duration::from_secs(20);

fn registrar(url: &str, roots: RootCertStore) -> Registrar {
    Registrar::new(url.parse().unwrap(), "localhost".into(), || roots).unwrap()
}

async fn bench(listener: &TcpListener) -> Bench {
    let url = format!("ws://{}/registrar", listener.local_addr().unwrap());
    Bench::with(Toys::new(), |options| {
        options.registrar = Some(registrar(&url, RootCertStore::empty()));
    })
    .await
}

async fn listen() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

async fn accept(listener: &TcpListener) -> TcpStream {
    let accepted = tokio::time::timeout(PATIENCE, listener.accept()).await;
    accepted.expect("nobody came").unwrap().0
}

/// What the server says first; the connection is open for as long as the second part lives.
async fn first_message<S>(stream: S) -> (Value, WebSocketStream<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut socket = accept_async(stream).await.unwrap();
    let message = tokio::time::timeout(PATIENCE, socket.next()).await;
    let text = message.expect("nothing came").unwrap().unwrap();
    let value = serde_json::from_str(text.to_text().unwrap()).unwrap();
    (value, socket)
}

#[tokio::test]
async fn a14_the_plain_listener_is_announced_again_after_each_end() {
    let listener = listen().await;
    let bench = bench(&listener).await;
    let expected = json!({
        "jsonrpc": "2.0", "method": "register",
        "params": {"ws": format!("ws://localhost:{}/kurento", bench.address.port())},
    });
    for _ in 0..3 {
        let (message, socket) = first_message(accept(&listener).await).await;
        assert_eq!(message, expected);
        drop(socket);
    }
}

#[tokio::test]
async fn a14_the_secure_listener_is_announced_to_a_secure_registrar() {
    let certificate = Certificate::new();
    let listener = listen().await;
    let url = format!("wss://localhost:{}", listener.local_addr().unwrap().port());
    let bench = Bench::with(Toys::new(), |options| {
        options.secure = Some((binding(), certificate.load()));
        options.registrar = Some(registrar(&url, certificate.roots.clone()));
    })
    .await;
    let stream = accept(&listener).await;
    let stream = certificate.acceptor().accept(stream).await.unwrap();
    let (message, _socket) = first_message(stream).await;
    let port = bench.secure_address.unwrap().port();
    assert_eq!(
        message["params"]["ws"],
        format!("wss://localhost:{port}/kurento")
    );
}

#[tokio::test]
async fn a_registrar_with_an_unknown_certificate_is_told_nothing() {
    let certificate = Certificate::new();
    let listener = listen().await;
    let url = format!("wss://localhost:{}", listener.local_addr().unwrap().port());
    let bench = Bench::with(Toys::new(), |options| {
        options.registrar = Some(registrar(&url, RootCertStore::empty()));
    })
    .await;
    // The second attempt shows that the first has ended in an orderly way.
    for _ in 0..2 {
        let stream = accept(&listener).await;
        assert!(certificate.acceptor().accept(stream).await.is_err());
    }
    bench.client().await.result("ping", json!({})).await;
}

#[tokio::test]
async fn an_absent_silent_or_rude_registrar_harms_nobody() {
    let listener = listen().await;
    let address = listener.local_addr().unwrap();
    let silent = bench(&listener).await;
    let _open = accept(&listener).await;
    silent.client().await.result("ping", json!({})).await;
    silent.stop().await;

    let late = bench(&listener).await;
    drop(listener);
    late.client().await.result("ping", json!({})).await;
    let listener = TcpListener::bind(address).await.unwrap();
    drop(accept(&listener).await);
    let (message, socket) = first_message(accept(&listener).await).await;
    assert_eq!(message["method"], "register");
    drop(socket);
    late.client().await.result("ping", json!({})).await;
    late.stop().await;
}
