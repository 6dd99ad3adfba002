//! What the process uses of the machine.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time that the process has used so far, all threads together.
#[must_use]
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// Resident memory in KiB; 0 where the system does not tell.
#[must_use]
pub fn memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    resident(&status).unwrap_or_default()
}

/// Threads of the process; 0 where the system does not tell.
#[must_use]
pub fn threads() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let count = status
        .lines()
        .find_map(|line| line.strip_prefix("Threads:")?.trim().parse().ok());
    count.unwrap_or_default()
}

/// Open files and sockets of the process; 0 where the system does not tell.
#[must_use]
pub fn open_files() -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64)
}

fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Processors that the process may use.
#[must_use]
pub fn cpu_count() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn resident_memory_is_read_from_the_status() {
        assert_eq!(
            resident("Name:\tx\nVmRSS:\t   35392 kB\nThreads:\t1\n"),
            Some(35392)
        );
        assert_eq!(resident("Name:\tx\n"), None);
        assert!(memory_kib() > 100 && cpu_count() >= 1);
        assert!(threads() >= 1 && open_files() >= 3);
    }

    #[test]
    fn cpu_time_is_what_all_threads_have_worked() {
        const WORK: Duration = Duration::from_millis(20);
        let before = cpu_time();
        let began = Instant::now();
        // This thread waits meanwhile, which costs nothing.
        let worker = std::thread::spawn(move || {
            while cpu_time() < before + WORK {
                assert!(
                    began.elapsed() < Duration::from_secs(30),
                    "it does not grow"
                );
                std::hint::spin_loop();
            }
        });
        worker.join().unwrap();
        assert!(cpu_time() >= before + WORK);
        let worked = cpu_time().saturating_sub(before);
        let at_most = began.elapsed() * u32::try_from(cpu_count()).unwrap();
        assert!(worked <= at_most, "{worked:?} of {at_most:?}");
    }
}
