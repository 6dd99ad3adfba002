//! Finding module files and reading what they say about themselves.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use object::read::{ReadCache, ReadRef};
use object::{Endianness, Object, ObjectKind, ObjectSection, ObjectSymbol};
use rivero_idl::Setting;
use rivero_plugin_api::{
    Conversion,
    abi::{
        ABI_MAJOR, ABI_MINOR,
        section::{self, SECTION, SectionError},
    },
};
use serde::Deserialize;

use crate::regular_file;

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
    #[serde(default)]
    pub(super) settings: Vec<Setting>,
    #[serde(default)]
    pub(super) conversions: Vec<Conversion>,
    /// Parameters of formats that packing anew may change.
    #[serde(default)]
    pub(super) packaging_parameters: Vec<String>,
}

impl Manifest {
    /// Whether clients of `other` find everything as it was, the version aside.
    pub(super) fn offers_the_same_as(&self, other: &Self) -> bool {
        (
            &self.name,
            &self.classes,
            &self.descriptor,
            &self.conversions,
        ) == (
            &other.name,
            &other.classes,
            &other.descriptor,
            &other.conversions,
        )
    }

    fn is_consistent(&self) -> Result<(), ManifestError> {
        if self.name.trim().is_empty() {
            return Err(ManifestError::Nameless);
        }
        let mut seen = HashSet::new();
        match self.classes.iter().find(|class| !seen.insert(*class)) {
            Some(class) => Err(ManifestError::Twice(class.clone())),
            None => Ok(()),
        }
    }
}

/// Why a file is no module.
#[derive(Debug, thiserror::Error)]
pub(super) enum ManifestError {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is no shared library that this system could load: {0}")]
    NotElf(object::Error),
    #[error("it is built for {0}, this server for {1}")]
    Architecture(String, &'static str),
    #[error("it is no shared library: its ELF header says {0:?}")]
    Kind(ObjectKind),
    #[error("it has no {SECTION} section: not a Rivero module")]
    Foreign,
    #[error("it is one of Kurento's own modules, in C++, which this server cannot load")]
    Kurento,
    #[error("it has {0} sections {SECTION}: two modules linked into one library")]
    Sections(usize),
    #[error("its {SECTION} section cannot be read: {0}")]
    Unreadable(object::Error),
    #[error("{0}")]
    Section(#[from] SectionError),
    #[error("its {SECTION} section is larger than {MANIFEST_LIMIT} bytes")]
    TooLarge,
    #[error(
        "it speaks ABI {0}.{1}, this server {ABI_MAJOR}.{ABI_MINOR}: rebuild it with this server's plugin-api"
    )]
    Version(u16, u16),
    #[error(
        "it is built with panic = \"abort\": a panic in it would end the server, so rebuild it with panic = \"unwind\""
    )]
    Aborts,
    #[error("its manifest is malformed: {0}")]
    Manifest(#[from] serde_json::Error),
    #[error("its manifest has no name")]
    Nameless,
    #[error("its manifest names the class '{0}' twice")]
    Twice(String),
}

/// The function by which Kurento's server would register a library's classes.
const KURENTO_ENTRY: &[u8] = b"getFactoryRegistrar";

/// Reads the manifest of a file without running any of its code.
pub(super) fn read_manifest(file: &Path) -> Result<Manifest, ManifestError> {
    manifest_in(&ReadCache::new(regular_file::open(file)?))
}

/// Name and classes of the module in a file with this content.
///
/// # Errors
/// Why it is no module, in words for the operator.
pub fn inspect(content: &[u8]) -> Result<(String, Vec<String>), String> {
    match manifest_in(content) {
        Ok(manifest) => Ok((manifest.name, manifest.classes)),
        Err(error) => Err(error.to_string()),
    }
}

fn manifest_in<'d, R: ReadRef<'d>>(content: R) -> Result<Manifest, ManifestError> {
    let elf = object::File::parse(content).map_err(ManifestError::NotElf)?;
    is_for_this_system(&elf)?;
    let data = section_data(&elf)?;
    let section = section::decode(data)?;
    if section.major != ABI_MAJOR {
        return Err(ManifestError::Version(section.major, section.minor));
    }
    if !section.unwinds {
        return Err(ManifestError::Aborts);
    }
    let manifest: Manifest = serde_json::from_slice(section.manifest)?;
    manifest.is_consistent()?;
    Ok(manifest)
}

fn is_for_this_system<'d, R: ReadRef<'d>>(elf: &object::File<'d, R>) -> Result<(), ManifestError> {
    let native = elf.architecture() == native_architecture()
        && elf.endianness() == NATIVE_ENDIANNESS
        && elf.is_64() == cfg!(target_pointer_width = "64");
    if !native {
        let bits = if elf.is_64() { 64 } else { 32 };
        let order = match elf.endianness() {
            Endianness::Little => "little-endian",
            Endianness::Big => "big-endian",
        };
        let found = format!("{:?} ({bits} bit, {order})", elf.architecture());
        return Err(ManifestError::Architecture(found, std::env::consts::ARCH));
    }
    match elf.kind() {
        ObjectKind::Dynamic => Ok(()),
        other => Err(ManifestError::Kind(other)),
    }
}

/// The one section with a manifest.
fn section_data<'d, R: ReadRef<'d>>(elf: &object::File<'d, R>) -> Result<&'d [u8], ManifestError> {
    let is_ours = |section: &object::Section<'d, '_, R>| section.name() == Ok(SECTION);
    let mut sections = elf.sections().filter(is_ours);
    let found = sections.next().ok_or_else(|| foreign(elf))?;
    match sections.count() {
        0 if found.size() > MANIFEST_LIMIT => Err(ManifestError::TooLarge),
        0 => found.data().map_err(ManifestError::Unreadable),
        others => Err(ManifestError::Sections(others + 1)),
    }
}

fn foreign<'d, R: ReadRef<'d>>(elf: &object::File<'d, R>) -> ManifestError {
    let mut symbols = elf.dynamic_symbols();
    match symbols.any(|symbol| symbol.is_definition() && symbol.name_bytes() == Ok(KURENTO_ENTRY)) {
        true => ManifestError::Kurento,
        false => ManifestError::Foreign,
    }
}

const NATIVE_ENDIANNESS: Endianness = if cfg!(target_endian = "little") {
    Endianness::Little
} else {
    Endianness::Big
};

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
/// by name within one. Each file and directory once, however many ways lead to it.
pub(super) fn find(directories: &[PathBuf]) -> Vec<Found> {
    let mut search = Search::default();
    // An empty one comes of `a::b`, or of a variable that is set to nothing.
    let named = directories.iter().filter(|d| !d.as_os_str().is_empty());
    for directory in named {
        search.directory(directory, 0);
    }
    search.found
}

#[derive(Default)]
struct Search {
    found: Vec<Found>,
    /// Files and directories that are done, by their real paths.
    seen: HashSet<PathBuf>,
}

impl Search {
    fn directory(&mut self, directory: &Path, depth: usize) {
        let real = fs::canonicalize(directory);
        if real.is_ok_and(|real| !self.seen.insert(real)) {
            return;
        }
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
        let twice = root.path().join("sub/..");
        let given = [
            root.path().to_owned(),
            root.path().join("missing"),
            twice,
            PathBuf::new(),
        ];
        let found = find(&given);
        let taken: Vec<_> = found
            .iter()
            .filter_map(|found| found.as_ref().ok())
            .collect();
        assert_eq!(taken, [&root.path().join("sub/b.so")]);
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
