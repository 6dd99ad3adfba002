//! The sockets that the sessions of a shard share.

use std::{io, ops::RangeInclusive};

use mio::{Interest, Registry, event::Source, net::TcpListener, unix::SourceFd};

use crate::{MediaSocket, listener};

pub(super) const WAKE: mio::Token = mio::Token(0);
pub(super) const V4: mio::Token = mio::Token(1);
pub(super) const V6: mio::Token = mio::Token(2);
pub(super) const LISTEN_V4: mio::Token = mio::Token(3);
pub(super) const LISTEN_V6: mio::Token = mio::Token(4);
/// Below are the tokens of the shard's own sockets; some are left for more of them.
pub(super) const FIRST_OWN: usize = 16;

/// What all sessions of a shard receive from: it outlives the workers, because its addresses are in
/// what endpoints have told their peers. By default there is none, and each session has sockets of its own.
#[derive(Default)]
pub struct Sockets {
    v4: Option<MediaSocket>,
    v6: Option<MediaSocket>,
    listeners: [Option<TcpListener>; 2],
    ports: Option<RangeInclusive<u16>>,
}

/// The ports of a shard's sockets for one IP version.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Ports {
    pub(super) udp: Option<u16>,
    pub(super) tcp: Option<u16>,
}

impl Sockets {
    /// A UDP socket for each IP version that the system has, and beside it, on the same port if that is
    /// free, one that accepts TCP connections. Without a port for that there is none.
    ///
    /// # Errors
    /// That of IPv4 when there is no UDP socket at all.
    pub fn bind(ports: Option<&RangeInclusive<u16>>) -> io::Result<Self> {
        let (v4, v6) = match (
            MediaSocket::bind(false, ports),
            MediaSocket::bind(true, ports),
        ) {
            (Err(error), Err(_)) => return Err(error),
            (v4, v6) => (v4.ok(), v6.ok()),
        };
        let beside = |v6: bool, socket: &Option<MediaSocket>| {
            let wanted = socket.as_ref()?.port();
            listener::listen(v6, wanted, ports)
                .inspect_err(|error| tracing::warn!(%error, "no port for connections"))
                .ok()
        };
        let listeners = [beside(false, &v4), beside(true, &v6)];
        Ok(Self {
            v4,
            v6,
            listeners,
            ports: ports.cloned(),
        })
    }

    /// For IPv4 and IPv6.
    pub(super) fn bound_ports(&self) -> [Ports; 2] {
        let tcp = |listener: &Option<TcpListener>| {
            let address = listener.as_ref()?.local_addr().ok()?;
            Some(address.port())
        };
        let udp = |socket: &Option<MediaSocket>| socket.as_ref().map(MediaSocket::port);
        let [v4, v6] = &self.listeners;
        [(&self.v4, v4), (&self.v6, v6)].map(|(socket, listener)| Ports {
            udp: udp(socket),
            tcp: tcp(listener),
        })
    }

    /// Has `registry` tell when something can be read. Each new worker reads without being told, since the
    /// one before may have been.
    pub(super) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        let readable = |source: Option<&mut dyn Source>, token| match source {
            Some(source) => source.register(registry, token, Interest::READABLE),
            None => Ok(()),
        };
        let [listen_v4, listen_v6] = &mut self.listeners;
        readable(self.v4.as_mut().map(|s| s.source() as &mut dyn Source), V4)?;
        readable(self.v6.as_mut().map(|s| s.source() as &mut dyn Source), V6)?;
        readable(listen_v4.as_mut().map(|s| s as &mut dyn Source), LISTEN_V4)?;
        readable(listen_v6.as_mut().map(|s| s as &mut dyn Source), LISTEN_V6)
    }

    /// Has `registry` tell, or not, when something can be read from one of the UDP sockets.
    pub(super) fn wake(&self, registry: &Registry, v6: bool, wakes: bool) -> io::Result<()> {
        let Some(socket) = self.udp(v6) else {
            return Ok(());
        };
        let descriptor = socket.descriptor();
        let mut source = SourceFd(&descriptor);
        if wakes {
            let token = if v6 { V6 } else { V4 };
            registry.register(&mut source, token, Interest::READABLE)
        } else {
            registry.deregister(&mut source)
        }
    }

    #[inline]
    pub(super) fn udp(&self, v6: bool) -> Option<&MediaSocket> {
        let socket = if v6 { &self.v6 } else { &self.v4 };
        socket.as_ref()
    }

    pub(super) fn listener(&self, v6: bool) -> Option<&TcpListener> {
        self.listeners.get(usize::from(v6))?.as_ref()
    }

    /// The ports that further sockets may have.
    pub(super) fn ports(&self) -> Option<&RangeInclusive<u16>> {
        self.ports.as_ref()
    }
}
