//! What a process uses, from `/proc`.

use std::{fs, io, time::Duration};

use crate::error::Error;

/// A process that is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// CPU time of all its present threads, in user space and in the kernel on their behalf.
    ///
    /// `schedstat` counts nanoseconds, the `utime` and `stime` of `stat` the same time in ticks of
    /// 10 ms. Threads that end between two calls are missing from the difference.
    pub(crate) fn cpu_time(self) -> Result<Duration, Error> {
        let directory = format!("/proc/{}/task", self.0);
        let tasks = fs::read_dir(&directory).map_err(Error::system(directory.clone()))?;
        let mut nanoseconds = 0;
        for task in tasks {
            let task = task.map_err(Error::system(directory.clone()))?;
            match fs::read_to_string(task.path().join("schedstat")) {
                Ok(text) => nanoseconds += first_number(&text).unwrap_or(0),
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(Error::system("reading schedstat")(error)),
            }
        }
        Ok(Duration::from_nanos(nanoseconds))
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

/// A thread that ended while the directory was read.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_visible() {
        let process = Process(std::process::id());
        let before = process.cpu_time().unwrap();
        let work: u64 = (0..3_000_000).fold(0, |sum, n| sum ^ std::hint::black_box(n));
        std::hint::black_box(work);
        std::thread::yield_now(); // accounts for what the thread used
        assert!(process.cpu_time().unwrap() > before);
        assert!(process.resident_kib().unwrap() > 100);
        assert!(process.threads().unwrap() >= 1);
        assert!(process.descriptors().unwrap() >= 3);
    }
}
