//! Where a command's result goes.

use crate::Failure;
use std::fs;
use std::io::Write;
use std::path::Path;

/// Writes to the file, or to standard output. A reader that closes the pipe early is no error.
pub(crate) fn write(text: &str, file: Option<&Path>) -> Result<(), Failure> {
    match file {
        Some(path) => fs::write(path, text)
            .map_err(|error| Failure(Some(format!("{}: {error}", path.display())))),
        None => match std::io::stdout().write_all(text.as_bytes()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        },
    }
}
