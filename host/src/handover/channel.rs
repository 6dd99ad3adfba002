//! Messages with descriptors between two processes.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::cmsg_space;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};

use super::Message;

/// Bytes of a message at most.
const MAX_SIZE: usize = 64 << 10;
/// Descriptors of a message at most: those of all listeners.
const MAX_DESCRIPTORS: usize = 4;

/// One end of a pair of packet sockets.
#[derive(Debug)]
pub struct Channel(OwnedFd);

/// A message with its descriptors.
pub(super) type Received = (Message, Vec<OwnedFd>);

impl Channel {
    /// One end, and the other as another process gets it.
    ///
    /// # Errors
    /// When the system has no descriptors left.
    pub fn pair() -> io::Result<(Channel, OwnedFd)> {
        let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
        let (own, other) = socketpair(family, kind, SocketFlags::CLOEXEC, None)?;
        Ok((Channel(own), other))
    }

    /// The end that was given to this process.
    #[must_use]
    pub fn of(end: OwnedFd) -> Channel {
        Channel(end)
    }

    /// How long [`receive`](Channel::receive) waits; for ever by default.
    ///
    /// # Errors
    /// When the descriptor is no socket.
    pub fn set_patience(&self, patience: Option<Duration>) -> io::Result<()> {
        Ok(set_socket_timeout(&self.0, Timeout::Recv, patience)?)
    }

    /// Sends a message, with descriptors, of which the sender keeps its own.
    ///
    /// # Errors
    /// When the other process has gone, or does not read.
    pub fn send(&self, message: &Message, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        if text.len() > MAX_SIZE || descriptors.len() > MAX_DESCRIPTORS {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let flags = SendFlags::NOSIGNAL;
        sendmsg(&self.0, &[IoSlice::new(&text)], &mut control, flags)?;
        Ok(())
    }

    /// Waits for the next message; `None` when the other process has gone.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing came in time; what makes no sense is
    /// [`io::ErrorKind::InvalidData`].
    pub fn receive(&self) -> io::Result<Option<Received>> {
        let mut text = vec![0; MAX_SIZE];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut text)];
        // Descriptors that came are not for programs that this one starts.
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = loop {
            match recvmsg(&self.0, &mut parts, &mut control, flags) {
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::CONNRESET) => return Ok(None),
                received => break received?,
            }
        };
        let descriptors: Vec<OwnedFd> = { control.drain() }
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
                _ => None,
            })
            .flatten()
            .collect();
        // No message of ours is empty: this is the end.
        if received.bytes == 0 {
            return Ok(None);
        }
        let is_cut = received
            .flags
            .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
        let text = text.get(..received.bytes).filter(|_| !is_cut);
        let text = text.ok_or(io::ErrorKind::InvalidData)?;
        Ok(Some((serde_json::from_slice(text)?, descriptors)))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handover::Role;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn messages_come_whole_with_their_descriptors_and_the_end_is_seen() {
        let (here, there) = Channel::pair().unwrap();
        let there = Channel::of(there);
        let (mut kept, given) = UnixStream::pair().unwrap();
        let roles = vec![Role::Plain, Role::Management];
        let listeners = Message::Listeners { roles };
        here.send(&listeners, &[given.as_fd()]).unwrap();
        here.send(&Message::Stop, &[]).unwrap();
        drop(given);
        let (message, mut descriptors) = there.receive().unwrap().unwrap();
        assert_eq!((message, descriptors.len()), (listeners, 1));
        let mut given = UnixStream::from(descriptors.pop().unwrap());
        kept.write_all(b"x").unwrap();
        given.read_exact(&mut [0]).unwrap();
        let (message, descriptors) = there.receive().unwrap().unwrap();
        assert_eq!((message, descriptors.len()), (Message::Stop, 0));
        drop(here);
        assert!(there.receive().unwrap().is_none());
        assert!(there.send(&Message::Stop, &[]).is_err());
    }

    #[test]
    fn what_another_version_says_is_no_error() {
        let said = serde_json::from_str(r#"{"kind": "something", "new": 1}"#);
        assert_eq!(said.ok(), Some(Message::Unknown));
    }

    #[test]
    fn nobody_is_waited_for_for_ever() {
        let (here, _there) = Channel::pair().unwrap();
        here.set_patience(Some(Duration::from_millis(1))).unwrap();
        let error = here.receive().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
