//! Directories of modules and data.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::Error;
use crate::config::{CommandLine, Configuration, Settings};
use crate::core::monitor::HealthOptions;

/// Where modules are looked for, in order of precedence: those that somebody develops, what the command line says, then the
/// built-in places.
pub(super) fn modules_directories(command_line: &CommandLine) -> Result<Vec<PathBuf>, Error> {
    let mut directories = Vec::new();
    if command_line.dev {
        let directory = data_directory(command_line)?.join("dev");
        // It has to be there, so that the server sees what comes into it.
        std::fs::create_dir_all(&directory).map_err(|error| Error::DataDirectory {
            directory: directory.clone(),
            reason: error.to_string(),
        })?;
        directories.push(directory);
    }
    directories.extend(command_line.modules_path.iter().cloned());
    directories.extend(built_in_directories());
    Ok(directories)
}

/// `modules` beside the program, where the build puts them, and the places of installation.
fn built_in_directories() -> Vec<PathBuf> {
    let program = std::env::current_exe().ok();
    let beside = program
        .as_deref()
        .and_then(Path::parent)
        .map(|directory| directory.join("modules"));
    let installed = program
        .as_deref()
        .and_then(Path::parent)
        .map(|directory| directory.join("../lib/kurento"));
    let directories = [beside, installed, Some(PathBuf::from("/usr/lib/kurento"))];
    let mut found: Vec<PathBuf> = directories
        .into_iter()
        .flatten()
        .filter_map(|dir| dir.canonicalize().ok())
        .collect();
    found.dedup();
    found
}

/// Where Kurento's recordings go by default, and what packages make for them.
const RECORDINGS: &str = "/var/lib/kurento";

/// Where room for recordings has to be: as the configuration says, else where they go by default if that is
/// there, and where the server and its modules write themselves.
pub(super) fn health(
    command_line: &CommandLine,
    settings: &Settings,
) -> Result<HealthOptions, Error> {
    let mut recordings = settings.health_recordings.clone();
    if recordings.is_empty() {
        recordings.extend(Some(PathBuf::from(RECORDINGS)).filter(|place| place.is_dir()));
        recordings.push(data_directory(command_line)?);
    }
    Ok(HealthOptions {
        recordings,
        least_free: settings.health_least_free,
    })
}

/// Where the files of the console are: as the configuration says, relative to its directory, else
/// `console` beside the program, where the build puts them, else the place of installation.
pub(super) fn console_directory(configuration: &Configuration) -> Option<PathBuf> {
    if let Some(given) = &configuration.settings.console.path {
        let directory = configuration.directory.clone().unwrap_or_default();
        return Some(directory.join(given));
    }
    let program = std::env::current_exe().ok()?;
    let beside = program.parent()?;
    let places = [
        beside.join("console"),
        beside.join("../share/rivero/console"),
    ];
    places.into_iter().find(|place| place.is_dir())
}

/// The directory for data, made if it is missing: as the command line says, else below
/// `XDG_DATA_HOME` or the home, else in the directory for temporary files.
pub(super) fn data_directory(command_line: &CommandLine) -> Result<PathBuf, Error> {
    let directory = |name: &str| {
        let value = std::env::var_os(name).map(PathBuf::from)?;
        // Empty or relative, it counts as not set (XDG Base Directory Specification).
        value.is_absolute().then_some(value)
    };
    let of_user = || {
        let home = || directory("HOME").map(|home| home.join(".local/share"));
        directory("XDG_DATA_HOME").or_else(home)
    };
    let given = command_line.data_path.clone();
    let given = given.or_else(|| of_user().map(|directory| directory.join("rivero")));
    let (directory, outcome) = match given {
        Some(directory) => {
            let made = std::fs::create_dir_all(&directory);
            (directory, made.map_err(|error| error.to_string()))
        }
        None => {
            let name = format!("rivero-{}", geteuid().as_raw());
            let directory = std::env::temp_dir().join(name);
            let made = private_directory(&directory);
            (directory, made)
        }
    };
    match outcome {
        Ok(()) => Ok(directory),
        Err(reason) => Err(Error::DataDirectory { directory, reason }),
    }
}

/// Makes a directory in one where everybody may write, or uses it if nobody else can have put
/// anything there: not behind a symbolic link, ours, and writable for us alone.
fn private_directory(directory: &Path) -> Result<(), String> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made.map_err(|error| error.to_string()),
    }
    let found = directory
        .symlink_metadata()
        .map_err(|error| error.to_string())?;
    let reason = if !found.is_dir() {
        "it is no directory"
    } else if found.uid() != geteuid().as_raw() {
        "it belongs to another user"
    } else if found.mode() & 0o022 != 0 {
        "other users may write into it"
    } else {
        return Ok(());
    };
    Err(format!("{reason}; name another one with --data-path"))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_directory_that_others_can_write_to_is_not_used() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().join("rivero-1");
        private_directory(&directory).unwrap();
        assert_eq!(directory.metadata().unwrap().mode() & 0o777, 0o700);
        private_directory(&directory).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o777)).unwrap();
        let refused = private_directory(&directory).unwrap_err();
        assert!(refused.contains("other users may write"), "{refused}");
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
        private_directory(&directory).unwrap();
    }

    #[test]
    fn a_link_or_a_file_in_its_place_is_not_used() {
        let temporary = tempfile::tempdir().unwrap();
        let target = temporary.path().join("target");
        private_directory(&target).unwrap();
        let link = temporary.path().join("link");
        symlink(&target, &link).unwrap();
        let file = temporary.path().join("file");
        fs::write(&file, "").unwrap();
        for place in [&link, &file] {
            let refused = private_directory(place).unwrap_err();
            assert!(refused.contains("no directory"), "{refused}");
        }
    }

    #[test]
    fn a_directory_of_another_user_is_not_used() {
        // Everybody has one: the root directory is that of the superuser, who may use it.
        let refused = private_directory(Path::new("/proc/1"));
        assert_eq!(refused.is_ok(), geteuid().is_root());
    }
}
