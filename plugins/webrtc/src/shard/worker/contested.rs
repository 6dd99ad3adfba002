//! Remote addresses that several transports want.
//!
//! Another server has one port for many connections, as we have, and nothing in DTLS tells which
//! of them a datagram between the same two ports belongs to. So such a pair of ports is the first
//! transport's, as long as that needs it; a further one to the same address gets a socket of its
//! own, which the other side meets in our checks (RFC 8445 §7.3.1.3).

use std::{net::SocketAddr, time::Instant};

use rivero_net::Token;

use super::{Worker, routes};
use crate::peer::Path;

impl Worker<'_> {
    /// Whether the path between a shared socket and `remote` is another transport's.
    pub(super) fn is_taken(&mut self, remote: SocketAddr, token: Token) -> bool {
        let owner = self.routes.owner(remote).filter(|owner| *owner != token);
        let Some(owner) = owner else { return false };
        let holds = self
            .transports
            .with(owner, |owner| owner.peer().holds(remote));
        holds == Some(true)
    }

    /// Whether a datagram may leave a shared socket. The first check towards an address claims it.
    pub(super) fn may_send(&mut self, token: Token, path: Path, datagram: &[u8]) -> bool {
        if !routes::is_check(datagram) {
            return true;
        }
        if self.is_taken(path.remote, token) {
            self.open_own_socket(token, path.remote.is_ipv6());
            return false;
        }
        self.routes.assign(path.remote, token);
        true
    }

    fn open_own_socket(&mut self, token: Token, v6: bool) {
        let (registry, ports) = (self.poll.registry(), self.sockets.ports_for_more());
        let opened = self.links.open_own(registry, token, v6, ports);
        match opened {
            Ok(Some(port)) => {
                self.transports.with(token, |transport| {
                    transport.peer().add_own_socket(Instant::now(), v6, port);
                });
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "no socket for a further connection to one address");
            }
        }
    }
}
