//! Looks whether the loops of the shards turn.
//!
//! What blocks a shard blocks all media of its endpoints, and nothing in the shard can say so.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use rivero_plugin_api::host;
use serde_json::json;

use super::{Shard, ShardSession, Shards};

/// Between two looks. A turn that two of them find is longer than any turn should be, even where
/// all shards share one busy processor.
const INTERVAL: Duration = Duration::from_secs(2);

/// What the last look found of each shard.
type Turns = Vec<Option<u64>>;

/// Watches the shards as long as there are any. Without a host (in a unit test) nobody does.
pub(super) fn begin<S: ShardSession>(shards: &Arc<Shards<S>>) {
    watch(Arc::downgrade(shards), Turns::new());
}

fn watch<S: ShardSession>(shards: Weak<Shards<S>>, before: Turns) {
    let Some(host) = host() else { return };
    host.after(INTERVAL, move || {
        let Some(present) = shards.upgrade() else {
            return;
        };
        let turns = look(&present.shards, &before);
        drop(present);
        watch(shards, turns);
    });
}

/// Compares what the shards do with what they did `before`.
pub(super) fn look<S>(shards: &[Arc<Shard<S>>], before: &[Option<u64>]) -> Turns {
    let turn = |(position, shard): (usize, &Arc<Shard<S>>)| {
        let turn = shard.pulse.turn();
        let is_same = turn.is_some() && before.get(position) == Some(&turn);
        shard.set_stuck(is_same && !shard.pulse.is_down());
        turn
    };
    shards.iter().enumerate().map(turn).collect()
}

impl<S> Shard<S> {
    fn set_stuck(&self, stuck: bool) {
        if self.pulse.is_stuck() == stuck {
            return;
        }
        self.pulse.set_stuck(stuck);
        let shard = self.name.as_str();
        if !stuck {
            return tracing::warn!(shard, "the shard goes on");
        }
        tracing::error!(
            shard,
            "a shard has not turned for {} s: something blocks its thread, and all media of its endpoints stands still",
            INTERVAL.as_secs()
        );
        if let Some(host) = host() {
            host.count("shard_stalls_total", &json!({ "shard": shard }), 1.0);
        }
    }
}
