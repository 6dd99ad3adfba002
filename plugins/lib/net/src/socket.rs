//! A UDP socket with everything that makes it fast: GRO and recvmmsg on the
//! way in, GSO on the way out, the local address of each datagram.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    os::fd::{AsRawFd, RawFd},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use mio::net::UdpSocket;
use nix::libc::{EINVAL, EIO};
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use smallvec::SmallVec;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::Mark;

/// Receive calls take up to this many messages, each of one datagram or of several coalesced ones (GRO).
/// Eight buffers of 64 KiB are half a megabyte for each shard, and at high rates messages are long.
pub const BATCH: usize = 8;
/// Room for one message: datagrams that the kernel joined are no longer than one of UDP may be (RFC 768).
const BUFFER: usize = 65_536;
/// Asked of the system for each direction; it may give less. A shard that sends to hundreds of viewers is
/// away from its socket for milliseconds, in which a publisher's keyframes must not be lost.
const SOCKET_BUFFER: usize = 4 << 20;

/// A UDP socket, bound to the unspecified address of a family, or beside such a one to a peer.
pub struct MediaSocket {
    socket: UdpSocket,
    state: UdpSocketState,
    /// The system refused to segment for a device in use. Relaxed: whoever reads it late tries once more.
    whole_only: AtomicBool,
    port: u16,
}

/// Memory for received datagrams, used by all sockets of a shard in turn.
pub struct ReceiveBuffers {
    memory: Vec<u8>,
    meta: [RecvMeta; BATCH],
}

impl Default for ReceiveBuffers {
    fn default() -> Self {
        Self {
            memory: vec![0; BATCH * BUFFER],
            meta: [RecvMeta::default(); BATCH],
        }
    }
}

impl MediaSocket {
    /// Binds a port, the first free one of a range where one is given.
    ///
    /// # Errors
    /// Those of the system; where no port of the range is free, one that names the settings it is from.
    pub fn bind(v6: bool, ports: Option<&RangeInclusive<u16>>) -> io::Result<Self> {
        match ports {
            None => Self::bind_port(v6, 0),
            Some(range) => range
                .clone()
                .find_map(|port| Self::bind_port(v6, port).ok())
                .ok_or_else(|| {
                    let (first, last) = (range.start(), range.end());
                    let text = format!(
                        "no free UDP port from minPort {first} to maxPort {last} of BaseRtpEndpoint"
                    );
                    io::Error::new(io::ErrorKind::AddrInUse, text)
                }),
        }
    }

    /// Binds one port, 0 = any.
    ///
    /// # Errors
    /// Those of the system.
    pub fn bind_port(v6: bool, port: u16) -> io::Result<Self> {
        let (domain, address): (_, IpAddr) = if v6 {
            (Domain::IPV6, Ipv6Addr::UNSPECIFIED.into())
        } else {
            (Domain::IPV4, Ipv4Addr::UNSPECIFIED.into())
        };
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if v6 {
            // IPv4 has a socket of its own, perhaps with the same port.
            socket.set_only_v6(true)?;
        }
        socket.bind(&SocketAddr::new(address, port).into())?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        // Best effort: the system's limits may be lower.
        let _ = state.set_recv_buffer_size(UdpSockRef::from(&socket), SOCKET_BUFFER);
        let _ = state.set_send_buffer_size(UdpSockRef::from(&socket), SOCKET_BUFFER);
        let socket = UdpSocket::from_std(socket.into());
        let port = socket.local_addr()?.port();
        Ok(Self {
            socket,
            state,
            whole_only: AtomicBool::new(false),
            port,
        })
    }

    /// A socket beside this one, on the same port, that gets what comes from `remote` to `local`, and
    /// nothing else: Linux gives a datagram to the socket that is bound and connected most narrowly.
    ///
    /// # Errors
    /// Those of the system.
    pub fn connected(&self, local: SocketAddr, remote: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let _ = state.set_recv_buffer_size(UdpSockRef::from(&socket), SOCKET_BUFFER);
        // Sockets share a port where both allow it (socket(7), SO_REUSEADDR), which is asked in `bind` only.
        // Not for longer, or another process's search for a free port would find this one.
        let shared = SockRef::from(&self.socket);
        socket.set_reuse_address(true)?;
        shared.set_reuse_address(true)?;
        let bound = socket.bind(&local.into());
        shared.set_reuse_address(false)?;
        bound?;
        socket.set_reuse_address(false)?;
        // What others sent meanwhile is received here, too, and is as good.
        socket.connect(&remote.into())?;
        Ok(Self {
            socket: UdpSocket::from_std(socket.into()),
            state,
            whole_only: AtomicBool::new(false),
            port: local.port(),
        })
    }

