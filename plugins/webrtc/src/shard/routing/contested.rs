//! Remote addresses that several links want.
//!
//! Another server has one port for many connections, as we have, and nothing in DTLS tells which
//! of them a datagram between the same two ports belongs to. So such a pair of ports is the first
//! link's, as long as that needs it; a further one to the same address gets a socket of its
//! own, which the other side meets in our checks (RFC 8445 §7.3.1.3).

use std::{io, net::SocketAddr, time::Instant};

use rivero_net::{
    MediaSocket, Token,
    shard::{Network, Sessions, Wire},
};

use super::{LinkRouting, LinkSocket, routes};
use crate::{link::Link, peer::Path};

impl LinkRouting {
    /// Whether the path between a shared socket and `remote` is another link's.
    pub(super) fn is_taken(
        &self,
        links: &mut Sessions<Link>,
        remote: SocketAddr,
        token: Token,
    ) -> bool {
        let owner = self.routes.owner(remote).filter(|owner| *owner != token);
        let Some(owner) = owner else { return false };
        links.with(owner, |owner| owner.peer().holds(remote)) == Some(true)
    }

    /// Whether a datagram may leave a shared socket. The first check towards an address claims it.
    pub(super) fn may_send(
        &mut self,
        links: &mut Sessions<Link>,
        network: &mut Network<'_, LinkSocket>,
        path: Path,
        datagram: &[u8],
    ) -> bool {
        if !routes::is_check(datagram) {
            return true;
        }
        let token = network.token();
        // Two links of one server that are each other's peers: from a socket to itself nothing would tell which of them a
        // datagram is for.
        let is_to_itself = path.local == path.remote;
        if is_to_itself || self.is_taken(links, path.remote, token) {
            let v6 = path.remote.is_ipv6();
            match open_socket(network, v6) {
                Ok(Some(port)) => {
                    let now = Instant::now();
                    links.with(token, |link| link.peer().add_own_socket(now, v6, port));
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "no socket for a further connection to one address");
                }
            }
            return false;
        }
        self.routes.assign(path.remote, token);
        true
    }
}

/// Opens a UDP socket for one link alone; gives its port, or nothing if there is one.
fn open_socket(network: &mut Network<'_, LinkSocket>, v6: bool) -> io::Result<Option<u16>> {
    let id = LinkSocket::Udp { v6 };
    if network.has(id) {
        return Ok(None);
    }
    let socket = MediaSocket::bind(v6, network.ports())?;
    let port = socket.port();
    network.open(id, Wire::Datagrams(socket))?;
    Ok(Some(port))
}
