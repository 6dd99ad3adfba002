//! Datagrams to one peer, gathered so that a frame leaves in one system call.

use std::net::{IpAddr, SocketAddr};

use rivero_rtp_session::Paddings;

use super::{runs, socket::MediaSocket, stream::Stream};
use crate::{
    dscp::Mark,
    peer::{Path, RelayFraming},
};

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

/// Where datagrams leave.
enum Sink<'a> {
    Socket {
        socket: &'a MediaSocket,
        local: Option<IpAddr>,
        remote: SocketAddr,
    },
    Stream(&'a mut Stream),
}

/// What is put around each datagram.
#[derive(Clone, Copy)]
pub(crate) enum Framing {
    /// Nothing.
    Plain,
    /// Its length in front of it (RFC 4571 §2).
    Length,
    /// What a TURN server wants.
    Relay(RelayFraming),
}

impl Framing {
    /// Lets `write` append one datagram to `out`; nothing is appended if it gives false.
    #[inline]
    pub(super) fn wrap(self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        match self {
            Self::Plain => write(out),
            Self::Length => with_length(out, write),
            Self::Relay(framing) => framing.wrap(out, write),
        }
    }
}

fn with_length(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
    let begin = out.len();
    out.extend_from_slice(&[0, 0]);
    let written = write(out);
    let length = u16::try_from(out.len() - begin - 2).ok();
    let (true, Some(length), Some(field)) = (written, length, out.get_mut(begin..begin + 2)) else {
        return false;
    };
    field.copy_from_slice(&length.to_be_bytes());
    true
}

/// Gathers datagrams of equal size behind each other; the last of a call may
/// be shorter (UDP GSO). Into a connection they go as they are.
pub(crate) struct Outgoing<'a> {
    sink: Sink<'a>,
    framing: Framing,
    mark: Mark,
    buffer: &'a mut Vec<u8>,
    counters: &'a mut SendCounters,
    /// Where the datagrams of the present call begin.
    start: usize,
    segment: usize,
    count: usize,
}

impl<'a> Outgoing<'a> {
    /// Datagrams to a peer.
    pub(crate) fn new(
        socket: &'a MediaSocket,
        path: Path,
        buffer: &'a mut Vec<u8>,
        counters: &'a mut SendCounters,
    ) -> Self {
        let (local, remote) = (Some(path.local.ip()), path.remote);
        let sink = Sink::Socket {
            socket,
            local,
            remote,
        };
        Self::into(sink, Framing::Plain, buffer, counters)
    }

    /// Datagrams through a TURN server that is reached by datagrams.
    pub(super) fn relayed(
        socket: &'a MediaSocket,
        remote: SocketAddr,
        framing: RelayFraming,
        buffer: &'a mut Vec<u8>,
        counters: &'a mut SendCounters,
    ) -> Self {
        let sink = Sink::Socket {
            socket,
            local: None,
            remote,
        };
        Self::into(sink, Framing::Relay(framing), buffer, counters)
    }

    /// Datagrams in a connection.
    pub(super) fn streamed(
        stream: &'a mut Stream,
        framing: Framing,
        buffer: &'a mut Vec<u8>,
        counters: &'a mut SendCounters,
    ) -> Self {
        Self::into(Sink::Stream(stream), framing, buffer, counters)
    }

    fn into(
        sink: Sink<'a>,
        framing: Framing,
        buffer: &'a mut Vec<u8>,
        counters: &'a mut SendCounters,
    ) -> Self {
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
    pub(super) fn marked(mut self, mark: Mark) -> Self {
        self.mark = mark;
        self
    }

    /// By how many bytes to pad datagrams of these lengths, so that the system gets few messages.
    /// Empty where padding saves none: in a connection, or where each datagram is a message.
    pub(crate) fn paddings(&self, lengths: &[usize]) -> Paddings {
        match &self.sink {
            Sink::Socket { socket, .. } if lengths.len() > 1 && socket.max_segments() > 1 => {
                runs::paddings(lengths)
            }
            _ => Paddings::new(),
        }
    }

    /// Lets `write` append one datagram; without one nothing happens.
    pub(crate) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) {
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

impl Drop for Outgoing<'_> {
    fn drop(&mut self) {
        // What was being written when its transport panicked is not protected yet, perhaps.
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
    use crate::shard::socket::ReceiveBuffers;

    fn sent(datagrams: &[&[u8]]) -> (Vec<Vec<u8>>, u64) {
        let (from, to) = (
            MediaSocket::bind(false, None).unwrap(),
            MediaSocket::bind(false, None).unwrap(),
        );
        let home: IpAddr = Ipv4Addr::LOCALHOST.into();
        let path = Path::udp(
            SocketAddr::new(home, from.port()),
            SocketAddr::new(home, to.port()),
        );
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
