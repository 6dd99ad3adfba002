//! Calls between two RTP sessions over a virtual link, in virtual time: what congestion control, pacing
//! and repair make of a path, as a line of figures for each scenario.
//!
//! A run has one thread and neither sockets, sleeps nor a clock; its seed decides everything that chance
//! decides. README.md says how to read the table, and how to add a scenario.
//!
//! - [`scenarios`] has what is run, in the terms of [`scenario`] and [`link`].
//! - `simulation` goes from event to event; `flow` is one call of it, with the `end`s that are sessions,
//!   the `source`s, and the `playout` at the viewer.
//! - [`outcome`] is what is measured, [`table`] how it is written and compared.

mod chance;
mod end;
mod feeder;
mod flow;
pub mod link;
pub mod outcome;
mod payload;
mod playout;
mod reports;
pub mod scenario;
pub mod scenarios;
mod simulation;
mod source;
pub mod table;

use std::{
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use outcome::Outcome;
use scenario::Scenario;
use simulation::Simulation;

/// How many runs of each scenario a table is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// As many as every change can wait for.
    Slice,
    /// As many as show rare things.
    Full,
}

impl Extent {
    /// What `SCALE` asks for, the variable that all tests with repetitions read: more than 1 is all.
    #[must_use]
    pub fn of_environment() -> Self {
        let scale = std::env::var("SCALE").ok();
        match scale.and_then(|scale| scale.parse::<u32>().ok()) {
            Some(2..) => Self::Full,
            _ => Self::Slice,
        }
    }

    /// Runs of each scenario. The medians of another number would be others, so it is one of two and not
    /// any that `SCALE` could say.
    #[must_use]
    pub const fn runs(self) -> u64 {
        match self {
            Self::Slice => 3,
            Self::Full => 50,
        }
    }

    /// The file of the baseline, in the folder of this crate.
    #[must_use]
    pub const fn baseline(self) -> &'static str {
        match self {
            Self::Slice => "baseline.txt",
            Self::Full => "baseline-full.txt",
        }
    }
}

/// Runs a scenario once. The same seed gives the same outcome.
#[must_use]
pub fn run(scenario: &Scenario, seed: u64) -> Outcome {
    Simulation::new(scenario, seed).run()
}

/// Runs a scenario once and tells what happened in each second, for somebody who asks why a figure is what
/// it is.
#[must_use]
pub fn trace(scenario: &Scenario, seed: u64) -> String {
    Simulation::new(scenario, seed).trace()
}

/// Runs each scenario with so many seeds, on all processors: the outcomes of each, by seed.
#[must_use]
pub fn run_all(scenarios: &[Scenario], runs: u64) -> Vec<Vec<Outcome>> {
    let jobs: Vec<(usize, u64)> = (0..scenarios.len())
        .flat_map(|number| (1..=runs).map(move |seed| (number, seed)))
        .collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        // Relaxed is enough: each job is taken once whatever the order, and the mutex brings its outcome.
        while let Some((number, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Some(scenario) = scenarios.get(*number) {
                let outcome = run(scenario, *seed);
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                done.push((*number, *seed, outcome));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, seed, _)| (*number, *seed));
    let mut outcomes = vec![Vec::new(); scenarios.len()];
    for (number, _, outcome) in done {
        if let Some(of_scenario) = outcomes.get_mut(number) {
            of_scenario.push(outcome);
        }
    }
    outcomes
}

/// The table of all scenarios, as its file has it.
#[must_use]
pub fn table(extent: Extent) -> String {
    format!("{}\n{}", table::heading(), lines(&scenarios::all(), extent))
}

/// The lines of these scenarios.
#[must_use]
pub fn lines(scenarios: &[Scenario], extent: Extent) -> String {
    let outcomes = run_all(scenarios, extent.runs());
    let lines = scenarios.iter().zip(&outcomes);
    let lines = lines.filter_map(|(scenario, outcomes)| {
        let median = Outcome::median(outcomes)?;
        Some(format!("{}\n", table::line(scenario.name, &median)))
    });
    lines.collect()
}
