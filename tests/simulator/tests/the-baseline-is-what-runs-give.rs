//! A change of behaviour shows as a difference from the baseline, which is committed with it.
//!
//! There is a test for each family of scenarios, because all of them together, 50 times each, take longer on
//! a machine that does other things than one test may.
#![allow(
    clippy::unwrap_used,
    reason = "a baseline that is missing fails the test"
)]

use std::path::Path;

use rivero_simulator::{Extent, lines, run, scenarios, table};

const FAMILIES: [&str; 3] = ["capacity-", "impaired-", "rfc8867-"];

/// The family that a line, or a scenario of that name, belongs to; "" for all others.
fn family_of(name: &str) -> &'static str {
    let family = FAMILIES.iter().find(|family| name.starts_with(**family));
    family.copied().unwrap_or("")
}

fn baseline(extent: Extent) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(extent.baseline());
    std::fs::read_to_string(file).unwrap()
}

fn compare(family: &str) {
    let extent = Extent::of_environment();
    let mut scenarios = scenarios::all();
    scenarios.retain(|scenario| family_of(scenario.name) == family);
    let baseline = baseline(extent);
    let of_family = baseline
        .lines()
        .skip(1)
        .filter(|line| family_of(line) == family);
    let before: String = of_family.map(|line| format!("{line}\n")).collect();
    let after = lines(&scenarios, extent);
    let full = if extent == Extent::Full {
        " --full"
    } else {
        ""
    };
    assert!(
        before == after,
        "calls behave differently (- {}, + now):\n {}\n{}\nIf that is what a change is for, commit what \
         this writes with it:\n    cargo run --release -p rivero-simulator -- --write{full}",
        extent.baseline(),
        table::heading(),
        table::difference(&before, &after),
    );
}

#[test]
fn on_paths_of_every_capacity() {
    compare("capacity-");
}

#[test]
fn on_impaired_paths() {
    compare("impaired-");
}

#[test]
fn in_the_cases_of_rfc_8867() {
    compare("rfc8867-");
}

#[test]
fn in_all_other_scenarios() {
    compare("");
}

#[test]
fn both_baselines_have_a_line_for_each_scenario() {
    for extent in [Extent::Slice, Extent::Full] {
        let baseline = baseline(extent);
        let mut lines = baseline.lines();
        assert_eq!(lines.next(), Some(table::heading().as_str()));
        let names: Vec<&str> = lines.filter_map(|line| line.split(' ').next()).collect();
        let expected: Vec<&str> = scenarios::all()
            .iter()
            .map(|scenario| scenario.name)
            .collect();
        assert_eq!(names, expected, "{}", extent.baseline());
    }
}

#[test]
fn a_run_is_the_same_again_and_another_seed_is_another_run() {
    let mut scenarios = scenarios::all();
    scenarios.retain(|scenario| family_of(scenario.name) == "impaired-");
    let mut differs = 0;
    for scenario in &scenarios {
        let outcome = run(scenario, 1);
        assert_eq!(outcome, run(scenario, 1), "{}", scenario.name);
        differs += usize::from(outcome != run(scenario, 2));
    }
    assert_eq!(differs, scenarios.len());
}
