//! A path between one client and one target: two sockets, two directions.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use mio::{Interest, Poll, Token, net::UdpSocket};
use rivero_relay::{Conditions, Direction};
use serde::Serialize;

/// The largest datagram.
const MAX_LENGTH: usize = 65_536;

/// Datagrams of one direction.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Count {
    passed: u64,
    lost: u64,
}

/// Datagrams on their way, ordered by arrival.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Flying {
    arrival: Duration,
    /// Keeps equal arrivals in order.
    number: u64,
    bytes: Vec<u8>,
}

struct Half {
    direction: Direction,
    flying: BinaryHeap<Reverse<Flying>>,
    count: Count,
    number: u64,
}

impl Half {
    fn new(seed: u64) -> Self {
        Self {
            direction: Direction::new(seed),
            flying: BinaryHeap::new(),
            count: Count::default(),
            number: 0,
        }
    }

    fn take(&mut self, now: Duration, bytes: &[u8]) {
        let arrivals = self.direction.pass(now, bytes.len());
        self.count.passed += u64::from(arrivals.iter().any(Option::is_some));
        self.count.lost += u64::from(arrivals.iter().all(Option::is_none));
        for arrival in arrivals.into_iter().flatten() {
            self.number += 1;
            self.flying.push(Reverse(Flying {
                arrival,
                number: self.number,
                bytes: bytes.to_vec(),
            }));
        }
    }

    fn due(&mut self, now: Duration) -> Option<Vec<u8>> {
        let is_due = self.flying.peek()?.0.arrival <= now;
        is_due
            .then(|| self.flying.pop())
            .flatten()
            .map(|f| f.0.bytes)
    }
}

pub(crate) struct Path {
    /// Towards the client.
    front: UdpSocket,
    /// Towards the target.
    back: UdpSocket,
    target: SocketAddr,
    client: Option<SocketAddr>,
    up: Half,
    down: Half,
    buffer: Vec<u8>,
}

impl Path {
    pub(crate) fn open(
        poll: &Poll,
        number: usize,
        address: IpAddr,
        target: SocketAddr,
        seed: u64,
    ) -> io::Result<Self> {
        let mut front = UdpSocket::bind(SocketAddr::new(address, 0))?;
        let mut back = UdpSocket::bind(SocketAddr::new(address, 0))?;
        let registry = poll.registry();
        registry.register(&mut front, Token(2 * number), Interest::READABLE)?;
        registry.register(&mut back, Token(2 * number + 1), Interest::READABLE)?;
        Ok(Self {
            front,
            back,
            target,
            client: None,
            up: Half::new(seed),
            down: Half::new(!seed),
            buffer: vec![0; MAX_LENGTH],
        })
    }

    pub(crate) fn port(&self) -> io::Result<u16> {
        Ok(self.front.local_addr()?.port())
    }

    pub(crate) fn set(&mut self, up: Option<Conditions>, down: Option<Conditions>) {
        if let Some(conditions) = up {
            self.up.direction.set(conditions);
        }
        if let Some(conditions) = down {
            self.down.direction.set(conditions);
        }
    }

    /// Datagrams towards the target and back.
    pub(crate) fn counts(&self) -> [Count; 2] {
        [self.up.count, self.down.count]
    }

    pub(crate) fn next_delivery(&self) -> Option<Duration> {
        let next = |half: &Half| half.flying.peek().map(|flying| flying.0.arrival);
        [next(&self.up), next(&self.down)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Takes everything that the sockets have. Errors are those of earlier datagrams (ICMP).
    pub(crate) fn receive(&mut self, now: Duration) {
        loop {
            match self.front.recv_from(&mut self.buffer) {
                Ok((length, client)) => {
                    self.client = Some(client);
                    self.up
                        .take(now, self.buffer.get(..length).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {}
            }
        }
        loop {
            match self.back.recv_from(&mut self.buffer) {
                Ok((length, _)) => {
                    self.down
                        .take(now, self.buffer.get(..length).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {}
            }
        }
    }

    /// Sends what has arrived by now. A full socket buffer loses it, as a network would.
    pub(crate) fn deliver(&mut self, now: Duration) {
        while let Some(bytes) = self.up.due(now) {
            let _ = self.back.send_to(&bytes, self.target);
        }
        while let Some(bytes) = self.down.due(now) {
            if let Some(client) = self.client {
                let _ = self.front.send_to(&bytes, client);
            }
        }
    }
}
