//! Sends the streams, and counts what arrives of them.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use rivero_net::{BATCH, Mark, MediaSocket, ReceiveBuffers};

use crate::error::Error;

/// Between two packets of a stream: what telephones use.
const PACKET_TIME: Duration = Duration::from_millis(20);
/// Timestamp units in that, and bytes of sound: PCMU (RFC 3551 §4.5.14).
const SAMPLES: u32 = 160;
/// Between two looks at what has arrived while nothing is sent.
const LOOK: Duration = Duration::from_millis(1);
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The packets of all streams, one after the other at even distances.
pub(super) struct Load {
    sender: MediaSocket,
    receiver: MediaSocket,
    buffers: ReceiveBuffers,
    targets: Vec<SocketAddr>,
    /// Packets of each stream so far.
    turn: u32,
    sent: u64,
    received: u64,
}

impl Load {
    pub(super) fn new() -> Result<Self, Error> {
        let bind = || MediaSocket::bind(false, None).map_err(Error::system("a socket"));
        Ok(Self {
            sender: bind()?,
            receiver: bind()?,
            buffers: ReceiveBuffers::default(),
            targets: Vec::new(),
            turn: 0,
            sent: 0,
            received: 0,
        })
    }

    /// Where packets come from.
    pub(super) fn source(&self) -> SocketAddr {
        SocketAddr::new(HOME, self.sender.port())
    }

    /// Where they are expected.
    pub(super) fn destination(&self) -> SocketAddr {
        SocketAddr::new(HOME, self.receiver.port())
    }

    /// One stream to each of these.
    pub(super) fn aim(&mut self, targets: Vec<SocketAddr>) {
        self.targets = targets;
    }

    /// What comes from now on counts.
    pub(super) fn begin_count(&mut self) {
        (self.sent, self.received) = (0, 0);
    }

    /// Packets sent and received since then.
    pub(super) fn counted(&self) -> (u64, u64) {
        (self.sent, self.received)
    }

    /// Sends all streams for this long, and takes what arrives.
    pub(super) fn send_for(&mut self, time: Duration) -> Result<(), Error> {
        let streams = u32::try_from(self.targets.len()).unwrap_or(u32::MAX).max(1);
        let (begin, mut index) = (Instant::now(), 0);
        loop {
            let due = PACKET_TIME * index / streams;
            if due >= time {
                return Ok(());
            }
            let wait = (begin + due).saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                self.receive()?;
                thread::sleep(wait);
            }
            let stream = index % streams;
            self.send(stream);
            index += 1;
            if index.is_multiple_of(streams) {
                self.turn = self.turn.wrapping_add(1);
            }
        }
    }

    fn send(&mut self, stream: u32) {
        let target = usize::try_from(stream).ok();
        let target = target.and_then(|stream| self.targets.get(stream));
        let Some(target) = target.copied() else {
            return;
        };
        let [.., high, low] = self.turn.to_be_bytes();
        let mut packet = [0x55; 12 + SAMPLES as usize];
        let head = [
            [0x80, 0, high, low],
            self.turn.wrapping_mul(SAMPLES).to_be_bytes(),
            (1000 + stream).to_be_bytes(),
        ];
        let head = head.as_flattened();
        packet
            .iter_mut()
            .zip(head)
            .for_each(|(to, from)| *to = *from);
        if self
            .sender
            .send(HOME, target, &packet, None, Mark::default())
        {
            self.sent += 1;
        }
    }

    /// Sends nothing for this long.
    pub(super) fn receive_for(&mut self, time: Duration) -> Result<(), Error> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.receive()?;
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<(), Error> {
        let received = &mut self.received;
        loop {
            let call = self.receiver.receive(&mut self.buffers, |_, _, data| {
                // Reports come here, too (RFC 5761 §4).
                let is_media = matches!(data, [_, kind, ..] if *kind & 0x7f == 0);
                *received += u64::from(is_media);
            });
            if call.map_err(Error::system("receiving"))? < BATCH {
                return Ok(());
            }
        }
    }
}
