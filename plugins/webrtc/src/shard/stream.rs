//! A TCP connection of a transport, cut into datagrams.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr},
    ops::Range,
};

use mio::net::TcpStream;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::tls::Tls;
use crate::dscp::Mark;

/// Bytes that may wait for a slow other side; it loses what comes on top.
const OUTBOX: usize = 256 << 10;
/// The same before the connection is there: a few requests.
const EARLY_OUTBOX: usize = 8 << 10;
/// Room for one call.
pub(super) const READ: usize = 64 << 10;

/// How datagrams are told apart in a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Each behind its length (RFC 4571 §2).
    Length,
    /// STUN messages and ChannelData, which know their lengths (RFC 8656 §12.5).
    Turn,
}

impl Cut {
    /// Where the first datagram of `bytes` is and how many bytes it takes in all; `None` if it is
    /// not complete yet.
    fn first(self, bytes: &[u8]) -> io::Result<Option<(Range<usize>, usize)>> {
        let Some((&[b0, b1], rest)) = bytes.split_first_chunk::<2>() else {
            return Ok(None);
        };
        let (range, taken) = match self {
            Self::Length => {
                let end = 2 + usize::from(u16::from_be_bytes([b0, b1]));
                (2..end, end)
            }
            Self::Turn => {
                let Some((length, _)) = rest.split_first_chunk::<2>() else {
                    return Ok(None);
                };
                let length = usize::from(u16::from_be_bytes(*length));
                let end = match b0 {
                    0..=3 => 20 + length,
                    0x40..=0x4f => 4 + length,
                    _ => return Err(io::Error::other("it does not speak TURN")),
                };
                (0..end, end.next_multiple_of(4))
            }
        };
        Ok((bytes.len() >= taken).then_some((range, taken)))
    }
}

/// A connection with what waits in both directions.
pub(crate) struct Stream {
    socket: TcpStream,
    tls: Option<Box<Tls>>,
    cut: Cut,
    mark: Mark,
    connected: bool,
    /// Received, plain, not yet a whole datagram; `read` bytes of it are done with.
    inbox: Vec<u8>,
    read: usize,
    /// To be sent; `sent` bytes of it have been.
    outbox: Vec<u8>,
    sent: usize,
    failed: Option<io::Error>,
}

impl Stream {
    /// A connection that somebody opened to us.
    pub(super) fn accepted(socket: TcpStream) -> Self {
        Self::new(socket, Cut::Length, None, Mark::default(), true)
    }

