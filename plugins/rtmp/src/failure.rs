//! Why a connection ends.

use std::{io, time::Duration};

use rivero_uri::Refusal;

use crate::protocol;

/// After the first failure in a row, and the longest while nothing but the network fails: a server that was started
/// again is found within 5 s.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// The longest while a server says no: it counts who comes too often.
const LONGEST_AFTER_REFUSAL: Duration = Duration::from_secs(30);

/// See the head of this file. No text has the key of a stream or a password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The policy of URIs says no: trying again would not help.
    #[error(transparent)]
    Forbidden(#[from] Refusal),
    #[error("{0}")]
    Network(#[from] io::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error(transparent)]
    Protocol(#[from] protocol::Failure),
    #[error("no media may flow within 10 s")]
    Silent,
    #[error("the server has taken nothing for 10 s")]
    Stalled,
    #[error("the server has sent nothing for 30 s")]
    Mute,
    #[error("the server leads from one place to another without an end")]
    Circle,
}

impl Failure {
    /// An error of the network, or of a policy that was asked on the way.
    pub(crate) fn of_dialing(error: io::Error) -> Self {
        let inner = error.get_ref();
        match inner.and_then(|inner| inner.downcast_ref::<Refusal>()) {
            Some(refusal) => Self::Forbidden(refusal.clone()),
            None => Self::Network(error),
        }
    }

    /// How long to wait before attempt number `attempt`, 1 being the first after a connection. `None` where there is to
    /// be none.
    pub(crate) fn pause(&self, attempt: u32) -> Option<Duration> {
        let longest = match self {
            Self::Forbidden(_) => return None,
            Self::Protocol(protocol::Failure::Refused(_)) => LONGEST_AFTER_REFUSAL,
            _ => LONGEST_PAUSE,
        };
        let doubled = FIRST_PAUSE * (1 << attempt.saturating_sub(1).min(10));
        Some(doubled.min(longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound() {
        let pauses = |failure: Failure| {
            let pauses = (1..=8).map(|attempt| failure.pause(attempt).unwrap().as_millis());
            pauses.collect::<Vec<_>>()
        };
        assert_eq!(
            pauses(Failure::Closed),
            [500, 1000, 2000, 4000, 4000, 4000, 4000, 4000]
        );
        let refused = protocol::Failure::Refused("NetStream.Publish.BadName".to_owned());
        let refused = pauses(Failure::Protocol(refused));
        assert_eq!(refused[3..], [4000, 8000, 16_000, 30_000, 30_000]);
        assert!(Failure::Closed.pause(u32::MAX).is_some());
    }

    #[test]
    fn what_the_policy_forbids_is_not_tried_again() {
        let refusal = Refusal::Host {
            host: "forbidden".to_owned(),
        };
        let error = io::Error::new(io::ErrorKind::PermissionDenied, refusal);
        assert_eq!(Failure::of_dialing(error).pause(1), None);
    }
}
