//! Shards: threads with their sockets, and the sessions that they alone touch.
//!
//! A module has [`Shards`], one for each core, and gives each new endpoint one of them. A [`Shard`] gets
//! bursts of media through its sink group, commands through a channel, and datagrams from its [`Sockets`]
//! and from those of single sessions ([`Network`]). A [`ShardSession`] is the connection with one peer, a
//! [`Routing`] says which datagram is whose. Should the loop of a shard fail, its sessions end and another
//! one begins on the same sockets.

mod coalescing;
mod direct;
mod group;
mod handle;
mod load;
mod moderation;
mod network;
mod own_sockets;
mod places;
mod pulse;
mod session;
mod sessions;
mod sockets;
mod station;
#[cfg(test)]
mod tests;
mod timers;
mod watch;
mod worker;

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use rivero_plugin_api::{Error, Result};

pub use handle::{Action, Command, Shard};
pub use network::Network;
pub use own_sockets::Wire;
pub use session::{Arrival, Burst, Routing, ShardSession, SocketOf, Urgency};
pub use sessions::Sessions;
pub use sockets::Sockets;

use group::{BurstQueue, Waiting};

/// The shards of a module while there are any: a static of it.
pub struct Running<S>(Mutex<Weak<Shards<S>>>);

impl<S> Default for Running<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Running<S> {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }
}

impl<S: ShardSession> Running<S> {
    /// The running shards, or new ones: one per core, as long as `sockets` gives sockets for them. Their
    /// threads are called by `kind` and a number.
    ///
    /// # Errors
    /// 40009 when there cannot be a single one.
    pub fn obtain<R: Routing<Session = S>>(
        &self,
        kind: &str,
        sockets: impl Fn() -> io::Result<Sockets>,
    ) -> Result<Arc<Shards<S>>> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shards) = running.upgrade() {
            return Ok(shards);
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let shards = Arc::new(Shards {
            shards: start(cores, || {
                Shard::start::<R>(kind, sockets().map_err(handle::refused)?)
            })?,
            next: AtomicUsize::new(0),
        });
        *running = Arc::downgrade(&shards);
        watch::begin(&shards);
        Ok(shards)
    }
}

/// As many shards as there are cores, or ports for them.
fn start<S>(cores: usize, one: impl Fn() -> Result<Arc<Shard<S>>>) -> Result<Vec<Arc<Shard<S>>>> {
    let mut shards = Vec::new();
    for _ in 0..cores {
        match one() {
            Ok(shard) => shards.push(shard),
            Err(error) if shards.is_empty() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "media uses fewer threads than there are cores");
                break;
            }
        }
    }
    Ok(shards)
}

/// All shards of a module. Their threads end with the last endpoint, which each keep a reference.
pub struct Shards<S> {
    shards: Vec<Arc<Shard<S>>>,
    next: AtomicUsize,
}

impl<S: ShardSession> Shards<S> {
    /// A shard for a new endpoint: the one that has least to do, of those whose threads are not
    /// down, and not stuck as long as there is another one. Among equals they take turns.
    ///
    /// # Errors
    /// 40009 while none is at work.
    pub fn assign(&self) -> Result<Arc<Shard<S>>> {
        let turn = self.next.fetch_add(1, Relaxed) % self.shards.len().max(1);
        let (before, after) = self.shards.split_at_checked(turn).unwrap_or_default();
        let in_turn = after.iter().chain(before);
        let at_work = in_turn.filter(|shard| !shard.pulse.is_down());
        let shard = at_work.min_by_key(|shard| (shard.pulse.is_stuck(), shard.burden()));
        shard.cloned().ok_or_else(|| {
            let text = "no thread for media is at work: all have failed and begin anew, try again";
            Error::new(40009, "NOT_ENOUGH_RESOURCES", text)
        })
    }
}

impl<S> Drop for Shards<S> {
    fn drop(&mut self) {
        self.shards
            .iter()
            .for_each(|shard| shard.send(Command::Stop));
    }
}
