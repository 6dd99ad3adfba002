//! What GStreamer logs (`GST_DEBUG`) becomes lines of the server's log.
//!
//! GStreamer itself writes to standard error, on the threads that carry media: where nobody reads
//! that, they would stand still.

use gstreamer as gst;

/// A category that says that this was done. Each module brings its own copy of this library, and
/// all share one GStreamer, so nothing of ours could tell.
const DONE: &str = "rivero-log";

/// Takes the place of GStreamer's own log function, once for the process.
///
/// With `GST_DEBUG_FILE` that one stays: it writes into a file of its own.
pub(crate) fn redirect() {
    let has_file = std::env::var_os("GST_DEBUG_FILE").is_some_and(|file| !file.is_empty());
    if has_file || gst::DebugCategory::get(DONE).is_some() {
        return;
    }
    gst::DebugCategory::new(DONE, gst::DebugColorFlags::empty(), None);
    gst::log::remove_default_log_function();
    gst::log::add_log_function(|category, level, _, function, line, object, message| {
        let object = object.map(ToString::to_string).unwrap_or_default();
        let text = message.get().unwrap_or_default();
        tell(
            level,
            category.name(),
            format_args!("{function}:{line} {object} {text}"),
        );
    });
}

/// The levels of both agree, but for names: what has passed GStreamer's own threshold is only
/// left out where the server logs less.
fn tell(level: gst::DebugLevel, category: &str, text: std::fmt::Arguments<'_>) {
    match level {
        gst::DebugLevel::Error => tracing::error!(category, "{text}"),
        gst::DebugLevel::Warning => tracing::warn!(category, "{text}"),
        gst::DebugLevel::Fixme | gst::DebugLevel::Info => tracing::info!(category, "{text}"),
        _ => tracing::debug!(category, "{text}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Level, Metadata, Subscriber};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<(Level, String)>>>);

    struct Text(String);

    impl Visit for Text {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            self.0.push_str(&format!("{field}={value:?} "));
        }
    }

    impl Subscriber for Lines {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut text = Text(String::new());
            event.record(&mut text);
            let mut lines = self.0.lock().unwrap();
            lines.push((*event.metadata().level(), text.0));
        }
    }

    #[test]
    fn lines_of_gstreamer_become_lines_of_the_log() {
        crate::init().unwrap();
        crate::init().unwrap();
        let category = gst::DebugCategory::new("a-test", gst::DebugColorFlags::empty(), None);
        category.set_threshold(gst::DebugLevel::Log);
        let lines = Lines::default();
        tracing::subscriber::with_default(lines.clone(), || {
            gst::warning!(category, "the {} is bent", "pipe");
            gst::log!(category, "and more");
            gst::trace!(category, "beyond the threshold");
        });
        let lines = lines.0.lock().unwrap();
        let of_test: Vec<_> = lines
            .iter()
            .filter(|(_, text)| text.contains("a-test"))
            .collect();
        assert_eq!(of_test.len(), 2, "{lines:?}");
        assert_eq!(of_test[0].0, Level::WARN);
        assert!(of_test[0].1.contains("the pipe is bent"), "{of_test:?}");
        assert_eq!(of_test[1].0, Level::DEBUG);
    }
}
