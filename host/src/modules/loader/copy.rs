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

use crate::regular_file;

/// A copy in memory.
pub(in crate::modules) struct PrivateCopy(File);

impl PrivateCopy {
    /// Copies what the file contains now.
    ///
    /// # Errors
    /// When the file cannot be read or there is no memory for it.
    pub(in crate::modules) fn of(file: &Path) -> io::Result<Self> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let memory: OwnedFd = memfd_create(name.as_ref(), MemfdFlags::CLOEXEC)?;
        let mut copy = File::from(memory);
        io::copy(&mut regular_file::open(file)?, &mut copy)?;
        Ok(Self(copy))
    }

    /// Where other processes of this user find it while it lives.
    pub(in crate::modules) fn path_for_others(&self) -> PathBuf {
        let (process, descriptor) = (std::process::id(), self.0.as_raw_fd());
        PathBuf::from(format!("/proc/{process}/fd/{descriptor}"))
    }

    /// Keeps it for the life of the process, by a path that nothing else in
    /// this process will ever have: the loader knows libraries by name.
    pub(super) fn keep(self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.into_raw_fd()))
    }
}
