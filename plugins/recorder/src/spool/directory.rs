//! The spool's directory: one below it for each process that has files there, with a lock that tells whether it lives.
//!
//! A lock for each file would cost a descriptor for each recording that waits while a store is down.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::SystemTime,
};

/// Of a directory, locked by whose it is.
const LOCK: &str = "lock";
/// Below the data directory; a file there has the name of a class, whose module the server starts the next time although
/// nobody asks for it.
const RESUME: &str = "resume/RecorderEndpoint";

/// See the head of this file.
pub(super) struct Directory {
    path: PathBuf,
    marker: Option<PathBuf>,
}

/// The files of one process.
pub(super) struct Instance {
    path: PathBuf,
    _lock: File,
    next: AtomicU64,
}

impl Directory {
    /// `data`: the server's directory for data.
    pub(super) fn new(path: PathBuf, data: Option<PathBuf>) -> Self {
        let marker = data.map(|data| data.join(RESUME));
        Self { path, marker }
    }

    pub(super) fn exists(&self) -> bool {
        self.path.is_dir()
    }

    /// Makes a directory for this process.
    pub(super) fn begin(&self) -> io::Result<Instance> {
        private_directory(&self.path)?;
        let _all = self.lock()?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.unwrap_or_default().as_millis();
        for number in 0.. {
            let path = self
                .path
                .join(format!("{now:013}-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    let lock = private_file(&path.join(LOCK))?;
                    lock.try_lock().map_err(io::Error::from)?;
                    return Ok(Instance::new(path, lock));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// The directories of processes that are gone, and whether there are some of others that live. `own`: not to be
    /// counted.
    pub(super) fn adopt(&self, own: Option<&Instance>) -> io::Result<(Vec<Instance>, bool)> {
        let _all = self.lock()?;
        let (mut instances, mut others) = (Vec::new(), false);
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            if !path.is_dir() || own.is_some_and(|own| own.path == path) {
                continue;
            }
            let lock = private_file(&path.join(LOCK))?;
            match lock.try_lock() {
                Ok(()) => instances.push(Instance::new(path, lock)),
                Err(TryLockError::WouldBlock) => others = true,
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        instances.sort_by(|one, other| one.path.cmp(&other.path));
        Ok((instances, others))
    }

    /// Says that there is something to go on with.
    pub(super) fn mark(&self) -> io::Result<()> {
        let Some(marker) = &self.marker else {
            return Ok(());
        };
        let _all = self.lock()?;
        marker.parent().map_or(Ok(()), private_directory)?;
        private_file(marker).map(drop)
    }

    /// Nothing is left to go on with, unless another process has something.
    pub(super) fn forget(&self) {
        let Some(marker) = &self.marker else { return };
        let has_files = |path: &Path| {
            let mut entries = fs::read_dir(path).into_iter().flatten().flatten();
            entries.any(|entry| entry.file_name() != LOCK)
        };
        let _all = self.lock();
        let instances = fs::read_dir(&self.path).into_iter().flatten().flatten();
        if !instances
            .map(|entry| entry.path())
            .any(|path| has_files(&path))
        {
            // It may not be there.
            let _ = fs::remove_file(marker);
        }
    }

    /// Held while directories come and go.
    fn lock(&self) -> io::Result<File> {
        let lock = private_file(&self.path.join(LOCK))?;
        lock.lock()?;
        Ok(lock)
    }
}

impl Instance {
    fn new(path: PathBuf, lock: File) -> Self {
        Self {
            path,
            _lock: lock,
            next: AtomicU64::new(0),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a new file, without an ending.
    pub(super) fn next(&self) -> PathBuf {
        let number = self.next.fetch_add(1, Relaxed);
        self.path.join(format!("{number:06}"))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Where something is left in it that nobody understands, it stays.
        let only_lock = fs::read_dir(&self.path).is_ok_and(|entries| entries.count() <= 1);
        if only_lock {
            let _ = fs::remove_file(self.path.join(LOCK));
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Recordings are nobody's business but the server's.
fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    options.truncate(false).open(path)
}
