//! Which pairs of addresses may carry datagrams, and which one does.

use std::net::SocketAddr;
use std::time::Instant;

use super::Path;

/// Paths kept per transport; every one was authenticated by the peer's password.
const MAX_PATHS: usize = 64;

#[derive(Debug, Clone, Copy)]
struct Entry {
    path: Path,
    /// One of our checks on it was answered.
    valid: bool,
    /// Where the peer sees us.
    mapped: Option<SocketAddr>,
    /// The controlling peer wants it.
    nominated: bool,
    /// When the peer's latest genuine check came.
    checked: Option<Instant>,
}

/// The paths of one transport.
#[derive(Debug, Default)]
pub(super) struct PathTable {
    entries: Vec<Entry>,
    /// Where to send, as long as nothing better is known.
    current: Option<Path>,
    selected: Option<Path>,
    /// A path has been selected since the credentials are what they are.
    settled: bool,
    unreported: Option<Path>,
}

impl PathTable {
    /// Forgets what belonged to the old credentials, except where datagrams flow now.
    pub(super) fn restart(&mut self) {
        let current = self.current;
        self.entries.retain(|entry| Some(entry.path) == current);
        for entry in &mut self.entries {
            entry.valid = false;
            entry.nominated = false;
            entry.checked = None;
        }
        self.selected = None;
        self.settled = false;
    }

    pub(super) fn current(&self) -> Option<Path> {
        self.current
    }

    pub(super) fn is_authenticated(&self, path: Path) -> bool {
        self.entries.iter().any(|entry| entry.path == path)
    }

    pub(super) fn has_valid(&self) -> bool {
        self.entries.iter().any(|entry| entry.valid)
    }

    /// Where the peer sees us on `path`.
    pub(super) fn mapped(&self, path: Path) -> Option<SocketAddr> {
        let entry = self.entries.iter().find(|entry| entry.path == path)?;
        entry.mapped
    }

    /// The peer's request on `path` was genuine.
    pub(super) fn authenticate(&mut self, now: Instant, path: Path) {
        self.entry(path).checked = Some(now);
    }

    /// Paths other than the one in use that the peer has checked since `begin`.
    pub(super) fn checked_since(&self, begin: Instant) -> Vec<Path> {
        let others = self.entries.iter();
        let others = others.filter(|entry| Some(entry.path) != self.current);
        let checked = others.filter(|entry| entry.checked.is_some_and(|at| at >= begin));
        checked.map(|entry| entry.path).collect()
    }

    /// Our check on `path` was answered.
    pub(super) fn validate(&mut self, path: Path, mapped: Option<SocketAddr>) {
        let entry = self.entry(path);
        entry.valid = true;
        entry.mapped = mapped;
        if self.current.is_none() {
            self.current = Some(path);
        }
        self.select_if_ready(path);
    }

    /// The controlling peer asks for `path`.
    pub(super) fn nominate(&mut self, path: Path) {
        // Its last word counts: a nomination that waits for our check must not undo a later one.
        for entry in &mut self.entries {
            entry.nominated = false;
        }
        self.entry(path).nominated = true;
        self.select_if_ready(path);
    }

    fn select_if_ready(&mut self, path: Path) {
        let entry = self.entry(path);
        if entry.valid && entry.nominated {
            self.select(path);
        }
    }

    /// `path` works, and the one that was in use does not. Where a path has been nominated, nobody
    /// may do so again, so `path` takes its place.
    pub(super) fn replace(&mut self, path: Path) {
        if self.settled {
            self.select(path);
        }
    }

    /// Datagrams flow on `path` from now on.
    pub(super) fn select(&mut self, path: Path) {
        self.entry(path).valid = true;
        self.current = Some(path);
        self.settled = true;
        if self.selected != Some(path) {
            self.selected = Some(path);
            self.unreported = Some(path);
        }
    }

    /// Nothing may be sent any more, until a check is answered again.
    pub(super) fn revoke(&mut self) {
        self.current = None;
        self.selected = None;
        for entry in &mut self.entries {
            entry.valid = false;
        }
    }

    /// The selected path, once after each change.
    pub(super) fn take_selection(&mut self) -> Option<Path> {
        self.unreported.take()
    }