    /// The port that it is bound to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the system knows it by.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// What to register for events.
    pub fn source(&mut self) -> &mut UdpSocket {
        &mut self.socket
    }

    /// Datagrams that one send call may carry.
    #[must_use]
    #[inline]
    pub fn max_segments(&self) -> usize {
        if self.whole_only.load(Relaxed) {
            return 1;
        }
        self.state.max_gso_segments()
    }

    /// Receives what is there, up to [`BATCH`] messages, and says how many there were: after fewer
    /// the system will tell when more arrives. `handle` gets the local and the remote address and
    /// one datagram.
    ///
    /// # Errors
    /// Those of the system, an ICMP error of an earlier datagram, say: the next call goes on.
    #[inline]
    pub fn receive(
        &self,
        buffers: &mut ReceiveBuffers,
        mut handle: impl FnMut(SocketAddr, SocketAddr, &mut [u8]),
    ) -> io::Result<usize> {
        let ReceiveBuffers { memory, meta } = buffers;
        let mut chunks = memory.chunks_exact_mut(BUFFER);
        let mut slices: [IoSliceMut<'_>; BATCH] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let received = self.socket.try_io(|| {
            self.state
                .recv(UdpSockRef::from(&self.socket), &mut slices, meta)
        });
        let count = match received {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error),
        };
        for (buffer, meta) in memory.chunks_exact_mut(BUFFER).zip(meta.iter()).take(count) {
            // Without the address that it was sent to an answer might leave from another one.
            let Some(local) = meta.dst_ip else { continue };
            let local = SocketAddr::new(local, self.port);
            let data = buffer.get_mut(..meta.len).unwrap_or_default();
            for datagram in data.chunks_mut(meta.stride.max(1)) {
                handle(local, meta.addr, datagram);
            }
        }
        Ok(count)
    }

    /// Sends one datagram, or several of `segment` bytes (the last may be shorter); `false` if the system
    /// did not take them. A full socket buffer loses them, as the network would.
    #[inline]
    pub fn send(
        &self,
        local: IpAddr,
        remote: SocketAddr,
        data: &[u8],
        segment: Option<usize>,
        mark: Mark,
    ) -> bool {
        self.send_from(Some(local), remote, data, segment, mark)
    }

    /// [`send`](Self::send) from the address that the system chooses where there is none.
    #[inline]
    pub fn send_from(
        &self,
        local: Option<IpAddr>,
        remote: SocketAddr,
        data: &[u8],
        segment: Option<usize>,
        mark: Mark,
    ) -> bool {
        let transmit = Transmit {
            destination: remote,
            ecn: None,
            contents: data,
            segment_size: segment,
            src_ip: local,
        };
        let sent = match (self.try_send(&transmit, mark), segment) {
            (Err(error), Some(segment)) if may_be_segmentation(&error) => {
                self.send_one_by_one(&transmit, segment, mark)
            }
            (sent, _) => sent,
        };
        if let Err(error) = &sent {
            tracing::trace!(%remote, %error, "a datagram was not sent");
        }
        sent.is_ok()
    }

    fn try_send(&self, transmit: &Transmit<'_>, mark: Mark) -> io::Result<()> {
        self.socket.try_io(|| {
            if mark.is_none() {
                self.state
                    .try_send(UdpSockRef::from(&self.socket), transmit)
            } else {
                self.send_marked(transmit, mark)
            }
        })
    }

    /// Sends what the system refused to segment. If that works, nothing is left to it any more.
    fn send_one_by_one(
        &self,
        transmit: &Transmit<'_>,
        segment: usize,
        mark: Mark,
    ) -> io::Result<()> {
        for contents in transmit.contents.chunks(segment.max(1)) {
            let datagram = Transmit {
                contents,
                segment_size: None,
                ..*transmit
            };
            self.try_send(&datagram, mark)?;
            if !self.whole_only.swap(true, Relaxed) {
                tracing::info!(port = self.port, "datagrams are sent without UDP GSO");
            }
        }
        Ok(())
    }

    /// What `quinn-udp` does, but it sets the whole traffic class of each datagram to 0.
    fn send_marked(&self, transmit: &Transmit<'_>, mark: Mark) -> io::Result<()> {
        let (v4_class, v6_class) = (mark.traffic_class(), i32::from(mark.traffic_class()));
        let class = if transmit.destination.is_ipv4() {
            ControlMessage::Ipv4Tos(&v4_class)
        } else {
            ControlMessage::Ipv6TClass(&v6_class)
        };
        let segment = transmit
            .segment_size
            .and_then(|size| u16::try_from(size).ok());
        let segments = segment.as_ref().map(ControlMessage::UdpGsoSegments);
        let (v4_source, v6_source);
        let source = match transmit.src_ip {
            Some(IpAddr::V4(address)) => {
                v4_source = nix::libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: nix::libc::in_addr {
                        s_addr: u32::from_ne_bytes(address.octets()),
                    },
                    ipi_addr: nix::libc::in_addr { s_addr: 0 },
                };
                Some(ControlMessage::Ipv4PacketInfo(&v4_source))
            }
            Some(IpAddr::V6(address)) => {
                v6_source = nix::libc::in6_pktinfo {
                    ipi6_ifindex: 0,
                    ipi6_addr: nix::libc::in6_addr {
                        s6_addr: address.octets(),
                    },
                };
                Some(ControlMessage::Ipv6PacketInfo(&v6_source))
            }
            None => None,
        };
        let mut control = SmallVec::<[ControlMessage<'_>; 3]>::new();
        control.push(class);
        control.extend(segments);
        control.extend(source);
        let contents = [IoSlice::new(transmit.contents)];
        let target = SockaddrStorage::from(transmit.destination);
        let socket = self.socket.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT;
        sendmsg(socket, &contents, &control, flags, Some(&target))?;
        Ok(())
    }
}

