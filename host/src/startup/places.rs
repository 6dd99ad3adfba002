//! Directories of modules and data.

use std::path::{Path, PathBuf};

use super::Error;
use crate::config::CommandLine;

/// Where modules are looked for, in order of precedence: what the command line says, then the
/// built-in places.
pub(super) fn modules_directories(command_line: &CommandLine) -> Vec<PathBuf> {
    let given = command_line.modules_path.iter().cloned();
    given.chain(built_in_directories()).collect()
}

/// `modules` beside the program, where the build puts them, and the places of installation.
fn built_in_directories() -> Vec<PathBuf> {
    let program = std::env::current_exe().ok();
    let beside = program
        .as_deref()
        .and_then(Path::parent)
        .map(|directory| directory.join("modules"));
    let installed = program
        .as_deref()
        .and_then(Path::parent)
        .map(|directory| directory.join("../lib/kurento"));
    let directories = [beside, installed, Some(PathBuf::from("/usr/lib/kurento"))];
    let mut found: Vec<PathBuf> = directories
        .into_iter()
        .flatten()
        .filter_map(|dir| dir.canonicalize().ok())
        .collect();
    found.dedup();
    found
}

/// The directory for data, made if it is missing.
pub(super) fn data_directory(command_line: &CommandLine) -> Result<PathBuf, Error> {
    let of_user = || {
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
        std::env::var_os("XDG_DATA_HOME")
            .map(PathBuf::from)
            .or_else(home)
    };
    let directory = command_line
        .data_path
        .clone()
        .or_else(|| of_user().map(|directory| directory.join("rivero")))
        .unwrap_or_else(|| std::env::temp_dir().join("rivero"));
    match std::fs::create_dir_all(&directory) {
        Ok(()) => Ok(directory),
        Err(error) => Err(Error::DataDirectory {
            directory,
            reason: error.to_string(),
        }),
    }
}