    fn entry(&mut self, path: Path) -> &mut Entry {
        let known = self.entries.iter().position(|entry| entry.path == path);
        let position = known.unwrap_or_else(|| {
            if self.entries.len() >= MAX_PATHS {
                let current = self.current;
                let oldest = self.entries.iter().position(|e| Some(e.path) != current);
                self.entries.remove(oldest.unwrap_or(0));
            }
            self.entries.push(Entry {
                path,
                valid: false,
                mapped: None,
                nominated: false,
                checked: None,
            });
            self.entries.len() - 1
        });
        #[allow(
            clippy::indexing_slicing,
            reason = "the position was found or made above"
        )]
        &mut self.entries[position]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn path(port: u16) -> Path {
        Path::udp(([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], port).into())
    }

    #[test]
    fn datagrams_flow_before_nomination_and_follow_it() {
        let mut table = PathTable::default();
        table.authenticate(Instant::now(), path(10));
        assert!(table.is_authenticated(path(10)));
        assert_eq!(table.current(), None);
        table.validate(path(11), None);
        assert_eq!(table.current(), Some(path(11)));
        assert_eq!(table.take_selection(), None);

        table.nominate(path(10));
        assert_eq!(table.take_selection(), None, "not checked by us yet");
        table.validate(path(10), None);
        assert_eq!(table.take_selection(), Some(path(10)));
        assert_eq!(table.current(), Some(path(10)));

        table.nominate(path(11));
        assert_eq!(table.take_selection(), Some(path(11)));
        table.nominate(path(11));
        assert_eq!(table.take_selection(), None);
    }

    #[test]
    fn the_last_nomination_wins() {
        let mut table = PathTable::default();
        table.nominate(path(1));
        table.nominate(path(2));
        table.validate(path(2), None);
        table.validate(path(1), None);
        assert_eq!(table.current(), Some(path(2)));
    }

    #[test]
    fn the_table_is_bounded_and_keeps_the_current_path() {
        let mut table = PathTable::default();
        table.select(path(1));
        for port in 2..500 {
            table.authenticate(Instant::now(), path(port));
        }
        assert_eq!(table.entries.len(), MAX_PATHS);
        assert!(table.is_authenticated(path(1)));
        assert!(!table.is_authenticated(path(2)));
    }

    #[test]
    fn a_restart_keeps_the_flow_until_a_new_selection() {
        let mut table = PathTable::default();
        table.select(path(1));
        table.take_selection();
        table.authenticate(Instant::now(), path(2));
        table.restart();
        assert_eq!(table.current(), Some(path(1)));
        assert!(!table.is_authenticated(path(2)));
        table.select(path(1));
        assert_eq!(table.take_selection(), Some(path(1)), "reported anew");
    }

    #[test]
    fn without_consent_nothing_is_sent_until_a_check_is_answered() {
        let mut table = PathTable::default();
        table.nominate(path(1));
        table.validate(path(1), None);
        table.take_selection();
        table.revoke();
        assert_eq!(table.current(), None);
        table.authenticate(Instant::now(), path(1));
        assert_eq!(table.current(), None);
        table.validate(path(1), None);
        assert_eq!(table.take_selection(), Some(path(1)), "still nominated");
    }

    #[test]
    fn another_path_takes_the_place_of_one_that_was_selected() {
        let mut table = PathTable::default();
        table.validate(path(1), None);
        table.replace(path(2));
        assert_eq!(table.current(), Some(path(1)), "nothing was nominated yet");
        table.select(path(1));
        table.take_selection();
        table.replace(path(2));
        assert_eq!(table.take_selection(), Some(path(2)));
        table.revoke();
        table.replace(path(3));
        assert_eq!(table.take_selection(), Some(path(3)));
        table.restart();
        table.replace(path(4));
        assert_eq!(table.current(), Some(path(3)), "a nomination is to come");
    }

    #[test]
    fn only_recent_checks_on_other_paths_are_of_interest() {
        let mut table = PathTable::default();
        let (early, late) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        table.select(path(1));
        table.authenticate(late, path(1));
        table.authenticate(early, path(2));
        table.authenticate(late, path(3));
        table.validate(path(4), None);
        assert_eq!(table.checked_since(late), [path(3)]);
        assert_eq!(table.checked_since(early), [path(2), path(3)]);
    }
}
