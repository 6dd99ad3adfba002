//! What stores answer.

use std::{fmt, io};

use hyper::StatusCode;
use roxmltree::Document;

/// Characters of a store's own words that are passed on.
const LONGEST_MESSAGE: usize = 300;

/// Why a request did not do what it was to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// No answer that could be read.
    #[error("{host}: {error}")]
    Network {
        /// With its port.
        host: String,
        #[source]
        error: io::Error,
    },
    /// The store said no.
    #[error("the store answered {0}")]
    Refused(Refusal),
    /// It cannot be asked: the configuration does not fit.
    #[error("{0}")]
    Configuration(String),
    /// The file in the spool cannot be read.
    #[error("the file in the spool cannot be read: {0}")]
    Spool(#[source] io::Error),
}

impl Failure {
    /// Whether the store does not know the upload that parts were sent for, or not these parts: all are to be sent again.
    pub(crate) fn is_lost_upload(&self) -> bool {
        let Self::Refused(refusal) = self else {
            return false;
        };
        matches!(
            refusal.code.as_str(),
            "NoSuchUpload" | "InvalidPart" | "InvalidPartOrder" | "EntityTooSmall"
        )
    }

    /// Whether that may be so, although the store does not say it: there are some that have lost an upload and fail over it.
    /// Refused credentials and stores that are overloaded are something else.
    pub(crate) fn may_be_lost_upload(&self) -> bool {
        let Self::Refused(refusal) = self else {
            return false;
        };
        self.is_lost_upload() || matches!(refusal.status.as_u16(), 400 | 404 | 410 | 500)
    }

    /// One word for the metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Network { .. } => "network",
            Self::Refused(_) => "refused",
            Self::Configuration(_) => "configuration",
            Self::Spool(_) => "spool",
        }
    }
}

/// A store's `Error`.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(super) status: StatusCode,
    /// `AccessDenied`, `NoSuchBucket` …; empty where the store gives none.
    pub(super) code: String,
    pub(super) message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.status)?;
        if !self.code.is_empty() {
            write!(formatter, ", {}", self.code)?;
        }
        if !self.message.is_empty() {
            write!(formatter, ": {}", self.message)?;
        }
        Ok(())
    }
}

/// The error that a body is, if it is one: where an upload is completed, it may come with status 200.
pub(super) fn refusal(status: StatusCode, body: &str) -> Option<Refusal> {
    let document = Document::parse(body).ok();
    let root = document.as_ref().map(Document::root_element);
    let error = root.filter(|root| root.tag_name().name() == "Error");
    if status.is_success() && error.is_none() {
        return None;
    }
    let text = |name: &str| {
        let children = error.into_iter().flat_map(|error| error.children());
        let found = children
            .into_iter()
            .find(|child| child.tag_name().name() == name);
        // On one line: it goes into logs and events.
        let text = found.and_then(|child| child.text()).unwrap_or_default();
        let plain: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        plain.chars().take(LONGEST_MESSAGE).collect()
    };
    Some(Refusal {
        status,
        code: text("Code"),
        message: text("Message"),
    })
}

/// The text of the first element of this name.
pub(super) fn text_of(body: &str, name: &str) -> Option<String> {
    let document = Document::parse(body).ok()?;
    let mut nodes = document.descendants();
    let found = nodes.find(|node| node.tag_name().name() == name)?;
    Some(found.text()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_whatever_their_status() {
        let body = "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchUpload</Code><Message>It is\n gone &amp; so on</Message></Error>";
        for status in [StatusCode::OK, StatusCode::NOT_FOUND] {
            let failure = Failure::Refused(refusal(status, body).unwrap());
            assert!(failure.is_lost_upload() && failure.may_be_lost_upload());
            let text = failure.to_string();
            assert!(text.ends_with("NoSuchUpload: It is gone & so on"), "{text}");
        }
    }

    #[test]
    fn what_is_no_error_is_told_by_its_status() {
        assert!(refusal(StatusCode::OK, "").is_none());
        assert!(refusal(StatusCode::OK, "<Result/>").is_none());
        let refused = refusal(StatusCode::FORBIDDEN, "<html>no").unwrap();
        assert_eq!(refused.to_string(), "403 Forbidden");
        assert!(!Failure::Refused(refused).may_be_lost_upload());
        let failed = refusal(StatusCode::INTERNAL_SERVER_ERROR, "").unwrap();
        assert!(Failure::Refused(failed).may_be_lost_upload());
    }

    #[test]
    fn elements_are_found_in_their_namespace() {
        let body = r#"<InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><UploadId>a&quot;b</UploadId></InitiateMultipartUploadResult>"#;
        assert_eq!(text_of(body, "UploadId").unwrap(), "a\"b");
        assert_eq!(text_of("junk", "UploadId"), None);
    }
}
