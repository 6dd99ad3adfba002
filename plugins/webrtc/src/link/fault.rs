//! Panics that tests ask for.

use super::Link;

/// A function of [`Link`] that panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Datagram,
    /// In the middle of a datagram to the peer.
    Forward,
    Deliver,
    Timeout,
    Transmit,
    Report,
    Drop,
}

impl Link {
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

impl Drop for Link {
    fn drop(&mut self) {
        self.trip(Fault::Drop);
    }
}
