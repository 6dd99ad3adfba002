//! What can go wrong at the bridge.

use std::borrow::Cow;

use gstreamer as gst;
use rivero_uri::redact;

/// The most characters that a text of GStreamer may have.
const LONGEST: usize = 500;

/// An error of GStreamer as Rivero tells it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// GStreamer does not start.
    #[error("GStreamer cannot be initialised: {0}")]
    Init(String),
    /// An element's plugin is not installed.
    #[error("the GStreamer element {element} is missing: install the package {package}")]
    MissingElement {
        /// Factory name.
        element: String,
        /// Debian package that has it.
        package: &'static str,
    },
    /// Two elements do not fit.
    #[error("{0} cannot be linked")]
    Link(String),
    /// An element refuses to start.
    #[error("{0} does not start")]
    State(String),
    /// Media does not have the shape that its format says.
    #[error("{0}")]
    Media(String),
    /// An element failed while media flowed.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

/// An error that an element posted on its bus.
#[derive(Clone, Debug, thiserror::Error)]
#[error("Error code {code}: {text}, source: {source_name}, element: {element}")]
pub struct StreamError {
    /// The type of Kurento's Error event, such as `RESOURCE_ERROR_OPEN`.
    pub kind: &'static str,
    /// Which part of GStreamer the number belongs to.
    pub domain: Domain,
    /// The number of the error in its GStreamer domain.
    pub code: i32,
    /// What happened, in one line: no source files, no users and passwords of URIs.
    pub text: String,
    /// Name of the object that posted it.
    pub source_name: String,
    /// Name of the element's factory.
    pub element: String,
}

/// The domains of GStreamer's own errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// GStreamer's core: states, missing plugins, negotiation.
    Core,
    /// Initialisation and settings.
    Library,
    /// Files, devices and peers.
    Resource,
    /// The media itself.
    Stream,
    /// A library's own.
    Other,
}

impl Domain {
    fn of(error: &gst::glib::Error) -> Self {
        if error.is::<gst::ResourceError>() {
            Self::Resource
        } else if error.is::<gst::StreamError>() {
            Self::Stream
        } else if error.is::<gst::CoreError>() {
            Self::Core
        } else if error.is::<gst::LibraryError>() {
            Self::Library
        } else {
            Self::Other
        }
    }
}

impl StreamError {
    /// From an error or a warning, with the object that posted it. `debug`, GStreamer's text for its developers, goes
    /// to the log.
    pub fn new(
        error: &gst::glib::Error,
        source: Option<&gst::Object>,
        debug: Option<String>,
    ) -> Self {
        use gst::prelude::*;
        let factory = source
            .and_then(|object| object.downcast_ref::<gst::Element>())
            .and_then(gst::prelude::ElementExt::factory);
        if let Some(details) = debug {
            tracing::debug!(text = %redact(error.message()), details = %redact(&details), "GStreamer reports");
        }
        Self {
            kind: kind(error),
            domain: Domain::of(error),
            code: code(error),
            text: plain(error.message()),
            source_name: source.map_or_else(String::new, |object| object.name().to_string()),
            element: factory.map_or_else(String::new, |factory| factory.name().to_string()),
        }
    }
}

/// A text of GStreamer as clients get it: one line, without places in sources and without secrets.
fn plain(text: &str) -> String {
    let one_line: Cow<'_, str> = if text.contains(char::is_control) {
        text.replace(char::is_control, " ").into()
    } else {
        text.into()
    };
    let words = one_line.split_whitespace().filter(|word| !is_source(word));
    let words: Vec<&str> = words.collect();
    redact(&words.join(" ")).chars().take(LONGEST).collect()
}

/// `../gst/rtsp/gstrtspsrc.c(8336):`
fn is_source(word: &str) -> bool {
    let Some((file, line)) = word.split_once('(') else {
        return false;
    };
    let is_line = line.trim_end_matches([':', ')']).parse::<u32>().is_ok();
    is_line
        && [".c", ".cc", ".cpp", ".cxx", ".h", ".rs"]
            .iter()
            .any(|ending| file.ends_with(ending))
}

