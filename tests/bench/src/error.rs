//! Why there are no figures.

use std::io;

/// What ended a measurement.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The system refused something.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server answered a request with an error, or something that is no answer.
    #[error("the server refused a request: {0}")]
    Refused(String),
    /// The connection to the server failed.
    #[error("the connection to the server: {0}")]
    Connection(#[from] Box<tungstenite::Error>),
    /// A peer of the load cannot go on.
    #[error("a peer of the load: {0}")]
    Peer(#[from] rivero_bench_peer::PeerError),
    /// Something did not happen in time.
    #[error("waited {seconds} s in vain until {what}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// For how long.
        seconds: f64,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// For `map_err`: names what was tried.
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}
