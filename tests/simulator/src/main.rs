//! `rivero-simulator`: prints the table of all scenarios, or writes it down as the baseline.

use std::{io, path::Path, process::ExitCode};

use clap::Parser;
use rivero_simulator::{Extent, outcome::Outcome, run_all, scenario::Scenario, scenarios, table};

/// Calls over a virtual link in virtual time.
#[derive(Parser)]
struct Options {
    /// Write the table to the baseline's file
    #[arg(long, conflicts_with = "only")]
    write: bool,
    /// 50 runs of each scenario and not 3
    #[arg(long)]
    full: bool,
    /// Only scenarios whose name has this in it, with a line for each run
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// What happens in each second of the run with this seed
    #[arg(long, value_name = "SEED", requires = "only")]
    trace: Option<u64>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let extent = if options.full {
        Extent::Full
    } else {
        Extent::Slice
    };
    if let Some(part) = &options.only {
        let mut scenarios = scenarios::all();
        scenarios.retain(|scenario| scenario.name.contains(part.as_str()));
        match options.trace {
            Some(seed) => show_seconds(&scenarios, seed),
            None => show_runs(&scenarios, extent),
        }
        return ExitCode::SUCCESS;
    }
    let table = rivero_simulator::table(extent);
    print!("{table}");
    if options.write
        && let Err(error) = write(extent, &table)
    {
        eprintln!("{} cannot be written: {error}", extent.baseline());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn write(extent: Extent, table: &str) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::write(folder.join(extent.baseline()), table)
}

fn show_seconds(scenarios: &[Scenario], seed: u64) {
    for scenario in scenarios {
        println!(
            "{}\n{}",
            scenario.name,
            rivero_simulator::trace(scenario, seed)
        );
    }
}

fn show_runs(scenarios: &[Scenario], extent: Extent) {
    println!("{}", table::heading());
    for (scenario, outcomes) in scenarios.iter().zip(run_all(scenarios, extent.runs())) {
        for (seed, outcome) in (1..).zip(&outcomes) {
            println!("{}", table::line(&format!("  seed {seed}"), outcome));
        }
        if let Some(median) = Outcome::median(&outcomes) {
            println!("{}", table::line(scenario.name, &median));
        }
    }
}
