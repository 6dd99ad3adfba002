//! What the kernel says of changes in directories (inotify), which only shortens the waiting: some
//! file systems say nothing, so whoever waits here looks again after a while in any case.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::PathBuf,
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify::{self, CreateFlags, WatchFlags},
};

use super::super::discovery::Places;

/// Changes come in bursts: what is said within this time is one change.
const BURST: Duration = Duration::from_millis(50);
/// Bytes of messages that are read at a time.
const BUFFER: usize = 4096;

/// A stream of them; `None` inside where the kernel has none left (`max_user_instances`).
pub(super) struct Notices {
    stream: Option<OwnedFd>,
    watched: BTreeMap<PathBuf, i32>,
}

impl Notices {
    pub(super) fn new() -> Self {
        let stream = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        let stream = stream.inspect_err(|error| {
            tracing::warn!(%error, "changes of modules directories are looked for in intervals only");
        });
        Self {
            stream: stream.ok(),
            watched: BTreeMap::new(),
        }
    }

    /// Directories to hear of from now on. One that was removed and made anew is another one, so
    /// that all are named to the kernel each time.
    pub(super) fn watch(&mut self, places: &Places) {
        let Some(stream) = &self.stream else { return };
        let names = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let contents = WatchFlags::CLOSE_WRITE | WatchFlags::MODIFY | WatchFlags::ATTRIB;
        let add = |directory: &PathBuf, flags| {
            let watch = inotify::add_watch(stream, directory.as_path(), flags).ok()?;
            Some((directory.clone(), watch))
        };
        // Of a directory that is both the latter counts: the kernel has one watch of each.
        let around = places.around.iter().filter_map(|place| add(place, names));
        let mut watched: BTreeMap<_, _> = around.collect();
        watched.extend({ places.searched.iter() }.filter_map(|place| add(place, names | contents)));
        let kept: BTreeSet<i32> = watched.values().copied().collect();
        for old in self.watched.values().filter(|old| !kept.contains(old)) {
            // Of a directory that is gone the kernel has forgotten it by itself.
            let _ = inotify::remove_watch(stream, *old);
        }
        self.watched = watched;
    }

    /// Waits for a change, and not for longer than this.
    pub(super) fn wait(&self, longest: Duration) {
        let Some(stream) = &self.stream else {
            return thread::sleep(longest);
        };
        let timeout = Timespec::try_from(longest).ok();
        let mut asked = [PollFd::new(stream, PollFlags::IN)];
        match poll(&mut asked, timeout.as_ref()) {
            Ok(0) => {}
            Ok(_) => {
                thread::sleep(BURST);
                self.discard();
            }
            Err(_) => thread::sleep(BURST),
        }
    }

    /// What changed is seen by looking.
    fn discard(&self) {
        let Some(stream) = &self.stream else { return };
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = inotify::Reader::new(stream, &mut buffer);
        while reader.next().is_ok() {}
    }
}
