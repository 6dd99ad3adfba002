//! Events: who subscribed to what, and how an event becomes a message.
//!
//! A session gets each event of an object once, however often it subscribed, in the order in
//! which the events were raised.

mod emitter;
mod subscriptions;

pub use emitter::Emitter;
pub use subscriptions::Subscriptions;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rivero_idl::Model;
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::core::aliases::{old_event_data, old_event_names};
use crate::core::convert;
use crate::protocol::response;
use crate::registry::{Object, Session};

/// Raises events on objects.
#[derive(Debug)]
pub struct Events {
    model: Arc<Model>,
}

impl Events {
    /// `model` tells which properties an event has.
    #[must_use]
    pub fn new(model: Arc<Model>) -> Events {
        Events { model }
    }

    /// Sends an event to every session that subscribed to it.
    ///
    /// `data` holds the event's own properties; `source`, `timestampMillis`, `tags` and, for
    /// events that have it, `type` are added here unless given. Who subscribed to an old name of
    /// the event gets it under that one.
    pub fn raise(&self, object: &Object, event: &str, mut data: Map<String, Value>) {
        let sessions = object.subscriptions.sessions(event);
        let under_old_names: Vec<_> = old_event_names(&object.class, event)
            .map(|old| (old, object.subscriptions.sessions(old)))
            .filter(|(_, sessions)| !sessions.is_empty())
            .collect();
        if sessions.is_empty() && under_old_names.is_empty() {
            return;
        }
        self.complete(object, event, &mut data);
        deliver(object, event, &data, sessions);
        for (old, sessions) in under_old_names {
            deliver(object, old, &old_event_data(old, &data), sessions);
        }
    }

    /// Brings an event's data into the form that clients expect.
    fn complete(&self, object: &Object, event: &str, data: &mut Map<String, Value>) {
        let definition = object.class.event(event);
        if let Some(definition) = definition {
            convert::label_event(&self.model, definition, data);
        }
        data.entry("source")
            .or_insert_with(|| Value::from(&*object.id));
        data.entry("timestampMillis")
            .or_insert_with(|| Value::String(now_millis().to_string()));
        data.entry("tags").or_insert_with(|| tags(object));
        // ObjectCreated and ObjectDestroyed are the ones without.
        if definition.is_none_or(|definition| {
            definition
                .properties
                .iter()
                .any(|property| property.name == "type")
        }) {
            data.entry("type").or_insert_with(|| Value::from(event));
        }
    }
}

fn deliver(object: &Object, event: &str, data: &Map<String, Value>, sessions: Vec<Arc<Session>>) {
    if sessions.is_empty() {
        return;
    }
    let text = Utf8Bytes::from(response::event(&object.id, event, data));
    for session in sessions {
        session.deliver(text.clone());
    }
}

/// Milliseconds since the epoch.
#[must_use]
pub fn now_millis() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis()
}

/// The tags that an object's events carry: its own ones, if the client asked for them.
fn tags(object: &Object) -> Value {
    let labels = object.labels.lock();
    if !labels.send_tags_in_events {
        return json!([]);
    }
    labels
        .tags
        .iter()
        .map(|(key, value)| tag(key, value))
        .collect()
}

/// A tag as clients expect it.
#[must_use]
pub fn tag(key: &str, value: &str) -> Value {
    json!({"__module__": "kurento", "__type__": "Tag", "key": key, "value": value})
}
