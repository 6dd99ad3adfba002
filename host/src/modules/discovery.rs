//! Finding module files and reading what they say about themselves.

use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use object::{Object, ObjectSection, read::ReadCache};
use rivero_plugin_api::abi::{
    ABI_MAJOR, ABI_MINOR,
    section::{self, SECTION, SectionError},
};
use serde::Deserialize;

/// A section larger than any descriptor is not read.
const MANIFEST_LIMIT: u64 = 8 << 20;

/// Directories below a modules directory that are searched.
const DEPTH: usize = 8;

/// What a module says about itself, written by its build.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Manifest {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) classes: Vec<String>,
    #[serde(default)]
    pub(super) descriptor: Option<serde_json::Value>,
}

impl Manifest {
    /// Whether clients of `other` find everything as it was, the version aside.
    pub(super) fn offers_the_same_as(&self, other: &Self) -> bool {
        (&self.name, &self.classes, &self.descriptor)
            == (&other.name, &other.classes, &other.descriptor)
    }
}

/// Why a file is no module.
#[derive(Debug, thiserror::Error)]
pub(super) enum ManifestError {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is no shared library that this system could load: {0}")]
    NotElf(object::Error),
    #[error("it is built for {0:?}, this server for {1}")]
    Architecture(object::Architecture, &'static str),
    #[error(
        "it has no {SECTION} section: not a Rivero module (perhaps one of Kurento's, which cannot be loaded)"
    )]
    Foreign,
    #[error("{0}")]
    Section(#[from] SectionError),
    #[error("its {SECTION} section is larger than {MANIFEST_LIMIT} bytes")]
    TooLarge,
    #[error(
        "it speaks ABI {0}.{1}, this server {ABI_MAJOR}.{ABI_MINOR}: rebuild it with this server's plugin-api"
    )]
    Version(u16, u16),
    #[error("its manifest is malformed: {0}")]
    Manifest(#[from] serde_json::Error),
}

/// Reads the manifest of a file without running any of its code.
pub(super) fn read_manifest(file: &Path) -> Result<Manifest, ManifestError> {
    let cache = ReadCache::new(File::open(file)?);
    let elf = object::File::parse(&cache).map_err(ManifestError::NotElf)?;
    if elf.architecture() != native_architecture() {
        return Err(ManifestError::Architecture(
            elf.architecture(),
            std::env::consts::ARCH,
        ));
    }
    let found = elf.section_by_name(SECTION).ok_or(ManifestError::Foreign)?;
    if found.size() > MANIFEST_LIMIT {
        return Err(ManifestError::TooLarge);
    }
    let section = section::decode(found.data().map_err(ManifestError::NotElf)?)?;
    if section.major != ABI_MAJOR {
        return Err(ManifestError::Version(section.major, section.minor));
    }
    Ok(serde_json::from_slice(section.manifest)?)
}

fn native_architecture() -> object::Architecture {
    match std::env::consts::ARCH {
        "x86_64" => object::Architecture::X86_64,
        "aarch64" => object::Architecture::Aarch64,
        "x86" => object::Architecture::I386,
        "arm" => object::Architecture::Arm,
        "riscv64" => object::Architecture::Riscv64,
        _ => object::Architecture::Unknown,
    }
}

/// A candidate, or a place that could not be looked at.
pub(super) type Found = Result<PathBuf, (PathBuf, String)>;

/// All `*.so` files below the directories, in order: first directory first,
/// by name within one. Each file once, however many links lead to it.
pub(super) fn find(directories: &[PathBuf]) -> Vec<Found> {
    let mut search = Search::default();
    for directory in directories {
        search.directory(directory, 0);
    }
    search.found
}

#[derive(Default)]
struct Search {
    found: Vec<Found>,
    seen: HashSet<PathBuf>,
}

impl Search {
    fn directory(&mut self, directory: &Path, depth: usize) {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => return self.refuse(directory, &error),
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|e| e.path()).collect();
        paths.sort();
        for path in paths {
            self.entry(path, depth);
        }
    }

    fn entry(&mut self, path: PathBuf, depth: usize) {
        let is_link = path.is_symlink();
        if path.is_dir() {
            // Links to directories could lead round in circles.
            if !is_link && depth < DEPTH {
                self.directory(&path, depth + 1);
            }
            return;
        }
        if path.extension().is_none_or(|extension| extension != "so") {
            return;
        }
        match fs::canonicalize(&path) {
            Ok(real) if !real.is_file() => {
                self.found
                    .push(Err((path, "it is no regular file".to_owned())));
            }
            Ok(real) => {
                if self.seen.insert(real) {
                    self.found.push(Ok(path));
                }
            }
            Err(error) => self.refuse(&path, &error),
        }
    }

    fn refuse(&mut self, path: &Path, error: &io::Error) {
        self.found.push(Err((
            path.to_owned(),
            format!("it cannot be read: {error}"),
        )));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(content: &[u8]) -> String {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.so");
        fs::write(&file, content).unwrap();
        read_manifest(&file).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_library_is_refused_with_a_reason() {
        assert!(refusal(b"").contains("no shared library"));
        assert!(refusal(b"just text").contains("no shared library"));
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(refusal(&own).contains("not a Rivero module"));
        assert!(!refusal(&own[..2000]).is_empty());
    }

    #[test]
    fn links_in_circles_and_missing_directories_are_survived() {
        let root = tempfile::tempdir().unwrap();
        let circle = root.path().join("a.so");
        std::os::unix::fs::symlink(&circle, &circle).unwrap();
        std::os::unix::fs::symlink(root.path(), root.path().join("again")).unwrap();
        fs::create_dir(root.path().join("sub")).unwrap();
        fs::write(root.path().join("sub/b.so"), "x").unwrap();
        fs::write(root.path().join("readme.txt"), "x").unwrap();
        let found = find(&[root.path().to_owned(), root.path().join("missing")]);
        let taken: Vec<_> = found
            .iter()
            .filter_map(|found| found.as_ref().ok())
            .collect();
        assert_eq!(taken, [&root.path().join("sub/b.so")]);
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
