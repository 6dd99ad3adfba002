//! A child process, and all that it started.

use std::{
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::Path,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// The option with which the server's program is a child; it is hidden from users.
pub(super) const OPTION: &str = "--isolated-module";

/// A process in a group of its own, which is killed as a whole.
pub(super) struct Process {
    /// Locked where its number is used: the system gives it again once the process was waited for.
    child: Mutex<Child>,
    id: Pid,
    pidfd: OwnedFd,
    errors: Mutex<Option<ChildStderr>>,
    /// Why it was ended, where it did not end by itself.
    sentence: OnceLock<String>,
}

impl Process {
    /// Starts `program` as a child that gets `socket` as its standard input, which nothing that it starts in
    /// turn inherits.
    pub(super) fn start(program: &Path, module: &Path, socket: OwnedFd) -> io::Result<Self> {
        let mut child = Command::new(program)
            .arg(OPTION)
            .arg(module)
            // A group of its own: what the module starts is ended with it.
            .process_group(0)
            .stdin(Stdio::from(socket))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let errors = child.stderr.take();
        let id = Pid::from_child(&child);
        let pidfd = pidfd_open(id, PidfdFlags::empty());
        let child = Mutex::new(child);
        match pidfd {
            Ok(pidfd) => Ok(Self {
                child,
                id,
                pidfd,
                errors: Mutex::new(errors),
                sentence: OnceLock::new(),
            }),
            Err(error) => {
                let _ = child.lock().kill();
                let _ = child.lock().wait();
                Err(error.into())
            }
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.lock().id()
    }

    /// Readable when it has ended.
    pub(super) fn ended(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    pub(super) fn take_errors(&self) -> Option<ChildStderr> {
        self.errors.lock().take()
    }

    /// Whether it has ended, or has been ended: nothing is to be begun with it.
    pub(super) fn is_ending(&self) -> bool {
        self.sentence.get().is_some() || self.has_ended()
    }

    /// Whether it has ended. It is not waited for here: until [`end`](Self::end) does, nothing else has its number.
    fn has_ended(&self) -> bool {
        let mut ended = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        matches!(poll(&mut ended, Some(&now)), Ok(1..))
    }

    /// Ends it, and all that it started; only the first reason counts.
    pub(super) fn kill(&self, reason: &str) {
        let _waits = self.child.lock();
        if !self.has_ended() {
            let _ = self.sentence.set(reason.to_owned());
            let _ = kill_process_group(self.id, Signal::KILL);
        }
    }

    /// Waits for its end, for `patience` at most, then kills it; how it ended.
    pub(super) fn end(&self, patience: Duration) -> String {
        let begin = Instant::now();
        while begin.elapsed() < patience {
            if self.has_ended() {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let mut child = self.child.lock();
        let has_ended = self.has_ended();
        // What it started may live on, in its group.
        let _ = kill_process_group(self.id, Signal::KILL);
        let status = child.wait().unwrap_or_default();
        match (self.sentence.get(), has_ended) {
            (Some(reason), _) => reason.clone(),
            (None, true) => in_words(status),
            (None, false) => "it closed its connection to the server".to_owned(),
        }
    }
}

/// How a process ended.
fn in_words(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => {
            let name = signal_name(signal);
            format!("it ended with signal {signal}{name}")
        }
        (None, code) => format!("it exited with status {}", code.unwrap_or_default()),
    }
}

fn signal_name(signal: i32) -> &'static str {
    match Signal::from_named_raw(signal) {
        Some(Signal::SEGV) => " (SIGSEGV)",
        Some(Signal::ABORT) => " (SIGABRT)",
        Some(Signal::BUS) => " (SIGBUS)",
        Some(Signal::ILL) => " (SIGILL)",
        Some(Signal::FPE) => " (SIGFPE)",
        Some(Signal::KILL) => " (SIGKILL)",
        Some(Signal::TERM) => " (SIGTERM)",
        Some(Signal::XCPU) => " (SIGXCPU: its time on processors is used up)",
        _ => "",
    }
}

/// Bytes of a line of standard error that are kept.
const LINE: usize = 1024;

/// What a child writes to standard error, in lines.
pub(super) struct Errors {
    input: ChildStderr,
    line: Vec<u8>,
}

impl Errors {
    pub(super) fn new(input: ChildStderr) -> Self {
        Self {
            input,
            line: Vec::new(),
        }
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.input.as_fd()
    }

    /// Reads what there is; each whole line is told. Whether more may come.
    pub(super) fn read(&mut self, mut tell: impl FnMut(&str)) -> bool {
        let mut chunk = [0; 4096];
        let Ok(read @ 1..) = self.input.read(&mut chunk) else {
            return false;
        };
        for byte in chunk.get(..read).unwrap_or_default() {
            if *byte == b'\n' {
                tell(String::from_utf8_lossy(&self.line).trim());
                self.line.clear();
            } else if self.line.len() < LINE {
                self.line.push(*byte);
            }
        }
        true
    }
}
