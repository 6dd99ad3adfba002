//! The way to a file, one directory at a time.
//!
//! Every step is taken from the open directory before it and follows no link by
//! itself; links are read and walked the same way. So the path that is checked
//! is the path that is opened, whatever others rename meanwhile.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStringExt},
    path::{Component, Path, PathBuf},
};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, mkdirat, openat, readlinkat, statat};
use rustix::io::Errno;

use crate::{OpenError, Refusal};

/// As many as Linux follows.
const LINKS: usize = 40;
/// How often somebody may put a link where a file was just seen.
const ATTEMPTS: usize = 4;

/// Whether what is missing is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Creation {
    /// Open for reading.
    Never,
    /// Open for writing.
    WithDirectories,
}

/// The end of a walk: an open directory, and what is to follow below it.
pub(crate) struct Place {
    directories: Vec<(PathBuf, OwnedFd)>,
    /// Directories that do not exist.
    missing: Vec<OsString>,
    name: OsString,
    /// Directory of the first link that the last name of the path was.
    link: Option<PathBuf>,
}

impl Place {
    /// Without links and `..`.
    pub(crate) fn path(&self) -> PathBuf {
        let mut path = self.directory().0.clone();
        path.extend(&self.missing);
        path.join(&self.name)
    }

    /// The directory of the link that the path's last name is, if it is one.
    pub(crate) fn link(&self) -> Option<&Path> {
        self.link.as_deref()
    }

    fn directory(&self) -> (PathBuf, Option<&OwnedFd>) {
        match self.directories.last() {
            Some((path, directory)) => (path.clone(), Some(directory)),
            None => (PathBuf::from("/"), None),
        }
    }
}

/// Walks to the directory of a file, as far as it exists.
pub(crate) fn resolve(path: &Path) -> io::Result<Place> {
    let mut names: VecDeque<OsString> = names(path);
    let mut directories = vec![root()?];
    let mut missing: Vec<OsString> = Vec::new();
    let mut links = 0;
    let mut link: Option<PathBuf> = None;
    while let Some(name) = names.pop_front() {
        if name == ".." {
            if missing.pop().is_none() && directories.len() > 1 {
                directories.pop();
            }
            continue;
        }
        let is_last = names.is_empty();
        let step = match (missing.is_empty(), directories.last()) {
            (true, Some((_, directory))) => look(directory, &name)?,
            _ => Step::Missing,
        };
        match step {
            Step::Link(target) => {
                links += 1;
                if links > LINKS {
                    return Err(Errno::LOOP.into());
                }
                if is_last && link.is_none() {
                    link = directories.last().map(|(path, _)| path.clone());
                }
                if target.is_absolute() {
                    directories.truncate(1);
                }
                for name in self::names(&target).into_iter().rev() {
                    names.push_front(name);
                }
            }
            Step::Missing | Step::Other if is_last => {
                return Ok(Place {
                    directories,
                    missing,
                    name,
                    link,
                });
            }
            Step::Other => return Err(Errno::NOTDIR.into()),
            Step::Missing => missing.push(name),
            Step::Directory(directory) => {
                let path = directories
                    .last()
                    .map_or_else(PathBuf::new, |(path, _)| path.join(&name));
                directories.push((path, directory));
            }
        }
    }
    Err(Errno::ISDIR.into())
}

/// Walks to a file, asks `check` about the place, makes what is missing and opens it.
pub(crate) fn open(
    path: &Path,
    creation: Creation,
    check: impl Fn(&Place) -> Result<(), Refusal>,
) -> Result<File, OpenError> {
    let failed = |error: io::Error| OpenError::System {
        path: path.to_owned(),
        error,
    };
    for _ in 0..ATTEMPTS {
        let place = resolve(path).map_err(failed)?;
        check(&place)?;
        match enter(&place, creation) {
            // Somebody put a link there just now: walk again.
            Err(Errno::LOOP) => {}
            opened => return opened.map_err(|error| failed(error.into())),
        }
    }
    Err(failed(Errno::LOOP.into()))
}

