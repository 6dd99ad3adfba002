//! Where recordings go: files, uploads, and stores by way of the spool.

mod existing;
mod file;
mod spooled;
mod upload;

use std::{io, path::PathBuf};

use rivero_uri::{Location, OpenError, Policy, Refusal};
use url::Url;

use crate::{
    container::Output,
    s3::Object,
    settings::Settings,
    spool::{Spool, UploadEvents},
};
use file::FileOutput;
use spooled::SpooledOutput;
pub(crate) use upload::Upload;

/// Why a recording ends before it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The file or the server cannot be opened.
    #[error("Could not open {target} for writing: {reason}")]
    Open {
        /// Path or URL without credentials.
        target: String,
        /// What the system said.
        reason: String,
    },
    /// No space is left.
    #[error("No space left for {target}: {reason}; what was written so far is complete")]
    NoSpace {
        /// Path or URL without credentials.
        target: String,
        /// Which space.
        reason: String,
    },
    /// Anything else that goes wrong while writing.
    #[error("Could not write to {target}: {reason}; what was written so far is kept")]
    Write {
        /// Path or URL without credentials.
        target: String,
        /// What the system or the server said.
        reason: String,
    },
    /// The recorder's own code did.
    #[error("Recording to {target} failed unexpectedly: {reason}; what was written so far is kept")]
    Panicked {
        /// Path or URL without credentials.
        target: String,
        /// What it said.
        reason: String,
    },
    /// Media came faster than it could be written.
    #[error("{target} takes data more slowly than it comes: media was left out")]
    TooSlow {
        /// Path or URL without credentials.
        target: String,
    },
}

impl Failure {
    pub(crate) fn open(target: &Target, error: &OpenError) -> Self {
        let reason = match error.system() {
            Some(error) => error.to_string(),
            None => error.to_string(),
        };
        Self::Open {
            target: target.to_string(),
            reason,
        }
    }

    pub(crate) fn write(target: &Target, error: &io::Error) -> Self {
        let target = target.to_string();
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::NoSpace {
                target,
                reason: error.to_string(),
            },
            _ => Self::Write {
                target,
                reason: error.to_string(),
            },
        }
    }

    /// In a word, for `/metrics`.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::NoSpace { .. } => "no_space",
            Self::Panicked { .. } => "panic",
            Self::Write { .. } => "write",
            Self::TooSlow { .. } => "too_slow",
        }
    }

    /// `type` and `errorCode` of the `Error` event: GStreamer's resource errors.
    pub(crate) fn event(&self) -> (&'static str, i32) {
        match self {
            Self::Open { .. } => ("RESOURCE_ERROR_OPEN", 6),
            Self::NoSpace { .. } => ("RESOURCE_ERROR_NO_SPACE_LEFT", 14),
            Self::Panicked { .. } => ("UNEXPECTED_ELEMENT_ERROR", 40003),
            Self::Write { .. } | Self::TooSlow { .. } => ("RESOURCE_ERROR_WRITE", 10),
        }
    }
}

/// What a recording is written to.
pub(crate) enum Opened {
    /// Writing may block, and is over when it returns.
    File(Box<dyn Output>),
    /// Writing never blocks; [`Upload::deliver`] waits for the server.
    Upload(Upload),
}

/// A place that a recording can go to.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    File {
        path: PathBuf,
        /// Several files, with numbers in their names.
        is_split: bool,
        content_type: &'static str,
    },
    Upload {
        url: Url,
        content_type: &'static str,
    },
    Store {
        object: Object,
        /// Several objects, with numbers in their names.
        is_split: bool,
        content_type: &'static str,
        /// Hears what becomes of them.
        events: UploadEvents,
    },
}

impl Target {
    /// # Errors
    /// Why nothing can be written there
    pub(crate) fn new(
        location: &Location,
        is_split: bool,
        content_type: &'static str,
        events: UploadEvents,
    ) -> Result<Self, String> {
        match (location, location.scheme()) {
            (Location::File(path), _) => Ok(Self::File {
                path: path.clone(),
                is_split,
                content_type,
            }),
            (Location::Remote(_), "http" | "https") if is_split => {
                Err("KURENTO_SPLIT_RECORDER records to file and s3 URIs only".to_owned())
            }
            (Location::Remote(url), "http" | "https") => Ok(Self::Upload {
                url: url.clone(),
                content_type,
            }),
            (Location::Remote(url), "s3") => Ok(Self::Store {
                object: Object::parse(url)?,
                is_split,
                content_type,
                events,
            }),
            (Location::Remote(_), scheme) => Err(format!(
                "Nothing can be recorded to {scheme} URIs, only to file, http, https and s3"
            )),
        }
    }

    /// Opens it, on the runtime of such recordings.
    pub(crate) async fn open(&self, policy: &Policy) -> Result<Opened, Failure> {
        match self.clone() {
            Self::File {
                path,
                is_split,
                content_type,
            } => {
                let policy = policy.clone();
                let opened = tokio::task::spawn_blocking(move || {
                    FileOutput::create(path, is_split, content_type, policy)
                });
                match opened.await {
                    Ok(Ok(output)) => Ok(Opened::File(Box::new(output))),
                    Ok(Err(error)) => Err(Failure::open(self, &error)),
                    Err(error) => Err(self.cannot_open(&error.to_string())),
                }
            }
            Self::Upload { url, content_type } => {
                match Upload::begin(&url, content_type, policy).await {
                    Ok(output) => Ok(Opened::Upload(output)),
                    Err(error) => Err(self.cannot_open(&error.to_string())),
                }
            }
            Self::Store {
                object,
                is_split,
                content_type,
                events,
            } => {
                let settings = Settings::load();
                let settings = settings.map_err(|error| self.cannot_open(&error.to_string()))?;
                let opened = tokio::task::spawn_blocking(move || {
                    let spool = Spool::of_process(&settings);
                    SpooledOutput::create(spool, object, is_split, content_type, events)
                });
                match opened
                    .await
                    .map_err(io::Error::other)
                    .and_then(|opened| opened)
                {
                    Ok(output) => Ok(Opened::File(Box::new(output))),
                    Err(error) => Err(self.cannot_spool(&error)),
                }
            }
        }
    }

    /// What is full says so, as it does later on.
    fn cannot_spool(&self, error: &io::Error) -> Failure {
        match Failure::write(self, error) {
            full @ Failure::NoSpace { .. } => full,
            _ => self.cannot_open(&error.to_string()),
        }
    }

    fn cannot_open(&self, reason: &str) -> Failure {
        Failure::Open {
            target: self.to_string(),
            reason: reason.to_owned(),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { path, .. } => path.display().fmt(formatter),
            Self::Store { object, .. } => object.fmt(formatter),
            Self::Upload { url, .. } => {
                let host = url.host_str().unwrap_or_default();
                let port = url
                    .port()
                    .map(|port| format!(":{port}"))
                    .unwrap_or_default();
                write!(formatter, "{}://{host}{port}{}", url.scheme(), url.path())
            }
        }
    }
}

fn refused(refusal: Refusal) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, refusal)
}
