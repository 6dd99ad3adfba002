//! Which files no endpoint touches, whatever the settings allow.

use std::{
    fs::Metadata,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use crate::{Access, Refusal};

/// What is closed about a directory and all below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closed {
    /// Nothing there is read or written.
    Wholly,
    /// Nothing there is written: it is run, loaded or trusted by the system.
    ForWriting,
}

use Closed::{ForWriting, Wholly};

/// The places of the system (FHS 3.0, and where the usual package managers, containers and units keep their state). A
/// link among them, such as `/bin`, also stands for what it leads to.
const SYSTEM: [(&str, Closed); 48] = [
    ("/etc", Wholly),
    ("/proc", Wholly),
    ("/sys", Wholly),
    ("/dev", Wholly),
    ("/boot", Wholly),
    ("/efi", Wholly),
    ("/run", Wholly),
    ("/var/run", Wholly),
    // Mail, jobs of cron and at, documents to be printed.
    ("/var/spool", Wholly),
    ("/var/mail", Wholly),
    // Programs, libraries, units.
    ("/bin", ForWriting),
    ("/sbin", ForWriting),
    ("/lib", ForWriting),
    ("/lib32", ForWriting),
    ("/lib64", ForWriting),
    ("/libx32", ForWriting),
    ("/usr", ForWriting),
    ("/snap", ForWriting),
    ("/nix", ForWriting),
    ("/gnu", ForWriting),
    ("/ostree", ForWriting),
    ("/sysroot", ForWriting),
    ("/lost+found", ForWriting),
    // What these believe about themselves.
    ("/var/lib/apt", ForWriting),
    ("/var/lib/dpkg", ForWriting),
    ("/var/lib/rpm", ForWriting),
    ("/var/lib/pacman", ForWriting),
    ("/var/lib/systemd", ForWriting),
    ("/var/lib/dbus", ForWriting),
    ("/var/lib/polkit-1", ForWriting),
    ("/var/lib/sudo", ForWriting),
    ("/var/lib/pam", ForWriting),
    ("/var/lib/cloud", ForWriting),
    ("/var/lib/docker", ForWriting),
    ("/var/lib/containerd", ForWriting),
    ("/var/lib/containers", ForWriting),
    ("/var/lib/kubelet", ForWriting),
    ("/var/lib/machines", ForWriting),
    ("/var/lib/portables", ForWriting),
    ("/var/lib/snapd", ForWriting),
    ("/var/lib/flatpak", ForWriting),
    ("/var/lib/NetworkManager", ForWriting),
    ("/var/cache/apt", ForWriting),
    ("/var/cache/debconf", ForWriting),
    ("/var/cache/ldconfig", ForWriting),
    ("/var/cache/man", ForWriting),
    ("/var/backups", ForWriting),
    ("/var/log", ForWriting),
];

/// Directories that are some user's home by name only: temporary files begin with a dot there, too.
const NO_HOMES: [&str; 4] = ["/", "/tmp", "/var/tmp", "/nonexistent"];

/// The closed places of this machine.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    closed: Vec<(PathBuf, Closed)>,
    homes: Vec<PathBuf>,
}

impl Places {
    /// Those of the system, and `own`: files and directories of the server.
    pub(crate) fn new(own: &[PathBuf]) -> Self {
        let system = SYSTEM
            .iter()
            .map(|(path, closed)| (PathBuf::from(path), *closed));
        // Whoever writes the program that runs becomes the server at its next start.
        let program = std::env::current_exe().ok();
        let own = own.iter().cloned().chain(program);
        let closed = system.chain(own.map(|path| (path, Wholly)));
        Self {
            closed: closed.flat_map(with_real_path).collect(),
            homes: homes()
                .into_iter()
                .map(|home| (home, Wholly))
                .flat_map(with_real_path)
                .map(|(home, _)| home)
                .collect(),
        }
    }

    /// `path`: without `..` and symbolic links.
    ///
    /// # Errors
    /// [`Refusal::Protected`], [`Refusal::Hidden`]
    pub(crate) fn check(&self, path: &Path, access: Access) -> Result<(), Refusal> {
        let closes = |(place, closed): &&(PathBuf, Closed)| {
            path.starts_with(place) && (*closed == Wholly || access == Access::Write)
        };
        if let Some((directory, _)) = self.closed.iter().find(closes) {
            return Err(Refusal::Protected {
                path: path.to_owned(),
                directory: directory.clone(),
            });
        }
        if self.homes.iter().any(|home| is_hidden_below(path, home)) {
            return Err(Refusal::Hidden(path.to_owned()));
        }
        Ok(())
    }
}

/// A place, and where it leads to if it is a link or is reached through one.
fn with_real_path(place: (PathBuf, Closed)) -> impl Iterator<Item = (PathBuf, Closed)> {
    let (path, closed) = place;
    let real = path.canonicalize().ok().filter(|real| *real != path);
    std::iter::once((path, closed)).chain(real.map(|real| (real, closed)))
}

