//! What becomes of pictures that are due: each is told by an event, and counted.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use rivero_plugin_api::{ElementContext, host, supervise::lock};
use serde_json::{Map, Value, json};

use crate::{api::VideoSamplerEvents, message::unix_nanoseconds};

/// What became of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The service has taken it.
    Delivered,
    /// The service has not taken it, or could not be reached.
    Failed,
    /// Another one took its place, or there was no use in sending it.
    Dropped,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Delivered, Self::Failed, Self::Dropped];

    fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// Counts of one sampler. Each figure stands for itself, so relaxed is enough.
pub(crate) struct Tally {
    /// `None` in tests of units.
    context: Option<ElementContext>,
    due: AtomicU64,
    outcomes: [AtomicU64; 3],
    bytes: AtomicU64,
    pub(crate) is_connected: AtomicBool,
    /// Why a picture was not delivered, the latest.
    failure: Mutex<Option<String>>,
}

impl Tally {
    pub(crate) fn new(context: Option<ElementContext>) -> Arc<Self> {
        Arc::new(Self {
            context,
            due: AtomicU64::default(),
            outcomes: Default::default(),
            bytes: AtomicU64::default(),
            is_connected: AtomicBool::default(),
            failure: Mutex::default(),
        })
    }

    /// A picture is due, which was to be seen `age` ns ago.
    pub(crate) fn due(self: &Arc<Self>, age: i64) -> Due {
        Due {
            tally: self.clone(),
            sequence: self.due.fetch_add(1, Relaxed) + 1,
            unix_nanoseconds: unix_nanoseconds(age),
            outcome: Outcome::Dropped,
        }
    }

    /// Keeps the reason of a failure.
    pub(crate) fn failed(&self, reason: &str) {
        *lock(&self.failure) = Some(reason.to_owned());
    }

    fn settle(&self, outcome: Outcome) {
        let counts = Outcome::ALL.iter().zip(&self.outcomes);
        for (_, count) in counts.filter(|(other, _)| **other == outcome) {
            count.fetch_add(1, Relaxed);
        }
        if let Some(host) = host() {
            host.count("pictures_total", &json!({ "outcome": outcome.name() }), 1.0);
        }
        if let Some(context) = &self.context {
            context.sample_image_delivered(outcome == Outcome::Delivered);
        }
    }

    /// The entry of `getStats`, under the sampler's id and `/sampling`.
    pub(crate) fn stats(&self, sampler: &str) -> Map<String, Value> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let milliseconds = since.unwrap_or_default().as_millis();
        let id = format!("{sampler}/sampling");
        let mut entry = Map::from_iter([
            ("__module__".to_owned(), json!("kurento")),
            ("__type__".to_owned(), json!("Stats")),
            ("id".to_owned(), json!(id)),
            ("type".to_owned(), json!("element")),
            (
                "timestampMillis".to_owned(),
                json!(u64::try_from(milliseconds).unwrap_or(u64::MAX)),
            ),
            (
                "connected".to_owned(),
                json!(self.is_connected.load(Relaxed)),
            ),
            ("bytesSent".to_owned(), json!(self.bytes.load(Relaxed))),
        ]);
        let names = ["picturesDelivered", "picturesFailed", "picturesDropped"];
        for (name, count) in names.into_iter().zip(&self.outcomes) {
            entry.insert(name.to_owned(), json!(count.load(Relaxed)));
        }
        if let Some(failure) = &*lock(&self.failure) {
            entry.insert("lastFailure".to_owned(), failure.as_str().into());
        }
        Map::from_iter([(id, Value::Object(entry))])
    }
}

/// A picture that is due. Whoever drops it without having said what became of it has dropped the picture.
pub(crate) struct Due {
    tally: Arc<Tally>,
    /// Among all of the sampler that were due, beginning with 1.
    pub(crate) sequence: u64,
    /// When it was to be seen.
    pub(crate) unix_nanoseconds: i64,
    outcome: Outcome,
}

impl Due {
    /// The service has taken its file of so many bytes.
    pub(crate) fn delivered(mut self, bytes: usize) {
        self.tally.bytes.fetch_add(bytes as u64, Relaxed);
        self.outcome = Outcome::Delivered;
    }

    /// It was not taken.
    pub(crate) fn failed(mut self) {
        self.outcome = Outcome::Failed;
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        self.tally.settle(self.outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_picture_counts_once() {
        let tally = Tally::new(None);
        let dues: Vec<_> = (0..4).map(|_| tally.due(0)).collect();
        let sequences: Vec<_> = dues.iter().map(|due| due.sequence).collect();
        assert_eq!(sequences, [1, 2, 3, 4]);
        let [first, second, third, fourth] = dues.try_into().ok().unwrap();
        first.delivered(100);
        second.failed();
        drop(third);
        fourth.delivered(11);
        tally.failed("gone");
        let stats = tally.stats("id");
        let entry = &stats["id/sampling"];
        assert_eq!(entry["picturesDelivered"], 2);
        assert_eq!(entry["picturesFailed"], 1);
        assert_eq!(entry["picturesDropped"], 1);
        assert_eq!(
            (&entry["bytesSent"], &entry["lastFailure"]),
            (&json!(111), &json!("gone"))
        );
    }
}
