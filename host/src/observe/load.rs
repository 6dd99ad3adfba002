//! One figure of how busy the server is, from 0 to 1, for whoever starts and stops servers by it.
//!
//! It is the greatest of four parts, since the scarcest resource decides whether there is room for another
//! call. Each part is 1 where nothing is left.

use std::path::Path;
use std::time::{Duration, Instant};

use super::usage;

/// Time in which two thirds of a change show. An autoscaler acts within minutes, and a keyframe for a hundred
/// viewers is no reason to.
const SMOOTHING: Duration = Duration::from_secs(10);

/// What is read at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// When.
    pub at: Instant,
    /// CPU time of the process so far.
    pub cpu: Duration,
    /// Time that the threads of conversions have worked so far, all together.
    pub converting: Duration,
    /// Resident memory over what the process may have, 0 to 1.
    pub memory: f64,
    /// How full the fullest lane of a module is, 0 to 1.
    pub lanes: f64,
}

/// The parts of the load, each from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// CPU time that the process took over what its processors have.
    pub processor: f64,
    /// Resident memory over what the process may have.
    pub memory: f64,
    /// Calls that wait for the busiest module over those that may.
    pub lanes: f64,
    /// Time that the threads of conversions worked over what there is.
    pub conversions: f64,
}

impl Load {
    /// The parts by name.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, f64); 4] {
        [
            ("processor", self.processor),
            ("memory", self.memory),
            ("lanes", self.lanes),
            ("conversions", self.conversions),
        ]
    }

    /// The greatest of them.
    #[must_use]
    pub fn total(&self) -> f64 {
        let parts = self.parts();
        parts
            .into_iter()
            .fold(0.0, |most, (_, part)| most.max(part))
    }

    /// What it is after another reading, on a machine with so many processors; `former` is the reading before.
    #[must_use]
    pub fn after(self, former: &Reading, now: &Reading, processors: usize) -> Load {
        let elapsed = now.at.saturating_duration_since(former.at).as_secs_f64();
        if elapsed <= 0.0 {
            return self;
        }
        let available = elapsed * f64::from(u32::try_from(processors.max(1)).unwrap_or(u32::MAX));
        let share = |now: Duration, former: Duration| {
            (now.saturating_sub(former).as_secs_f64() / available).clamp(0.0, 1.0)
        };
        let weight = 1.0 - (-elapsed / SMOOTHING.as_secs_f64()).exp();
        let smooth = |former: f64, now: f64| former + weight * (now - former);
        Load {
            processor: smooth(self.processor, share(now.cpu, former.cpu)),
            memory: now.memory.clamp(0.0, 1.0),
            lanes: smooth(self.lanes, now.lanes.clamp(0.0, 1.0)),
            conversions: smooth(self.conversions, share(now.converting, former.converting)),
        }
    }
}

/// Bytes of memory that the process may have: the bound of its control group and of those above it, or the
/// machine's memory. 0 where the system does not tell.
#[must_use]
pub fn memory_limit() -> u64 {
    let group = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let machine = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let of_machine = machine_memory(&machine);
    let bounds = group_bounds(Path::new("/sys/fs/cgroup"), &group);
    bounds.into_iter().chain(of_machine).min().unwrap_or(0)
}

/// Resident memory over what the process may have.
#[must_use]
pub fn memory_share(limit: u64) -> f64 {
    let resident = usage::memory_kib().saturating_mul(1024);
    match limit {
        0 => 0.0,
        limit => super::metrics::count(resident) / super::metrics::count(limit),
    }
}

fn machine_memory(meminfo: &str) -> Option<u64> {
    let total = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

/// The bounds of a group of version 2 and of all above it; none where none is set.
fn group_bounds(root: &Path, cgroup: &str) -> Vec<u64> {
    let Some(group) = cgroup.lines().find_map(|line| line.strip_prefix("0::/")) else {
        return Vec::new();
    };
    let inner = root.join(group.trim_end());
    let groups = inner
        .ancestors()
        .take_while(|group| group.starts_with(root));
    let bounds = groups.filter_map(|group| {
        let text = std::fs::read_to_string(group.join("memory.max")).ok()?;
        text.trim().parse().ok()
    });
    bounds.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at: Instant, cpu: f64, lanes: f64) -> Reading {
        Reading {
            at,
            cpu: Duration::from_secs_f64(cpu),
            converting: Duration::ZERO,
            memory: 0.25,
            lanes,
        }
    }

    #[test]
    fn the_scarcest_part_decides() {
        let begin = Instant::now();
        let mut load = Load::default();
        let mut former = reading(begin, 0.0, 0.0);
        for second in 1..=120_u32 {
            let at = begin + Duration::from_secs(second.into());
            // One of two processors.
            let now = reading(at, f64::from(second), 0.1);
            load = load.after(&former, &now, 2);
            former = now;
        }
        assert!((load.processor - 0.5).abs() < 1e-3, "{load:?}");
        assert!((load.lanes - 0.1).abs() < 1e-3, "{load:?}");
        assert_eq!((load.memory, load.conversions), (0.25, 0.0));
        assert_eq!(load.total(), load.processor);
    }

    #[test]
    fn a_moment_is_smoothed_and_nothing_leaves_the_range() {
        let begin = Instant::now();
        let former = reading(begin, 0.0, 0.0);
        let second = Duration::from_secs(1);
        let burst = Load::default().after(&former, &reading(begin + second, 90.0, 7.0), 2);
        assert!(
            burst.processor > 0.05 && burst.processor < 0.15,
            "{burst:?}"
        );
        let same = burst.after(&former, &reading(begin, 90.0, 7.0), 2);
        assert_eq!(same, burst, "no time has passed");
        let hour = Duration::from_secs(3_600);
        let full = burst.after(&former, &reading(begin + hour, 90_000.0, 7.0), 2);
        assert!((full.total() - 1.0).abs() < 1e-9, "{full:?}");
    }

    #[test]
    fn memory_is_bounded_by_each_group_and_by_the_machine() {
        assert_eq!(
            machine_memory("MemTotal:   2048 kB\nMemFree: 1 kB\n"),
            Some(2 << 20)
        );
        assert_eq!(machine_memory(""), None);
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(inner.join("memory.max"), "max\n").unwrap();
        std::fs::write(root.path().join("a/memory.max"), "4096\n").unwrap();
        assert_eq!(group_bounds(root.path(), "1:cpu:/x\n0::/a/b\n"), [4096]);
        assert!(group_bounds(root.path(), "1:cpu:/x\n").is_empty());
        assert!(memory_limit() > 0);
    }
}
