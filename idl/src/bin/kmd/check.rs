//! `kmd check`

mod behaviour;
mod descriptors;
mod library;
mod manifest;
mod rules;
mod server;

use crate::{Failure, module_file};
use rivero_idl::Descriptor;
use std::path::{Path, PathBuf};

/// Checks descriptors, or modules; prints one line for each problem and exits with 1 if there is an error.
///
/// A line about a descriptor says file, place in the file's tree and what is wrong: `lens.kmd.json:
/// remoteClasses[0].extends: class 'Filtr' is not known`. One about a module begins with the number of what it
/// breaks: docs/module-spec.md has the list.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Descriptor files, or directories with them, or libraries (*.so).
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Descriptor of a module that is imported; its own problems are not told. The standard modules
    /// are known.
    #[arg(short, long, value_name = "FILE")]
    dependency: Vec<PathBuf>,
    /// Take warnings for errors: with modules, what they SHOULD be.
    #[arg(long)]
    strict: bool,
    /// How much is asked of a module: 1 whether the file is one, 3 what clients see, 5 whether the server takes it; above
    /// that it is run: 6 whether objects come and go, 7 whatever they are given, 8 at once, 9 in time, 10 in any order.
    #[arg(long, value_name = "1..10", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=10))]
    strictness: u8,
    /// The server that modules are tried with; without it the one beside this program, or that of PATH.
    #[arg(long, value_name = "FILE", env = "RIVERO_SERVER")]
    server: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let files = arguments.files.iter().cloned();
    let (libraries, described): (Vec<_>, Vec<_>) =
        files.partition(|file| module_file::is_library(file));
    let mut passed = true;
    if !described.is_empty() {
        passed &= descriptors::check(arguments, &described)?;
    }
    for library in &libraries {
        passed &= rules::check(arguments, library)?;
    }
    if passed { Ok(()) } else { Err(Failure(None)) }
}

/// The server that is named, or that is found.
pub(crate) fn server(named: Option<&Path>) -> Option<PathBuf> {
    server::find(named)
}

/// Why a server would not take a library, a line each. What only ought to be otherwise is no reason.
pub(crate) fn errors(
    library: &Path,
    dependencies: &[Descriptor],
    server: Option<&Path>,
) -> Result<Vec<String>, Failure> {
    rules::errors(library, dependencies, server)
}
