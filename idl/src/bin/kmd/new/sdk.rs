//! Where the author's kit is.

use super::fails;
use crate::Failure;
use std::path::{Path, PathBuf};

/// How a project names the crate `rivero-sdk`.
pub(super) enum Place {
    /// By the directory of its sources.
    Directory(PathBuf),
    /// By its version.
    Registry,
}

/// From the directory of this program: as it is installed, and as it is built.
const BESIDE: [&str; 2] = ["../share/rivero/sdk/plugin-api/sdk", "../../plugin-api/sdk"];

impl Place {
    /// The directory that is named, or that lies where it was installed with this program.
    pub(super) fn find(named: Option<&Path>) -> Result<Self, Failure> {
        let own = std::env::current_exe()?.canonicalize()?;
        let candidates: Vec<PathBuf> = match (named, own.parent()) {
            (Some(directory), _) => vec![directory.to_owned(), directory.join("plugin-api/sdk")],
            (None, Some(directory)) => BESIDE.iter().map(|way| directory.join(way)).collect(),
            (None, None) => Vec::new(),
        };
        let mut found = candidates.iter().filter(|directory| is_kit(directory));
        match found.next() {
            Some(directory) => Ok(Self::Directory(directory.canonicalize()?)),
            None => Err(fails(
                "the crate rivero-sdk is not here: name its directory with --sdk, or install Rivero with `make install`",
            )),
        }
    }

    /// The versions of other crates that the kit was tested with.
    pub(super) fn lock_file(&self) -> Option<String> {
        let Self::Directory(directory) = self else {
            return None;
        };
        std::fs::read_to_string(directory.join("../../Cargo.lock")).ok()
    }

    /// What stands in `Cargo.toml` for it.
    pub(super) fn source(&self) -> String {
        match self {
            Self::Directory(directory) => format!("path = {:?}", directory.display().to_string()),
            Self::Registry => format!("version = {:?}", env!("CARGO_PKG_VERSION")),
        }
    }
}

fn is_kit(directory: &Path) -> bool {
    let manifest = std::fs::read_to_string(directory.join("Cargo.toml"));
    manifest.is_ok_and(|text| text.contains("name = \"rivero-sdk\""))
}
