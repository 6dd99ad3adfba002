//! The latest lines of the log, for whoever looks at them elsewhere than in its files.

use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use serde_json::Value;

use super::log_line::{Record, timestamp_of};
use super::recent::Recent;

/// Lines kept, and bytes that they have together.
const LINES: usize = 500;
const BYTES: usize = 512 << 10;

static TAIL: LazyLock<Arc<Recent<Line>>> = LazyLock::new(|| Arc::new(Recent::new(LINES, BYTES)));

/// A line of the log.
#[derive(Debug)]
pub struct Line {
    at: SystemTime,
    record: Record,
}

impl Line {
    /// The line as `--log-format json` writes it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.record.as_object(timestamp_of(self.at)).into()
    }
}

/// Keeps a line that was just written.
pub(super) fn keep(record: Record) {
    let at = SystemTime::now();
    TAIL.push(record.size(), Line { at, record });
}

/// The latest lines. They are kept also while nobody looks: what has just gone wrong is what
/// somebody comes for.
#[must_use]
pub fn tail() -> &'static Arc<Recent<Line>> {
    &TAIL
}
