//! One connection to a server, from dialing until media may flow.

use std::{os::fd::OwnedFd, time::Duration};

use ring::rand::{SecureRandom, SystemRandom};
use rivero_http::{Dialer, Stream};
use rivero_uri::{Access, Location, Policy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    failure::Failure,
    protocol::{Again, Client, RANDOM, Role, Said, Target},
};

/// From dialing until media may flow, redirections and logins included.
const CONNECTING: Duration = Duration::from_secs(10);
/// For what is left to be sent when an endpoint is released.
const ENDING: Duration = Duration::from_secs(1);
/// The system's part of what is on its way: a second at 2 Mbit/s.
const SEND_BUFFER: u32 = 256 << 10;
/// Connections that a server's answers lead to.
const MOST_STEPS: usize = 4;
/// Bytes that are read at once before media flows.
const PIECE: usize = 4 << 10;

/// A connection over which media may flow.
pub(crate) struct Connection {
    pub(crate) reader: ReadHalf<Box<dyn Stream>>,
    pub(crate) writer: WriteHalf<Box<dyn Stream>>,
    pub(crate) client: Client,
    pub(crate) socket: OwnedFd,
}

/// Bytes that need not be unpredictable: no secret depends on them, and zeros would do as well.
pub(crate) fn random() -> [u8; RANDOM] {
    let mut random = [0; RANDOM];
    let _ = SystemRandom::new().fill(&mut random);
    random
}

impl Connection {
    /// Connects to a server, and to where it leads from there. Each of the places is asked of the policy.
    ///
    /// # Errors
    /// [`Failure`]
    pub(crate) async fn open(
        role: Role,
        target: &Target,
        policy: &Policy,
    ) -> Result<Self, Failure> {
        let access = match role {
            Role::Publish { .. } => Access::Write,
            Role::Play => Access::Read,
        };
        let dialer = Dialer::new(policy.clone()).with_send_buffer(SEND_BUFFER);
        let deadline = Instant::now() + CONNECTING;
        let mut target = target.clone();
        let mut again = Again::default();
        for _ in 0..MOST_STEPS {
            let step = Self::step(&dialer, role, target.clone(), std::mem::take(&mut again));
            let step = timeout_at(deadline, step).await;
            match step.map_err(|_| Failure::Silent)?? {
                Step::Open(connection) => return Ok(*connection),
                Step::Said(Said::Elsewhere(next)) => {
                    let location = Location::parse(&next.tc_url(), "")?;
                    dialer.policy().check(&location, access)?;
                    target = *next;
                }
                Step::Said(Said::Again(next)) => again = next,
                Step::Said(Said::Open) => {}
            }
        }
        Err(Failure::Circle)
    }

    async fn step(
        dialer: &Dialer,
        role: Role,
        target: Target,
        again: Again,
    ) -> Result<Step, Failure> {
        let dialed = dialer.dial(&target.host, target.port, target.is_encrypted);
        let dialed = dialed.await.map_err(Failure::of_dialing)?;
        let (reader, writer) = split(dialed.stream);
        let mut connection = Self {
            reader,
            writer,
            client: Client::new(role, target, again, &random()),
            socket: dialed.socket,
        };
        let mut piece = vec![0; PIECE];
        loop {
            connection.write_all().await?;
            let length = connection.reader.read(&mut piece).await?;
            if length == 0 {
                return Err(Failure::Closed);
            }
            let said = connection
                .client
                .on_data(piece.get(..length).unwrap_or_default())?;
            match said {
                Some(Said::Open) => return Ok(Step::Open(Box::new(connection))),
                Some(said) => return Ok(Step::Said(said)),
                None => {}
            }
        }
    }

    /// Sends all that is to be sent.
    ///
    /// # Errors
    /// [`Failure::Network`]
    pub(crate) async fn write_all(&mut self) -> Result<(), Failure> {
        let out = self.client.out();
        self.writer.write_all(out).await?;
        out.clear();
        self.writer.flush().await?;
        Ok(())
    }

    /// Says good-bye, whether the server hears it or not.
    pub(crate) async fn close(mut self) {
        self.client.close();
        let _ = timeout(ENDING, self.write_all()).await;
    }
}

/// What an attempt has led to.
enum Step {
    Open(Box<Connection>),
    Said(Said),
}

#[cfg(test)]
mod tests;