/// The type of the Error event for what GStreamer tells apart.
fn kind(error: &gst::glib::Error) -> &'static str {
    use gst::{ResourceError, StreamError};
    match error.kind::<ResourceError>() {
        Some(
            ResourceError::OpenRead
            | ResourceError::OpenWrite
            | ResourceError::OpenReadWrite
            | ResourceError::NotFound
            | ResourceError::NotAuthorized,
        ) => return "RESOURCE_ERROR_OPEN",
        Some(ResourceError::Write) => return "RESOURCE_ERROR_WRITE",
        Some(ResourceError::NoSpaceLeft) => return "RESOURCE_ERROR_NO_SPACE_LEFT",
        _ => {}
    }
    match error.kind::<StreamError>() {
        Some(StreamError::Decode) => "STREAM_ERROR_DECODE",
        Some(StreamError::Failed) => "STREAM_ERROR_FAILED",
        _ => "UNEXPECTED_ELEMENT_ERROR",
    }
}

/// The number in whichever domain the error belongs to.
fn code(error: &gst::glib::Error) -> i32 {
    use gst::glib::translate::IntoGlib;
    use gst::{CoreError, LibraryError, ResourceError, StreamError};
    None.or_else(|| error.kind::<ResourceError>().map(IntoGlib::into_glib))
        .or_else(|| error.kind::<StreamError>().map(IntoGlib::into_glib))
        .or_else(|| error.kind::<CoreError>().map(IntoGlib::into_glib))
        .or_else(|| error.kind::<LibraryError>().map(IntoGlib::into_glib))
        .unwrap_or(0)
}

impl From<Error> for rivero_plugin_api::Error {
    /// 40003 with the text, the code of whatever has none of its own.
    fn from(error: Error) -> Self {
        Self::unexpected(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_types_and_codes_of_their_events() {
        crate::init().unwrap();
        let full = gst::glib::Error::new(gst::ResourceError::NoSpaceLeft, "disk full");
        let error = StreamError::new(&full, None, Some("sink.c(7)".to_owned()));
        assert_eq!(
            (error.kind, error.code),
            ("RESOURCE_ERROR_NO_SPACE_LEFT", 14)
        );
        assert_eq!(
            error.to_string(),
            "Error code 14: disk full, source: , element: "
        );
        assert_eq!(error.domain, Domain::Resource);
        let broken = gst::glib::Error::new(gst::StreamError::Decode, "no");
        assert_eq!(
            StreamError::new(&broken, None, None).kind,
            "STREAM_ERROR_DECODE"
        );
        let other = gst::glib::Error::new(gst::CoreError::Negotiation, "no");
        assert_eq!(
            StreamError::new(&other, None, None).kind,
            "UNEXPECTED_ELEMENT_ERROR"
        );
    }
    #[test]
    fn texts_are_one_line_without_sources_and_secrets() {
        crate::init().unwrap();
        let text = "Could not read\n\t../gst/a/gstb.c(123): from rtsp://me:secret@camera/a?token=b\r\nnow\u{1b}[0m";
        let error = gst::glib::Error::new(gst::ResourceError::Read, text);
        let debug =
            Some("../gst/a.c(1): f (): /GstPipeline:p/X:y:\nrtsp://me:secret@camera".to_owned());
        let error = StreamError::new(&error, None, debug);
        assert_eq!(
            error.text,
            "Could not read from rtsp://***@camera/a?token=*** now [0m"
        );
        assert!(!error.to_string().contains("secret") && !error.to_string().contains(".c("));
        let long = gst::glib::Error::new(gst::ResourceError::Read, &"x".repeat(100_000));
        assert!(StreamError::new(&long, None, None).text.len() <= LONGEST);
    }
}
