//! The side of the process that may die of it.

use std::{fs::File, io::Write, os::fd::OwnedFd, path::PathBuf};

use rustix::{
    io::fcntl_dupfd_cloexec,
    process::{Resource, Rlimit, setrlimit},
    stdio::{dup2_stdout, stderr, stdout},
};

use super::super::{discovery, loader};

/// What a line of a verdict begins with; the file's number and what is wrong follow.
pub(super) const REFUSED: &str = "refused";
/// What a line begins with when the file of this number can be used.
pub(super) const USABLE: &str = "usable";
/// Variable with the directory that the tried file is a copy from.
pub(super) const ORIGIN: &str = "RIVERO_PROBE_ORIGIN";

/// Loads libraries one after the other and writes a line for each to standard output: for
/// `--probe-module`, in a process that may die of any of them.
///
/// # Errors
/// When nobody can be told.
pub fn probe_files(files: &[PathBuf]) -> std::io::Result<()> {
    // A library that crashes is told of; its memory is of no use to anybody.
    let nothing = Some(0);
    let _ = setrlimit(
        Resource::Core,
        Rlimit {
            current: nothing,
            maximum: nothing,
        },
    );
    let mut verdicts = private_output()?;
    let origin = std::env::var_os(ORIGIN).map(PathBuf::from);
    for (number, file) in files.iter().enumerate() {
        let tried = discovery::read_manifest(file)
            .map_err(|error| error.to_string())
            .and_then(|manifest| {
                loader::try_out(file, &manifest, origin.as_deref())
                    .map_err(|error| error.to_string())
            });
        match tried {
            Ok(()) => writeln!(verdicts, "{USABLE} {number}")?,
            Err(reason) => writeln!(verdicts, "{REFUSED} {number} {}", one_line(&reason))?,
        }
    }
    Ok(())
}

/// The standard output of this process, out of reach of what a library prints.
fn private_output() -> std::io::Result<File> {
    let kept: OwnedFd = fcntl_dupfd_cloexec(stdout(), 3)?;
    dup2_stdout(stderr())?;
    Ok(File::from(kept))
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
