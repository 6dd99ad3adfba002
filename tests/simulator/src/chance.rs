//! Chance that comes from a seed: the same in every build and on every machine.

/// SplitMix64 (Steele, Lea, Flood 2014). It is written here because the baseline depends on each number:
/// crates for random numbers keep the right to change theirs with a new version. It gives integers only,
/// so that no decision of the network depends on how a number was rounded.
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

/// What chance decides. Each has a sequence of its own, so that one more draw by one of them does not
/// change what happens to the others.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Camera,
    MediaPath,
    FeedbackPath,
    Phase,
}

const MILLION: u64 = 1_000_000;

impl Chance {
    /// `flow` counts the flows of a run.
    pub(crate) fn new(seed: u64, flow: usize, purpose: Purpose) -> Self {
        let flow = u64::try_from(flow).unwrap_or(u64::MAX);
        let mut mixed = Self(seed);
        let (a, b) = (mixed.next(), mixed.next());
        let mut chance = Self(a ^ flow.wrapping_mul(b | 1) ^ (purpose as u64) << 56);
        chance.next();
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// From 0 to `bound`, without `bound` itself; 0 for a bound of 0. The bounds here are far below 2³², so
    /// that the least numbers are not noticeably more frequent than others.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let high = self.next() >> 32;
        high.wrapping_mul(bound) >> 32
    }

    /// True in so many of a million cases.
    pub(crate) fn happens(&mut self, per_million: u64) -> bool {
        self.below(MILLION) < per_million
    }

    /// True once in `times` cases, on average.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times.max(1)) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_flows_and_seeds_have_their_own_numbers() {
        let first = |seed, flow, purpose| Chance::new(seed, flow, purpose).next();
        let reference = first(1, 0, Purpose::Camera);
        assert_eq!(reference, first(1, 0, Purpose::Camera));
        assert_ne!(reference, first(2, 0, Purpose::Camera));
        assert_ne!(reference, first(1, 1, Purpose::Camera));
        assert_ne!(reference, first(1, 0, Purpose::MediaPath));
    }

    #[test]
    fn numbers_lie_below_their_bound_and_reach_all_of_it() {
        let mut chance = Chance::new(1, 0, Purpose::Phase);
        let mut counts = [0; 10];
        for _ in 0..10_000 {
            counts[usize::try_from(chance.below(10)).unwrap()] += 1;
        }
        assert!(
            counts.iter().all(|count| (850..1150).contains(count)),
            "{counts:?}"
        );
        let often = (0..10_000).filter(|_| chance.happens(20_000)).count();
        assert!((150..250).contains(&often), "{often}");
    }
}
