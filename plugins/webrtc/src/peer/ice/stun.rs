//! What has to be known of a STUN message before and after the agent handles it, and the checks
//! that are not the agent's.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::{IceCredentials, Path, candidate};
use crate::peer::stun::{
    StunBuilder, StunMessage, TransactionId, attribute, kind, new_transaction,
};

/// Error code of RFC 8445 §16.1.
const ROLE_CONFLICT: u16 = 487;

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
    /// 487: the peer has the role that our check claimed (RFC 8445 §7.2.5.1).
    RoleConflict {
        transaction: TransactionId,
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
            kind::BINDING_ERROR
                if message
                    .error()
                    .is_some_and(|(code, _)| code == ROLE_CONFLICT) =>
            {
                Self::RoleConflict {
                    transaction: message.transaction(),
                }
            }
            _ => Self::Other,
        })
    }
}

/// The role and the tie-breaker that a check of ours states (RFC 8445 §7.1.3); `None` for other
/// messages.
pub(super) fn role_in(datagram: &[u8]) -> Option<Role> {
    let message = StunMessage::parse(datagram)?;
    if message.kind() != kind::BINDING_REQUEST {
        return None;
    }
    let controlling = message.has(attribute::ICE_CONTROLLING);
    let value = match controlling {
        true => message.get(attribute::ICE_CONTROLLING),
        false => message.get(attribute::ICE_CONTROLLED),
    };
    Some(Role {
        controlling,
        tie_breaker: u64::from_be_bytes(*value?.first_chunk()?),
    })
}

/// The request that a role conflict error answers; `None` for other messages.
pub(super) fn refused_role(datagram: &[u8]) -> Option<TransactionId> {
    match StunSummary::of(datagram)? {
        StunSummary::RoleConflict { transaction } => Some(transaction),
        _ => None,
    }
}

pub(super) fn transaction_of(datagram: &[u8]) -> Option<TransactionId> {
    StunMessage::parse(datagram).map(|message| message.transaction())
}

/// What an agent says of its role in its checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) controlling: bool,
    pub(super) tie_breaker: u64,
}

/// Whether the message was made with `password`.
pub(super) fn has_integrity(datagram: &[u8], password: &[u8]) -> bool {
    StunMessage::parse(datagram).is_some_and(|message| message.has_integrity(password))
}

/// A check of ours that is not the agent's: it asks for consent (RFC 7675 §5.1), or nominates the
/// path that it is sent on (RFC 8445 §8.1.1).
pub(super) fn own_check(
    local: &IceCredentials,
    remote: &IceCredentials,
    role: Role,
    nominates: bool,
) -> Vec<u8> {
    let username = format!("{}:{}", remote.ufrag, local.ufrag);
    let attribute_of_role = match role.controlling {
        true => attribute::ICE_CONTROLLING,
        false => attribute::ICE_CONTROLLED,
    };
    let mut check = StunBuilder::new(kind::BINDING_REQUEST, new_transaction())
        .add(attribute::USERNAME, username.as_bytes())
        .add(attribute_of_role, &role.tie_breaker.to_be_bytes())
        .add(
            attribute::PRIORITY,
            &candidate::check_priority().to_be_bytes(),
        );
    if nominates {
        check = check.add(attribute::USE_CANDIDATE, &[]);
    }
    check
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
    /// The search for a better path than the nominated one.
    Nomination,
}

/// One check that waits for its answer.
#[derive(Debug)]
struct PendingCheck {
    transaction: TransactionId,
    path: Path,
    asker: Asker,
    controlling: bool,
}

/// Checks of ours that wait for their answer.
#[derive(Debug, Default)]
pub(super) struct PendingChecks {
    checks: VecDeque<PendingCheck>,
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
            self.checks.push_back(PendingCheck {
                transaction: message.transaction(),
                path,
                asker,
                controlling: message.has(attribute::ICE_CONTROLLING),
            });
        }
    }

    fn position(&self, transaction: TransactionId, path: Path) -> Option<usize> {
        self.checks
            .iter()
            .position(|check| check.transaction == transaction && check.path == path)
    }

    /// Who sent a check with `transaction` on exactly `path`: an answer from elsewhere proves
    /// nothing (RFC 8445 §7.2.5.2.1).
    pub(super) fn asker(&self, transaction: TransactionId, path: Path) -> Option<Asker> {
        let check = self.checks.get(self.position(transaction, path)?)?;
        Some(check.asker)
    }

    /// Whether the check said that we control.
    pub(super) fn claimed_control(&self, transaction: TransactionId, path: Path) -> Option<bool> {
        let check = self.checks.get(self.position(transaction, path)?)?;
        Some(check.controlling)
    }

    /// Each check is answered once; who sent this one, if it was still to be.
    pub(super) fn take(&mut self, transaction: TransactionId, path: Path) -> Option<Asker> {
        let position = self.position(transaction, path)?;
        self.checks.remove(position).map(|check| check.asker)
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
        let error = |code: [u8; 4]| {
            StunSummary::of(&message(
                kind::BINDING_ERROR,
                &[(attribute::ERROR_CODE, &code)],
            ))
        };
        let conflict = StunSummary::RoleConflict {
            transaction: [7; 12],
        };
        assert_eq!(error([0, 0, 4, 87]), Some(conflict));
        assert_eq!(error([0, 0, 4, 1]), Some(StunSummary::Other));
    }

    #[test]
    fn a_check_says_its_role_and_whether_it_nominates() {
        let side = |name: &str| IceCredentials {
            ufrag: name.to_owned(),
            password: format!("{name}-password-of-sufficient-length"),
        };
        for (controlling, nominates) in [(true, false), (true, true), (false, false)] {
            let role = Role {
                controlling,
                tie_breaker: 0x0102_0304_0506_0708,
            };
            let check = own_check(&side("ours"), &side("theirs"), role, nominates);
            assert_eq!(role_in(&check), Some(role));
            let summary = StunSummary::Request {
                nominates,
                controlling,
            };
            assert_eq!(StunSummary::of(&check), Some(summary));
        }
        assert_eq!(role_in(&message(kind::BINDING_SUCCESS, &[])), None);
        assert_eq!(role_in(&message(kind::BINDING_REQUEST, &[])), None);
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
        assert_eq!(pending.claimed_control([7; 12], path(5)), Some(false));
        assert_eq!(pending.take([7; 12], path(6)), None);
        assert_eq!(pending.take([7; 12], path(5)), Some(Asker::Consent));
        assert_eq!(pending.take([7; 12], path(5)), None);
        for _ in 0..1000 {
            pending.record(&request, path(5), Asker::Agent);
        }
        assert_eq!(pending.checks.len(), PendingChecks::MAX);
    }
}
