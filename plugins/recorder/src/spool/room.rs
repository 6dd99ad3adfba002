//! How much the spool holds.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rivero_plugin_api::host;
use serde_json::json;

/// What a file counts for at least, so that there is an end to small ones, too.
const LEAST: u64 = 64 << 10;

/// Bytes that files in the spool may have together, and have.
#[derive(Debug)]
pub(super) struct Room {
    limit: AtomicU64,
    used: AtomicU64,
}

impl Room {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit: AtomicU64::new(limit),
            used: AtomicU64::new(0),
        }
    }

    pub(super) fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Relaxed);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.used.load(Relaxed) == 0
    }

    /// Room for a new file.
    pub(super) fn begin(self: &Arc<Self>) -> io::Result<Space> {
        let mut space = Space {
            room: self.clone(),
            length: 0,
            counted: 0,
            is_full: false,
        };
        space.take(LEAST).then_some(space).ok_or_else(full)
    }

    /// The room of a file that is there, whatever the limit.
    pub(super) fn of_file(self: &Arc<Self>, length: u64) -> Space {
        let counted = length.max(LEAST);
        self.used.fetch_add(counted, Relaxed);
        tell(self);
        Space {
            room: self.clone(),
            length,
            counted,
            is_full: false,
        }
    }
}

fn full() -> io::Error {
    io::Error::new(
        io::ErrorKind::QuotaExceeded,
        "the spool is full: recordings wait there for their store; the setting is RecorderEndpoint.spoolSize",
    )
}

fn tell(room: &Room) {
    if let Some(host) = host() {
        let used = room.used.load(Relaxed) as f64;
        host.gauge("recorder_spool_bytes", &json!({}), used);
    }
}

/// What one file takes, until this is dropped.
#[derive(Debug)]
pub(super) struct Space {
    room: Arc<Room>,
    length: u64,
    counted: u64,
    is_full: bool,
}

impl Space {
    fn take(&mut self, bytes: u64) -> bool {
        // Only the sum counts, which orders nothing else: relaxed is enough.
        let limit = self.room.limit.load(Relaxed);
        let taken = self.room.used.fetch_update(Relaxed, Relaxed, |used| {
            let used = used.saturating_add(bytes);
            (used <= limit || self.is_full).then_some(used)
        });
        if taken.is_ok() {
            self.counted += bytes;
            tell(&self.room);
        }
        taken.is_ok()
    }

    /// Room for so many more bytes. Once it was refused, a recording ends, and what little comes is its index: that is
    /// let in, or the file would be worth less.
    pub(super) fn grow(&mut self, bytes: u64) -> io::Result<()> {
        let length = self.length.saturating_add(bytes);
        let more = length.saturating_sub(self.counted);
        if more > 0 && !self.take(more) {
            self.is_full = true;
            return Err(full());
        }
        self.length = length;
        Ok(())
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.counted, Relaxed);
        tell(&self.room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_so_much_together_and_give_it_back() {
        let room = Arc::new(Room::new(10 * LEAST));
        let mut one = room.begin().unwrap();
        one.grow(8 * LEAST).unwrap();
        let two = room.begin().unwrap();
        let error = two_many(&room);
        assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
        assert!(error.to_string().contains("spoolSize"));
        drop(two);
        room.begin().unwrap();
        drop(one);
        assert!(room.is_empty());
    }

    fn two_many(room: &Arc<Room>) -> io::Error {
        let _last = room.begin();
        room.begin().unwrap_err()
    }

    #[test]
    fn a_recording_that_ends_for_want_of_room_gets_its_index() {
        let room = Arc::new(Room::new(2 * LEAST));
        let mut space = room.begin().unwrap();
        space.grow(2 * LEAST).unwrap();
        assert!(space.grow(LEAST).is_err());
        space.grow(100).unwrap();
        assert!(room.begin().is_err());
    }

    #[test]
    fn what_is_there_counts_whatever_the_limit() {
        let room = Arc::new(Room::new(LEAST));
        let space = room.of_file(100 * LEAST);
        assert!(room.begin().is_err());
        drop(space);
        room.begin().unwrap();
    }
}
