//! What a module and the media plane see of an object's events.

use std::sync::{Arc, OnceLock, Weak};

use rivero_media::{Connection, MediaKind, NodeEvent, NodeObserver};
use serde_json::{Map, Value, json};

use super::Events;
use crate::modules::ObjectEvents;
use crate::redact::redacted;
use crate::registry::{Object, Registry};

/// Raises events on one object.
///
/// It exists before its object, since the object is made of parts that raise events; what they
/// raise until then has no subscribers and is dropped.
#[derive(Debug)]
pub struct Emitter {
    events: Arc<Events>,
    registry: Weak<Registry>,
    pipeline: Box<str>,
    object: OnceLock<Weak<Object>>,
}

impl Emitter {
    /// An emitter of an object that will be in `pipeline`.
    #[must_use]
    pub fn new(events: Arc<Events>, registry: &Arc<Registry>, pipeline: &str) -> Arc<Emitter> {
        let (registry, pipeline) = (Arc::downgrade(registry), pipeline.into());
        Arc::new(Emitter {
            events,
            registry,
            pipeline,
            object: OnceLock::new(),
        })
    }

    /// Ties the emitter to its object; only the first call counts.
    pub fn attach(&self, object: &Arc<Object>) {
        let _ = self.object.set(Arc::downgrade(object));
    }

    fn object(&self) -> Option<Arc<Object>> {
        self.object.get().and_then(Weak::upgrade)
    }

    fn raise(&self, event: &str, data: Map<String, Value>) {
        if let Some(object) = self.object() {
            self.events.raise(&object, event, data);
        }
    }
}

impl ObjectEvents for Emitter {
    fn emit(&self, event: &str, data: Map<String, Value>) {
        if let Some(object) = self.object() {
            object.recording.on_event(event, &data);
        }
        self.raise(event, data);
    }

    fn error(&self, kind: &str, code: i32, description: &str) {
        let description = redacted(description);
        let data = json!({"type": kind, "errorCode": code, "description": description});
        self.raise("Error", members(data));
    }

    fn class_of(&self, id: &str) -> Option<String> {
        self.registry.upgrade()?.class_within(&self.pipeline, id)
    }
}

impl NodeObserver for Emitter {
    fn notify(&self, event: NodeEvent) {
        let (event, data) = match event {
            NodeEvent::Connected(connection) => ("ElementConnected", connection_data(&connection)),
            NodeEvent::Disconnected(connection) => {
                ("ElementDisconnected", connection_data(&connection))
            }
            NodeEvent::FlowIn {
                kind,
                description,
                flowing,
            } => {
                let state = if flowing { "FLOWING" } else { "NOT_FLOWING" };
                (
                    "MediaFlowInStateChanged",
                    json!({"mediaType": kind.as_str(), "padName": &*description, "state": state}),
                )
            }
            NodeEvent::FlowOut {
                kind,
                description,
                flowing,
            } => {
                let state = if flowing { "FLOWING" } else { "NOT_FLOWING" };
                (
                    "MediaFlowOutStateChanged",
                    json!({"mediaType": kind.as_str(), "padName": &*description, "state": state}),
                )
            }
            NodeEvent::Transcoding {
                kind,
                active,
                reason,
            } => {
                self.note_transcoding(kind, active);
                (
                    "MediaTranscodingStateChanged",
                    transcoding_data(kind, active, reason),
                )
            }
            NodeEvent::TooManyFormats { kind, surplus } => {
                let kind = kind.as_str();
                let text = format!(
                    "The element accepts {surplus} formats of {kind} too many: the last ones of its list are ignored, so name fewer",
                );
                return self.error("STREAM_ERROR_FORMAT", 0, &text);
            }
            NodeEvent::Unconvertible { kind, reason } => {
                tracing::warn!(object = self.object().map(|object| object.id.to_string()), %kind, reason, "no conversion");
                return self.error("STREAM_ERROR_FAILED", 0, &reason);
            }
        };
        self.raise(event, members(data));
    }
}

impl Emitter {
    fn note_transcoding(&self, kind: MediaKind, active: bool) {
        let Some(object) = self.object() else { return };
        let mut kinds = object.transcoding.lock();
        kinds.retain(|known| *known != kind);
        if active {
            kinds.push(kind);
        }
    }
}

/// `reason` is not among Kurento's: who caused it, and why.
fn transcoding_data(kind: MediaKind, active: bool, reason: Option<String>) -> Value {
    let state = if active {
        "TRANSCODING"
    } else {
        "NOT_TRANSCODING"
    };
    let mut data = json!({"mediaType": kind.as_str(), "binName": "default", "state": state});
    if let (Some(reason), Some(data)) = (reason, data.as_object_mut()) {
        data.insert("reason".to_owned(), reason.into());
    }
    data
}

fn connection_data(connection: &Connection) -> Value {
    json!({
        "sink": &*connection.sink,
        "mediaType": connection.kind.as_str(),
        "sourceMediaDescription": &*connection.source_description,
        "sinkMediaDescription": &*connection.sink_description,
    })
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
