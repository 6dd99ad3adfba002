//! The program that takes over, and how its process begins.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;

/// The option that these calls of the program by itself have.
const OPTION: &str = "--take-over";

/// What a process that was started by a server is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Step {
    /// Start the process that serves, and end.
    Launch,
    /// Serve.
    Serve,
}

impl Step {
    fn argument(self) -> OsString {
        let name = match self {
            Step::Launch => "launch",
            Step::Serve => "serve",
        };
        format!("{OPTION}={name}").into()
    }
}

/// The program of this process, by the path that led to it.
#[derive(Debug, Clone)]
pub struct Program(PathBuf);

impl Program {
    /// To be asked for while the path still leads to it.
    ///
    /// # Errors
    /// Without `/proc`.
    pub fn of_this_process() -> io::Result<Program> {
        std::env::current_exe().map(Program)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether the path leads to another file than the one that runs. Packages and compilers put
    /// a new file in place of the old: what runs cannot be written to.
    ///
    /// # Errors
    /// When there is no file, as in the midst of an installation.
    pub fn has_changed(&self) -> io::Result<bool> {
        // Leads to the file itself, also when its name is gone.
        let own = Path::new("/proc/self/exe").metadata()?;
        let there = self.0.metadata()?;
        Ok((own.dev(), own.ino()) != (there.dev(), there.ino()))
    }

    /// Starts what takes over, with `channel` as its standard input.
    ///
    /// The process that serves is no child of this one: it belongs to whoever looks after orphans,
    /// so that systemd, which started this process, hears of the end of that one as well.
    pub(super) fn start(&self, channel: OwnedFd) -> io::Result<()> {
        let mut launcher = Command::new(&self.0);
        launcher.args(arguments(Step::Launch)).stdin(channel);
        // The watchdog was meant for this process alone.
        launcher.env_remove("WATCHDOG_PID");
        let status = launcher.spawn()?.wait()?;
        match status.success() {
            true => Ok(()),
            false => Err(io::Error::other(format!(
                "{} ended with {status}",
                self.0.display()
            ))),
        }
    }
}

/// [`Step::Launch`]: starts the process that serves, and does not wait for it.
///
/// # Errors
/// When it cannot be started.
pub fn launch() -> io::Result<()> {
    let mut server = Command::new(std::env::current_exe()?);
    server.args(arguments(Step::Serve)).stdin(Stdio::inherit());
    server.spawn().map(drop)
}

/// The arguments of this process for another one, first of all what that is to do.
fn arguments(step: Step) -> impl Iterator<Item = OsString> {
    let given = std::env::args_os().skip(1);
    let is_step = |argument: &OsString| {
        let argument = argument.to_string_lossy();
        argument.starts_with(&format!("{OPTION}="))
    };
    std::iter::once(step.argument()).chain(given.filter(move |argument| !is_step(argument)))
}
