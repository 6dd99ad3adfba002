//! The floor: encrypting and sending the same packets at the same rate, and nothing else.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustix::time::{ClockId, clock_gettime};

use crate::{affinity::Cores, dscp::Mark, error::Error, socket::MediaSocket, traffic::Traffic};

/// Bytes of an RTP header with the extensions that a viewer is sent.
const HEADER: usize = 12;

/// How datagrams leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    /// All of one frame and peer in one call (UDP GSO).
    Segmented,
    /// Each in a call of its own.
    Single,
}

/// Sends the traffic of a window to `targets` from the server's core; returns CPU time per packet.
/// Takes as long as the window: call it from a thread of its own.
pub(crate) fn measure(
    cores: Cores,
    traffic: Traffic,
    targets: &[SocketAddr],
    window: Duration,
    sending: Sending,
) -> Result<Duration, Error> {
    cores.enter_server()?;
    let socket = MediaSocket::bind(false, None).map_err(Error::system("a socket"))?;
    let mut peers = targets
        .iter()
        .map(|target| Peer::new(*target))
        .collect::<Result<Vec<_>, _>>()?;
    let payload = vec![0x5a; traffic.payload];
    let (mut buffer, mut packets) = (Vec::new(), 0u32);
    let begin = Instant::now();
    let cpu_before = cpu_time();
    let mut frame = 0;
    while traffic.frame_interval() * frame < window {
        let due = begin + traffic.frame_interval() * frame;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        for peer in &mut peers {
            packets += peer.send_frame(&socket, traffic, sending, &payload, &mut buffer)?;
        }
        frame += 1;
    }
    Ok((cpu_time() - cpu_before) / packets.max(1))
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

    /// Sends the packets of one frame; returns their number.
    fn send_frame(
        &mut self,
        socket: &MediaSocket,
        traffic: Traffic,
        sending: Sending,
        payload: &[u8],
        buffer: &mut Vec<u8>,
    ) -> Result<u32, Error> {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        buffer.clear();
        let mut segment = None;
        for position in 0..traffic.packets_per_frame {
            let payload = payload.get(..traffic.payload_at(position));
            self.protect(payload.unwrap_or_default(), buffer)?;
            match sending {
                Sending::Segmented => _ = segment.get_or_insert(buffer.len()),
                Sending::Single => {
                    socket.send(local, self.target, buffer, None, Mark::default());
                    buffer.clear();
                }
            }
        }
        if segment.is_some() {
            socket.send(local, self.target, buffer, segment, Mark::default());
        }
        Ok(traffic.packets_per_frame)
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
