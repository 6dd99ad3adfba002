//! The floor: what forwarding the same packets to the same viewers costs at least.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rivero_net::{BATCH, Mark, MediaSocket, ReceiveBuffers};
use rustix::time::{ClockId, clock_gettime};

use crate::{affinity::Cores, error::Error, traffic::Traffic};

/// Bytes of an RTP header with the extensions that a viewer is sent.
pub(crate) const HEADER: usize = 12;
/// Bytes that encryption adds.
pub(crate) const TAG: usize = 16;
/// Bytes of a call with several datagrams, at most.
const LARGEST_CALL: usize = 60_000;

/// How datagrams leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    /// All of one frame and peer in one call (UDP GSO).
    Segmented,
    /// Each in a call of its own.
    Single,
}

/// A forwarder that knows who its publisher and its viewers are, and does nothing but encrypt and
/// make the socket calls of the module.
pub(crate) struct Floor {
    socket: MediaSocket,
    peers: Vec<Peer>,
    sending: Sending,
    buffer: Vec<u8>,
    /// Packets sent.
    packets: u32,
}

impl Floor {
    pub(crate) fn new(targets: &[SocketAddr], sending: Sending) -> Result<Self, Error> {
        let peers = targets.iter().map(|target| Peer::new(*target));
        Ok(Self {
            socket: MediaSocket::bind(false, None).map_err(Error::system("a socket"))?,
            peers: peers.collect::<Result<_, _>>()?,
            sending,
            buffer: Vec::new(),
            packets: 0,
        })
    }

    /// Where the publisher sends to, and the viewers their feedback.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.socket.port())
    }

    /// Forwards what comes from `publisher` and receives what else comes, for the time of a window;
    /// returns CPU time per packet sent. Call it from a thread of its own.
    pub(crate) fn forward(
        mut self,
        cores: Cores,
        publisher: IpAddr,
        window: Duration,
    ) -> Result<Duration, Error> {
        const SOCKET: Token = Token(0);
        cores.enter_server()?;
        let mut poll = Poll::new().map_err(Error::system("epoll"))?;
        poll.registry()
            .register(self.socket.source(), SOCKET, Interest::READABLE)
            .map_err(Error::system("watching a socket"))?;
        let (mut events, mut buffers) = (Events::with_capacity(8), ReceiveBuffers::default());
        let mut received = Received::default();
        let (end, cpu_before) = (Instant::now() + window, cpu_time());
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            match poll.poll(&mut events, Some(left)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(Error::system("epoll")(error));
                }
                _ => {}
            }
            let mut more = true;
            while more {
                received.clear();
                let call = self.socket.receive(&mut buffers, |_, remote, data| {
                    if remote.ip() == publisher {
                        received.add(data);
                    }
                });
                more = call.map_err(Error::system("receiving"))? == BATCH;
                self.send(&received)?;
            }
        }
        Ok((cpu_time() - cpu_before) / self.packets.max(1))
    }

    /// Sends the traffic of a window and receives nothing; returns CPU time per packet. Takes as
    /// long as the window: call it from a thread of its own.
    pub(crate) fn send_alone(
        mut self,
        cores: Cores,
        traffic: Traffic,
        window: Duration,
    ) -> Result<Duration, Error> {
        cores.enter_server()?;
        let (begin, cpu_before) = (Instant::now(), cpu_time());
        let (mut frame, mut planned) = (Received::default(), traffic.packet(0));
        for index in 1.. {
            frame.add(&vec![0x5a; HEADER + planned.payload + TAG]);
            let (due, last) = (planned.due, planned.last);
            if due >= window {
                break;
            }
            if last {
                thread::sleep((begin + due).saturating_duration_since(Instant::now()));
                self.send(&frame)?;
                frame.clear();
            }
            planned = traffic.packet(index);
        }
        Ok((cpu_time() - cpu_before) / self.packets.max(1))
    }

    fn send(&mut self, received: &Received) -> Result<(), Error> {
        for peer in &mut self.peers {
            self.packets +=
                peer.send_all(&self.socket, self.sending, received, &mut self.buffer)?;
        }
        Ok(())
    }
}

/// Protected packets of the publisher, one behind the other.
#[derive(Default)]
struct Received {
    bytes: Vec<u8>,
    lengths: Vec<usize>,
}

impl Received {
    fn clear(&mut self) {
        self.bytes.clear();
        self.lengths.clear();
    }

    fn add(&mut self, packet: &[u8]) {
        self.bytes.extend_from_slice(packet);
        self.lengths.push(packet.len());
    }

    /// What the packets carry.
    fn payloads(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        self.lengths.iter().map(move |length| {
            let (packet, others) = rest.split_at_checked(*length).unwrap_or_default();
            rest = others;
            packet
                .get(HEADER..packet.len().saturating_sub(TAG))
                .unwrap_or_default()
        })
    }
}

/// CPU time of this thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Someone who is sent the stream.
struct Peer {
    key: LessSafeKey,
    target: SocketAddr,
    sequence: u32,
}

impl Peer {
    fn new(target: SocketAddr) -> Result<Self, Error> {
        let key = UnboundKey::new(&AES_128_GCM, &[7; 16]).map_err(|_| failed())?;
        Ok(Self {
            key: LessSafeKey::new(key),
            target,
            sequence: 0,
        })
    }

    /// Sends packets that were received together; returns their number.
    fn send_all(
        &mut self,
        socket: &MediaSocket,
        sending: Sending,
        received: &Received,
        buffer: &mut Vec<u8>,
    ) -> Result<u32, Error> {
        let (local, target) = (IpAddr::V4(Ipv4Addr::LOCALHOST), self.target);
        let (mut segment, mut packets) = (0, 0);
        let send = |buffer: &[u8], segment| {
            let segment = (buffer.len() > segment).then_some(segment);
            socket.send(local, target, buffer, segment, Mark::default());
        };
        buffer.clear();
        for payload in received.payloads() {
            let length = HEADER + payload.len() + TAG;
            // A shorter datagram ends a call, a longer one does not fit into it.
            let complete = !buffer.is_empty()
                && (sending == Sending::Single
                    || !buffer.len().is_multiple_of(segment)
                    || length > segment
                    || buffer.len() + length > LARGEST_CALL);
            if complete {
                send(buffer, segment);
                buffer.clear();
            }
            if buffer.is_empty() {
                segment = length;
            }
            self.protect(payload, buffer)?;
            packets += 1;
        }
        if !buffer.is_empty() {
            send(buffer, segment);
        }
        Ok(packets)
    }

    /// Appends a packet as SRTP has it: plain header, encrypted payload, tag (RFC 7714).
    fn protect(&mut self, payload: &[u8], buffer: &mut Vec<u8>) -> Result<(), Error> {
        self.sequence += 1;
        let mut nonce = [0; 12];
        if let Some(end) = nonce.last_chunk_mut::<4>() {
            *end = self.sequence.to_be_bytes();
        }
        let mut header = [0x80; HEADER];
        if let Some(end) = header.last_chunk_mut::<4>() {
            *end = self.sequence.to_be_bytes();
        }
        let begin = buffer.len() + HEADER;
        buffer.extend_from_slice(&header);
        buffer.extend_from_slice(payload);
        let plain = buffer.get_mut(begin..).unwrap_or_default();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(header), plain)
            .map_err(|_| failed())?;
        buffer.extend_from_slice(tag.as_ref());
        Ok(())
    }
}

fn failed() -> Error {
    Error::Other("AES-128-GCM failed".to_owned())
}
