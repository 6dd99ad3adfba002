//! Sockets for peers whose datagrams may not wait, while a shared socket is looked at only now and then
//! (`moderation`): each beside it, on the same port, connected to one peer. They only receive.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use mio::{Interest, Registry};
use slab::Slab;

use super::Arrival;
use crate::MediaSocket;

/// Tokens from here on are of these, those below of other sockets.
pub(super) const FIRST: usize = usize::MAX / 2 + 1;
/// More peers than that have no advantage of it: what comes from each wakes the thread.
const MAX: usize = 64;
/// One that has not been heard for so long is closed. Nothing is lost: the shared socket gets what comes later.
const SILENCE: Duration = Duration::from_secs(2);

pub(super) struct Direct {
    pub(super) socket: MediaSocket,
    remote: SocketAddr,
    heard: Instant,
}

/// All of a shard.
#[derive(Default)]
pub(super) struct DirectSockets {
    /// Empty while being read.
    sockets: Slab<Option<Direct>>,
    by_remote: HashMap<SocketAddr, usize>,
    /// When to look for silent ones.
    sweep: Option<Instant>,
}

impl DirectSockets {
    /// Opens one for a peer.
    ///
    /// # Errors
    /// Those of the system; where the peer has one by which nothing comes; where there are too many.
    pub(super) fn open(
        &mut self,
        registry: &Registry,
        shared: &MediaSocket,
        Arrival { local, remote }: Arrival,
        now: Instant,
    ) -> io::Result<()> {
        if self.sockets.len() >= MAX {
            return Err(io::Error::other("too many peers send media"));
        }
        if self.by_remote.contains_key(&remote) {
            return Err(io::Error::other(
                "the system does not use the peer's socket",
            ));
        }
        let mut socket = shared.connected(local, remote)?;
        let entry = self.sockets.vacant_entry();
        let key = entry.key();
        registry.register(socket.source(), mio::Token(FIRST + key), Interest::READABLE)?;
        entry.insert(Some(Direct {
            socket,
            remote,
            heard: now,
        }));
        self.by_remote.insert(remote, key);
        self.sweep.get_or_insert(now + SILENCE);
        Ok(())
    }

    /// Takes one out to read from it; it has been heard.
    pub(super) fn take(&mut self, key: usize, now: Instant) -> Option<Direct> {
        let mut direct = self.sockets.get_mut(key)?.take()?;
        direct.heard = now;
        Some(direct)
    }

    /// Puts it back.
    pub(super) fn put_back(&mut self, key: usize, direct: Direct) {
        if let Some(place) = self.sockets.get_mut(key) {
            *place = Some(direct);
        }
    }

    /// Closes those that have become silent.
    pub(super) fn sweep(&mut self, now: Instant) {
        if self.sweep.is_none_or(|sweep| now < sweep) {
            return;
        }
        let by_remote = &mut self.by_remote;
        self.sockets.retain(|_, direct| {
            let keeps = |direct: &Direct| now.saturating_duration_since(direct.heard) < SILENCE;
            let kept = direct.as_ref().is_none_or(keeps);
            if let Some(direct) = direct.as_ref().filter(|_| !kept) {
                by_remote.remove(&direct.remote);
            }
            kept
        });
        self.sweep = (!self.sockets.is_empty()).then(|| now + SILENCE);
    }
}
