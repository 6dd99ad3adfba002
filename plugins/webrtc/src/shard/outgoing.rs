//! Datagrams to one peer, gathered so that a frame leaves in one system call.

use std::net::{IpAddr, SocketAddr};

use super::socket::MediaSocket;
use crate::peer::Path;

/// What the system takes in one call (RFC 768: 65,535 less the headers).
const CALL_LIMIT: usize = 65_000;

/// Counters of a shard's sending side.
#[derive(Default, Clone, Copy, Debug)]
pub(crate) struct SendCounters {
    /// System calls.
    pub(crate) calls: u64,
    /// Calls whose datagrams the system did not take.
    pub(crate) failed: u64,
}

/// Gathers datagrams of equal size behind each other; the last of a call may
/// be shorter (UDP GSO).
pub(crate) struct Outgoing<'a> {
    socket: &'a MediaSocket,
    local: IpAddr,
    remote: SocketAddr,
    buffer: &'a mut Vec<u8>,
    counters: &'a mut SendCounters,
    /// Where the datagrams of the present call begin.
    start: usize,
    segment: usize,
    count: usize,
}

impl<'a> Outgoing<'a> {
    pub(crate) fn new(
        socket: &'a MediaSocket,
        path: Path,
        buffer: &'a mut Vec<u8>,
        counters: &'a mut SendCounters,
    ) -> Self {
        buffer.clear();
        let (local, remote) = (path.local.ip(), path.remote);
        Self {
            socket,
            local,
            remote,
            buffer,
            counters,
            start: 0,
            segment: 0,
            count: 0,
        }
    }

    /// Lets `write` append one datagram; without one nothing happens.
    pub(crate) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        let begin = self.buffer.len();
        if !write(self.buffer) {
            self.buffer.truncate(begin);
            return;
        }
        let length = self.buffer.len() - begin;
        let full =
            self.count >= self.socket.max_segments() || self.buffer.len() - self.start > CALL_LIMIT;
        if self.count > 0 && (full || length > self.segment) {
            self.send(begin);
        }
        if self.count == 0 {
            self.segment = length;
        }
        self.count += 1;
        if length < self.segment {
            self.send(self.buffer.len());
        }
    }

    /// Sends what is there up to `end`.
    fn send(&mut self, end: usize) {
        if self.count > 0 {
            let data = self.buffer.get(self.start..end).unwrap_or_default();
            let segment = (self.count > 1).then_some(self.segment);
            let sent = self.socket.send(self.local, self.remote, data, segment);
            self.counters.calls += 1;
            self.counters.failed += u64::from(!sent);
        }
        (self.start, self.count) = (end, 0);
    }
}

impl Drop for Outgoing<'_> {
    fn drop(&mut self) {
        self.send(self.buffer.len());
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::Ipv4Addr,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::shard::socket::ReceiveBuffers;

    fn sent(datagrams: &[&[u8]]) -> (Vec<Vec<u8>>, u64) {
        let (from, to) = (
            MediaSocket::bind(false, None).unwrap(),
            MediaSocket::bind(false, None).unwrap(),
        );
        let home: IpAddr = Ipv4Addr::LOCALHOST.into();
        let path = Path {
            local: SocketAddr::new(home, from.port()),
            remote: SocketAddr::new(home, to.port()),
        };
        let (mut buffer, mut counters) = (Vec::new(), SendCounters::default());
        let mut outgoing = Outgoing::new(&from, path, &mut buffer, &mut counters);
        for datagram in datagrams {
            outgoing.add(|buffer| {
                buffer.extend_from_slice(datagram);
                !datagram.is_empty()
            });
        }
        drop(outgoing);
        let wanted = datagrams
            .iter()
            .filter(|datagram| !datagram.is_empty())
            .count();
        let (mut got, mut buffers) = (Vec::new(), ReceiveBuffers::default());
        let deadline = Instant::now() + Duration::from_secs(10);
        while got.len() < wanted && Instant::now() < deadline {
            to.receive(&mut buffers, |_, _, data| got.push(data.to_vec()))
                .unwrap();
        }
        (got, counters.calls)
    }

    #[test]
    fn equal_sizes_share_a_call_and_the_rest_arrives_as_it_was() {
        let (got, calls) = sent(&[b"aaaa", b"bbbb", b"", b"cc", b"dddddd", b"eeeeee"]);
        let wanted: [&[u8]; 5] = [b"aaaa", b"bbbb", b"cc", b"dddddd", b"eeeeee"];
        assert_eq!(got, wanted);
        assert_eq!(calls, 2);
    }

    #[test]
    fn more_segments_than_a_call_takes_are_split() {
        let datagram = [7u8; 100];
        let (got, calls) = sent(&vec![&datagram[..]; 130]);
        assert_eq!(got.len(), 130);
        assert!((2..=4).contains(&calls), "{calls}");
    }
}
