//! What became of a run, and of several of one scenario.

use std::time::Duration;

use crate::{
    flow::RunningFlow,
    scenario::{SECOND, Scenario},
};

/// Between two looks at the estimate and at what could be sent.
pub(crate) const SAMPLE: Duration = Duration::from_millis(100);
/// What is measured of the long run begins here.
pub(crate) const FROM: Duration = Duration::from_secs(10);

/// The figures of a run, integers of small units, so that what is printed is rounded but once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Media that arrived, each packet once, of what could have arrived, from 10 s on, per mille.
    pub utilisation: u64,
    /// By how much the estimate fell short of what the flow could have had, at the worst, per mille.
    pub worst_fall: u64,
    /// What 95 % of all datagrams waited for at most, ms.
    pub queue: u64,
    /// The longest time between two pictures, ms.
    pub freeze: u64,
    /// From joining to the first picture, ms.
    pub first_frame: u64,
    /// Sound that did not arrive, per 10,000.
    pub sound_lost: u64,
    /// How far apart sound and pictures were presented that belong together, at the worst, ms.
    pub skew: u64,
    /// What the flow with the least got of its fair share, per mille; `None` with a single flow.
    pub least_share: Option<u64>,
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Outcome {
    /// Of several flows it is the worst one that counts, or all of them together.
    pub(crate) fn new(
        scenario: &Scenario,
        flows: &[RunningFlow<'_>],
        usable: u64,
        queue: u64,
    ) -> Self {
        let end = SECOND * u32::try_from(scenario.length).unwrap_or(u32::MAX);
        let worst = |of: &dyn Fn(&RunningFlow<'_>) -> u64| flows.iter().map(of).max().unwrap_or(0);
        let sum = |of: &dyn Fn(&RunningFlow<'_>) -> u64| flows.iter().map(of).sum::<u64>();
        let arrived = sum(&|flow| flow.measured.arrived);
        let sounds = sum(&|flow| flow.measured.sounds);
        let heard = sum(&|flow| flow.playout.sounds);
        let shares = flows.iter().filter_map(|flow| {
            (flow.measured.arrived_of_share * 1000).checked_div(flow.measured.share)
        });
        // Who never saw anything waited and froze all the time.
        let first = |flow: &RunningFlow<'_>| flow.playout.first_shown().unwrap_or(end) - flow.start;
        let freeze = |flow: &RunningFlow<'_>| match flow.playout.first_shown() {
            Some(_) => flow.playout.longest_freeze(),
            None => end - flow.start,
        };
        Self {
            utilisation: (arrived * 1000).checked_div(usable).unwrap_or(0),
            worst_fall: worst(&|flow| flow.measured.worst_fall),
            queue,
            freeze: worst(&|flow| milliseconds(freeze(flow))),
            first_frame: worst(&|flow| milliseconds(first(flow))),
            sound_lost: (sounds.saturating_sub(heard) * 10_000)
                .checked_div(sounds)
                .unwrap_or(0),
            skew: worst(&|flow| milliseconds(flow.playout.worst_skew())),
            least_share: shares.min().filter(|_| flows.len() > 1),
        }
    }

    /// The median of each figure for itself, the lesser one of two. Of no outcome there is none.
    #[must_use]
    pub fn median(outcomes: &[Self]) -> Option<Self> {
        let median = |of: &dyn Fn(&Self) -> u64| {
            let mut figures: Vec<u64> = outcomes.iter().map(of).collect();
            figures.sort_unstable();
            figures.get(figures.len().saturating_sub(1) / 2).copied()
        };
        let has_shares = outcomes.iter().any(|outcome| outcome.least_share.is_some());
        Some(Self {
            utilisation: median(&|outcome| outcome.utilisation)?,
            worst_fall: median(&|outcome| outcome.worst_fall)?,
            queue: median(&|outcome| outcome.queue)?,
            freeze: median(&|outcome| outcome.freeze)?,
            first_frame: median(&|outcome| outcome.first_frame)?,
            sound_lost: median(&|outcome| outcome.sound_lost)?,
            skew: median(&|outcome| outcome.skew)?,
            least_share: median(&|outcome| outcome.least_share.unwrap_or(0)).filter(|_| has_shares),
        })
    }
}
