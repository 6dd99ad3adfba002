//! The new process: it is handed the sockets of the old one, and ends not before that.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::time::Duration;

use rivero_plugin_api::supervise;
use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio::{dup2_stdin, stdin};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{Adoption, Channel, Error, KNOWN, Message, Role, nonblocking};
use crate::core::Core;
use crate::lifecycle::Phase;

/// How long the old process may take for its answer.
const ANSWER: Duration = Duration::from_secs(10);

/// The old process.
#[derive(Debug)]
pub struct Predecessor(Channel);

impl Predecessor {
    /// The one that started this process.
    ///
    /// # Errors
    /// When the standard input is not what it has to be.
    pub fn of_standard_input() -> io::Result<Predecessor> {
        let channel: OwnedFd = fcntl_dupfd_cloexec(stdin(), 3)?;
        // Programs that this one starts shall not have it: the old process would wait for them.
        dup2_stdin(File::open("/dev/null")?)?;
        let channel = Channel::of(channel);
        channel.set_patience(Some(ANSWER))?;
        Ok(Predecessor(channel))
    }

    /// Its listening sockets. From now on this process has to come to serve soon.
    ///
    /// # Errors
    /// When the old process has given this one up.
    pub fn listeners(&self) -> Result<Vec<(Role, TcpListener)>, Error> {
        self.0.send(&Message::Prepared, &[])?;
        let Some((message, descriptors)) = self.0.receive()? else {
            return Err(
                io::Error::other("the server to take over from is not there any more").into(),
            );
        };
        let Message::Listeners { roles } = message else {
            return Err(Error::Unexpected(Box::new(message)));
        };
        let sockets = descriptors.into_iter().map(TcpListener::from);
        Ok(roles.into_iter().zip(sockets).collect())
    }

    /// Says that this process serves. The end of this process waits for the old one from now on,
    /// which is told to end with it. `ended` is called when that has.
    ///
    /// # Errors
    /// When the old process has given this one up, and goes on; or there is no thread.
    pub fn succeed(
        self,
        core: &Arc<Core>,
        ended: impl FnOnce() + Send + 'static,
    ) -> Result<Arc<Predecessor>, Error> {
        let process = std::process::id();
        self.0.send(&Message::Serving { process }, &[])?;
        self.0.set_patience(None)?;
        core.lifecycle.follow();
        let this = Arc::new(self);
        let (lifecycle, old) = (core.lifecycle.clone(), this.clone());
        tokio::spawn(async move {
            lifecycle.reached(Phase::Draining).await;
            // An error is its end, which is what is wanted.
            let _ = old.0.send(&Message::Stop, &[]);
        });
        let (core, watched) = (core.clone(), this.clone());
        supervise::thread("predecessor", move || {
            while let Ok(Some(_)) = watched.0.receive() {}
            tracing::info!("the server before this one has ended");
            ended();
            core.lifecycle.follow_no_more();
            core.note_whether_empty();
        })?;
        Ok(this)
    }

    /// The way of a client to its session, if the old process has it.
    pub async fn adopt(self: Arc<Self>, adoption: Adoption) -> Option<UnixStream> {
        let (own, given) = StdStream::pair().ok()?;
        // The queue of the socket may be full for a moment.
        let sent = spawn_blocking(move || self.0.send(&Message::Adopt(adoption), &[given.as_fd()]));
        sent.await.ok()?.ok()?;
        let mut own = nonblocking(own).ok()?;
        let mut answer = [0];
        let answered = timeout(ANSWER, own.read_exact(&mut answer)).await;
        answered.ok()?.ok()?;
        (answer == [KNOWN]).then_some(own)
    }
}
