//! Bursts on their way to a shard.

use std::{
    cell::Cell,
    sync::{Arc, Mutex, PoisonError},
};

use mio::Waker;
use rivero_plugin_api::{Packet, SinkGroup, SinkSelection, host};
use serde_json::json;

/// Packets that may wait for a shard; further ones are lost, and counted.
const LIMIT: usize = 16_384;

thread_local! {
    /// The shard whose thread this is.
    static HERE: Cell<u64> = const { Cell::new(0) };
}

/// What waits for a shard. Taken as a whole; the memory goes back and forth.
#[derive(Default)]
pub(crate) struct Waiting {
    packets: Vec<Packet>,
    sinks: Vec<SinkSelection>,
    /// Ends of each burst in the two lists.
    bursts: Vec<(usize, usize)>,
}

impl Waiting {
    /// The bursts in the order of their arrival.
    pub(crate) fn bursts(&self) -> impl Iterator<Item = (&[Packet], &[SinkSelection])> {
        let starts = std::iter::once(&(0, 0)).chain(&self.bursts);
        starts.zip(&self.bursts).map(|(start, end)| {
            (
                self.packets.get(start.0..end.0).unwrap_or_default(),
                self.sinks.get(start.1..end.1).unwrap_or_default(),
            )
        })
    }

    pub(crate) fn clear(&mut self) {
        self.packets.clear();
        self.sinks.clear();
        self.bursts.clear();
    }
}

/// The queue between producers and a shard.
pub(crate) struct BurstQueue {
    shard: u64,
    waiting: Mutex<Waiting>,
    waker: Arc<Waker>,
}

impl BurstQueue {
    pub(crate) fn new(shard: u64, waker: Arc<Waker>) -> Self {
        Self {
            shard,
            waiting: Mutex::default(),
            waker,
        }
    }

    /// Marks the calling thread as the shard's own, which needs no waking.
    pub(crate) fn enter_thread(&self) {
        HERE.set(self.shard);
    }

    /// Says in the metrics that the shard could not follow.
    fn count_lost(&self, packets: usize) {
        if let Some(host) = host() {
            let labels = json!({ "shard": self.shard.to_string() });
            host.count("packets_lost_before_shard_total", &labels, packets as f64);
        }
    }

    /// Exchanges what waits against an empty list.
    pub(crate) fn take(&self, empty: &mut Waiting) {
        std::mem::swap(
            &mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner),
            empty,
        );
    }
}

/// The queue as producers see it.
pub(crate) struct ShardGroup(pub(crate) Arc<BurstQueue>);

impl SinkGroup for ShardGroup {
    fn push_batch(&self, packets: &[Packet], sinks: &[SinkSelection]) {
        let queue = &self.0;
        let mut waiting = queue.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.packets.len() + packets.len() > LIMIT {
            drop(waiting);
            return queue.count_lost(packets.len());
        }
        let first = waiting.bursts.is_empty();
        waiting.packets.extend_from_slice(packets);
        waiting.sinks.extend_from_slice(sinks);
        let ends = (waiting.packets.len(), waiting.sinks.len());
        waiting.bursts.push(ends);
        drop(waiting);
        if first && HERE.get() != queue.shard {
            // The shard takes everything at once, so one call per filling will do.
            if let Err(error) = queue.waker.wake() {
                tracing::error!(%error, "a shard cannot be woken");
            }
        }
    }
}