/// What Linux says when it cannot segment: EIO for a device without checksum offload, EINVAL for more or
/// other segments than it takes. Both have further reasons, so that only a success one by one shows that
/// it was this.
fn may_be_segmentation(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(EIO | EINVAL))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn segments_sent_in_one_call_arrive_one_by_one_with_their_local_address() {
        let sender = MediaSocket::bind(false, None).unwrap();
        let receiver = MediaSocket::bind(false, None).unwrap();
        let home: IpAddr = Ipv4Addr::LOCALHOST.into();
        let target = SocketAddr::new(home, receiver.port());
        assert!(sender.send(home, target, b"aaaabbbbcc", Some(4), Mark::default()));
        let mut buffers = ReceiveBuffers::default();
        let mut got = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(10);
        while got.len() < 3 && Instant::now() < deadline {
            receiver
                .receive(&mut buffers, |local, remote, data| {
                    assert_eq!(
                        (local, remote),
                        (target, SocketAddr::new(home, sender.port()))
                    );
                    got.push(data.to_vec());
                })
                .unwrap();
        }
        assert_eq!(got, [b"aaaa".to_vec(), b"bbbb".to_vec(), b"cc".to_vec()]);
    }

    /// More segments than Linux takes stand for a device that takes none.
    #[test]
    fn what_the_system_does_not_segment_is_sent_one_by_one() {
        for mark in [Mark::default(), Mark::new(46)] {
            let sender = MediaSocket::bind(false, None).unwrap();
            let receiver = MediaSocket::bind(false, None).unwrap();
            let home: IpAddr = Ipv4Addr::LOCALHOST.into();
            let target = SocketAddr::new(home, receiver.port());
            assert!(sender.max_segments() > 1);
            let data: Vec<u8> = (0..200).collect();
            assert!(sender.send(home, target, &data, Some(1), mark));
            assert_eq!(sender.max_segments(), 1);
            let mut buffers = ReceiveBuffers::default();
            let mut got = Vec::new();
            let deadline = Instant::now() + Duration::from_secs(20);
            while got.len() < data.len() && Instant::now() < deadline {
                receiver
                    .receive(&mut buffers, |_, _, datagram| {
                        assert_eq!(datagram.len(), 1);
                        got.extend_from_slice(datagram);
                    })
                    .unwrap();
            }
            assert_eq!(got, data);
        }
    }

    #[test]
    fn a_connected_socket_gets_what_its_peer_sends_and_nobody_else_gets_the_port() {
        for home in [
            Ipv4Addr::LOCALHOST.into(),
            IpAddr::from(Ipv6Addr::LOCALHOST),
        ] {
            let bind = || MediaSocket::bind(home.is_ipv6(), None).unwrap();
            let [shared, peer, other] = [bind(), bind(), bind()];
            let address = |socket: &MediaSocket| SocketAddr::new(home, socket.port());
            let direct = shared.connected(address(&shared), address(&peer)).unwrap();
            assert!(MediaSocket::bind_port(home.is_ipv6(), shared.port()).is_err());
            for (sender, receiver) in [(&peer, &direct), (&other, &shared)] {
                assert!(sender.send(home, address(&shared), b"to", None, Mark::default()));
                let (mut buffers, mut got) = (ReceiveBuffers::default(), Vec::new());
                let deadline = Instant::now() + Duration::from_secs(10);
                while got.is_empty() && Instant::now() < deadline {
                    let gets = |local, remote, _: &mut [u8]| got.push((local, remote));
                    receiver.receive(&mut buffers, gets).unwrap();
                }
                assert_eq!(got, [(address(&shared), address(sender))]);
            }
        }
    }

    #[test]
    fn other_troubles_leave_segmentation_as_it_is() {
        let sender = MediaSocket::bind(false, None).unwrap();
        // Nobody has this address (RFC 5737).
        let foreign: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
        let target = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9);
        assert!(!sender.send(foreign, target, b"aabb", Some(2), Mark::new(46)));
        assert!(sender.max_segments() > 1);
    }

    /// The traffic classes of what arrives at `socket`, and how many bytes it is.
    fn classes(socket: &MediaSocket, bytes: usize) -> Vec<(u8, usize)> {
        use nix::sys::socket::{ControlMessageOwned as Control, SockaddrStorage, recvmsg};
        let (mut got, mut room) = (Vec::new(), [0; 4096]);
        let deadline = Instant::now() + Duration::from_secs(10);
        while got.iter().map(|(_, length)| length).sum::<usize>() < bytes {
            assert!(Instant::now() < deadline, "{got:?}");
            let mut slices = [IoSliceMut::new(&mut room)];
            let mut control = nix::cmsg_space!(i32, i32, [u8; 64]);
            let (fd, control) = (socket.socket.as_raw_fd(), Some(&mut control[..]));
            let flags = MsgFlags::MSG_DONTWAIT;
            let Ok(message) = recvmsg::<SockaddrStorage>(fd, &mut slices, control, flags) else {
                continue;
            };
            let class = message.cmsgs().unwrap().find_map(|control| match control {
                Control::Ipv4Tos(class) => Some(class),
                Control::Ipv6TClass(class) => u8::try_from(class).ok(),
                _ => None,
            });
            got.push((class.unwrap(), message.bytes));
        }
        got
    }

    #[test]
    fn datagrams_of_one_socket_carry_the_marks_of_their_senders() {
        let (voice, none) = (Mark::new(46), Mark::default());
        for v6 in [false, true] {
            let home: IpAddr = if v6 {
                Ipv6Addr::LOCALHOST.into()
            } else {
                Ipv4Addr::LOCALHOST.into()
            };
            let sender = MediaSocket::bind(v6, None).unwrap();
            let receiver = MediaSocket::bind(v6, None).unwrap();
            let target = SocketAddr::new(home, receiver.port());
            assert!(sender.send(home, target, b"aaaabbbbcc", Some(4), voice));
            assert!(sender.send_from(None, target, b"d", None, voice));
            assert!(sender.send(home, target, b"ee", None, none));
            let got = classes(&receiver, 13);
            let marked = |(class, _): &&(u8, usize)| *class == 46 << 2;
            let bytes: usize = got.iter().filter(marked).map(|(_, length)| length).sum();
            assert_eq!((bytes, got.last()), (11, Some(&(0, 2))), "{got:?}");
        }
    }

    #[test]
    fn a_range_gives_its_first_free_port() {
        let first = MediaSocket::bind(false, None).unwrap();
        let range = first.port()..=first.port().saturating_add(20);
        let second = MediaSocket::bind(false, Some(&range)).unwrap();
        assert!(range.contains(&second.port()) && second.port() != first.port());
    }
}
