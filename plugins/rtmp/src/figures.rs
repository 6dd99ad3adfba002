//! What `getStats` says of a publisher: fields in addition to Kurento's.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use rivero_plugin_api::supervise::lock;
use serde_json::{Map, Value, json};

/// Written by the publisher's task, read by whoever asks. Each stands for itself, so relaxed is enough.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// The server takes media.
    pub(crate) is_connected: AtomicBool,
    /// Of all connections.
    pub(crate) bytes: AtomicU64,
    /// Frames that came and were not sent while there was a connection.
    pub(crate) dropped: AtomicU64,
    /// Bit/s that went out in the latest second.
    pub(crate) bitrate: AtomicU64,
    /// Bit/s of video that the source is asked for.
    pub(crate) asked: AtomicU64,
    /// Connections that were made after the first.
    pub(crate) reconnections: AtomicU32,
    /// Why the latest connection ended, or could not be made.
    failure: Mutex<Option<String>>,
}

impl Figures {
    /// Keeps the reason of a failure.
    pub(crate) fn failed(&self, reason: &str) {
        *lock(&self.failure) = Some(reason.to_owned());
    }

    /// One entry, under the publisher's id and `/publication`.
    pub(crate) fn collect(&self, publisher: &str) -> Map<String, Value> {
        let id = format!("{publisher}/publication");
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut entry = json!({
            "__module__": "kurento",
            "__type__": "Stats",
            "id": id,
            "type": "endpoint",
            "timestampMillis": u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            "connected": self.is_connected.load(Relaxed),
            "bytesSent": self.bytes.load(Relaxed),
            "framesDropped": self.dropped.load(Relaxed),
            "bitrate": self.bitrate.load(Relaxed),
            "askedVideoBitrate": self.asked.load(Relaxed),
            "reconnections": self.reconnections.load(Relaxed),
        });
        if let (Some(entry), Some(failure)) = (entry.as_object_mut(), &*lock(&self.failure)) {
            entry.insert("lastFailure".to_owned(), failure.as_str().into());
        }
        Map::from_iter([(id, entry)])
    }
}
