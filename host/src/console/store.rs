//! What is shown, by keys, and which of it a reader has not seen yet.
//!
//! Every entry knows the version in which it became what it is, so that a reader gets what has
//! changed since the version that it saw last, however many versions it left out meanwhile. Nothing
//! is kept for readers but one number each.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

/// Removed keys that are remembered. Who has not seen the oldest of them gets everything anew.
const REMOVED: usize = 4_096;

/// All entries.
#[derive(Debug, Default)]
pub(super) struct Store {
    version: u64,
    entries: BTreeMap<String, Entry>,
    /// With the version that does not have them any more, the oldest first.
    removed: VecDeque<(u64, String)>,
    /// The latest version of which a removal has been forgotten.
    forgotten: u64,
}

#[derive(Debug)]
struct Entry {
    version: u64,
    json: Arc<str>,
}

/// From one version to a later one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changes {
    /// The later version.
    pub(super) version: u64,
    /// There is nothing but `changed`.
    pub(super) full: bool,
    /// Keys with their JSON.
    pub(super) changed: Vec<(String, Arc<str>)>,
    /// Keys that are not there any more.
    pub(super) removed: Vec<String>,
}

impl Store {
    /// Makes these the entries, in a new version if that changes anything.
    pub(super) fn replace(&mut self, current: Vec<(String, Value)>) {
        let version = self.version + 1;
        let mut former = std::mem::take(&mut self.entries);
        let mut changed = false;
        for (key, value) in current {
            let json: Arc<str> = value.to_string().into();
            let entry = match former.remove(&key) {
                Some(entry) if entry.json == json => entry,
                _ => {
                    changed = true;
                    Entry { version, json }
                }
            };
            self.entries.insert(key, entry);
        }
        changed |= !former.is_empty();
        let removed = former.into_keys().map(|key| (version, key));
        self.removed.extend(removed);
        while self.removed.len() > REMOVED {
            let oldest = self.removed.pop_front();
            self.forgotten = oldest.map_or(self.forgotten, |(version, _)| version);
        }
        if changed {
            self.version = version;
        }
    }

    /// Forgets everything; versions go on.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.removed.clear();
        self.version += 1;
        self.forgotten = self.version;
    }

    /// What has changed since a version, of those keys that are wanted. 0 is before everything.
    pub(super) fn since(&self, version: u64, wants: impl Fn(&str) -> bool) -> Changes {
        let full = version == 0 || version < self.forgotten;
        let is_new = |entry: &Entry| full || entry.version > version;
        let changed = self.entries.iter();
        let changed = changed.filter(|(key, entry)| is_new(entry) && wants(key));
        let removed = self.removed.iter();
        let removed = removed.filter(|(when, key)| {
            // It may be there again.
            !full && *when > version && wants(key) && !self.entries.contains_key(key)
        });
        Changes {
            version: self.version,
            full,
            changed: changed
                .map(|(key, entry)| (key.clone(), entry.json.clone()))
                .collect(),
            removed: removed.map(|(_, key)| key.clone()).collect(),
        }
    }
}

impl Changes {
    /// Whether a reader would learn nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(values: &[(&str, u64)]) -> Vec<(String, Value)> {
        let values = values.iter();
        values
            .map(|(key, value)| ((*key).to_owned(), Value::from(*value)))
            .collect()
    }

    fn keys(changes: &Changes) -> (Vec<&str>, Vec<&str>) {
        let changed = changes.changed.iter().map(|(key, _)| key.as_str());
        let removed = changes.removed.iter().map(String::as_str);
        (changed.collect(), removed.collect())
    }

    #[test]
    fn a_reader_gets_what_it_has_not_seen() {
        let mut store = Store::default();
        store.replace(entries(&[("a", 1), ("b", 1)]));
        let first = store.since(0, |_| true);
        assert!(first.full && keys(&first) == (vec!["a", "b"], vec![]));
        store.replace(entries(&[("a", 1), ("b", 1)]));
        assert!(store.since(first.version, |_| true).is_empty());
        store.replace(entries(&[("a", 2), ("c", 1)]));
        store.replace(entries(&[("a", 3), ("c", 1)]));
        let later = store.since(first.version, |_| true);
        assert!(!later.full);
        assert_eq!(keys(&later), (vec!["a", "c"], vec!["b"]));
        assert_eq!(&*later.changed[0].1, "3");
        let part = store.since(first.version, |key| key == "c");
        assert_eq!(keys(&part), (vec!["c"], vec![]));
    }

    #[test]
    fn what_comes_back_is_no_removal() {
        let mut store = Store::default();
        store.replace(entries(&[("a", 1)]));
        let seen = store.since(0, |_| true).version;
        store.replace(entries(&[]));
        store.replace(entries(&[("a", 1)]));
        let changes = store.since(seen, |_| true);
        assert_eq!(keys(&changes), (vec!["a"], vec![]));
    }

    #[test]
    fn who_was_away_for_too_long_begins_anew() {
        let mut store = Store::default();
        store.replace(entries(&[("a", 1)]));
        let seen = store.since(0, |_| true).version;
        for round in 0..2 * REMOVED {
            store.replace(vec![(format!("{round}"), Value::Null)]);
        }
        assert!(store.removed.len() <= REMOVED);
        assert!(store.since(seen, |_| true).full);
        let seen = store.since(0, |_| true).version;
        store.clear();
        assert!(store.since(seen, |_| true).full);
    }
}
