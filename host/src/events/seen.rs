//! Events as somebody sees them who looks on at all objects.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::now_millis;
use crate::jsonrpc::json::weight;
use crate::registry::Object;

/// Events kept, and bytes that they have together.
pub(super) const MOST: usize = 500;
pub(super) const MOST_BYTES: usize = 512 << 10;
/// Bytes of an event's data that are kept at most. Modules choose their sizes.
const MOST_DATA: u64 = 4 << 10;

/// An event that was raised.
#[derive(Debug)]
pub struct Seen {
    millis: u128,
    object: Arc<str>,
    class: Box<str>,
    pipeline: Option<Box<str>>,
    name: Box<str>,
    /// `None` where there is too much of it.
    data: Option<Map<String, Value>>,
    size: usize,
}

impl Seen {
    /// An event that is raised now.
    pub(super) fn new(object: &Object, name: &str, data: &Map<String, Value>) -> Seen {
        let weight = data.values().map(weight).sum::<u64>();
        let data = (weight <= MOST_DATA).then(|| data.clone());
        let size = data.as_ref().map_or(0, |_| weight);
        Seen {
            millis: now_millis(),
            object: object.id.clone(),
            class: object.class.name.as_str().into(),
            pipeline: object.pipeline().map(Into::into),
            name: name.into(),
            data,
            size: usize::try_from(size).unwrap_or(usize::MAX) + size_of::<Seen>(),
        }
    }

    /// Bytes that it takes, about.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// As JSON: `time` in ms since the epoch, `object`, `class`, `pipeline`, `event` and `data`, which is
    /// null where there was too much of it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "time": u64::try_from(self.millis).unwrap_or_default(),
            "object": &*self.object,
            "class": &*self.class,
            "pipeline": self.pipeline.as_deref(),
            "event": &*self.name,
            "data": self.data,
        })
    }
}
