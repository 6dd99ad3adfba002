//! Connections of single links: with their peers, and with TURN servers.

use std::{io, net::SocketAddr};

use rivero_net::{
    Framing, LengthPrefix, Mark, MediaSocket, Stream, length_prefixed,
    shard::{Network, Wire},
};

use super::{framing::turn_message, tls::Tls};
use crate::peer::{ACTIVE_PORT, Path, TurnServer, TurnTransport};

/// A socket of one link alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LinkSocket {
    /// The TCP connection of a path.
    Connection(Path),
    /// What leads to the TURN server of this number. Each link has its own: an allocation belongs to the
    /// addresses of a socket (RFC 8656 §3.2).
    Server(u8),
    /// UDP, where the path from the shared socket is another link's.
    Udp {
        /// The IP version.
        v6: bool,
    },
}

/// The connection of a path, opened if it is for us to open it.
pub(crate) fn with_peer<'n>(
    network: &'n mut Network<'_, LinkSocket>,
    path: Path,
    mark: Mark,
) -> Option<&'n mut Stream> {
    let id = LinkSocket::Connection(path);
    if !network.has(id) {
        if path.local.port() != ACTIVE_PORT {
            // The other side's to open, and gone.
            return None;
        }
        let (local, remote) = (Some(path.local.ip()), path.remote);
        let opened = network.connect(id, || {
            Stream::connect(local, remote, length_prefixed, None, mark)
        });
        if let Err(error) = opened {
            tracing::debug!(%remote, %error, "no connection");
        }
    }
    let stream = network.stream(id)?;
    stream.set_mark(mark);
    Some(stream)
}

/// Sends a datagram in a path's connection.
pub(super) fn send_to_peer(
    network: &mut Network<'_, LinkSocket>,
    path: Path,
    bytes: &[u8],
    mark: Mark,
) {
    if let Some(stream) = with_peer(network, path, mark) {
        let mut frame = Vec::with_capacity(bytes.len() + 2);
        LengthPrefix.wrap(&mut frame, |out| {
            out.extend_from_slice(bytes);
            true
        });
        stream.send(&frame);
    }
}

/// Connects to a TURN server, in place of the one that had this number. Messages can be sent from now on.
pub(super) fn open_server(
    network: &mut Network<'_, LinkSocket>,
    number: u8,
    server: &TurnServer,
    mark: Mark,
) -> io::Result<()> {
    let wire = match server.transport {
        TurnTransport::Udp => {
            let v6 = server.address.is_ipv6();
            let bound = MediaSocket::bind(v6, network.ports());
            // The ports are for peers to reach: towards a server any will do.
            Wire::Datagrams(bound.or_else(|_| MediaSocket::bind(v6, None))?)
        }
        TurnTransport::Tcp => {
            let stream = Stream::connect(None, server.address, turn_message, None, mark);
            Wire::Stream(stream?)
        }
        TurnTransport::Tls => {
            let tls = Box::new(Tls::new(&server.host)?);
            let stream = Stream::connect(None, server.address, turn_message, Some(tls), mark);
            Wire::Stream(stream?)
        }
    };
    network.open(LinkSocket::Server(number), wire)
}

/// Sends a message to a TURN server.
pub(super) fn send_to_server(
    network: &mut Network<'_, LinkSocket>,
    number: u8,
    server: SocketAddr,
    bytes: &[u8],
    mark: Mark,
) {
    match network.wire(LinkSocket::Server(number)) {
        Some(Wire::Datagrams(socket)) => {
            socket.send_from(None, server, bytes, None, mark);
        }
        Some(Wire::Stream(stream)) => {
            stream.send(bytes);
        }
        None => {}
    }
}
