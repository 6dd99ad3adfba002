//! Real datagrams, to make hostile ones of.

use rivero_net::Mark;

use super::Generator;

use crate::{hostile::Mutator, participant};

/// Datagrams that are kept at most.
const LIMIT: usize = 4096;
/// How many addresses beyond those of participants hostile datagrams come from.
const STRANGERS: usize = 200;

/// Datagrams of the load, while they are recorded.
#[derive(Default)]
pub(super) struct Recorded(Option<Vec<Vec<u8>>>);

impl Recorded {
    pub(super) fn add(&mut self, datagram: &[u8]) {
        if let Some(kept) = self.0.as_mut().filter(|kept| kept.len() < LIMIT) {
            kept.push(datagram.to_vec());
        }
    }
}

impl Generator {
    /// Keeps datagrams from now on.
    pub(crate) fn record(&mut self) {
        self.recorded = Recorded(Some(Vec::new()));
    }

    /// What was kept; nothing is kept any more.
    pub(crate) fn take_recorded(&mut self) -> Vec<Vec<u8>> {
        self.recorded.0.take().unwrap_or_default()
    }

    /// Sends a hostile datagram to where the publisher sends its own, from the address of a
    /// participant, as somebody on the path could, or of a stranger.
    pub(crate) fn send_as_somebody(&mut self, mutator: &mut Mutator) {
        let number = mutator.below(self.participants.len() + STRANGERS);
        let socket = self.participants.get(number).map_or(0, |it| it.socket);
        let publisher = self.participants.first();
        let path = publisher.and_then(|publisher| publisher.peer.path());
        if let (Some(path), Some(socket)) = (path, self.sockets.get(socket)) {
            let from = participant::address(number).into();
            socket.send(from, path.remote, mutator.next(), None, Mark::default());
        }
    }
}
