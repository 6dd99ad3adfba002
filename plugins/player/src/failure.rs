//! Why nothing is played (any more), and the Error events for it.

use rivero_gst::{Domain, StreamError};
use rivero_plugin_api::supervise::count;
use rivero_uri::{OpenError, Refusal};

/// What a playback ends with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nothing can be read from there.
    #[error("Invalid URI: {0}")]
    Uri(String),
    /// What is there is no media that can be played.
    #[error("Invalid Media: {0}")]
    Media(String),
    /// An element failed while media flowed.
    #[error(transparent)]
    Stream(Box<StreamError>),
    /// Nothing comes any more.
    #[error(
        "Error code 9: nothing came for longer than the setting noDataTimeout of PlayerEndpoint allows"
    )]
    Silent,
    /// There is no thread to be had for what comes from a network.
    #[error("no thread for what comes from a network: {0}")]
    Thread(#[source] std::io::Error),
    /// The player's own code did.
    #[error("the player failed unexpectedly: {0}")]
    Panicked(String),
    /// The pipeline cannot be made.
    #[error(transparent)]
    Pipeline(#[from] rivero_gst::Error),
}

/// `GST_CORE_ERROR_MISSING_PLUGIN`
const MISSING_PLUGIN: i32 = 12;

impl Failure {
    /// What an element's error means; `began`: whether media flowed already.
    pub(crate) fn new(error: StreamError, began: bool) -> Self {
        let text = || error.text.clone();
        match error.domain {
            Domain::Resource if !began && error.kind != "RESOURCE_ERROR_WRITE" => Self::Uri(text()),
            Domain::Core if !began && error.code == MISSING_PLUGIN => {
                if error.element.starts_with("uridecodebin") {
                    Self::Uri(text())
                } else {
                    Self::Media(text())
                }
            }
            // The name that uridecodebin gives to what reads the URI.
            Domain::Stream if !began && error.source_name == "source" => Self::Uri(text()),
            // With a source that gave nothing this says no more than the source did.
            Domain::Stream if !began => Self::Media(text()),
            _ => Self::Stream(Box::new(error)),
        }
    }

    /// A panic in `place`, which is counted.
    pub(crate) fn panicked(place: &str, text: String) -> Self {
        count(place);
        Self::Panicked(text)
    }

    /// Type and number of the Error event.
    pub(crate) fn event(&self) -> (&'static str, i32) {
        match self {
            Self::Uri(_) => ("INVALID_URI", 0),
            Self::Media(_) => ("INVALID_MEDIA", 0),
            Self::Stream(error) => (error.kind, error.code),
            // GST_RESOURCE_ERROR_READ
            Self::Silent => ("RESOURCE_ERROR_READ", 9),
            Self::Panicked(_) => ("UNEXPECTED_ELEMENT_ERROR", 40003),
            Self::Pipeline(_) | Self::Thread(_) => ("UNEXPECTED_ELEMENT_ERROR", 0),
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::Uri(error.to_string())
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Uri(refusal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivero_gst::gst::{self, glib};

    fn event(error: glib::Error, began: bool) -> &'static str {
        Failure::new(StreamError::new(&error, None, None), began)
            .event()
            .0
    }

    #[test]
    fn errors_before_and_after_the_beginning() {
        rivero_gst::init().unwrap();
        let missing = || glib::Error::new(gst::ResourceError::NotFound, "no such file");
        assert_eq!(event(missing(), false), "INVALID_URI");
        assert_eq!(event(missing(), true), "RESOURCE_ERROR_OPEN");
        let text = || glib::Error::new(gst::StreamError::TypeNotFound, "text");
        assert_eq!(event(text(), false), "INVALID_MEDIA");
        assert_eq!(event(text(), true), "UNEXPECTED_ELEMENT_ERROR");
        let broken = || glib::Error::new(gst::StreamError::Failed, "data stream");
        assert_eq!(event(broken(), false), "INVALID_MEDIA");
        assert_eq!(event(broken(), true), "STREAM_ERROR_FAILED");
    }
}
