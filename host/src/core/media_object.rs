//! The operations of MediaObject, MediaPipeline and Hub.

use std::sync::Arc;

use serde_json::Value;

use super::Core;
use super::dot::{self, Details};
use crate::convert::Converted;
use crate::error::CallError;
use crate::events::tag;
use crate::registry::{Body, Object};

/// The outcome of an operation; `None` when the class has no operation of the name.
pub(super) type Outcome = Option<Result<Value, CallError>>;

/// The operations that every object has, `getChildren` excepted.
pub(super) fn media_object(object: &Arc<Object>, name: &str, given: &Converted) -> Outcome {
    let text = |name| given.text(name).unwrap_or_default();
    Some(Ok(match name {
        "getId" => Value::from(&*object.id),
        "getName" => Value::String(object.name()),
        "setName" => {
            let named = object.labels.lock().set_name(text("name"));
            return Some(named.map(|()| Value::Null));
        }
        "getMediaPipeline" => object.pipeline().map_or(Value::Null, Value::from),
        "getParent" => object
            .parent
            .as_ref()
            .map_or(Value::Null, |parent| Value::from(&*parent.id)),
        "getCreationTime" => Value::from(object.creation_time),
        "getSendTagsInEvents" => Value::Bool(object.labels.lock().send_tags_in_events),
        "setSendTagsInEvents" => {
            let send = given
                .params
                .get("sendTagsInEvents")
                .and_then(Value::as_bool);
            object.labels.lock().send_tags_in_events = send.unwrap_or_default();
            Value::Null
        }
        "addTag" => {
            let tagged = object.labels.lock().add_tag(text("key"), text("value"));
            return Some(tagged.map(|()| Value::Null));
        }
        "removeTag" => {
            object.labels.lock().remove_tag(text("key"));
            Value::Null
        }
        "getTag" => match object.labels.lock().tags().get(text("key")) {
            Some(value) => Value::from(value.as_str()),
            None => return Some(Err(CallError::tag_not_found("Tag key not found"))),
        },
        "getTags" => object
            .labels
            .lock()
            .tags()
            .iter()
            .map(|(key, value)| tag(key, value))
            .collect(),
        _ => return None,
    }))
}

impl Core {
    /// The operations of pipelines and hubs.
    pub(super) fn container(&self, object: &Arc<Object>, name: &str, given: &Converted) -> Outcome {
        let is_pipeline = matches!(object.body, Body::Pipeline { .. });
        Some(match name {
            "getLatencyStats" if is_pipeline => {
                Ok(Value::Bool(object.settings.lock().latency_stats))
            }
            "setLatencyStats" if is_pipeline => {
                let measure = given.params.get("latencyStats").and_then(Value::as_bool);
                let measure = measure.unwrap_or_default();
                object.settings.lock().latency_stats = measure;
                if let Some(graph) = object.graph() {
                    graph.measure_latency(measure);
                }
                Ok(Value::Null)
            }
            "getGstreamerDot" => Ok(Value::String(dot::graph(object, details(given)))),
            "dumpGstreamerDot" => self.dump_dot(object, details(given)),
            _ => return None,
        })
    }

    /// Writes the graph into the directory that `GST_DEBUG_DUMP_DOT_DIR` names, if any.
    pub(super) fn dump_dot(
        &self,
        object: &Arc<Object>,
        details: Details,
    ) -> Result<Value, CallError> {
        if let Some(directory) = &self.options().dot_directory {
            dot::dump(object, details, directory).map_err(|error| {
                CallError::unexpected(format!("Cannot write the graph: {error}"))
            })?;
        }
        Ok(Value::Null)
    }
}

/// The parameter of `getGstreamerDot` and `dumpGstreamerDot`.
pub(super) fn details(given: &Converted) -> Details {
    Details::named(given.text("details").unwrap_or("SHOW_VERBOSE"))
}
