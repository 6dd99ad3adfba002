//! What all recordings together come to, for `/metrics`.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use rivero_plugin_api::host;
use serde_json::json;

/// Recordings whose task runs, those on hold included.
static RUNNING: AtomicI64 = AtomicI64::new(0);
/// Those on hold.
static PAUSED: AtomicI64 = AtomicI64::new(0);

/// A recording that is counted for as long as it has this.
pub(super) struct Running;

impl Running {
    pub(super) fn begin() -> Self {
        RUNNING.fetch_add(1, Relaxed);
        tell_states();
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Relaxed);
        tell_states();
    }
}

/// A recording is put on hold, or goes on or ends after that.
pub(crate) fn paused(is_paused: bool) {
    PAUSED.fetch_add(if is_paused { 1 } else { -1 }, Relaxed);
    tell_states();
}

/// Bytes went to files and servers.
pub(super) fn written(bytes: u64) {
    if let Some(host) = host().filter(|_| bytes > 0) {
        host.count("recorder_bytes_total", &json!({}), bytes as f64);
    }
}

/// Something went wrong with a recording.
pub(crate) fn failed(reason: &str) {
    if let Some(host) = host() {
        host.count("recorder_failures_total", &json!({ "reason": reason }), 1.0);
    }
}

/// A file was brought to its store, or not, and why.
pub(crate) fn uploaded(failure: &str) {
    if let Some(host) = host() {
        host.count(
            "recorder_uploads_total",
            &json!({ "failure": failure }),
            1.0,
        );
    }
}

fn tell_states() {
    let Some(host) = host() else { return };
    let paused = PAUSED.load(Relaxed).max(0);
    let recording = (RUNNING.load(Relaxed) - paused).max(0);
    for (state, count) in [("recording", recording), ("paused", paused)] {
        host.gauge("recorders", &json!({ "state": state }), count as f64);
    }
}
