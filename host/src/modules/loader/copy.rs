//! Private copies of library files.
//!
//! The operator's file is never mapped: overwriting it in place would change
//! running code, and the loader would take a replaced file of the same name
//! for the one it knows.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, IntoRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::fs::{MemfdFlags, memfd_create};

/// A copy in memory, by a path that nothing else in this process will ever
/// have: the loader knows libraries by name, so the descriptor stays open.
pub(super) fn private_copy(file: &Path) -> io::Result<PathBuf> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let memory: OwnedFd = memfd_create(name.as_ref(), MemfdFlags::CLOEXEC)?;
    let mut copy = File::from(memory);
    io::copy(&mut File::open(file)?, &mut copy)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", copy.as_raw_fd()));
    let _stays_open = copy.into_raw_fd();
    Ok(path)
}
