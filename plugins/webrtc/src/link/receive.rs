//! What arrives for a link.

use std::{net::SocketAddr, time::Instant};

#[cfg(test)]
use super::Fault;
use super::Link;
use crate::peer::{Inbound, Path};

impl Link {
    /// Takes a datagram; `true` when it proved to be the peer's.
    #[inline]
    pub(crate) fn on_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        data: &mut [u8],
    ) -> bool {
        #[cfg(test)]
        self.trip(Fault::Datagram);
        let arrived = self.peer.handle_datagram(now, local, remote, data);
        self.on_arrival(now, arrived, data)
    }

    /// Takes a datagram that came along a path of this link alone, in a TCP connection say.
    pub(crate) fn on_carried(&mut self, now: Instant, path: Path, data: &mut [u8]) -> bool {
        let arrived = self.peer.handle_carried(now, path, data);
        self.on_arrival(now, arrived, data)
    }

    /// Takes a whole message of a TURN server.
    pub(crate) fn on_server_message(&mut self, now: Instant, number: u8, message: &mut [u8]) {
        let (arrived, begin) = self.peer.handle_server_message(now, number, message);
        self.on_arrival(now, arrived, message.get_mut(begin..).unwrap_or_default());
    }

    /// Hands media on, which the peer has opened in place; `true` when what arrived proved to be the
    /// peer's.
    #[inline]
    fn on_arrival(&mut self, now: Instant, arrived: Inbound, data: &mut [u8]) -> bool {
        match arrived {
            Inbound::Rtp { header, len } => {
                let packet = data.get_mut(..len).unwrap_or_default();
                self.session.on_rtp(now, &header, packet);
            }
            Inbound::Rtcp { len } => {
                let compound = data.get(..len).unwrap_or_default();
                self.session.on_rtcp(now, compound, &mut self.peer);
                self.report_session_events();
            }
            Inbound::Handled => {}
            Inbound::Dropped(reason) => {
                tracing::trace!(?reason, "datagram dropped");
                return false;
            }
        }
        true
    }
}
