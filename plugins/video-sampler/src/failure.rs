//! Why a picture was not delivered.

use std::{error::Error, io, time::Duration};

use rivero_uri::Refusal;
use tonic::{Code, Status};

/// Characters of what a service says.
const LONGEST_TEXT: usize = 500;

/// See the head of this file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The policy of URIs says no to what the name leads to.
    #[error(transparent)]
    Forbidden(Refusal),
    #[error("{origin} cannot be reached: {error}")]
    Network { origin: String, error: io::Error },
    #[error("{origin} does not speak HTTP/2: {error}")]
    Protocol { origin: String, error: hyper::Error },
    #[error("{origin} has not answered within {} s", .within.as_secs())]
    Silent { origin: String, within: Duration },
    /// The connection broke, or what came is neither HTTP/2 nor gRPC.
    #[error("the connection with {origin} failed: {text}")]
    Broken { origin: String, text: String },
    /// The service says no.
    #[error("{origin} answers {code:?}: {text}")]
    Refused {
        origin: String,
        code: Code,
        text: String,
    },
}

impl Failure {
    /// An error of the network, or of the policy that was asked on the way.
    pub(crate) fn of_dialing(origin: &str, error: io::Error) -> Self {
        let inner = error.get_ref();
        match inner.and_then(|inner| inner.downcast_ref::<Refusal>()) {
            Some(refusal) => Self::Forbidden(refusal.clone()),
            None => Self::Network {
                origin: origin.to_owned(),
                error,
            },
        }
    }

    /// What came of a call.
    pub(crate) fn of_call(origin: &str, status: &Status) -> Self {
        // tonic makes a status of what it did not get from the service.
        if let Some(error) = status.source() {
            return Self::Broken {
                origin: origin.to_owned(),
                text: innermost(error),
            };
        }
        let text = status.message().chars().take(LONGEST_TEXT);
        Self::Refused {
            origin: origin.to_owned(),
            code: status.code(),
            text: text
                .map(|letter| if letter.is_control() { ' ' } else { letter })
                .collect(),
        }
    }

    /// Whether the next picture would have the same failure: then the service is left alone for a while. Otherwise it has
    /// looked at this one.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            Self::Refused { code, .. } => *code == Code::Unavailable,
            _ => true,
        }
    }
}

/// The error that the others tell of: hyper's own says little.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_says_is_one_short_line() {
        let status = Status::unavailable("no\nroom ".repeat(1000));
        let text = Failure::of_call("http://images:1", &status).to_string();
        assert!(text.starts_with("http://images:1 answers Unavailable: no room"));
        assert!(text.len() < 600 && !text.contains('\n'), "{text}");
    }

    #[test]
    fn refusals_of_the_policy_are_told_as_such() {
        let refusal = Refusal::Host {
            host: "forbidden".to_owned(),
        };
        let error = io::Error::new(io::ErrorKind::PermissionDenied, refusal);
        let failure = Failure::of_dialing("http://forbidden:1", error);
        assert!(matches!(failure, Failure::Forbidden(_)), "{failure}");
    }
}
