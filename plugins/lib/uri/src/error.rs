//! Why a URI is not used.

use std::{io, net::IpAddr, path::PathBuf};

use rivero_plugin_api::Error;

/// The policy of the server, or the URI itself, says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The text is no URI.
    #[error("{uri:?} is no usable URI: {reason}")]
    Malformed {
        /// As given, without user and password: see [`crate::redact`].
        uri: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The scheme is not among the allowed ones.
    #[error(
        "URIs of scheme {scheme:?} are not allowed here (allowed: {allowed}); the setting is UriEndpoint.allowedSchemes"
    )]
    Scheme {
        /// Lower case.
        scheme: String,
        /// With commas.
        allowed: String,
    },
    /// The file lies where no endpoint may read or write.
    #[error("{} lies below {}, where endpoints may not read or write", path.display(), directory.display())]
    Protected {
        /// After resolving `..` and symbolic links.
        path: PathBuf,
        /// The protected directory.
        directory: PathBuf,
    },
    /// The file, or a directory above it, is a hidden one of a user's home.
    #[error("{} is hidden: endpoints neither read nor write files of a home whose path has a name with a dot at its beginning", .0.display())]
    Hidden(PathBuf),
    /// The file belongs to another user, who alone may read it.
    #[error("{} belongs to another user, and its mode lets nobody else read it", .0.display())]
    Private(PathBuf),
    /// The file to be written has another name somewhere.
    #[error("{} has another name (a hard link) somewhere: a recording would overwrite that file, too", .0.display())]
    HardLink(PathBuf),
    /// The name to be written to is a link into another directory.
    #[error("the name is a link to {}: record to that path itself, or list its directory in UriEndpoint.writableRoots", target.display())]
    Link {
        /// What the link leads to.
        target: PathBuf,
    },
    /// The file lies outside of the configured roots.
    #[error("{} lies outside of the {access} directories; the setting is UriEndpoint.{access}Roots", path.display())]
    OutsideRoots {
        /// After resolving `..` and symbolic links.
        path: PathBuf,
        /// `readable` or `writable`.
        access: &'static str,
    },
    /// The host is not among the allowed ones.
    #[error("the host {host:?} is not allowed; the setting is UriEndpoint.allowedHosts")]
    Host {
        /// Lower case.
        host: String,
    },
    /// The host has an address of the machine or of a private network, which is not allowed.
    #[error(
        "{address} is internal (of this machine or a private network) and not allowed by itself; the setting is UriEndpoint.internalHosts"
    )]
    Internal {
        /// After resolution.
        address: IpAddr,
    },
    /// The host has an address that no endpoint may talk to.
    #[error("{address} is {reason}, which endpoints may not reach")]
    Address {
        /// After resolution.
        address: IpAddr,
        /// What kind of address that is.
        reason: &'static str,
    },
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::illegal_parameter(refusal.to_string())
    }
}

/// A file that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The policy says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The system says no.
    #[error("{}: {error}", path.display())]
    System {
        /// What was to be opened or made.
        path: PathBuf,
        /// Its answer.
        #[source]
        error: io::Error,
    },
}

impl OpenError {
    /// What the system said, if it was asked.
    pub fn system(&self) -> Option<&io::Error> {
        match self {
            Self::Refused(_) => None,
            Self::System { error, .. } => Some(error),
        }
    }
}
