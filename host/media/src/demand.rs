//! What the consumers of a source let it send.
//!
//! Where there are several encodings or temporal layers each consumer alone gets another one of
//! them, and the producer is told of no limit. A single encoding is shared, so somebody has to decide
//! for all: a [rule](SharedEncoding) says who.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{
        AtomicBool, AtomicU64,
        Ordering::{AcqRel, Relaxed},
    },
};

use rivero_plugin_api::Encoding;

use crate::layers;

/// Who decides how much a source sends that all its viewers share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SharedEncoding {
    /// The viewer whose path carries least.
    #[default]
    LowestViewer,
    /// The one whose path carries most; for the others frames are left out.
    BestViewer,
}

impl std::str::FromStr for SharedEncoding {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "lowest" => Ok(Self::LowestViewer),
            "best" => Ok(Self::BestViewer),
            _ => Err("it should be 'lowest' or 'best'"),
        }
    }
}

/// The path to one consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConsumerPath {
    /// Bit/s that it carries, `u64::MAX` where nothing limits.
    pub(crate) estimate: u64,
    /// The consumer gets encodings as a whole or not at all.
    pub(crate) takes_whole: bool,
}

/// What a producer has, and what it was told of the paths to its consumers.
pub(crate) struct Demand {
    rule: SharedEncoding,
    encodings: Mutex<Vec<Encoding>>,
    /// Bit/s that the producer was told last. It stands for itself, so relaxed is enough.
    sent: AtomicU64,
    /// The consumers' estimates are about to be looked at.
    is_scheduled: AtomicBool,
}

impl Demand {
    pub(crate) fn new(rule: SharedEncoding) -> Self {
        Self {
            rule,
            encodings: Mutex::default(),
            sent: AtomicU64::new(u64::MAX),
            is_scheduled: AtomicBool::new(false),
        }
    }

    pub(crate) fn encodings(&self) -> MutexGuard<'_, Vec<Encoding>> {
        self.encodings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// `true` for the one caller who is to look at the estimates later, for all who call before.
    pub(crate) fn schedule(&self) -> bool {
        // Release, to the acquire in `begin`: who finds a look scheduled relies on it to see the
        // estimate that it has stored before.
        !self.is_scheduled.swap(true, AcqRel)
    }

    /// The scheduled look begins: what changes from now on needs another one. Called before any
    /// estimate is read, or one that changes in between would be missed by both.
    pub(crate) fn begin(&self) {
        self.is_scheduled.swap(false, AcqRel);
    }

    /// Bit/s that the producer is to be told, `None` where it was told the same last.
    pub(crate) fn update(&self, paths: impl Iterator<Item = ConsumerPath>) -> Option<u64> {
        let estimate = shared_estimate(self.rule, &self.encodings(), paths);
        (self.sent.swap(estimate, Relaxed) != estimate).then_some(estimate)
    }

    /// Bit/s that the best path carries where that decides alone, and the others are thinned.
    pub(crate) fn best(&self, estimates: impl Iterator<Item = u64>) -> Option<u64> {
        let is_shared = self.encodings().len() <= 1;
        let decides = is_shared && self.rule == SharedEncoding::BestViewer;
        decides.then(|| estimates.max()).flatten()
    }

    /// Bit/s of the next better encoding or layer than a consumer has, 0 = none.
    pub(crate) fn next_bitrate(&self, present: layers::Choice, estimate: u64) -> u64 {
        let encodings = self.encodings();
        let next = if layers::are_layered(&encodings) {
            layers::next_bitrate(&encodings, present)
        } else {
            0
        };
        match (next, self.rule) {
            (0, SharedEncoding::BestViewer) => layers::missing_bitrate(&encodings, estimate),
            (next, _) => next,
        }
    }
}

/// What may be sent of `encodings`, bit/s; `u64::MAX` where nobody limits it.
fn shared_estimate(
    rule: SharedEncoding,
    encodings: &[Encoding],
    paths: impl Iterator<Item = ConsumerPath>,
) -> u64 {
    if encodings.len() > 1 {
        return u64::MAX;
    }
    let decisive = match rule {
        SharedEncoding::LowestViewer => {
            let share = layers::least_share(encodings);
            paths.map(|path| whole_of(path, share)).min()
        }
        SharedEncoding::BestViewer => paths.map(|path| path.estimate).max(),
    };
    decisive.unwrap_or(u64::MAX)
}

/// Bit/s of the whole of which a path carries what its consumer needs at least: the part `share`,
/// if it can do with that.
fn whole_of(path: ConsumerPath, share: f64) -> u64 {
    let estimate = path.estimate;
    if estimate == u64::MAX || path.takes_whole || share >= 1.0 {
        return estimate;
    }
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    let whole = (estimate as f64 / share) as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEAK: ConsumerPath = ConsumerPath {
        estimate: 300_000,
        takes_whole: false,
    };
    const STRONG: ConsumerPath = ConsumerPath {
        estimate: 2_000_000,
        ..WEAK
    };

    fn encodings(count: usize, temporal_layers: u8) -> Vec<Encoding> {
        let encoding = Encoding {
            bitrate: 900_000,
            temporal_layers,
            ..Encoding::default()
        };
        vec![encoding; count]
    }

    #[test]
    fn a_rule_says_which_viewer_decides_for_all() {
        let both = || [WEAK, STRONG].into_iter();
        let decide = |rule| shared_estimate(rule, &encodings(1, 1), both());
        assert_eq!(decide(SharedEncoding::LowestViewer), 300_000);
        assert_eq!(decide(SharedEncoding::BestViewer), 2_000_000);
    }

    #[test]
    fn who_can_do_with_less_limits_less() {
        let decide = |path| {
            let layered = encodings(1, 3);
            shared_estimate(SharedEncoding::LowestViewer, &layered, [path].into_iter())
        };
        assert_eq!(decide(WEAK), 750_000, "the least layer takes 40 % of it");
        let whole = ConsumerPath {
            takes_whole: true,
            ..WEAK
        };
        assert_eq!(decide(whole), 300_000);
    }

    #[test]
    fn nobody_limits_several_encodings_or_what_nobody_consumes() {
        let rule = SharedEncoding::LowestViewer;
        let simulcast = shared_estimate(rule, &encodings(3, 1), [WEAK].into_iter());
        assert_eq!(simulcast, u64::MAX);
        let nobody = shared_estimate(rule, &encodings(1, 1), std::iter::empty());
        assert_eq!(nobody, u64::MAX);
    }

    #[test]
    fn a_producer_is_told_of_changes_only() {
        let demand = Demand::new(SharedEncoding::LowestViewer);
        assert_eq!(demand.update([].into_iter()), None);
        assert_eq!(demand.update([WEAK].into_iter()), Some(300_000));
        assert_eq!(demand.update([WEAK, STRONG].into_iter()), None);
        assert_eq!(demand.update([STRONG].into_iter()), Some(2_000_000));
    }

    #[test]
    fn one_look_is_scheduled_for_all_changes_before_it() {
        let demand = Demand::new(SharedEncoding::LowestViewer);
        assert!(demand.schedule() && !demand.schedule());
        demand.begin();
        assert!(demand.schedule());
    }
}