fn enter(place: &Place, creation: Creation) -> Result<File, Errno> {
    let (_, Some(directory)) = place.directory() else {
        return Err(Errno::NOENT);
    };
    if creation == Creation::Never && !place.missing.is_empty() {
        return Err(Errno::NOENT);
    }
    let mut made: Option<OwnedFd> = None;
    for name in &place.missing {
        let parent = made.as_ref().unwrap_or(directory);
        match mkdirat(parent, name, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        made = Some(openat(
            parent,
            name,
            DIRECTORY | OFlags::NOFOLLOW,
            Mode::empty(),
        )?);
    }
    let parent = made.as_ref().unwrap_or(directory);
    // Without NONBLOCK a pipe would keep the caller waiting for its other end.
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match creation {
        Creation::Never => openat(parent, &place.name, flags | OFlags::RDONLY, Mode::empty())?,
        Creation::WithDirectories => {
            let mode = Mode::from_raw_mode(0o666);
            openat(
                parent,
                &place.name,
                flags | OFlags::RDWR | OFlags::CREATE,
                mode,
            )?
        }
    };
    match FileType::from_raw_mode(fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(File::from(file)),
        FileType::Directory => Err(Errno::ISDIR),
        _ => Err(Errno::INVAL),
    }
}

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn root() -> io::Result<(PathBuf, OwnedFd)> {
    let root = rustix::fs::open("/", DIRECTORY, Mode::empty())?;
    Ok((PathBuf::from("/"), root))
}

/// What lies behind a name.
enum Step {
    Missing,
    Directory(OwnedFd),
    Link(PathBuf),
    Other,
}

fn look(directory: &OwnedFd, name: &OsStr) -> io::Result<Step> {
    let stat = match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(Step::Missing),
        Err(error) => return Err(error.into()),
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => {
            let target = readlinkat(directory, name, Vec::new())?;
            Ok(Step::Link(OsString::from_vec(target.into_bytes()).into()))
        }
        FileType::Directory => {
            let flags = DIRECTORY | OFlags::NOFOLLOW;
            Ok(Step::Directory(openat(
                directory,
                name,
                flags,
                Mode::empty(),
            )?))
        }
        _ => Ok(Step::Other),
    }
}

/// The names of a path; `..` stays, `.` and repeated slashes do not.
fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, os::unix::fs::symlink};

    use super::*;

    fn inside(root: &Path) -> impl Fn(&Place) -> Result<(), Refusal> {
        let root = root.canonicalize().unwrap();
        move |place: &Place| {
            let path = place.path();
            if path.starts_with(&root) {
                return Ok(());
            }
            Err(Refusal::OutsideRoots {
                path,
                access: "writable",
            })
        }
    }

    fn write(path: &Path, root: &Path) -> Result<File, OpenError> {
        open(path, Creation::WithDirectories, inside(root))
    }

    #[test]
    fn missing_directories_are_made() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a//b/./c/../d/file");
        write(&path, root.path()).unwrap().write_all(b"x").unwrap();
        assert_eq!(fs::read(root.path().join("a/b/d/file")).unwrap(), b"x");
        assert!(!root.path().join("a/b/c").exists());
    }

    #[test]
    fn links_and_dots_out_of_the_root_are_refused_and_make_nothing() {
        let root = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        symlink(other.path(), root.path().join("out")).unwrap();
        symlink(other.path().join("file"), root.path().join("link")).unwrap();
        for path in [
            "out/file",
            "out/new/file",
            "link",
            "../file",
            "x/../../file",
        ] {
            let refused = write(&root.path().join(path), root.path());
            assert!(
                matches!(refused, Err(OpenError::Refused(_))),
                "{path}: {refused:?}"
            );
        }
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
    }

    #[test]
    fn links_within_the_root_are_followed() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("real")).unwrap();
        symlink("real", root.path().join("relative")).unwrap();
        symlink(
            root.path().join("real/target"),
            root.path().join("absolute"),
        )
        .unwrap();
        write(&root.path().join("relative/a"), root.path()).unwrap();
        write(&root.path().join("absolute"), root.path()).unwrap();
        assert!(root.path().join("real/a").exists() && root.path().join("real/target").exists());
    }

    #[test]
    fn a_circle_of_links_ends() {
        let root = tempfile::tempdir().unwrap();
        symlink("b", root.path().join("a")).unwrap();
        symlink("a", root.path().join("b")).unwrap();
        assert!(write(&root.path().join("a/file"), root.path()).is_err());
    }

    #[test]
    fn only_files_are_opened() {
        let root = tempfile::tempdir().unwrap();
        let pipe = root.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        fs::write(root.path().join("file"), "x").unwrap();
        for path in ["pipe", "", "file/below"] {
            assert!(
                write(&root.path().join(path), root.path()).is_err(),
                "{path:?}"
            );
        }
        let missing = open(
            &root.path().join("none"),
            Creation::Never,
            inside(root.path()),
        );
        assert_eq!(
            missing.unwrap_err().system().unwrap().kind(),
            io::ErrorKind::NotFound
        );
        assert!(
            open(
                &root.path().join("file"),
                Creation::Never,
                inside(root.path())
            )
            .is_ok()
        );
    }
}
