//! A map from ids that many threads read while some change it.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

/// So many that with hundreds of thousands of entries none is locked for a millisecond, be it to
/// grow or to be walked through.
const SHARDS: usize = 64;

/// Values by id, each in the shard that its id falls into.
#[derive(Debug)]
pub(super) struct Sharded<T> {
    shards: [RwLock<HashMap<Arc<str>, T>>; SHARDS],
    hasher: RandomState,
    /// Entries of all shards. Only shown, so that it may lag behind them.
    len: AtomicUsize,
}

impl<T> Default for Sharded<T> {
    fn default() -> Sharded<T> {
        Sharded {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: RandomState::new(),
            len: AtomicUsize::new(0),
        }
    }
}

impl<T: Clone> Sharded<T> {
    /// Modulo the length, the index is never out of range; the first shard is for the compiler.
    fn shard(&self, id: &str) -> &RwLock<HashMap<Arc<str>, T>> {
        let [first, ..] = &self.shards;
        let index = usize::try_from(self.hasher.hash_one(id) % SHARDS as u64);
        self.shards.get(index.unwrap_or_default()).unwrap_or(first)
    }

    pub(super) fn get(&self, id: &str) -> Option<T> {
        self.shard(id).read().get(id).cloned()
    }

    /// Puts a value in the place of what is there.
    pub(super) fn insert(&self, id: Arc<str>, value: T) {
        if self.shard(&id).write().insert(id, value).is_none() {
            self.len.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn remove(&self, id: &str) {
        if self.shard(id).write().remove(id).is_some() {
            self.len.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// The values of which `wanted` says so, of one shard after the other.
    pub(super) fn filtered(&self, mut wanted: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut found = Vec::new();
        for shard in &self.shards {
            found.extend(shard.read().values().filter(|value| wanted(value)).cloned());
        }
        found
    }
}
