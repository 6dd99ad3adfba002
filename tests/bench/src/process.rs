//! What a process uses, from `/proc`.

use std::{fs, time::Duration};

use nix::{
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

use crate::error::Error;

/// A process that is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// CPU time of all its threads so far, in user space and in the kernel on their behalf.
    ///
    /// This is the process's CPU-time clock (POSIX `clock_getcpuclockid`), not the sum over
    /// `/proc/<pid>/task`: that forgets threads that ended, and a difference of two such sums is
    /// too small by all that they ever used. `utime` and `stime` of `/proc/<pid>/stat` are the same
    /// time, in ticks of 10 ms.
    pub(crate) fn cpu_time(self) -> Result<Duration, Error> {
        let failed = |error: nix::Error| Error::system("reading a CPU clock")(error.into());
        let pid = i32::try_from(self.0).map_err(|error| Error::Other(error.to_string()))?;
        let clock = clock_getcpuclockid(Pid::from_raw(pid)).map_err(failed)?;
        Ok(clock_gettime(clock).map_err(failed)?.into())
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(self) -> Result<u64, Error> {
        self.status("VmRSS:")
    }

    /// Threads.
    pub(crate) fn threads(self) -> Result<u64, Error> {
        self.status("Threads:")
    }

    /// Open file descriptors.
    pub(crate) fn descriptors(self) -> Result<u64, Error> {
        let directory = format!("/proc/{}/fd", self.0);
        let entries = fs::read_dir(&directory).map_err(Error::system(directory))?;
        Ok(u64::try_from(entries.count()).unwrap_or(u64::MAX))
    }

    fn status(self, field: &str) -> Result<u64, Error> {
        let path = format!("/proc/{}/status", self.0);
        let text = fs::read_to_string(&path).map_err(Error::system(path.clone()))?;
        text.lines()
            .find_map(|line| first_number(line.strip_prefix(field)?))
            .ok_or_else(|| Error::Other(format!("{path} has no {field}")))
    }
}

/// Time that a core was busy with anything since it started: the first eight columns of
/// `/proc/stat` (proc(5)) but `idle` and `iowait`.
pub(crate) fn core_time(core: usize) -> Result<Duration, Error> {
    const TICK: Duration = Duration::from_millis(10);
    let text = fs::read_to_string("/proc/stat").map_err(Error::system("/proc/stat"))?;
    let name = format!("cpu{core}");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&name)?.strip_prefix(' '));
    let columns = line.unwrap_or_default().split_whitespace().take(8);
    let busy = columns.enumerate().filter(|(at, _)| ![3, 4].contains(at));
    let ticks: u32 = busy
        .filter_map(|(_, ticks)| ticks.parse::<u32>().ok())
        .sum();
    Ok(TICK * ticks)
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_visible() {
        let process = Process(std::process::id());
        assert!(process.resident_kib().unwrap() > 100);
        assert!(process.threads().unwrap() >= 1);
        assert!(process.descriptors().unwrap() >= 3);
    }

    /// What a thread used is not forgotten when it ends.
    #[test]
    fn ended_threads_count() {
        let process = Process(std::process::id());
        let work = || {
            let before = clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
            let used = || {
                let now = clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
                Duration::from(now) - Duration::from(before)
            };
            while used() < Duration::from_millis(30) {
                std::hint::spin_loop();
            }
        };
        let before = process.cpu_time().unwrap();
        std::thread::spawn(work).join().unwrap();
        let used = process.cpu_time().unwrap() - before;
        assert!(used >= Duration::from_millis(30), "{used:?}");
    }
}
