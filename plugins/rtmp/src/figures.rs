//! What `getStats` says of an element: fields in addition to Kurento's.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rivero_plugin_api::supervise::lock;
use serde_json::{Map, Value, json};

/// Written by the element's task, read by whoever asks. Each stands for itself, so relaxed is enough.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// The server takes media, or media comes.
    pub(crate) is_connected: AtomicBool,
    /// Of all connections.
    pub(crate) bytes: AtomicU64,
    /// Frames that came and were not passed on while there was a connection.
    pub(crate) dropped: AtomicU64,
    /// Bit/s that went out or came in the latest second.
    pub(crate) bitrate: AtomicU64,
    /// Bit/s of video that the source is asked for.
    pub(crate) asked: AtomicU64,
    /// Connections that were made after the first.
    pub(crate) reconnections: AtomicU32,
    /// Of the connection, µs; 0 while there is none.
    round_trip: AtomicU64,
    /// Why the latest connection ended, or could not be made.
    failure: Mutex<Option<String>>,
}

impl Figures {
    /// Keeps the reason of a failure.
    pub(crate) fn failed(&self, reason: &str) {
        *lock(&self.failure) = Some(reason.to_owned());
    }

    /// Publisher number `number`, beginning with 1, is let in.
    pub(crate) fn begin(&self, number: u64) {
        self.is_connected.store(true, Relaxed);
        self.reconnections.fetch_add(u32::from(number > 1), Relaxed);
    }

    /// It has gone.
    pub(crate) fn end(&self, reason: &str) {
        self.is_connected.store(false, Relaxed);
        self.bitrate.store(0, Relaxed);
        self.failed(reason);
    }

    /// Counts what has come.
    pub(crate) fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Keeps what a second was like: the round trip, and bit/s.
    pub(crate) fn measure(&self, round_trip: Option<Duration>, bitrate: u64) {
        self.set_round_trip(round_trip);
        self.bitrate.store(bitrate, Relaxed);
    }

    /// Keeps a measured round trip.
    pub(crate) fn set_round_trip(&self, measured: Option<Duration>) {
        let microseconds = measured.map_or(0, |measured| measured.as_micros());
        let microseconds = u64::try_from(microseconds).unwrap_or_default();
        self.round_trip.store(microseconds, Relaxed);
    }

    /// The entry of a publisher, under its id and `/publication`.
    pub(crate) fn of_publication(&self, publisher: &str) -> Map<String, Value> {
        let more = json!({
            "bytesSent": self.bytes.load(Relaxed),
            "framesDropped": self.dropped.load(Relaxed),
            "bitrate": self.bitrate.load(Relaxed),
            "askedVideoBitrate": self.asked.load(Relaxed),
        });
        self.entry(format!("{publisher}/publication"), more)
    }

    /// The entry of an element that media comes to, under its id and `/reception`.
    pub(crate) fn of_reception(&self, element: &str) -> Map<String, Value> {
        let more = json!({
            "bytesReceived": self.bytes.load(Relaxed),
            "framesDropped": self.dropped.load(Relaxed),
            "bitrate": self.bitrate.load(Relaxed),
        });
        self.entry(format!("{element}/reception"), more)
    }

    fn entry(&self, id: String, more: Value) -> Map<String, Value> {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let is_connected = self.is_connected.load(Relaxed);
        let mut entry = Map::from_iter([
            ("__module__".to_owned(), json!("kurento")),
            ("__type__".to_owned(), json!("Stats")),
            ("id".to_owned(), json!(id)),
            ("type".to_owned(), json!("endpoint")),
            (
                "timestampMillis".to_owned(),
                json!(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
            ),
            ("connected".to_owned(), json!(is_connected)),
            (
                "reconnections".to_owned(),
                json!(self.reconnections.load(Relaxed)),
            ),
        ]);
        if let Value::Object(more) = more {
            entry.extend(more);
        }
        let round_trip = self.round_trip.load(Relaxed);
        if is_connected && round_trip > 0 {
            // Seconds, as W3C's statistics have it.
            let seconds = Duration::from_micros(round_trip).as_secs_f64();
            entry.insert("roundTripTime".to_owned(), json!(seconds));
        }
        if let Some(failure) = &*lock(&self.failure) {
            entry.insert("lastFailure".to_owned(), failure.as_str().into());
        }
        Map::from_iter([(id, Value::Object(entry))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_left_out() {
        let figures = Figures::default();
        figures.set_round_trip(Some(Duration::from_millis(20)));
        let stats = figures.of_reception("id");
        let entry = &stats["id/reception"];
        assert_eq!(entry.get("roundTripTime"), None, "not connected");
        assert_eq!(entry.get("lastFailure"), None);
        figures.is_connected.store(true, Relaxed);
        figures.failed("gone");
        let entry = &figures.of_publication("id")["id/publication"];
        assert_eq!(
            (&entry["roundTripTime"], &entry["lastFailure"]),
            (&json!(0.02), &json!("gone"))
        );
    }
}
