//! Panics that tests ask for.

use super::Transport;

/// A function of [`Transport`] that panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Datagram,
    /// In the middle of a datagram to the peer.
    Forward,
    HandOn,
    Timeout,
    Transmit,
    Report,
    Drop,
}

impl Transport {
    pub(super) fn trip(&self, place: Fault) {
        assert_ne!(self.fault, Some(place), "on purpose");
    }

    /// Begins a datagram; `false`, as nothing is to be sent, unless it panics.
    pub(super) fn spoil(&self, buffer: &mut Vec<u8>) -> bool {
        if self.fault == Some(Fault::Forward) {
            buffer.extend_from_slice(b"not protected yet");
            self.trip(Fault::Forward);
        }
        false
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        self.trip(Fault::Drop);
    }
}
