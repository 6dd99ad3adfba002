//! The socket between the server and a child, and what goes along with its first byte.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use rivero_plugin_api::Packet;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg, send, sendmsg,
    socketpair,
    sockopt::{Timeout, set_socket_timeout},
};
use serde::Serialize;

use super::{
    ring::{Producer, Refusal},
    wire::{self, WireError},
};

/// Descriptors that a child gets: its library, and the rings to and from it.
pub(super) const DESCRIPTORS: usize = 3;
/// A child that does not take what it is told for so long has given up.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes that a buffer of messages keeps.
const KEPT: usize = 64 * 1024;

/// The end of the server and that of the child, which is inherited.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    let (own, other) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    set_socket_timeout(&own, Timeout::Send, Some(PATIENCE))?;
    Ok((own, other))
}

/// Sends the descriptors, with one byte.
pub(super) fn give(
    socket: BorrowedFd<'_>,
    descriptors: &[BorrowedFd<'_>; DESCRIPTORS],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(descriptors));
    sendmsg(
        socket,
        &[IoSlice::new(&[0])],
        &mut control,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// The descriptors that the server sent.
pub(super) fn take(socket: BorrowedFd<'_>) -> io::Result<[OwnedFd; DESCRIPTORS]> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut buffers = [IoSliceMut::new(&mut byte)];
    recvmsg(socket, &mut buffers, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    let missing = |_| io::Error::other("the descriptors are missing");
    descriptors.try_into().map_err(missing)
}

/// Receives what there is: 0 at the end of the stream.
pub(super) fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    waits: bool,
) -> rustix::io::Result<usize> {
    let flags = match waits {
        true => RecvFlags::empty(),
        false => RecvFlags::DONTWAIT,
    };
    rustix::io::retry_on_intr(|| recv(socket, &mut *buffer, flags)).map(|(received, _)| received)
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// Its payload was refused: nothing was sent, and later messages may be.
    #[error("there is no room for its media")]
    Payload(Refusal),
    /// It cannot be sent, and later ones may be.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The other side is gone.
    #[error(transparent)]
    Socket(#[from] rustix::io::Errno),
}

/// What one side says.
pub(super) struct Outbox {
    socket: Arc<OwnedFd>,
    ring: Producer,
    buffer: Vec<u8>,
    is_broken: bool,
}

impl Outbox {
    pub(super) fn new(socket: Arc<OwnedFd>, ring: Producer) -> Self {
        Self {
            socket,
            ring,
            buffer: Vec::new(),
            is_broken: false,
        }
    }

    /// Sends a message that names this payload.
    pub(super) fn send(
        &mut self,
        message: &impl Serialize,
        payload: &[Packet],
    ) -> Result<(), SendError> {
        if self.is_broken {
            return Err(SendError::Socket(rustix::io::Errno::PIPE));
        }
        self.buffer.clear();
        self.buffer.shrink_to(KEPT);
        wire::write(message, &mut self.buffer)?;
        // Last: payload in the ring without its message would be taken for that of the next.
        self.ring.put(payload).map_err(SendError::Payload)?;
        let mut rest = self.buffer.as_slice();
        while !rest.is_empty() {
            let socket = self.socket.as_fd();
            let sent = rustix::io::retry_on_intr(|| send(socket, rest, SendFlags::NOSIGNAL));
            // Half a message was sent, perhaps.
            let sent = sent.inspect_err(|_| self.is_broken = true)?;
            rest = rest.get(sent..).unwrap_or_default();
        }
        Ok(())
    }
}
