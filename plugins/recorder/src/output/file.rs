//! Files of the server.

use std::{
    fs::{File, TryLockError},
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use rivero_uri::{OpenError, Policy};

use super::existing;
use crate::container::Output;

/// A file, or one after the other.
pub(crate) struct FileOutput {
    path: PathBuf,
    policy: Policy,
    content_type: &'static str,
    /// Number of the present file of a split recording.
    part: Option<u32>,
    file: File,
    length: u64,
}

impl FileOutput {
    /// Creates the file with its directories; the recording that it contained is gone.
    ///
    /// # Errors
    /// [`OpenError`], also when it contains anything but a recording
    pub(crate) fn create(
        path: PathBuf,
        is_split: bool,
        content_type: &'static str,
        policy: Policy,
    ) -> Result<Self, OpenError> {
        let part = is_split.then_some(0);
        let file = open(&path, part, content_type, &policy)?;
        Ok(Self {
            path,
            policy,
            content_type,
            part,
            file,
            length: 0,
        })
    }
}

/// `name.mkv` has the parts `name-00000.mkv`, `name-00001.mkv` …
fn part_path(path: &Path, part: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(extension) => format!("{stem}-{part:05}.{}", extension.to_string_lossy()),
        None => format!("{stem}-{part:05}"),
    };
    path.with_file_name(name)
}

fn open(
    path: &Path,
    part: Option<u32>,
    content_type: &str,
    policy: &Policy,
) -> Result<File, OpenError> {
    let path = part.map_or_else(|| path.to_owned(), |part| part_path(path, part));
    let file = policy.create(&path)?;
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        // What another recorder has written so far must not go.
        let error = io::Error::new(
            io::ErrorKind::ResourceBusy,
            "another recording writes to it",
        );
        return Err(OpenError::System { path, error });
    }
    // Under the lock, so that no other recording begins in between.
    match existing::check(&file, content_type).and_then(|()| file.set_len(0)) {
        Ok(()) => Ok(file),
        Err(error) => Err(OpenError::System { path, error }),
    }
}

/// There are file systems that cannot do this, and a recording on them is as good as they are.
pub(super) fn synced(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::Unsupported | ErrorKind::InvalidInput
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

impl Output for FileOutput {
    fn append(&mut self, data: &[u8]) -> io::Result<()> {
        match self.file.write_all_at(data, self.length) {
            Ok(()) => {
                self.length += data.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Half a chunk is no use to anybody.
                let _ = self.file.set_len(self.length);
                Err(error)
            }
        }
    }

    fn patch(&mut self, position: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, position)
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn can_patch(&self) -> bool {
        true
    }

    fn sync(&mut self) -> io::Result<()> {
        synced(self.file.sync_data())
    }

    fn next_file(&mut self) -> io::Result<()> {
        self.sync()?;
        let part = self.part.map(|part| part + 1);
        let opened = open(&self.path, part, self.content_type, &self.policy);
        self.file = opened.map_err(|error| match error {
            OpenError::Refused(refusal) => super::refused(refusal),
            OpenError::System { error, .. } => error,
        })?;
        (self.part, self.length) = (part, 0);
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        synced(self.file.sync_all())?;
        // The name of a new file is in its directory, which is written for itself. One that may be written and
        // not read cannot be opened: the name gets there a little later then.
        if let Some(directory) = self.path.parent().and_then(|path| File::open(path).ok()) {
            synced(directory.sync_all())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_numbered() {
        assert_eq!(
            part_path(Path::new("/a/b.c.mkv"), 7),
            Path::new("/a/b.c-00007.mkv")
        );
        assert_eq!(part_path(Path::new("/a/b"), 0), Path::new("/a/b-00000"));
    }

    #[test]
    fn a_file_belongs_to_one_recording_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let policy = Policy::new(&rivero_uri::UriSettings::default());
        let create = || FileOutput::create(path.clone(), false, "video/webm", policy.clone());
        let mut first = create().unwrap();
        first.append(b"FLV\x01 one").unwrap();
        let error = create().err().unwrap();
        assert!(error.to_string().contains("another recording"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"FLV\x01 one");
        drop(first);
        create().unwrap();
    }

    #[test]
    fn a_recording_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, b"FLV\x01 a long former recording").unwrap();
        let policy = Policy::new(&rivero_uri::UriSettings::default());
        let mut output = FileOutput::create(path.clone(), false, "video/mp4", policy).unwrap();
        output.append(b"one two").unwrap();
        output.patch(0, b"ten").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"ten two");
    }

    #[test]
    fn a_file_that_is_no_recording_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let policy = Policy::new(&rivero_uri::UriSettings::default());
        let refused = |name: &str, is_split| {
            std::fs::write(directory.path().join(name), "Dear diary").unwrap();
            let path = directory.path().join("a.mkv");
            let error = FileOutput::create(path, is_split, "video/webm", policy.clone());
            let error = error.err().unwrap().to_string();
            assert!(error.contains("no recording"), "{error}");
            assert_eq!(
                std::fs::read(directory.path().join(name)).unwrap(),
                b"Dear diary"
            );
        };
        refused("a.mkv", false);
        refused("a-00000.mkv", true);
        std::fs::remove_file(directory.path().join("a-00000.mkv")).unwrap();
        std::fs::write(directory.path().join("a-00001.mkv"), "Dear diary").unwrap();
        let path = directory.path().join("a.mkv");
        let mut parts = FileOutput::create(path, true, "video/webm", policy.clone()).unwrap();
        assert!(parts.next_file().is_err(), "the next part, too");
    }
}
