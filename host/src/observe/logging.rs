//! Starts and ends the server's log.

use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, reload};

use super::log::{Log, LogLayer};
use super::log_files::{Files, LogFiles};
use super::log_levels;
pub use super::log_line::LogFormat;
use super::standard_error::StandardError;

/// How long the end of the process may wait for the last lines.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);

/// Of the process. There is one log, as there is one subscriber.
static LOG: OnceLock<Arc<Log>> = OnceLock::new();

/// Writes the remaining lines when it is dropped, for 2 s at most.
#[must_use]
#[derive(Debug)]
pub struct FlushAtEnd(());

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        flush();
    }
}

/// Starts logging, and logs panics from now on.
///
/// `RUST_LOG` chooses what is logged (`info` without it); `GST_DEBUG` with a default level from 5
/// on, known from Kurento, means `debug`, and from 6 on `trace`. Such a level of a single category
/// shows what modules log with `debug`, GStreamer's own lines among it.
///
/// # Errors
/// When a log file cannot be made, or the thread that writes.
pub fn start(files: Option<Files>, format: LogFormat) -> io::Result<FlushAtEnd> {
    let log = match files {
        Some(files) => Log::start(format, false, LogFiles::open(files)?)?,
        None => Log::start(format, io::stderr().is_terminal(), StandardError)?,
    };
    let gst_debug = std::env::var("GST_DEBUG").unwrap_or_default();
    let directives = std::env::var(EnvFilter::DEFAULT_ENV).ok();
    let directives = directives.filter(|text| EnvFilter::try_new(text).is_ok());
    let directives = directives.unwrap_or_else(|| levels(&gst_debug).to_owned());
    let (filter, replace) = reload::Layer::new(EnvFilter::new(&directives));
    let subscriber = tracing_subscriber::registry()
        .with(filter)
        .with(LogLayer(log.clone()));
    match subscriber.try_init() {
        Ok(()) => {
            let apply = move |filter| replace.reload(filter).map_err(|error| error.to_string());
            log_levels::start(directives, Box::new(apply));
            let _ = LOG.set(log);
        }
        // Another subscriber is in place: the embedding program's.
        Err(_) => tracing::debug!("logging was started before"),
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(FlushAtEnd(()))
}

/// Waits until what was logged is written, for 2 s at most. For whoever ends the process without
/// returning from `main`.
pub fn flush() {
    if let Some(log) = LOG.get() {
        log.flush(FLUSH_PATIENCE);
    }
}

/// Lines of the log that were lost because they could not be written in time.
#[must_use]
pub fn lost_lines() -> u64 {
    LOG.get().map_or(0, |log| log.lost())
}

/// Lines that were not written because their place in the program had written so many.
#[must_use]
pub fn suppressed_lines() -> u64 {
    LOG.get().map_or(0, |log| log.suppressed())
}

fn log_panic(panic: &PanicHookInfo<'_>) {
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
    if ends_the_process(message) {
        flush();
    }
}

/// Whether the standard library aborts after this panic. It offers no other way to tell; most
/// panics are caught, and nobody may wait for the log there.
fn ends_the_process(message: &str) -> bool {
    message.starts_with("panic in a function that cannot unwind")
        || message.starts_with("panic in a destructor during cleanup")
}

/// The levels that a `GST_DEBUG` value means.
fn levels(gst_debug: &str) -> &'static str {
    let default = gst_debug.split(',').find_map(|item| {
        let level = item.strip_prefix("*:").unwrap_or(item);
        level.trim().parse::<u8>().ok()
    });
    let categories = gst_debug.split(',').filter_map(|item| {
        let (_, level) = item.rsplit_once(':')?;
        level.trim().parse::<u8>().ok()
    });
    match (default, categories.max()) {
        (Some(6..), _) => "trace",
        (Some(5), _) => "debug",
        (_, Some(5..)) => "info,module=debug",
        _ => "info",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_gst_debug() {
        assert_eq!(levels(""), "info");
        assert_eq!(levels("2,Kurento*:4,kms*:4"), "info");
        assert_eq!(levels("2,rtspsrc:6"), "info,module=debug");
        assert_eq!(levels("Kurento*:4,5"), "debug");
        assert_eq!(levels("*:7"), "trace");
    }
}
