//! The server's log: one line per event, on standard error or in files.

use std::io::{self, IsTerminal};
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use super::log_files::{Files, LogFiles};

/// Starts logging, and logs panics from now on.
///
/// `RUST_LOG` chooses what is logged (`info` without it); `GST_DEBUG` with a default level from 5
/// on, known from Kurento, means `debug`, and from 6 on `trace`.
///
/// # Errors
/// When a log file cannot be made.
pub fn start(files: Option<Files>) -> io::Result<()> {
    let gst_debug = std::env::var("GST_DEBUG").unwrap_or_default();
    let filter = EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| EnvFilter::new(level(&gst_debug)));
    // A line that cannot be written (a full disk, a pipe that nobody reads) is lost: complaining
    // about it on standard error would be a panic where that is what cannot be written.
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .log_internal_errors(false);
    let started = match files {
        Some(files) => {
            let writer = Mutex::new(LogFiles::open(files)?);
            log.with_writer(writer).with_ansi(false).try_init()
        }
        None => log
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal())
            .try_init(),
    };
    if started.is_err() {
        // Another subscriber is in place: the embedding program's.
        tracing::debug!("logging was started before");
    }
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let thread = std::thread::current()
            .name()
            .unwrap_or("unnamed")
            .to_owned();
        tracing::error!(thread, place, "panic: {message}");
    }));
    Ok(())
}

/// The level that the default part of a `GST_DEBUG` value means.
fn level(gst_debug: &str) -> &'static str {
    let default = gst_debug.split(',').find_map(|item| {
        let level = item.strip_prefix("*:").unwrap_or(item);
        level.trim().parse::<u8>().ok()
    });
    match default {
        Some(6..) => "trace",
        Some(5) => "debug",
        _ => "info",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_gst_debug() {
        assert_eq!(level(""), "info");
        assert_eq!(level("2,Kurento*:4,kms*:4"), "info");
        assert_eq!(level("Kurento*:4,5"), "debug");
        assert_eq!(level("*:7"), "trace");
    }
}
