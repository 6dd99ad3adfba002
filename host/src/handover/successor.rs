//! The old process: it starts the new one, hands over, and listens to it from then on.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rivero_plugin_api::supervise;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpListener;

use super::channel::{Channel, Received};
use super::{Adoption, Error, Message, Program, Role};
use crate::lifecycle::{Event, Lifecycle};

/// How long the new process may take to read its configuration and to find its modules, of which
/// each new file is tried out. Less than the 90 s that systemd waits for a reload.
const PREPARING: Duration = Duration::from_secs(75);
/// How long it may take from then on.
const OPENING: Duration = Duration::from_secs(10);

/// A new process that serves.
#[derive(Debug)]
pub struct Successor {
    channel: Channel,
    /// The id of the process.
    pub process: u32,
}

/// Starts the program as it is now, and hands it the listening sockets. May take a minute.
///
/// # Errors
/// When it does not come to serve; this process goes on then.
pub fn start(
    program: &Program,
    listeners: &[(Role, Weak<TcpListener>)],
) -> Result<Successor, Error> {
    if std::process::id() == 1 {
        return Err(Error::First);
    }
    let (channel, other) = Channel::pair()?;
    program.start(other)?;
    match expect(&channel, PREPARING)? {
        Message::Prepared => {}
        other => return Err(Error::Unexpected(Box::new(other))),
    }
    let open = { listeners.iter() }.filter_map(|(role, socket)| Some((*role, socket.upgrade()?)));
    let (roles, sockets): (Vec<Role>, Vec<Arc<TcpListener>>) = open.unzip();
    let descriptors: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
    channel.send(&Message::Listeners { roles }, &descriptors)?;
    match expect(&channel, OPENING)? {
        Message::Serving { process } => Ok(Successor { channel, process }),
        other => Err(Error::Unexpected(Box::new(other))),
    }
}

fn expect(channel: &Channel, patience: Duration) -> Result<Message, Error> {
    channel.set_patience(Some(patience))?;
    match channel.receive() {
        Ok(Some((message, _))) => Ok(message),
        Ok(None) => Err(Error::Ended),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(Error::Late(patience.as_secs()))
        }
        Err(error) => Err(error.into()),
    }
}

impl Successor {
    /// Does what the new process says, on a thread of its own, until that one ends. `adopt` gets
    /// the clients that come back to sessions.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn attend(
        self,
        lifecycle: Arc<Lifecycle>,
        adopt: impl Fn(UnixStream, Adoption) + Send + 'static,
    ) -> io::Result<()> {
        self.channel.set_patience(None)?;
        supervise::thread("successor", move || {
            while let Some((message, mut descriptors)) = self.next() {
                match (message, descriptors.pop()) {
                    (Message::Stop, _) => {
                        tracing::info!("stopping: the server that took over is told to end");
                        lifecycle.step(Event::Stop);
                    }
                    (Message::Adopt(adoption), Some(stream)) => adopt(stream.into(), adoption),
                    (other, _) => tracing::debug!(?other, "nothing to be done"),
                }
            }
            tracing::info!("the server that took over has ended");
        })
        .map(drop)
    }

    /// Ends the new process, which is of no use after all.
    pub fn stop(&self) {
        let process = i32::try_from(self.process).ok().and_then(Pid::from_raw);
        if let Some(process) = process
            && let Err(error) = kill_process(process, Signal::TERM)
        {
            tracing::warn!(%error, "the new process cannot be told to end");
        }
    }

    fn next(&self) -> Option<Received> {
        let received = self.channel.receive();
        received.unwrap_or_else(|error| {
            tracing::warn!(%error, "the server that took over is not heard any more");
            None
        })
    }
}
