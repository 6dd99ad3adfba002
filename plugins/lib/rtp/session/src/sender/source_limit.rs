//! What the source of a sent stream is asked for.

/// Bounds of what the source is asked for on behalf of a peer, bit/s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SendBounds {
    /// At least this, whatever the path carries.
    pub min: u64,
    /// At most this; 0 is no bound.
    pub max: u64,
}

/// What the source was told, and the bounds of it.
#[derive(Debug, Default)]
pub(super) struct SourceLimit {
    /// Bit/s, the last value that the source was told.
    told: Option<u64>,
    bounds: SendBounds,
    /// What the peer's description takes at most, bit/s.
    described: Option<u64>,
}

/// Changes of less than this part are kept back: 1/30. Feedback comes ten times a second, and what feeds
/// many viewers would else be asked to change by noise.
const LEAST_CHANGE: u64 = 30;

impl SourceLimit {
    pub(super) fn new(bounds: SendBounds, described: Option<u64>) -> Self {
        Self {
            told: None,
            bounds,
            described,
        }
    }

    /// Takes the bounds of a later negotiation; what the source was told still counts.
    pub(super) fn renegotiate(&mut self, later: &Self) {
        (self.bounds, self.described) = (later.bounds, later.described);
    }

    pub(super) fn set_bounds(&mut self, bounds: SendBounds) {
        self.bounds = bounds;
    }

    /// Bit/s that the source is asked for at most.
    pub(super) fn upper_bound(&self) -> u64 {
        let set = Some(self.bounds.max).filter(|max| *max > 0);
        set.into_iter()
            .chain(self.described)
            .min()
            .unwrap_or(u64::MAX)
    }

    /// The path carries this, bit/s, `u64::MAX` when nothing limits it. Gives what the source is to be
    /// told, if that is worth telling.
    pub(super) fn update(&mut self, bits_per_second: u64) -> Option<u64> {
        let bits_per_second = bits_per_second.min(self.upper_bound()).max(self.bounds.min);
        let told = self.told.unwrap_or(u64::MAX);
        let changed = told.abs_diff(bits_per_second);
        if changed <= told.min(bits_per_second) / LEAST_CHANGE {
            return None;
        }
        self.told = Some(bits_per_second);
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_lies_within_the_bounds_and_changes_when_it_matters() {
        let bounds = SendBounds {
            min: 100_000,
            max: 2_000_000,
        };
        let mut limit = SourceLimit::new(bounds, Some(1_500_000));
        assert_eq!(limit.update(u64::MAX), Some(1_500_000), "as described");
        assert_eq!(limit.update(1_490_000), None, "hardly another");
        assert_eq!(limit.update(1_000_000), Some(1_000_000));
        assert_eq!(limit.update(10_000), Some(100_000), "never less");
        limit.set_bounds(SendBounds::default());
        assert_eq!(limit.update(10_000), Some(10_000));
        let mut unbounded = SourceLimit::default();
        assert_eq!(
            unbounded.update(u64::MAX),
            None,
            "as it is without being told"
        );
    }
}
