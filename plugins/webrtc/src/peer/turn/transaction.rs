//! Requests that wait for their answer (RFC 8489 §6.2).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::peer::stun::{TransactionId, kind as message};

/// First wait over UDP, doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Sendings over UDP; the last is given up 7.75 s after the first.
const MAX_SENDINGS: u8 = 5;
/// Over a connection, opening it included.
const RELIABLE_WAIT: Duration = Duration::from_secs(10);

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Allocate,
    Refresh,
    /// A channel to this address of the peer.
    Bind(SocketAddr),
    /// Giving the allocation back; nobody waits for the answer.
    Release,
}

impl Purpose {
    /// The request's message type.
    pub(super) fn kind(self) -> u16 {
        match self {
            Self::Allocate => message::ALLOCATE_REQUEST,
            Self::Refresh | Self::Release => message::REFRESH_REQUEST,
            Self::Bind(_) => message::CHANNEL_BIND_REQUEST,
        }
    }
}

pub(super) struct Transaction {
    id: TransactionId,
    pub(super) purpose: Purpose,
    pub(super) bytes: Vec<u8>,
    due: Instant,
    wait: Duration,
    sendings: u8,
    /// How often the server wanted another signature.
    pub(super) repeated: u8,
}

/// What is to be done about a transaction.
pub(super) enum Look {
    Waits,
    Repeats,
    GivesUp,
}

impl Transaction {
    pub(super) fn new(
        now: Instant,
        id: TransactionId,
        purpose: Purpose,
        bytes: Vec<u8>,
        reliable: bool,
    ) -> Self {
        let (wait, sendings) = if reliable {
            (RELIABLE_WAIT, MAX_SENDINGS)
        } else {
            (FIRST_WAIT, 1)
        };
        Self {
            id,
            purpose,
            bytes,
            due: now + wait,
            wait,
            sendings,
            repeated: 0,
        }
    }

    /// Whether a message of this kind and id is the answer.
    pub(super) fn answered_by(&self, kind: u16, id: TransactionId) -> bool {
        let request = self.purpose.kind();
        self.id == id && (kind == request + message::SUCCESS || kind == request + message::ERROR)
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    pub(super) fn look(&mut self, now: Instant) -> Look {
        if now < self.due {
            return Look::Waits;
        }
        if self.sendings >= MAX_SENDINGS {
            return Look::GivesUp;
        }
        self.sendings += 1;
        self.wait *= 2;
        self.due = now + self.wait;
        Look::Repeats
    }
}
