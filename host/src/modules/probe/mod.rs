//! Trying out new files in another process.
//!
//! A library can end the process that loads it: a constructor that crashes, a
//! symbol that is missing. So each new file is loaded once in a child;
//! what passes is remembered for as long as the file stays the same, and tried
//! again if it has changed by the time it is loaded. What fails is tried at
//! every start: a library that it needs may be there by then.

mod in_child;
mod trial;

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::Discovery;
use crate::regular_file;
pub use in_child::probe_files;

/// Bytes of what is remembered at most.
const MEMORY_LIMIT: u64 = 4 << 20;

/// What is known of files.
pub(super) struct Probes {
    prober: Option<PathBuf>,
    memory: PathBuf,
    known: Memory,
}

/// A trial that a file passed.
pub(super) struct Passed {
    prober: PathBuf,
    identity: Identity,
}

impl Passed {
    /// Whether the file is still what was tried.
    pub(super) fn holds_for(&self, file: &Path) -> bool {
        Identity::of(file) == Some(self.identity)
    }

    /// Tries `copy`, which is of `file`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn repeat(&self, file: &Path, copy: &Path) -> Result<(), String> {
        let name = |path: &Path| path.display().to_string();
        trial::try_copy(&self.prober, copy, file.parent())
            .map_err(|reason| reason.replace(&name(copy), &name(file)))
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Memory {
    /// The server that tried them; another one tries again.
    prober: Option<Identity>,
    passed: BTreeMap<PathBuf, Identity>,
}

/// Tells one content of a file from another without reading it: the kernel
/// changes ctime with every write.
#[derive(Serialize, Deserialize, PartialEq, Eq, Clone, Copy, Debug)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Identity {
    pub(super) fn of(file: &Path) -> Option<Self> {
        let metadata = fs::metadata(file).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// Writes a file in place of whatever has its name, a link to elsewhere for instance.
fn write_anew(file: &Path, content: &[u8]) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => File::create_new(file)?.write_all(content),
    }
}

impl Probes {
    pub(super) fn new(discovery: &Discovery) -> Self {
        let memory = discovery.data_directory.join("module-probes.json");
        let known: Memory = regular_file::read(&memory, MEMORY_LIMIT)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let prober = discovery.prober.clone();
        let current = prober.as_deref().and_then(Identity::of);
        let known = if known.prober == current {
            known
        } else {
            Memory::default()
        };
        Self {
            prober,
            memory,
            known: Memory {
                prober: current,
                passed: known.passed,
            },
        }
    }

    /// The verdict on each file, in order; `None` where there is no prober and
    /// files are trusted.
    pub(super) fn run(&mut self, files: &[&Path]) -> Vec<Result<Option<Passed>, String>> {
        let Some(prober) = self.prober.clone() else {
            return files.iter().map(|_| Ok(None)).collect();
        };
        let new: Vec<&Path> = files
            .iter()
            .copied()
            .filter(|file| !self.knows(file))
            .collect();
        let mut failed = HashMap::new();
        if !new.is_empty() {
            failed = self.learn(&prober, &new);
            self.remember();
        }
        let verdicts = files.iter().map(|file| match self.known.passed.get(*file) {
            Some(identity) => Ok(Some(Passed {
                prober: prober.clone(),
                identity: *identity,
            })),
            None => Err(failed
                .remove(*file)
                .unwrap_or_else(|| "it vanished while it was looked at".to_owned())),
        });
        verdicts.collect()
    }

    fn knows(&self, file: &Path) -> bool {
        let known = self.known.passed.get(file);
        known.is_some() && known.copied() == Identity::of(file)
    }

    /// Tries files out; the result are those that failed, and why.
    fn learn<'f>(&mut self, prober: &Path, files: &[&'f Path]) -> HashMap<&'f Path, String> {
        // Before the trial: one that is written to meanwhile is another file.
        let identities: Vec<_> = files.iter().map(|file| Identity::of(file)).collect();
        let mut failed = HashMap::new();
        let verdicts = trial::try_all(prober, files);
        for ((file, identity), verdict) in files.iter().zip(identities).zip(verdicts) {
            match (verdict, identity) {
                (Ok(()), Some(identity)) => {
                    self.known.passed.insert((*file).to_owned(), identity);
                }
                (verdict, _) => {
                    self.known.passed.remove(*file);
                    failed.extend(verdict.err().map(|reason| (*file, reason)));
                }
            }
        }
        failed
    }

    /// Best effort: where it cannot be written, files are tried at each start.
    fn remember(&mut self) {
        self.known.passed.retain(|file, _| file.exists());
        let Ok(text) = serde_json::to_vec_pretty(&self.known) else {
            return;
        };
        let fresh = self.memory.with_extension("json.new");
        let written = write_anew(&fresh, &text).and_then(|()| fs::rename(&fresh, &self.memory));
        if let Err(error) = written {
            tracing::debug!(file = %self.memory.display(), "probes are not remembered: {error}");
        }
    }
}
