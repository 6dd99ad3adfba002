//! When a file that is being written can be looked at.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A file that has not changed for so long is taken for complete. Whoever writes in larger
/// intervals has an incomplete one looked at and refused, and the complete one taken in the end.
pub(super) const QUIET: Duration = Duration::from_millis(500);

/// The names that stand for something else than what is known of them; `S`: what they stand for.
#[derive(Debug)]
pub(super) struct Settling<S> {
    pending: BTreeMap<PathBuf, (Option<S>, Instant)>,
}

impl<S> Default for Settling<S> {
    fn default() -> Self {
        Self {
            pending: BTreeMap::new(),
        }
    }
}

impl<S: Clone + PartialEq> Settling<S> {
    /// Compares what is seen with what is known; the result are the names that have been as they
    /// are for long enough, among them those that are gone.
    pub(super) fn step(
        &mut self,
        known: &BTreeMap<&Path, &S>,
        seen: &BTreeMap<&Path, &S>,
        now: Instant,
    ) -> Vec<PathBuf> {
        let names = known.keys().chain(seen.keys());
        let differing = names.filter(|name| known.get(*name) != seen.get(*name));
        let mut pending = BTreeMap::new();
        for name in differing {
            let state = seen.get(name).map(|state| (*state).clone());
            let before = self.pending.get(*name);
            let since = match before {
                Some((before, since)) if *before == state => *since,
                _ => now,
            };
            pending.insert((*name).to_owned(), (state, since));
        }
        self.pending = pending;
        let is_quiet =
            |(_, since): &(Option<S>, Instant)| now.saturating_duration_since(*since) >= QUIET;
        let settled = self.pending.iter().filter(|(_, entry)| is_quiet(entry));
        settled.map(|(name, _)| name.clone()).collect()
    }

    /// Whether nothing is waited for.
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files<'a>(list: &'a [(&'a str, u32)]) -> BTreeMap<&'a Path, &'a u32> {
        list.iter()
            .map(|(name, state)| (Path::new(name), state))
            .collect()
    }

    #[test]
    fn what_goes_on_changing_is_not_looked_at_until_it_rests() {
        let (mut settling, start) = (Settling::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        let none = BTreeMap::new();
        for (number, millis) in (0..).zip((0..5000).step_by(100)) {
            let settled = settling.step(&none, &files(&[("a.so", number)]), at(millis));
            assert!(settled.is_empty() && !settling.is_empty());
        }
        let last = [("a.so", 49)];
        assert!(settling.step(&none, &files(&last), at(5399)).is_empty());
        assert_eq!(
            settling.step(&none, &files(&last), at(5400)),
            [Path::new("a.so")]
        );
        assert!(
            settling
                .step(&files(&last), &files(&last), at(5500))
                .is_empty()
        );
        assert!(settling.is_empty());
    }

    #[test]
    fn what_is_removed_and_made_anew_at_once_was_never_gone() {
        let (mut settling, start) = (Settling::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        let (old, new) = ([("a.so", 1), ("b.so", 1)], [("a.so", 2)]);
        assert!(settling.step(&files(&old), &files(&[]), at(0)).is_empty());
        assert!(
            settling
                .step(&files(&old), &files(&new), at(300))
                .is_empty()
        );
        assert_eq!(
            settling.step(&files(&old), &files(&new), at(500)),
            [Path::new("b.so")]
        );
        let settled = settling.step(&files(&[("a.so", 1)]), &files(&new), at(800));
        assert_eq!(settled, [Path::new("a.so")]);
    }
}
