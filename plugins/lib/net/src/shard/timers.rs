//! When sessions want to be called.

use std::{collections::BTreeSet, time::Instant};

use crate::Token;

/// A session may have several: an earlier one does not remove a later one, which its session no longer
/// knows when it fires. That is cheaper than looking for it.
#[derive(Debug, Default)]
pub(super) struct Timers {
    waiting: BTreeSet<(Instant, Token)>,
}

impl Timers {
    pub(super) fn add(&mut self, due: Instant, token: Token) {
        self.waiting.insert((due, token));
    }

    /// The earliest one.
    pub(super) fn next(&self) -> Option<Instant> {
        let (due, _) = self.waiting.first()?;
        Some(*due)
    }

    /// Moves those that are due into `fired`.
    pub(super) fn fire(&mut self, now: Instant, fired: &mut Vec<(Instant, Token)>) {
        while self.waiting.first().is_some_and(|(due, _)| *due <= now) {
            fired.extend(self.waiting.pop_first());
        }
    }
}
