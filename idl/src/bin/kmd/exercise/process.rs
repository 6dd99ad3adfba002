//! What a process has, as the system says (proc(5)).

use super::plan::{Fault, Finding};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

/// What it takes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// KiB of memory of its own.
    pub(crate) memory: usize,
    pub(crate) threads: usize,
    pub(crate) descriptors: usize,
}

fn status() -> BTreeMap<String, String> {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

impl Usage {
    pub(crate) fn now() -> Self {
        let status = status();
        let number = |name: &str| {
            let text = status.get(name).and_then(|text| text.split(' ').next());
            text.and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        Self {
            memory: number("RssAnon"),
            threads: number("Threads"),
            descriptors: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
        }
    }
}

/// What a module has to leave alone.
#[derive(PartialEq, Eq)]
pub(crate) struct Surroundings {
    directory: PathBuf,
    environment: BTreeMap<OsString, OsString>,
    /// Masks of signals with a handler, and of those that are ignored.
    signals: [Option<String>; 2],
}

impl Surroundings {
    pub(crate) fn now() -> Self {
        let mut status = status();
        Self {
            directory: std::env::current_dir().unwrap_or_default(),
            environment: std::env::vars_os().collect(),
            signals: [status.remove("SigCgt"), status.remove("SigIgn")],
        }
    }

    /// What is not as it was.
    pub(crate) fn changes(&self) -> Vec<Finding> {
        let now = Self::now();
        let mut texts = Vec::new();
        if now.directory != self.directory {
            texts.push(format!(
                "the working directory is {}",
                now.directory.display()
            ));
        }
        let names = now.environment.keys().chain(self.environment.keys());
        let differs = |name: &&OsString| now.environment.get(*name) != self.environment.get(*name);
        for name in names.filter(differs) {
            texts.push(format!("the variable {} changed", name.display()));
        }
        texts.dedup();
        let kinds = ["handled", "ignored"];
        for (kind, (before, after)) in kinds.iter().zip(self.signals.iter().zip(&now.signals)) {
            let changed = (mask(before) ^ mask(after)) & !OF_THE_C_LIBRARY;
            let numbers: Vec<String> = (0..64)
                .filter(|bit| changed >> bit & 1 == 1)
                .map(|bit| (bit + 1).to_string())
                .collect();
            if !numbers.is_empty() {
                texts.push(format!(
                    "signal {} is {kind} in another way",
                    numbers.join(", ")
                ));
            }
        }
        let found = |text| Finding {
            fault: Fault::Changed,
            text,
        };
        texts.into_iter().map(found).collect()
    }
}

/// Signals 32 and 33, which the C library takes for its threads when they are first needed (nptl(7)).
const OF_THE_C_LIBRARY: u64 = 0b11 << 31;

fn mask(text: &Option<String>) -> u64 {
    let text = text.as_deref().unwrap_or_default();
    u64::from_str_radix(text, 16).unwrap_or(0)
}
