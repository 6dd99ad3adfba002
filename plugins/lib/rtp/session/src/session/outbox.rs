//! Datagrams that wait to be sent.

use std::collections::VecDeque;

use crate::protect::Datagrams;

/// Protected datagrams, the oldest first. It is drained after every call of the session, so it holds what
/// one of them made.
#[derive(Default)]
pub(super) struct Outbox {
    queued: VecDeque<Vec<u8>>,
    /// Memory to write into: what is queued is then as large as the datagram, and no larger.
    scratch: Vec<u8>,
}

impl Outbox {
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        self.queued.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }

    /// Queues one datagram; gives its length, or nothing if `write` wrote none.
    pub(super) fn queue(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) -> Option<usize> {
        self.scratch.clear();
        if !write(&mut self.scratch) {
            return None;
        }
        self.queued.push_back(self.scratch.clone());
        Some(self.scratch.len())
    }
}

impl Datagrams for Outbox {
    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        self.queue(write);
    }
}
