//! What `getStats` says of a recording: fields in addition to Kurento's.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{SystemTime, UNIX_EPOCH},
};

use rivero_uri::UriState;
use serde_json::{Map, Value, json};

use crate::writer::Figures;

/// One entry, under the endpoint's id and `/recording`.
pub(crate) fn collect(endpoint: &str, state: UriState, figures: &Figures) -> Map<String, Value> {
    let id = format!("{endpoint}/recording");
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let entry = json!({
        "__module__": "kurento",
        "__type__": "Stats",
        "id": id,
        "type": "endpoint",
        "timestampMillis": u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        "recordingState": state,
        "bytesWritten": figures.bytes.load(Relaxed),
        "recordedMillis": figures.duration.load(Relaxed) / 1_000_000,
        "framesLost": figures.lost.load(Relaxed),
    });
    Map::from_iter([(id, entry)])
}
