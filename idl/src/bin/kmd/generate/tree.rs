//! Generated files on their way to the disk.

use crate::Failure;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Files by their path below the output directory.
#[derive(Default)]
pub(super) struct Tree {
    files: BTreeMap<PathBuf, String>,
    /// What could not be said in the target's language, for the caller.
    pub(super) warnings: Vec<String>,
}

impl Tree {
    pub(super) fn add(&mut self, path: impl Into<PathBuf>, text: String) {
        self.files.insert(path.into(), text);
    }

    /// Writes what is not there already with this content, so that a second run changes nothing and
    /// wakes no build that looks at times.
    pub(super) fn write(&self, directory: &Path) -> Result<(), Failure> {
        for (path, text) in &self.files {
            let path = directory.join(path);
            if fs::read(&path).is_ok_and(|found| found == text.as_bytes()) {
                continue;
            }
            let folder = path.parent().unwrap_or(directory);
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&path, text))
                .map_err(|error| Failure(Some(format!("{}: {error}", path.display()))))?;
        }
        for warning in &self.warnings {
            eprintln!("warning: {warning}");
        }
        Ok(())
    }
}
