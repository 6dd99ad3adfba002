//! A TCP connection, cut into datagrams.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr},
    ops::Range,
};

use mio::net::TcpStream;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::Mark;

/// Bytes that may wait for a slow other side; it loses what comes on top. At 2 Mbit/s this is a second: what
/// is older is of no use in a call.
const OUTBOX: usize = 256 << 10;
/// The same before the connection is there: a few requests, since media is not sent before one of them is
/// answered.
const EARLY_OUTBOX: usize = 8 << 10;
/// Room for one call to read: about the longest datagram that there may be.
pub(crate) const READ: usize = 64 << 10;

/// Where the first datagram of some bytes is, and how many bytes it takes with all that is around it.
pub type Frame = (Range<usize>, usize);

/// How datagrams are told apart in a connection: finds the first one, `None` if it is not complete yet,
/// and an error where the other side does not speak what it should.
pub type Delimiter = fn(&[u8]) -> io::Result<Option<Frame>>;

/// A [`Delimiter`]: each datagram is behind its length in 16 bits (RFC 4571 §2).
///
/// # Errors
/// Never: every length is one.
pub fn length_prefixed(bytes: &[u8]) -> io::Result<Option<Frame>> {
    let Some((length, _)) = bytes.split_first_chunk::<2>() else {
        return Ok(None);
    };
    let end = 2 + usize::from(u16::from_be_bytes(*length));
    Ok((bytes.len() >= end).then_some((2..end, end)))
}

/// One side of an encrypted connection, TLS say, between plain and encrypted bytes. It is no socket: a
/// [`Stream`] has that.
pub trait Encryption: Send {
    /// Encrypts `plain` behind `out`. It may be empty: then what the handshake has to say goes out. Before
    /// the handshake is through `plain` is kept.
    ///
    /// # Errors
    /// What ends the connection.
    fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> io::Result<()>;

    /// Decrypts what was received behind `plain`; what has to be answered goes behind `out`, even with an
    /// error.
    ///
    /// # Errors
    /// What ends the connection.
    fn open(&mut self, received: &[u8], plain: &mut Vec<u8>, out: &mut Vec<u8>) -> io::Result<()>;
}

/// A connection with what waits in both directions.
pub struct Stream {
    socket: TcpStream,
    encryption: Option<Box<dyn Encryption>>,
    delimiter: Delimiter,
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
    /// A connection that somebody opened to us, with datagrams behind their lengths.
    pub fn accepted(socket: TcpStream) -> Self {
        Self::new(socket, length_prefixed, None, Mark::default(), true)
    }

    /// Opens a connection from one of our addresses, or the one that the system chooses. What is sent before
    /// it is there waits.
    ///
    /// # Errors
    /// Those of the system which it has at once; others come from [`turn`](Self::turn).
    pub fn connect(
        local: Option<IpAddr>,
        remote: SocketAddr,
        delimiter: Delimiter,
        encryption: Option<Box<dyn Encryption>>,
        mark: Mark,
    ) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(remote),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_nonblocking(true)?;
        // Before the connection, so that its first segment is marked. Without its mark it is better than none.
        let _ = set_mark(&socket, remote.is_ipv6(), mark);
        if let Some(local) = local {
            socket.bind(&SocketAddr::new(local, 0).into())?;
        }
        match socket.connect(&remote.into()) {
            Err(error) if error.raw_os_error() != Some(EINPROGRESS) => return Err(error),
            _ => {}
        }
        let socket = TcpStream::from_std(socket.into());
        Ok(Self::new(socket, delimiter, encryption, mark, false))
    }

    fn new(
        socket: TcpStream,
        delimiter: Delimiter,
        encryption: Option<Box<dyn Encryption>>,
        mark: Mark,
        connected: bool,
    ) -> Self {
        // Nagle's algorithm would hold media back until there is more of it.
        let _ = socket.set_nodelay(true);
        Self {
            socket,
            encryption,
            delimiter,
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
    pub fn set_mark(&mut self, mark: Mark) {
        if std::mem::replace(&mut self.mark, mark) != mark {
            let address = self.socket.local_addr();
            let v6 = address.is_ok_and(|address| address.is_ipv6());
            // Media without its mark is better than none.
            let _ = set_mark(&SockRef::from(&self.socket), v6, mark);
        }
    }

    /// What to register for events.
    pub fn source(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Our address and the other side's, without the flow label and scope that the system adds to those of
    /// IPv6: they are compared with addresses that never had any.
    ///
    /// # Errors
    /// Those of the system, where the connection is not there, say.
    pub fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        let plain = |address: SocketAddr| SocketAddr::new(address.ip(), address.port());
        Ok((
            plain(self.socket.local_addr()?),
            plain(self.socket.peer_addr()?),
        ))
    }

    /// Sends whole datagrams, cut as the other side expects; `false` if they were lost.
    pub fn send(&mut self, frames: &[u8]) -> bool {
        let limit = if self.connected { OUTBOX } else { EARLY_OUTBOX };
        if self.outbox.len() - self.sent + frames.len() > limit || self.failed.is_some() {
            return false;
        }
        let queued = match &mut self.encryption {
            Some(encryption) => encryption.seal(frames, &mut self.outbox),
            None => {
                self.outbox.extend_from_slice(frames);
                Ok(())
            }
        };
        let flushed = queued.and_then(|()| self.flush());
        // The worker learns of it from the next event, which an error always brings.
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
        // What was sent is dropped once it is the larger part, so that a byte is moved once at most.
        if self.sent * 2 >= self.outbox.len() {
            self.outbox.drain(..self.sent);
            self.sent = 0;
        }
        Ok(())
    }

    /// Reads once and sends what waits; `false` when there is nothing more to read now.
    ///
    /// # Errors
    /// What ended the connection; the other side's closing it is `UnexpectedEof`.
    pub fn turn(&mut self, scratch: &mut [u8]) -> io::Result<bool> {
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
        match &mut self.encryption {
            Some(encryption) => {
                let opened = encryption.open(received, &mut self.inbox, &mut self.outbox);
                // Before the error: the other side is told why.
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
            && let Some(encryption) = &mut self.encryption
        {
            // The handshake is ours to begin.
            encryption.seal(&[], &mut self.outbox)?;
        }
        Ok(self.connected)
    }

    /// The next whole datagram.
    ///
    /// # Errors
    /// The other side does not speak what it should.
    pub fn datagram(&mut self) -> io::Result<Option<&mut [u8]>> {
        let rest = self.inbox.get(self.read..).unwrap_or_default();
        let Some((range, taken)) = (self.delimiter)(rest)? else {
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
        let first = |bytes: &[u8]| length_prefixed(bytes).unwrap();
        assert_eq!(first(&[0]), None);
        assert_eq!(first(&[0, 3, 1, 2]), None);
        assert_eq!(first(&[0, 3, 1, 2, 3, 9]), Some((2..5, 5)));
        assert_eq!(first(&[0, 0, 9]), Some((2..2, 2)));
    }
}
