//! Trying out a new file in a process of its own.
//!
//! A library can end the process that loads it: a constructor that crashes, a
//! symbol that is missing. So each new file is loaded once in a child; the
//! verdict is remembered for as long as the file stays the same. One that has
//! changed by the time it is loaded is tried again.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::Discovery;

/// A library that takes longer to load is not wanted.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(2);

/// Verdicts by file.
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
        probe(&self.prober, copy).map_err(|reason| reason.replace(&name(copy), &name(file)))
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Memory {
    /// The server that tried them; another one tries again.
    prober: Option<Identity>,
    files: BTreeMap<PathBuf, Known>,
}

#[derive(Serialize, Deserialize)]
struct Known {
    identity: Identity,
    refused: Option<String>,
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

impl Probes {
    pub(super) fn new(discovery: &Discovery) -> Self {
        let memory = discovery.data_directory.join("module-probes.json");
        let known: Memory = fs::read(&memory)
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
                files: known.files,
            },
        }
    }

    /// The verdict on each file, in order; `None` where there is no prober and
    /// files are trusted. Unknown ones are tried side by side.
    pub(super) fn run(mut self, files: &[&Path]) -> Vec<Result<Option<Passed>, String>> {
        let Some(prober) = self.prober.clone() else {
            return files.iter().map(|_| Ok(None)).collect();
        };
        let new: Vec<&Path> = files
            .iter()
            .copied()
            .filter(|file| !self.knows(file))
            .collect();
        if !new.is_empty() {
            self.learn(&prober, &new);
        }
        let passed = |identity| Passed {
            prober: prober.clone(),
            identity,
        };
        let verdicts = files.iter().map(|file| self.verdict(file));
        verdicts
            .map(|verdict| verdict.map(|identity| Some(passed(identity))))
            .collect()
    }

    fn knows(&self, file: &Path) -> bool {
        let identity = Identity::of(file);
        self.known
            .files
            .get(file)
            .is_some_and(|known| Some(known.identity) == identity)
    }

    fn verdict(&self, file: &Path) -> Result<Identity, String> {
        match self.known.files.get(file) {
            Some(Known {
                refused: Some(reason),
                ..
            }) => Err(reason.clone()),
            Some(Known { identity, .. }) => Ok(*identity),
            None => Err("it vanished while it was looked at".to_owned()),
        }
    }

    fn learn(&mut self, prober: &Path, files: &[&Path]) {
        let verdicts: Vec<_> = thread::scope(|scope| {
            let probes: Vec<_> = files
                .iter()
                .map(|file| scope.spawn(|| probe(prober, file)))
                .collect();
            probes.into_iter().map(|probe| probe.join().ok()).collect()
        });
        for (file, verdict) in files.iter().zip(verdicts) {
            let Some(identity) = Identity::of(file) else {
                continue;
            };
            let refused = match verdict {
                Some(Ok(())) => None,
                Some(Err(reason)) => Some(reason),
                None => Some("it could not be tried out".to_owned()),
            };
            self.known
                .files
                .insert((*file).to_owned(), Known { identity, refused });
        }
        self.remember();
    }

    /// Best effort: where it cannot be written, files are tried at each start.
    fn remember(&mut self) {
        self.known.files.retain(|file, _| file.exists());
        let Ok(text) = serde_json::to_vec_pretty(&self.known) else {
            return;
        };
        let fresh = self.memory.with_extension("json.new");
        let written = fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, &self.memory));
        if let Err(error) = written {
            tracing::debug!(file = %self.memory.display(), "probes are not remembered: {error}");
        }
    }
}

fn probe(prober: &Path, file: &Path) -> Result<(), String> {
    let child = Command::new(prober)
        .arg("--probe-module")
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("it could not be tried out: {error}"))?;
    judge(child)
}

fn judge(mut child: Child) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return verdict(status, child),
            Ok(None) if Instant::now() < deadline => thread::sleep(POLL),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it was not loaded within {} s", PATIENCE.as_secs()));
            }
            Err(error) => return Err(format!("it could not be tried out: {error}")),
        }
    }
}

fn verdict(status: ExitStatus, child: Child) -> Result<(), String> {
    use std::os::unix::process::ExitStatusExt;
    if status.success() {
        return Ok(());
    }
    if let Some(signal) = status.signal() {
        return Err(format!(
            "loading it ended a trial process with signal {signal}"
        ));
    }
    let output = child
        .wait_with_output()
        .map(|output| output.stderr)
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    let line = text
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("loading it failed");
    Err(line.trim().to_owned())
}
