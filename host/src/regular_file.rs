//! Reading files that somebody names: of the configuration, certificates, modules.
//!
//! A name may lead to anything. Opening a FIFO waits for somebody who writes into it, and a device
//! may have no end (`/dev/zero`), so that a start, or a check of the configuration, would hang.
//! Only regular files are opened here, and only so much is read.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{Access, OFlags, access};

/// Opens a regular file for reading.
///
/// # Errors
/// Those of opening, and `InvalidInput` for what is no regular file; that is not opened, since
/// with some devices opening alone does something.
pub fn open(path: &Path) -> io::Result<File> {
    regular(&fs::metadata(path)?)?;
    // The name may lead elsewhere by now: then this must not wait for the other end of a FIFO,
    // nor make a terminal ours.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    regular(&file.metadata()?)?;
    Ok(file)
}

/// Whether [`read`] would read it, as far as can be told without opening it.
///
/// # Errors
/// As [`read`].
pub fn check(path: &Path, limit: u64) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    regular(&metadata)?;
    match metadata.len() > limit {
        true => Err(too_large(limit)),
        false => Ok(access(path, Access::READ_OK)?),
    }
}

/// Reads a regular file of `limit` bytes at most.
///
/// # Errors
/// As [`open`], and `FileTooLarge`.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let length = file.metadata()?.len();
    if length > limit {
        return Err(too_large(limit));
    }
    let mut content = Vec::new();
    // It may grow meanwhile, and files of the kernel do not know their length.
    file.take(limit.saturating_add(1))
        .read_to_end(&mut content)?;
    match content.len() as u64 > limit {
        true => Err(too_large(limit)),
        false => Ok(content),
    }
}

/// As [`read`], for text in UTF-8.
///
/// # Errors
/// As [`read`], and `InvalidData` for other bytes.
pub fn read_to_string(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read(path, limit)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text in UTF-8"))
}

fn regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "it is no regular file",
    ))
}

fn too_large(limit: u64) -> io::Error {
    let message = format!("it is larger than {} MB", limit >> 20);
    io::Error::new(io::ErrorKind::FileTooLarge, message)
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&fifo, &link).unwrap();
        let null = Path::new("/dev/null");
        for path in [&fifo, &link, directory.path(), null, Path::new("/dev/zero")] {
            let error = read(path, 10).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path:?}");
        }
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert_eq!(read_to_string(&path, 5).unwrap(), "12345");
        let refused = |limit| read(&path, limit).unwrap_err().kind();
        assert_eq!(refused(4), io::ErrorKind::FileTooLarge);
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(refused(1 << 20), io::ErrorKind::FileTooLarge);
        // Says that it has no bytes.
        let endless = read(Path::new("/proc/self/maps"), 10).unwrap_err();
        assert_eq!(endless.kind(), io::ErrorKind::FileTooLarge);
        fs::write(&path, b"\xff").unwrap();
        let error = read_to_string(&path, 5).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
