//! What objects leave behind: whatever is more after every round of them.

use super::plan::{Fault, Finding};
use super::process::Usage;
use std::thread;
use std::time::{Duration, Instant};

/// KiB that have to be more after every round, and after all of them, to be a leak.
const LEAK: (usize, usize) = (96, 512);
/// How long threads are waited for that are about to end, and memory that a timer holds.
const SETTLING: Duration = Duration::from_secs(2);

/// Rounds that follow, as many times over, where something has grown with each: caches and pools fill up slowly.
const PATIENCE: usize = 3;

/// What is left behind by rounds of `objects` objects. `round` goes through one, and says how many timers wait a minute after it.
pub(super) fn over_rounds(
    rounds: usize,
    objects: usize,
    mut round: impl FnMut(usize) -> usize,
) -> Vec<Finding> {
    let (mut usages, mut timers) = (Vec::new(), Vec::new());
    loop {
        timers.push(round(usages.len()));
        usages.push(settled(&usages));
        if usages.len() < rounds {
            continue;
        }
        let latest = usages.len() - rounds;
        let found = left(
            usages.get(latest..).unwrap_or_default(),
            timers.get(latest..).unwrap_or_default(),
            objects,
        );
        if found.is_empty() || usages.len() >= rounds * PATIENCE {
            return found;
        }
    }
}

/// What is in use once that has gone which is about to, as it had after the rounds `before`.
fn settled(before: &[Usage]) -> Usage {
    let deadline = Instant::now() + SETTLING;
    loop {
        let usage = Usage::now();
        let (Some(first), Some(latest)) = (before.first(), before.last()) else {
            return usage;
        };
        let is_less = usage.threads <= first.threads && usage.memory < latest.memory + LEAK.0;
        if is_less || Instant::now() > deadline {
            return usage;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// What is more after every round. Whatever grows to a bound is no leak.
fn left(usages: &[Usage], timers: &[usize], objects: usize) -> Vec<Finding> {
    let mut texts = Vec::new();
    // The first round fills caches and pools.
    let compared = usages.get(1..).unwrap_or_default();
    let count = objects * compared.len().saturating_sub(1);
    let mut compare = |what: &str, of: fn(&Usage) -> usize, (each, all): (usize, usize)| {
        let values: Vec<usize> = compared.iter().map(of).collect();
        let (Some(first), Some(last)) = (values.first(), values.last()) else {
            return;
        };
        let grows = values.windows(2).all(|pair| match pair {
            [before, after] => *after >= before + each,
            _ => false,
        });
        if grows && *last >= first + all {
            texts.push(format!(
                "{} {what} more after {count} objects",
                last - first
            ));
        }
    };
    compare("KiB of memory", |usage| usage.memory, LEAK);
    compare("threads", |usage| usage.threads, (1, 3));
    compare("descriptors", |usage| usage.descriptors, (1, 3));
    // A module may have a timer of its own; one for each object is another matter.
    let many = (objects / 10).max(1);
    if timers.iter().all(|timers| *timers >= many) {
        let timers = timers.last().copied().unwrap_or(0);
        texts.push(format!(
            "{timers} timers of {objects} objects a minute after them"
        ));
    }
    let found = |text| Finding {
        fault: Fault::Left,
        text,
    };
    texts.into_iter().map(found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usages(memory: &[usize]) -> Vec<Usage> {
        let usage = |memory: &usize| Usage {
            memory: *memory,
            threads: 3,
            descriptors: *memory / 1000,
        };
        memory.iter().map(usage).collect()
    }

    #[test]
    fn what_grows_with_every_round_is_left_behind() {
        let texts = |memory: &[usize], timers: &[usize]| -> Vec<String> {
            let found = left(&usages(memory), timers, 10).into_iter();
            found.map(|finding| finding.text).collect()
        };
        let leak = texts(&[100, 1000, 2000, 3000, 4000], &[0]);
        assert_eq!(
            leak,
            [
                "3000 KiB of memory more after 30 objects",
                "3 descriptors more after 30 objects"
            ]
        );
        // What fills up once, or comes and goes, is none.
        for fine in [
            [0, 9000, 9000, 9000, 9000],
            [0, 1000, 2000, 2000, 3000],
            [0, 10, 20, 30, 40],
        ] {
            assert_eq!(texts(&fine, &[4, 0]), [""; 0], "{fine:?}");
        }
        assert_eq!(texts(&[1; 5], &[0; 5]), [""; 0]);
        assert_eq!(
            texts(&[1; 5], &[10, 20]),
            ["20 timers of 10 objects a minute after them"]
        );
    }
}
