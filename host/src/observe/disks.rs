//! The room that is left where recordings go.

use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

/// What a directory has room for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// As the configuration names it.
    pub directory: PathBuf,
    /// Bytes that the server may still write, and that there are in all; why they cannot be had otherwise.
    pub room: Result<(u64, u64), String>,
}

impl Disk {
    /// Looks at the file system. It may block for long: one on the network that does not answer.
    #[must_use]
    pub fn look(directory: &Path) -> Disk {
        // A directory that is made with the first recording is on the file system of the one above it.
        let there = directory.ancestors().find(|above| above.exists());
        let room = statvfs(there.unwrap_or(directory))
            .map(|found| {
                let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
                (bytes(found.f_bavail), bytes(found.f_blocks))
            })
            .map_err(|error| error.to_string());
        Disk {
            directory: directory.to_owned(),
            room,
        }
    }

    /// Why nothing should be recorded here, if so; `least`: bytes that have to be free.
    #[must_use]
    pub fn problem(&self, least: u64) -> Option<String> {
        let directory = self.directory.display();
        match &self.room {
            Ok((free, _)) if *free < least => Some(format!(
                "{directory} has {} MiB left, and mediaServer.health.minFreeMiB is {}",
                free >> 20,
                least >> 20
            )),
            Ok(_) => None,
            Err(error) => Some(format!("{directory} cannot be looked at: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_there_yet_has_the_room_of_the_one_above() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::look(&directory.path().join("not/there"));
        let (free, size) = disk.room.clone().unwrap();
        assert!(free <= size && size > 0);
        assert_eq!(disk.problem(0), None);
        let problem = disk.problem(u64::MAX).unwrap();
        assert!(problem.contains("not/there has "), "{problem}");
    }
}
