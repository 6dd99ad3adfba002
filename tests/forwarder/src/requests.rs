//! The requests of the load, and what is answered.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::{
    Failure,
    connection::{Connection, Stream},
};

/// All connections by the names of their endpoints.
#[derive(Default)]
pub(crate) struct Forwarder {
    stream: Stream,
    endpoints: u32,
    connections: HashMap<String, Connection>,
}

impl Forwarder {
    /// The reply to a request, and the events that follow it.
    pub(crate) async fn answer(&mut self, request: &Value) -> Result<(Value, Vec<Value>), Failure> {
        let text = |pointer: &str| request.pointer(pointer).and_then(Value::as_str);
        let object = text("/params/object").unwrap_or_default();
        let mut events = Vec::new();
        let value = match (text("/method"), text("/params/operation")) {
            (Some("create"), _) => self.create(text("/params/type").unwrap_or_default()),
            (_, Some("processOffer")) => {
                let offer = text("/params/operationParams/offer").unwrap_or_default();
                self.process_offer(object, offer).await?
            }
            (_, Some("addIceCandidate")) => {
                let line = text("/params/operationParams/candidate/candidate");
                if let (Some(connection), Some(line)) = (self.connections.get(object), line) {
                    connection.add_candidate(line).await?;
                }
                Value::Null
            }
            (_, Some("gatherCandidates")) => {
                events = self.candidates(object).await;
                Value::Null
            }
            (Some("release"), _) => {
                for (_, connection) in self.connections.drain() {
                    connection.close().await?;
                }
                Value::Null
            }
            // `connect` and `subscribe` say what it does anyway.
            _ => Value::Null,
        };
        let result = json!({"value": value, "sessionId": "forwarder"});
        let reply = json!({"jsonrpc": "2.0", "id": request.get("id"), "result": result});
        Ok((reply, events))
    }

    fn create(&mut self, class: &str) -> Value {
        self.endpoints += 1;
        json!(format!("{}_{class}", self.endpoints))
    }

    async fn process_offer(&mut self, object: &str, offer: &str) -> Result<Value, Failure> {
        let publishes = offer.contains("a=sendonly");
        let connection = match publishes {
            true => Connection::of_publisher(&self.stream, offer).await?,
            false => Connection::of_viewer(&self.stream, self.endpoints, offer).await?,
        };
        let answer = connection.description().await?;
        self.connections.insert(object.to_owned(), connection);
        Ok(json!(answer))
    }

    /// Our candidates, as events.
    async fn candidates(&self, object: &str) -> Vec<Value> {
        let Some(connection) = self.connections.get(object) else {
            return Vec::new();
        };
        let description = connection.description().await.unwrap_or_default();
        let lines = description
            .lines()
            .filter_map(|line| line.strip_prefix("a=candidate:"));
        let event = |line: &str| {
            let candidate = json!({"candidate": format!("candidate:{line}")});
            let value = json!({
                "object": object, "type": "IceCandidateFound", "data": {"candidate": candidate},
            });
            json!({"jsonrpc": "2.0", "method": "onEvent", "params": {"value": value}})
        };
        lines.map(event).collect()
    }
}
