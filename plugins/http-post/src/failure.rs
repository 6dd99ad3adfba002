//! Why an upload is not played (any more): the answer, and the Error event.

use hyper::StatusCode;
use rivero_gst::{Domain, StreamError};

/// What an upload ends with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// `HttpPostEndpoint.maxUploadSize`
    #[error("the upload is larger than the {0} bytes that maxUploadSize allows")]
    TooLarge(u64),
    /// The form has no file, or is none.
    #[error("the form cannot be read: {0}")]
    Form(String),
    /// It did not come completely; what came is played.
    #[error("the upload broke off after {0} bytes: {1}")]
    Broken(u64, String),
    /// It is no media that can be played.
    #[error("Invalid Media: {0}")]
    Media(String),
    /// An element failed while media flowed.
    #[error(transparent)]
    Stream(Box<StreamError>),
    /// There is no room for a file whose index is at its end.
    #[error("the upload cannot be kept: {0}")]
    Storage(std::io::Error),
    /// The pipeline cannot be made.
    #[error(transparent)]
    Pipeline(#[from] rivero_gst::Error),
    /// Its code did, of which the endpoint has told already.
    #[error("the upload failed unexpectedly: the server's log says where")]
    Panicked,
    /// The endpoint was released.
    #[error("the endpoint was released")]
    Released,
}

/// `GST_CORE_ERROR_MISSING_PLUGIN`
const MISSING_PLUGIN: i32 = 12;

impl Failure {
    /// What an element's error means; `began`: whether media flowed already.
    pub(crate) fn new(error: StreamError, began: bool) -> Self {
        let is_media = match error.domain {
            Domain::Stream => true,
            Domain::Core => error.code == MISSING_PLUGIN,
            _ => false,
        };
        if is_media && !began {
            Self::Media(error.text)
        } else {
            Self::Stream(Box::new(error))
        }
    }

    /// Of the answer (RFC 9110 §15.5, §15.6).
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Form(_) => StatusCode::BAD_REQUEST,
            Self::Broken(..) => StatusCode::REQUEST_TIMEOUT,
            Self::Media(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Stream(error) if error.domain == Domain::Stream => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Stream(_) | Self::Pipeline(_) | Self::Panicked => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Storage(_) => StatusCode::INSUFFICIENT_STORAGE,
            Self::Released => StatusCode::GONE,
        }
    }

    /// Type and number of the Error event; a released endpoint tells nothing.
    pub(crate) fn event(&self) -> Option<(&'static str, i32)> {
        Some(match self {
            Self::TooLarge(_) | Self::Form(_) | Self::Broken(..) => ("STREAM_ERROR_FAILED", 0),
            Self::Media(_) => ("INVALID_MEDIA", 0),
            Self::Stream(error) => (error.kind, error.code),
            Self::Storage(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                ("RESOURCE_ERROR_NO_SPACE_LEFT", 0)
            }
            Self::Storage(_) => ("RESOURCE_ERROR_WRITE", 0),
            Self::Pipeline(_) => ("UNEXPECTED_ELEMENT_ERROR", 0),
            Self::Panicked | Self::Released => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivero_gst::gst::{self, glib};

    #[test]
    fn errors_before_and_after_the_beginning() {
        rivero_gst::init().unwrap();
        let failure = |began| {
            let text = glib::Error::new(gst::StreamError::TypeNotFound, "text");
            Failure::new(StreamError::new(&text, None, None), began)
        };
        assert_eq!(failure(false).event(), Some(("INVALID_MEDIA", 0)));
        assert_eq!(failure(false).status(), 415);
        assert_eq!(failure(true).status(), 422);
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let full = Failure::Storage(full);
        assert_eq!(full.event(), Some(("RESOURCE_ERROR_NO_SPACE_LEFT", 0)));
        assert_eq!(full.status(), 507);
        assert_eq!(Failure::Released.event(), None);
        assert_eq!(Failure::Panicked.event(), None);
        assert_eq!(Failure::Panicked.status(), 500);
    }
}
