//! What has to be known of a STUN message before and after the agent handles it, and the checks
//! that are not the agent's.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::{IceCredentials, Path, candidate};
use crate::peer::stun::{
    StunBuilder, StunMessage, TransactionId, attribute, kind, new_transaction,
};

/// The gist of a STUN message; nothing of it is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StunSummary {
    Request {
        nominates: bool,
        controlling: bool,
    },
    Success {
        transaction: TransactionId,
        /// Where the peer sees us.
        mapped: Option<SocketAddr>,
    },
    Other,
}

impl StunSummary {
    /// `None` if `datagram` is not a STUN message.
    pub(super) fn of(datagram: &[u8]) -> Option<Self> {
        let message = StunMessage::parse(datagram)?;
        Some(match message.kind() {
            kind::BINDING_REQUEST => Self::Request {
                nominates: message.has(attribute::USE_CANDIDATE),
                controlling: message.has(attribute::ICE_CONTROLLING),
            },
            kind::BINDING_SUCCESS => Self::Success {
                transaction: message.transaction(),
                mapped: message.address(attribute::XOR_MAPPED_ADDRESS),
            },
            _ => Self::Other,
        })
    }
}

/// Whether the message was made with `password`.
pub(super) fn has_integrity(datagram: &[u8], password: &[u8]) -> bool {
    StunMessage::parse(datagram).is_some_and(|message| message.has_integrity(password))
}

/// A check of ours that asks for consent (RFC 7675 §5.1).
pub(super) fn consent_check(
    local: &IceCredentials,
    remote: &IceCredentials,
    controlling: bool,
    tie_breaker: u64,
) -> Vec<u8> {
    let username = format!("{}:{}", remote.ufrag, local.ufrag);
    let role = if controlling {
        attribute::ICE_CONTROLLING
    } else {
        attribute::ICE_CONTROLLED
    };
    StunBuilder::new(kind::BINDING_REQUEST, new_transaction())
        .add(attribute::USERNAME, username.as_bytes())
        .add(role, &tie_breaker.to_be_bytes())
        .add(
            attribute::PRIORITY,
            &candidate::check_priority().to_be_bytes(),
        )
        .integrity(remote.password.as_bytes())
        .fingerprint()
        .build()
}

/// Who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// The agent.
    Agent,
    /// The supervision of consent.
    Consent,
}

/// Checks of ours that wait for their answer.
#[derive(Debug, Default)]
pub(super) struct PendingChecks {
    checks: VecDeque<(TransactionId, Path, Asker)>,
}

impl PendingChecks {
    /// Answers to older checks come too late to matter.
    const MAX: usize = 256;

    /// Remembers `datagram` if it is a check.
    pub(super) fn record(&mut self, datagram: &[u8], path: Path, asker: Asker) {
        let Some(message) = StunMessage::parse(datagram) else {
            return;
        };
        if message.kind() == kind::BINDING_REQUEST {
            if self.checks.len() >= Self::MAX {
                self.checks.pop_front();
            }
            self.checks.push_back((message.transaction(), path, asker));
        }
    }

    /// Who sent a check with `transaction` on exactly `path`: an answer from elsewhere proves
    /// nothing (RFC 8445 §7.2.5.2.1).
    pub(super) fn asker(&self, transaction: TransactionId, path: Path) -> Option<Asker> {
        self.checks
            .iter()
            .find(|(id, on, _)| *id == transaction && *on == path)
            .map(|(.., asker)| *asker)
    }

    /// Each check is answered once; whether this one was still to be.
    pub(super) fn take(&mut self, transaction: TransactionId, path: Path) -> bool {
        let position = self
            .checks
            .iter()
            .position(|(id, on, _)| *id == transaction && *on == path);
        position.and_then(|at| self.checks.remove(at)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let add = |builder: StunBuilder, (kind, value): &(u16, &[u8])| builder.add(*kind, value);
        attributes
            .iter()
            .fold(StunBuilder::new(kind, [7; 12]), add)
            .build()
    }

    #[test]
    fn summaries_see_the_attributes_that_matter() {
        let username: (u16, &[u8]) = (attribute::USERNAME, b"odd");
        let controlling: (u16, &[u8]) = (attribute::ICE_CONTROLLING, &[0; 8]);
        let nominates: (u16, &[u8]) = (attribute::USE_CANDIDATE, &[]);
        let request = |attributes: &[(u16, &[u8])]| {
            StunSummary::of(&message(kind::BINDING_REQUEST, attributes)).unwrap()
        };
        assert_eq!(
            request(&[username, controlling]),
            StunSummary::Request {
                nominates: false,
                controlling: true
            }
        );
        assert_eq!(
            request(&[username, controlling, nominates]),
            StunSummary::Request {
                nominates: true,
                controlling: true
            }
        );
        assert_eq!(
            StunSummary::of(&message(kind::BINDING_SUCCESS, &[])),
            Some(StunSummary::Success {
                transaction: [7; 12],
                mapped: None
            })
        );
        assert_eq!(StunSummary::of(&[0; 19]), None);
    }

    #[test]
    fn an_answer_counts_once_and_only_on_its_path() {
        let path = |port| Path::udp(([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], port).into());
        let mut pending = PendingChecks::default();
        let request = message(kind::BINDING_REQUEST, &[]);
        pending.record(&request, path(5), Asker::Consent);
        pending.record(&message(kind::BINDING_SUCCESS, &[]), path(6), Asker::Agent);
        assert_eq!(pending.asker([7; 12], path(6)), None);
        assert_eq!(pending.asker([7; 12], path(5)), Some(Asker::Consent));
        assert!(!pending.take([7; 12], path(6)));
        assert!(pending.take([7; 12], path(5)));
        assert!(!pending.take([7; 12], path(5)));
        for _ in 0..1000 {
            pending.record(&request, path(5), Asker::Agent);
        }
        assert_eq!(pending.checks.len(), PendingChecks::MAX);
    }
}
