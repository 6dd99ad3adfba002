//! Why a proxy gives up a connection.

use std::io;

use rivero_uri::Refusal;

/// What ends a connection.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The policy does not allow to go there.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many redirections.
    #[error("{0}: more redirections than are followed, one after the other")]
    Redirections(String),
    /// A redirection that cannot be followed.
    #[error("{from} redirects to {to:?}, which is no place that a player can go to from there")]
    Nowhere {
        /// Host of the URL that redirects.
        from: String,
        /// What it says, without secrets.
        to: String,
    },
    /// One side does not speak the protocol.
    #[error("{0}")]
    Malformed(&'static str),
    /// One side sends more than is kept.
    #[error("{0} is longer than is accepted")]
    TooLong(&'static str),
    /// A server does not answer.
    #[error("{host} does not answer the request {method}")]
    Silent {
        /// Name or address, with the port.
        host: String,
        /// What it was asked for.
        method: String,
    },
    /// The network.
    #[error("{host}: {error}")]
    Network {
        /// Name or address, with the port.
        host: String,
        /// What went wrong.
        #[source]
        error: io::Error,
    },
}
