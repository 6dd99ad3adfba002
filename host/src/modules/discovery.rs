//! Finding module files and reading what they say about themselves.

use std::{
    collections::{BTreeSet, HashSet},
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
    /// Its pads take media on the producer's thread, and return at once.
    #[serde(default)]
    pub(super) inline: bool,
    /// What it was built with, as `rivero-plugin-api 0.1.0, rustc 1.95.0`; older builds do not say.
    #[serde(default)]
    built_with: Option<String>,
}

impl Manifest {
    /// What it was built with, if it says so.
    pub(super) fn built_with(&self) -> Option<&str> {
        self.built_with.as_deref()
    }

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

/// What a module was built with, as the end of a sentence; nothing where it does not say.
#[derive(Debug)]
pub(super) struct BuiltWith(Option<String>);

impl BuiltWith {
    /// That of a manifest of which nothing else may be known.
    fn in_manifest(manifest: &[u8]) -> Self {
        let manifest: Option<serde_json::Value> = serde_json::from_slice(manifest).ok();
        let text = manifest
            .as_ref()
            .and_then(|all| all.get("built_with")?.as_str());
        Self(text.map(|text| text.chars().take(100).collect()))
    }
}

impl std::fmt::Display for BuiltWith {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(text) => write!(f, " (it was built with {text})"),
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
    #[error(
        "it is one of Kurento's own modules, in C++, which this server cannot load: docs/migrating-modules.md says how to build it for this one"
    )]
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
        "it speaks ABI {0}.{1}, this server {ABI_MAJOR}.{ABI_MINOR}: rebuild it with this server's plugin-api{2}"
    )]
    Version(u16, u16, BuiltWith),
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
        let built_with = BuiltWith::in_manifest(section.manifest);
        let (major, minor) = (section.major, section.minor);
        return Err(ManifestError::Version(major, minor, built_with));
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

/// A name, the modules directory that it was found in, and why it can be no module.
pub(super) type Found = (PathBuf, PathBuf, Option<String>);

/// All `*.so` files below the directories, in order: first directory first,
/// by name within one. Each file and directory once, however many ways lead to it. Names that begin
/// with a dot are passed over: copying programs write under them, and whole directories are
/// replaced through them.
pub(super) fn find(directories: &[PathBuf]) -> Search {
    let mut search = Search::default();
    // An empty one comes of `a::b`, or of a variable that is set to nothing.
    let named = directories.iter().filter(|d| !d.as_os_str().is_empty());
    for root in named {
        // Where it shows that the directory itself comes, goes or is another one.
        search
            .places
            .around
            .extend(root.parent().map(Path::to_owned));
        search.directory(root, root, 0);
    }
    search
}

/// Directories whose changes matter.
#[derive(Default)]
pub(super) struct Places {
    /// Those that have files, or might.
    pub(super) searched: BTreeSet<PathBuf>,
    /// Those in which others come and go under their names.
    pub(super) around: BTreeSet<PathBuf>,
}

/// What was found.
#[derive(Default)]
pub(super) struct Search {
    pub(super) found: Vec<Found>,
    /// Where a change would change that.
    pub(super) places: Places,
    /// Files and directories that are done, by their real paths.
    seen: HashSet<PathBuf>,
}

impl Search {
    fn directory(&mut self, directory: &Path, root: &Path, depth: usize) {
        let real = fs::canonicalize(directory);
        if real.is_ok_and(|real| !self.seen.insert(real)) {
            return;
        }
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => return self.refuse(directory, root, &error),
        };
        self.places.searched.insert(directory.to_owned());
        let is_hidden =
            |entry: &fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".");
        let entries = entries
            .filter_map(Result::ok)
            .filter(|entry| !is_hidden(entry));
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            self.entry(path, root, depth);
        }
    }

    fn entry(&mut self, path: PathBuf, root: &Path, depth: usize) {
        let is_link = path.is_symlink();
        if path.is_dir() {
            // Links to directories could lead round in circles.
            if !is_link && depth < DEPTH {
                self.directory(&path, root, depth + 1);
            }
            return;
        }
        if path.extension().is_none_or(|extension| extension != "so") {
            return;
        }
        match fs::canonicalize(&path) {
            Ok(real) if !real.is_file() => {
                let reason = "it is no regular file".to_owned();
                self.found.push((path, root.to_owned(), Some(reason)));
            }
            Ok(real) => {
                if is_link {
                    let searched = &mut self.places.searched;
                    searched.extend(real.parent().map(Path::to_owned));
                }
                if self.seen.insert(real) {
                    self.found.push((path, root.to_owned(), None));
                }
            }
            Err(error) => self.refuse(&path, root, &error),
        }
    }

    fn refuse(&mut self, path: &Path, root: &Path, error: &io::Error) {
        let reason = format!("it cannot be read: {error}");
        self.found
            .push((path.to_owned(), root.to_owned(), Some(reason)));
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
        fs::create_dir(root.path().join(".hidden")).unwrap();
        fs::write(root.path().join(".hidden/c.so"), "x").unwrap();
        fs::write(root.path().join(".d.so"), "x").unwrap();
        let search = find(&given);
        let found = search.found;
        let taken = found.iter().filter(|(_, _, problem)| problem.is_none());
        let taken: Vec<_> = taken.map(|(path, _, _)| path).collect();
        assert_eq!(taken, [&root.path().join("sub/b.so")]);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(search.places.searched.contains(&root.path().join("sub")));
        assert!(search.places.around.contains(root.path().parent().unwrap()));
    }
}