    /// Opens a connection from one of our addresses, or the one that the system chooses.
    pub(super) fn connect(
        local: Option<IpAddr>,
        remote: SocketAddr,
        cut: Cut,
        tls: Option<Tls>,
        mark: Mark,
    ) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(remote),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_nonblocking(true)?;
        let _ = set_mark(&socket, remote.is_ipv6(), mark);
        if let Some(local) = local {
            socket.bind(&SocketAddr::new(local, 0).into())?;
        }
        match socket.connect(&remote.into()) {
            Err(error) if error.raw_os_error() != Some(EINPROGRESS) => return Err(error),
            _ => {}
        }
        let socket = TcpStream::from_std(socket.into());
        Ok(Self::new(socket, cut, tls.map(Box::new), mark, false))
    }

    fn new(
        socket: TcpStream,
        cut: Cut,
        tls: Option<Box<Tls>>,
        mark: Mark,
        connected: bool,
    ) -> Self {
        // Media does not wait for more of it.
        let _ = socket.set_nodelay(true);
        Self {
            socket,
            tls,
            cut,
            mark,
            connected,
            inbox: Vec::new(),
            read: 0,
            outbox: Vec::new(),
            sent: 0,
            failed: None,
        }
    }

    /// Marks what is sent from now on.
    pub(super) fn set_mark(&mut self, mark: Mark) {
        if std::mem::replace(&mut self.mark, mark) != mark {
            let address = self.socket.local_addr();
            let v6 = address.is_ok_and(|address| address.is_ipv6());
            // Media without its mark is better than none.
            let _ = set_mark(&SockRef::from(&self.socket), v6, mark);
        }
    }

    pub(super) fn source(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Our address and the other side's.
    pub(super) fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.socket.local_addr()?, self.socket.peer_addr()?))
    }

    /// Sends whole datagrams, cut as the other side expects; `false` if they were lost.
    pub(crate) fn send(&mut self, frames: &[u8]) -> bool {
        let limit = if self.connected { OUTBOX } else { EARLY_OUTBOX };
        if self.outbox.len() - self.sent + frames.len() > limit || self.failed.is_some() {
            return false;
        }
        let queued = match &mut self.tls {
            Some(tls) => tls.seal(frames, &mut self.outbox),
            None => {
                self.outbox.extend_from_slice(frames);
                Ok(())
            }
        };
        let flushed = queued.and_then(|()| self.flush());
        // The worker hears of it at the next event, which an error always brings.
        self.failed = flushed.err();
        self.failed.is_none()
    }

    /// Sends what the system takes.
    fn flush(&mut self) -> io::Result<()> {
        if !self.connected {
            return Ok(());
        }
        while let Some(rest) = self.outbox.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.socket.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // What was sent is dropped once it is the larger part.
        if self.sent * 2 >= self.outbox.len() {
            self.outbox.drain(..self.sent);
            self.sent = 0;
        }
        Ok(())
    }

    /// Reads once and sends what waits; `false` when there is nothing more to read now.
    pub(super) fn turn(&mut self, scratch: &mut [u8]) -> io::Result<bool> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if !self.connected && !self.finish_connecting()? {
            return Ok(false);
        }
        self.flush()?;
        let count = match self.socket.read(scratch) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(error),
        };
        let received = scratch.get(..count).unwrap_or_default();
        match &mut self.tls {
            Some(tls) => {
                let opened = tls.open(received, &mut self.inbox, &mut self.outbox);
                self.flush()?;
                opened?;
            }
            None => self.inbox.extend_from_slice(received),
        }
        Ok(true)
    }

    fn finish_connecting(&mut self) -> io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        self.connected = match self.socket.peer_addr() {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotConnected => false,
            Err(error) => return Err(error),
        };
        if self.connected
            && let Some(tls) = &mut self.tls
        {
            tls.seal(&[], &mut self.outbox)?;
        }
        Ok(self.connected)
    }

    /// The next whole datagram.
    pub(super) fn datagram(&mut self) -> io::Result<Option<&mut [u8]>> {
        let rest = self.inbox.get(self.read..).unwrap_or_default();
        let Some((range, taken)) = self.cut.first(rest)? else {
            self.inbox.drain(..self.read);
            self.read = 0;
            return Ok(None);
        };
        let begin = self.read;
        self.read += taken;
        Ok(self.inbox.get_mut(begin + range.start..begin + range.end))
    }
}

fn set_mark(socket: &Socket, v6: bool, mark: Mark) -> io::Result<()> {
    let class = u32::from(mark.traffic_class());
    if v6 {
        socket.set_tclass_v6(class)
    } else {
        socket.set_tos_v4(class)
    }
}

/// What Linux says of a connection that is being opened.
const EINPROGRESS: i32 = 115;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_are_cut_where_they_end() {
        let first = |cut: Cut, bytes: &[u8]| cut.first(bytes).unwrap();
        assert_eq!(first(Cut::Length, &[0, 3, 1, 2]), None);
        assert_eq!(first(Cut::Length, &[0, 3, 1, 2, 3, 9]), Some((2..5, 5)));
        assert_eq!(first(Cut::Length, &[0, 0, 9]), Some((2..2, 2)));
        let channel = [0x40, 0, 0, 1, 7, 0, 0, 0];
        assert_eq!(first(Cut::Turn, &channel[..7]), None);
        assert_eq!(first(Cut::Turn, &channel), Some((0..5, 8)));
        let mut stun = vec![1, 1, 0, 4];
        stun.resize(24, 0);
        assert_eq!(first(Cut::Turn, &stun[..23]), None);
        assert_eq!(first(Cut::Turn, &stun), Some((0..24, 24)));
        assert!(Cut::Turn.first(b"\x16\x03\x01 TLS").is_err());
    }
}
