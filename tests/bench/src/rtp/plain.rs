//! The floor: a pair of sockets for each stream, recvmmsg, sendmmsg and epoll on one thread.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{Ipv4Addr, SocketAddr},
    os::fd::AsRawFd,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use mio::{Events, Interest, Poll, Token, net::UdpSocket};
use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg},
};
use rustix::time::{ClockId, clock_gettime};

use crate::{affinity::Cores, error::Error};

/// Datagrams of a call, as the server has it.
const BATCH: usize = rivero_net::BATCH;
/// Room for one.
const ROOM: usize = 2048;
/// Between two looks at whether the measurement has ended.
const LOOK: Duration = Duration::from_millis(50);

/// A forwarder that knows nothing.
pub(super) struct Plain {
    poll: Poll,
    pairs: Vec<(UdpSocket, UdpSocket)>,
    destination: SocketAddr,
}

impl Plain {
    /// One that sends all streams to `destination`.
    pub(super) fn new(streams: u32, destination: SocketAddr) -> Result<Self, Error> {
        let bind = || UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let poll = Poll::new().map_err(Error::system("epoll"))?;
        let mut pairs = Vec::new();
        for number in 0..streams as usize {
            let mut pair = bind()
                .and_then(|from| Ok((from, bind()?)))
                .map_err(Error::system("a socket"))?;
            let readable = Interest::READABLE;
            let registered = poll
                .registry()
                .register(&mut pair.0, Token(number), readable);
            registered.map_err(Error::system("watching a socket"))?;
            pairs.push(pair);
        }
        Ok(Self {
            poll,
            pairs,
            destination,
        })
    }

    /// Where each stream is to be sent.
    pub(super) fn targets(&self) -> Result<Vec<SocketAddr>, Error> {
        let addresses = self.pairs.iter().map(|(from, _)| from.local_addr());
        let addresses: io::Result<Vec<_>> = addresses.collect();
        addresses.map_err(Error::system("the address of a socket"))
    }

    /// Forwards until it `ended`; gives the CPU time that it took.
    pub(super) fn forward(mut self, cores: Cores, ended: &AtomicBool) -> Result<Duration, Error> {
        cores.enter_server()?;
        let before = cpu_time();
        let mut events = Events::with_capacity(64);
        let mut batch = Batch::new(self.destination);
        while !ended.load(Relaxed) {
            match self.poll.poll(&mut events, Some(LOOK)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(Error::system("epoll")(error));
                }
                _ => {}
            }
            for event in &events {
                let Some((from, to)) = self.pairs.get(event.token().0) else {
                    continue;
                };
                let failed = |error: Errno| Error::system("forwarding")(error.into());
                while batch.forward(from, to).map_err(failed)? == BATCH {}
            }
        }
        Ok(cpu_time().saturating_sub(before))
    }
}

/// Memory for what passes, and for what the calls are told.
struct Batch {
    memory: Vec<u8>,
    received: MultiHeaders<SockaddrStorage>,
    sent: MultiHeaders<SockaddrStorage>,
    destinations: [Option<SockaddrStorage>; BATCH],
}

impl Batch {
    fn new(destination: SocketAddr) -> Self {
        Self {
            memory: vec![0; BATCH * ROOM],
            received: MultiHeaders::preallocate(BATCH, None),
            sent: MultiHeaders::preallocate(BATCH, None),
            destinations: [Some(destination.into()); BATCH],
        }
    }

    /// Passes on what one call takes; gives how many datagrams that were.
    fn forward(&mut self, from: &UdpSocket, to: &UdpSocket) -> Result<usize, Errno> {
        let flags = MsgFlags::MSG_DONTWAIT;
        let (mut lengths, mut count) = ([0; BATCH], 0);
        let mut rooms = self.memory.chunks_exact_mut(ROOM);
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(rooms.next().unwrap_or_default())]);
        let headers = &mut self.received;
        match recvmmsg(from.as_raw_fd(), headers, &mut slices, flags, None) {
            Ok(messages) => {
                for (message, length) in messages.zip(&mut lengths) {
                    *length = message.bytes;
                    count += 1;
                }
            }
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(0),
            Err(error) => return Err(error),
        }
        let mut rooms = self.memory.chunks_exact(ROOM).zip(lengths);
        let slices: [[IoSlice<'_>; 1]; BATCH] = std::array::from_fn(|_| {
            let (room, length) = rooms.next().unwrap_or_default();
            [IoSlice::new(room.get(..length).unwrap_or_default())]
        });
        let slices = slices.iter().take(count);
        let (headers, to) = (&mut self.sent, to.as_raw_fd());
        sendmmsg(to, headers, slices, self.destinations, [], flags)?;
        Ok(count)
    }
}

/// CPU time of this thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
