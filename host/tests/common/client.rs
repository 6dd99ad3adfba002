//! A client of the protocol that keeps events apart from replies.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Long enough for a loaded machine; nothing waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Client<S = TcpStream> {
    pub socket: WebSocketStream<S>,
    pub events: VecDeque<Value>,
}

/// Ids are not used again on a later connection: a session remembers the replies to them.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Client {
    pub async fn connect(address: SocketAddr, path: &str) -> Client {
        let stream = TcpStream::connect(address).await.unwrap();
        Client::over(stream, &format!("ws://{address}{path}")).await
    }
}

impl Client {
    /// A client that shows a token, as kurento-client for JavaScript does.
    pub async fn bearing(address: SocketAddr, token: &str) -> Client {
        Client::connect(address, &format!("/kurento?access_token={token}")).await
    }

    /// The status with which a token is refused.
    pub async fn refused(address: SocketAddr, token: &str) -> u16 {
        let stream = TcpStream::connect(address).await.unwrap();
        let url = format!("ws://{address}/kurento?access_token={token}");
        match tokio_tungstenite::client_async(url, stream).await {
            Err(Error::Http(answer)) => answer.status().as_u16(),
            other => panic!("{other:?}"),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// A client on a connection that exists already.
    pub async fn over(stream: S, url: &str) -> Client<S> {
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        Client {
            socket,
            events: VecDeque::new(),
        }
    }

    /// Sends a request; returns its id.
    pub async fn send(&mut self, method: &str, params: Value) -> u64 {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send_text(&request.to_string()).await;
        id
    }

    pub async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next message as it is, `None` at the end of the connection.
    pub async fn receive_text(&mut self) -> Option<Result<String, Error>> {
        let message = tokio::time::timeout(PATIENCE, self.socket.next())
            .await
            .expect("no message came");
        match message? {
            Ok(Message::Text(text)) => Some(Ok(text.to_string())),
            Ok(other) => Some(Ok(format!("{other:?}"))),
            Err(error) => Some(Err(error)),
        }
    }

    /// The next reply; events before it are set aside.
    pub async fn receive(&mut self) -> Value {
        loop {
            let text = self
                .receive_text()
                .await
                .expect("the connection ended")
                .unwrap();
            let message: Value =
                serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text:?}"));
            if message.get("method").is_none() {
                return message;
            }
            self.events.push_back(message["params"]["value"].clone());
        }
    }

    /// Sends a request and returns its reply.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params).await;
        let reply = self.receive().await;
        assert_eq!(reply["id"], id, "{reply}");
        reply
    }

    /// The `result` of a call that has to succeed.
    pub async fn result(&mut self, method: &str, params: Value) -> Value {
        let reply = self.call(method, params).await;
        assert!(reply.get("error").is_none(), "{reply}");
        reply["result"].clone()
    }

    /// Code and message of a call that has to fail.
    pub async fn error(&mut self, method: &str, params: Value) -> (i64, String) {
        let reply = self.call(method, params).await;
        let error = &reply["error"];
        (
            error["code"].as_i64().expect("an error"),
            error["message"].as_str().unwrap().to_owned(),
        )
    }

    pub async fn create(&mut self, class: &str, params: Value) -> String {
        let result = self
            .result(
                "create",
                json!({"type": class, "constructorParams": params}),
            )
            .await;
        result["value"].as_str().unwrap().to_owned()
    }

    /// An element in a pipeline.
    pub async fn element(&mut self, class: &str, pipeline: &str) -> String {
        self.create(class, json!({"mediaPipeline": pipeline})).await
    }

    pub async fn invoke(&mut self, object: &str, operation: &str, params: Value) -> Value {
        let params = json!({"object": object, "operation": operation, "operationParams": params});
        self.result("invoke", params).await["value"].clone()
    }

    pub async fn subscribe(&mut self, object: &str, event: &str) -> String {
        let result = self
            .result("subscribe", json!({"object": object, "type": event}))
            .await;
        result["value"].as_str().unwrap().to_owned()
    }

    /// The next event.
    pub async fn event(&mut self) -> Value {
        if let Some(event) = self.events.pop_front() {
            return event;
        }
        let text = self
            .receive_text()
            .await
            .expect("the connection ended")
            .unwrap();
        let message: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(message["method"], "onEvent", "{message}");
        message["params"]["value"].clone()
    }

    /// Types of the events that have come, after a round trip that lets all come.
    pub async fn event_types(&mut self) -> Vec<String> {
        self.result("ping", json!({})).await;
        self.events
            .drain(..)
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect()
    }
}
