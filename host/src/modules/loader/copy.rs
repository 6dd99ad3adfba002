//! Private copies of library files.
//!
//! The operator's file is never mapped: overwriting it in place would change
//! running code, and the loader would take a replaced file of the same name
//! for the one it knows.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::fs::{MemfdFlags, memfd_create};

use crate::regular_file;

/// Characters of a file's name that its copy keeps: the kernel takes 249 bytes in all.
const NAME_LENGTH: usize = 40;

/// The number of the next copy; none is given twice.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A copy in memory. It goes with its last mapping once this is dropped.
pub(in crate::modules) struct PrivateCopy {
    memory: File,
    number: u64,
    name: String,
}

impl PrivateCopy {
    /// Copies what the file contains now.
    ///
    /// # Errors
    /// When the file cannot be read or there is no memory for it.
    pub(in crate::modules) fn of(file: &Path) -> io::Result<Self> {
        let (number, name) = named(file);
        let memory: OwnedFd = memfd_create(name.as_str(), MemfdFlags::CLOEXEC)?;
        let mut memory = File::from(memory);
        io::copy(&mut regular_file::open(file)?, &mut memory)?;
        Ok(Self {
            memory,
            number,
            name,
        })
    }

    /// Another descriptor of the copy, for a process that is to load it.
    pub(in crate::modules) fn shared(&self) -> io::Result<File> {
        self.memory.try_clone()
    }

    /// A copy of `file` that another process made.
    pub(in crate::modules) fn given(memory: OwnedFd, file: &Path) -> Self {
        let (number, name) = named(file);
        Self {
            memory: memory.into(),
            number,
            name,
        }
    }

    /// Where other processes of this user find it while it lives.
    pub(in crate::modules) fn path_for_others(&self) -> PathBuf {
        let (process, descriptor) = (std::process::id(), self.memory.as_raw_fd());
        PathBuf::from(format!("/proc/{process}/fd/{descriptor}"))
    }

    /// Where the loader finds it while it lives, by a name that nothing else in this process
    /// ever has.
    ///
    /// The loader takes a library whose name it knows for the one that it knows. The descriptor's
    /// number alone would be such a name: it is given to the next copy once this one is closed.
    pub(super) fn path(&self) -> PathBuf {
        let (unique, descriptor) = (spelled(self.number), self.memory.as_raw_fd());
        PathBuf::from(format!("/proc/self/fd/{unique}/{descriptor}"))
    }

    /// What its mappings are called in `/proc/self/maps`.
    pub(super) fn mapping_name(&self) -> String {
        format!("/memfd:{}", self.name)
    }
}

/// Number and name of the next copy.
fn named(file: &Path) -> (u64, String) {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let own = file.file_name().unwrap_or_default().to_string_lossy();
    let own: String = own.chars().take(NAME_LENGTH).collect();
    (number, format!("rivero-module-{number}-{own}"))
}

/// A number in a part of a path that means nothing to the kernel: repeated slashes, and dots
/// between them. A digit is as many slashes and one more, so that no two dots meet.
fn spelled(number: u64) -> String {
    let digits = number.to_string();
    let digit = |digit: u8| format!("{}.", "/".repeat(usize::from(digit - b'0') + 1));
    digits.bytes().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_copy_has_a_name_of_its_own_and_is_found_by_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.so");
        let mut names = std::collections::HashSet::new();
        for content in ["a", "b", "c"] {
            std::fs::write(&file, content).unwrap();
            let copy = PrivateCopy::of(&file).unwrap();
            assert_eq!(std::fs::read_to_string(copy.path()).unwrap(), content);
            // As the loader sees it: paths are equal where only slashes and dots differ.
            let name = copy.path().into_os_string();
            assert!(names.insert(name), "{names:?}");
        }
        assert_eq!(spelled(10), "//./.");
    }
}
