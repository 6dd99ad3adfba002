//! What has to be known of a STUN message (RFC 8489) before and after the agent handles it.

use std::collections::VecDeque;

use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::Message;

use super::Path;

const HEADER_LEN: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
/// Attributes of RFC 8445 §16.1.
const USE_CANDIDATE: u16 = 0x0025;
const ICE_CONTROLLING: u16 = 0x802a;

/// 96 bits that tie a response to its request.
type TransactionId = [u8; 12];

/// The gist of a STUN message; nothing of it is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StunSummary {
    Request { nominates: bool, controlling: bool },
    Success { transaction: TransactionId },
    Other,
}

impl StunSummary {
    /// `None` if `datagram` is not a STUN message.
    pub(super) fn of(datagram: &[u8]) -> Option<Self> {
        let (header, attributes) = datagram.split_first_chunk::<HEADER_LEN>()?;
        let [t0, t1, _, _, _, _, _, _, transaction @ ..] = *header;
        Some(match [t0, t1] {
            BINDING_REQUEST => Self::Request {
                nominates: has_attribute(attributes, USE_CANDIDATE),
                controlling: has_attribute(attributes, ICE_CONTROLLING),
            },
            BINDING_SUCCESS => Self::Success { transaction },
            _ => Self::Other,
        })
    }
}

fn has_attribute(mut attributes: &[u8], wanted: u16) -> bool {
    while let Some((&[k0, k1, l0, l1], rest)) = attributes.split_first_chunk::<4>() {
        if u16::from_be_bytes([k0, k1]) == wanted {
            return true;
        }
        let len = usize::from(u16::from_be_bytes([l0, l1])).next_multiple_of(4);
        attributes = rest.get(len..).unwrap_or(&[]);
    }
    false
}

/// Whether the message was made with `password`.
pub(super) fn has_integrity(datagram: &[u8], password: &[u8]) -> bool {
    let mut message = Message {
        raw: datagram.to_vec(),
        ..Message::default()
    };
    let Ok(provider) = rtc_crypto::default_provider() else {
        return false;
    };
    message.decode().is_ok()
        && MessageIntegrity::check(&mut message, password, provider.crypto()).is_ok()
}

/// Checks of ours that wait for their answer.
#[derive(Debug, Default)]
pub(super) struct PendingChecks {
    checks: VecDeque<(TransactionId, Path)>,
}

impl PendingChecks {
    /// Answers to older checks come too late to matter.
    const MAX: usize = 256;

    /// Remembers `datagram` if it is a check.
    pub(super) fn record(&mut self, datagram: &[u8], path: Path) {
        let Some((header, _)) = datagram.split_first_chunk::<HEADER_LEN>() else {
            return;
        };
        let [t0, t1, _, _, _, _, _, _, transaction @ ..] = *header;
        if [t0, t1] == BINDING_REQUEST {
            if self.checks.len() >= Self::MAX {
                self.checks.pop_front();
            }
            self.checks.push_back((transaction, path));
        }
    }

    /// Whether a check with `transaction` was sent on exactly `path`: an answer from elsewhere
    /// proves nothing (RFC 8445 §7.2.5.2.1). Each check is answered once.
    pub(super) fn take(&mut self, transaction: TransactionId, path: Path) -> bool {
        let position = self
            .checks
            .iter()
            .position(|check| *check == (transaction, path));
        position.and_then(|at| self.checks.remove(at)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: [u8; 2], attributes: &[u8]) -> Vec<u8> {
        let mut bytes = kind.to_vec();
        bytes.extend_from_slice(&(attributes.len() as u16).to_be_bytes());
        bytes.extend_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        bytes.extend_from_slice(&[7; 12]);
        bytes.extend_from_slice(attributes);
        bytes
    }

    #[test]
    fn summaries_see_the_attributes_that_matter() {
        let attributes = [
            0x00, 0x06, 0, 3, 1, 2, 3, 0, 0x80, 0x2a, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        let mut with_nomination = attributes.to_vec();
        with_nomination.extend_from_slice(&[0x00, 0x25, 0, 0]);
        assert_eq!(
            StunSummary::of(&message(BINDING_REQUEST, &attributes)),
            Some(StunSummary::Request {
                nominates: false,
                controlling: true
            })
        );
        assert_eq!(
            StunSummary::of(&message(BINDING_REQUEST, &with_nomination)),
            Some(StunSummary::Request {
                nominates: true,
                controlling: true
            })
        );
        assert_eq!(
            StunSummary::of(&message(BINDING_SUCCESS, &[])),
            Some(StunSummary::Success {
                transaction: [7; 12]
            })
        );
        assert_eq!(StunSummary::of(&[0; 19]), None);
        assert!(!has_attribute(&[0, 6, 0xff, 0xff, 1], USE_CANDIDATE));
    }

    #[test]
    fn an_answer_counts_once_and_only_on_its_path() {
        let path = |port| Path {
            local: ([127, 0, 0, 1], 1).into(),
            remote: ([127, 0, 0, 1], port).into(),
        };
        let mut pending = PendingChecks::default();
        pending.record(&message(BINDING_REQUEST, &[]), path(5));
        pending.record(&message(BINDING_SUCCESS, &[]), path(6));
        assert!(!pending.take([7; 12], path(6)));
        assert!(pending.take([7; 12], path(5)));
        assert!(!pending.take([7; 12], path(5)));
        for _ in 0..1000 {
            pending.record(&message(BINDING_REQUEST, &[]), path(5));
        }
        assert_eq!(pending.checks.len(), PendingChecks::MAX);
    }
}
