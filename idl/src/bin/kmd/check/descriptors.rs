//! Descriptors by themselves.

use super::Arguments;
use crate::{Failure, inputs};
use rivero_idl::{Problem, Severity};
use std::path::PathBuf;

/// Prints what is wrong with descriptors; whether they pass.
pub(super) fn check(arguments: &Arguments, described: &[PathBuf]) -> Result<bool, Failure> {
    let modules = inputs::read(described)?;
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
    Ok(!told.into_iter().any(|problem| counts(&problem)))
}
