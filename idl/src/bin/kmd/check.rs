//! `kmd check`

use crate::{Failure, inputs};
use rivero_idl::{Problem, Severity};
use std::path::PathBuf;

/// Checks descriptors; prints one line for each problem and exits with 1 if there is an error.
///
/// A line says file, place in the file's tree and what is wrong: `lens.kmd.json:
/// remoteClasses[0].extends: class 'Filtr' is not known`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Descriptor files, or directories with them.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Descriptor of a module that is imported; its own problems are not told. The standard modules
    /// are known.
    #[arg(short, long, value_name = "FILE")]
    dependency: Vec<PathBuf>,
    /// Take warnings for errors.
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let modules = inputs::read(&arguments.files)?;
    let files: Vec<String> = modules
        .iter()
        .flat_map(|module| module.files())
        .map(str::to_owned)
        .collect();
    let mut all = inputs::read(&arguments.dependency)?;
    all.extend(modules);
    let problems = rivero_idl::check(&inputs::with_standard(all)?);
    let told: Vec<&Problem> = problems
        .iter()
        .filter(|problem| files.iter().any(|file| **file == *problem.location.file))
        .collect();
    for problem in &told {
        eprintln!("{problem}");
    }
    let counts = |problem: &&Problem| arguments.strict || problem.severity == Severity::Error;
    if told.into_iter().any(|problem| counts(&problem)) {
        Err(Failure(None))
    } else {
        Ok(())
    }
}