/// Keys, shell profiles, tokens of tools and hooks have names that begin with a dot.
fn is_hidden_below(path: &Path, home: &Path) -> bool {
    path.strip_prefix(home)
        .is_ok_and(|below| below.iter().any(|name| name.as_bytes().starts_with(b".")))
}

/// All directories that are somebody's home, by custom, by the environment or by the list of users.
fn homes() -> Vec<PathBuf> {
    let customary = ["/root", "/home"].map(PathBuf::from);
    let own = std::env::var_os("HOME").map(PathBuf::from);
    // A server that cannot read it has no users but the customary ones.
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let listed = users.lines().filter_map(|line| line.split(':').nth(5));
    let mut homes: Vec<PathBuf> = customary
        .into_iter()
        .chain(own)
        .chain(listed.map(PathBuf::from))
        .filter(|home| home.is_absolute() && !NO_HOMES.iter().any(|none| home == Path::new(none)))
        .collect();
    homes.sort_unstable();
    homes.dedup();
    homes
}

/// Checks an open file, where its path said nothing against it.
///
/// # Errors
/// [`Refusal::Private`]; for writing also [`Refusal::HardLink`]
pub(crate) fn check_file(path: &Path, file: &Metadata, access: Access) -> Result<(), Refusal> {
    // Only the superuser gets this far with a file that neither its group nor others may read: what a user keeps
    // for himself stays his.
    let is_others = file.uid() != rustix::process::geteuid().as_raw();
    if is_others && file.mode() & 0o044 == 0 {
        return Err(Refusal::Private(path.to_owned()));
    }
    if access == Access::Write && file.nlink() > 1 {
        return Err(Refusal::HardLink(path.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, access: Access) -> Result<(), Refusal> {
        Places::new(&[]).check(Path::new(path), access)
    }

    #[test]
    fn nothing_is_read_from_or_written_to_what_is_closed_wholly() {
        for path in [
            "/etc/shadow",
            "/etc/cron.d/x",
            "/proc/self/environ",
            "/sys/kernel/x",
            "/dev/sda",
            "/dev/shm/a.webm",
            "/boot/vmlinuz",
            "/run/secrets/key",
            "/run/systemd/system/x.service",
            "/var/spool/cron/crontabs/root",
            "/var/mail/alice",
        ] {
            for access in [Access::Read, Access::Write] {
                assert!(check(path, access).is_err(), "{path} {access:?}");
            }
        }
    }

    #[test]
    fn nothing_is_written_to_programs_libraries_units_and_their_state() {
        for path in [
            "/bin/sh",
            "/sbin/init",
            "/usr/bin/a",
            "/usr/sbin/a",
            "/usr/local/bin/a",
            "/usr/local/lib/a.so",
            "/usr/lib/x86_64-linux-gnu/a.so",
            "/usr/libexec/a",
            "/usr/share/a",
            "/lib/systemd/system/a.service",
            "/lib64/a",
            "/var/lib/dpkg/info/a.postinst",
            "/var/lib/systemd/a",
            "/var/log/a",
        ] {
            assert!(check(path, Access::Write).is_err(), "{path}");
            assert_eq!(check(path, Access::Read), Ok(()), "{path}");
        }
    }

    #[test]
    fn hidden_names_of_homes_are_closed_at_any_depth() {
        for path in [
            "/root/.ssh/authorized_keys",
            "/root/.bashrc",
            "/home/alice/.ssh/id_ed25519",
            "/home/alice/.config/autostart/a.desktop",
            "/home/alice/project/.git/hooks/post-commit",
            "/home/.snapshots/a",
        ] {
            for access in [Access::Read, Access::Write] {
                let refusal = check(path, access).unwrap_err();
                assert!(matches!(refusal, Refusal::Hidden(_)), "{path}: {refusal}");
            }
        }
    }

    #[test]
    fn places_of_media_are_open() {
        for path in [
            "/tmp/a.webm",
            "/tmp/.hidden/a.webm",
            "/var/tmp/a.webm",
            "/var/lib/kurento/a.webm",
            "/var/www/html/a.webm",
            "/srv/media/a.webm",
            "/mnt/disk/a.webm",
            "/media/usb/a.webm",
            "/opt/application/a.webm",
            "/data/.cache/a.webm",
            "/home/alice/Videos/a.b.webm",
            "/root/a.webm",
            "/etcetera/a.webm",
            "/a.webm",
        ] {
            for access in [Access::Read, Access::Write] {
                assert_eq!(check(path, access), Ok(()), "{path}");
            }
        }
    }

    #[test]
    fn the_running_program_is_closed() {
        let program = std::env::current_exe().unwrap();
        for access in [Access::Read, Access::Write] {
            assert!(Places::new(&[]).check(&program, access).is_err());
        }
    }

    #[test]
    fn a_place_that_is_a_link_stands_for_what_it_leads_to() {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().join("real");
        let link = directory.path().join("link");
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let places = Places::new(&[link]);
        let inside = real.canonicalize().unwrap().join("a");
        assert!(places.check(&inside, Access::Read).is_err());
    }
}
