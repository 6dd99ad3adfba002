//! Datagrams to one peer, gathered so that a frame leaves in one system call.

use std::net::{IpAddr, SocketAddr};

use rivero_rtp_session::{Datagrams, Paddings};

use crate::{Framing, Mark, MediaSocket, Stream, padding};

/// What the system takes in one call. The length field of UDP has 16 bits (RFC 768), and the headers
/// of UDP and IP count, those of IPv6 extensions included: a round number well below.
const CALL_LIMIT: usize = 65_000;

/// Counters of what a shard sends of media.
#[derive(Default, Clone, Copy, Debug)]
pub struct SendCounters {
    /// System calls.
    pub calls: u64,
    /// Those whose datagrams the system did not take.
    pub failed: u64,
}

/// Where datagrams leave.
enum Sink<'a> {
    Socket {
        socket: &'a MediaSocket,
        local: Option<IpAddr>,
        remote: SocketAddr,
    },
    Stream(&'a mut Stream),
}

/// Gathers datagrams of equal size behind each other; the last of a call may be shorter (UDP GSO). Into
/// a connection they go as they are. What is gathered leaves at the latest when this is dropped.
pub struct Outgoing<'a, F: Framing> {
    sink: Sink<'a>,
    framing: F,
    mark: Mark,
    buffer: &'a mut Vec<u8>,
    counters: &'a mut SendCounters,
    /// Where the datagrams of the present call begin.
    start: usize,
    /// The size of all of them but perhaps the last.
    segment: usize,
    count: usize,
}

impl<'a, F: Framing> Outgoing<'a, F> {
    /// Datagrams to `remote`, from the address `local` of ours or from the one that the system chooses.
    #[inline]
    pub fn datagrams(
        socket: &'a MediaSocket,
        local: Option<IpAddr>,
        remote: SocketAddr,
        framing: F,
        buffer: &'a mut Vec<u8>,
        counters: &'a mut SendCounters,
    ) -> Self {
        let sink = Sink::Socket {
            socket,
            local,
            remote,
        };
        Self::into(sink, framing, buffer, counters)
    }

    /// Datagrams in a connection, which `framing` keeps apart.
    pub fn stream(
        stream: &'a mut Stream,
        framing: F,
        buffer: &'a mut Vec<u8>,
        counters: &'a mut SendCounters,
    ) -> Self {
        Self::into(Sink::Stream(stream), framing, buffer, counters)
    }

    fn into(
        sink: Sink<'a>,
        framing: F,
        buffer: &'a mut Vec<u8>,
        counters: &'a mut SendCounters,
    ) -> Self {
        // Whoever wrote here before may have panicked in the middle.
        buffer.clear();
        Self {
            sink,
            framing,
            mark: Mark::default(),
            buffer,
            counters,
            start: 0,
            segment: 0,
            count: 0,
        }
    }

    /// The same with a mark on each datagram; a connection has its own.
    #[must_use]
    #[inline]
    pub fn marked(mut self, mark: Mark) -> Self {
        self.mark = mark;
        self
    }

    /// Sends what is there up to `end`.
    fn send(&mut self, end: usize) {
        if self.count > 0 {
            let data = self.buffer.get(self.start..end).unwrap_or_default();
            let sent = match &mut self.sink {
                Sink::Socket {
                    socket,
                    local,
                    remote,
                } => {
                    let segment = (self.count > 1).then_some(self.segment);
                    socket.send_from(*local, *remote, data, segment, self.mark)
                }
                Sink::Stream(stream) => stream.send(data),
            };
            self.counters.calls += 1;
            self.counters.failed += u64::from(!sent);
        }
        (self.start, self.count) = (end, 0);
    }
}

impl<F: Framing> Datagrams for Outgoing<'_, F> {
    #[inline]
    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        let begin = self.buffer.len();
        if !self.framing.wrap(self.buffer, write) {
            self.buffer.truncate(begin);
            return;
        }
        let length = self.buffer.len() - begin;
        let Sink::Socket { socket, .. } = &self.sink else {
            self.count += 1;
            if self.buffer.len() - self.start > CALL_LIMIT {
                self.send(self.buffer.len());
            }
            return;
        };
        let full =
            self.count >= socket.max_segments() || self.buffer.len() - self.start > CALL_LIMIT;
        // A call has segments of one size, so a larger datagram begins the next one (udp(7), UDP_SEGMENT) …
        if self.count > 0 && (full || length > self.segment) {
            self.send(begin);
        }
        if self.count == 0 {
            self.segment = length;
        }
        self.count += 1;
        // … and a smaller one ends it: only the last may be.
        if length < self.segment {
            self.send(self.buffer.len());
        }
    }

    #[inline]
    fn paddings(&self, lengths: &[usize]) -> Paddings {
        match &self.sink {
            // Padding saves nothing in a connection, nor where each datagram is a message.
            Sink::Socket { socket, .. } if lengths.len() > 1 && socket.max_segments() > 1 => {
                padding::paddings(lengths)
            }
            _ => Paddings::new(),
        }
    }
}

impl<F: Framing> Drop for Outgoing<'_, F> {
    fn drop(&mut self) {
        // What was being written when its session panicked may not be protected yet.
        if !std::thread::panicking() {
            self.send(self.buffer.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::Ipv4Addr,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::{ReceiveBuffers, Unframed};

    /// What arrives of these datagrams, and the calls that they took to send.
    fn sent(datagrams: &[&[u8]]) -> (Vec<Vec<u8>>, u64) {
        let (from, to) = (
            MediaSocket::bind(false, None).unwrap(),
            MediaSocket::bind(false, None).unwrap(),
        );
        let home: IpAddr = Ipv4Addr::LOCALHOST.into();
        let target = SocketAddr::new(home, to.port());
        let (mut buffer, mut counters) = (Vec::new(), SendCounters::default());
        let mut outgoing = Outgoing::datagrams(
            &from,
            Some(home),
            target,
            Unframed,
            &mut buffer,
            &mut counters,
        );
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
