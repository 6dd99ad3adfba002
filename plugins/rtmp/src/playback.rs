//! The task of one player: connections, one after the other, and what comes over them.

use std::{sync::Arc, time::Duration};

use rivero_plugin_api::{Host, Result, host, supervise::contain_future};
use rivero_uri::Policy;
use tokio::{
    io::AsyncReadExt,
    sync::watch,
    time::{Instant, interval, timeout},
};

use crate::{
    attempts::{Attempts, Reports},
    connection::Connection,
    failure::Failure,
    figures::Figures,
    meter::Meter,
    output::{Output, Reception},
    protocol::{Role, Target},
    round_trip::round_trip,
    runtime::Thread,
};

/// A server that sends nothing at all for so long is given up.
const SILENCE: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_secs(1);
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// What a task is to do, and with what.
pub(crate) struct Playback {
    pub(crate) target: Target,
    pub(crate) policy: Policy,
    pub(crate) output: Arc<Output>,
    pub(crate) figures: Arc<Figures>,
    pub(crate) reports: Arc<dyn Reports>,
    /// `true` once the player is released.
    pub(crate) released: watch::Receiver<bool>,
}

/// Starts a task, which lasts until the player is released. `over` is called then, whatever has happened.
///
/// # Errors
/// 40003 when there is no thread to be had
pub(crate) fn start(playback: Playback, over: impl FnOnce() + Send + 'static) -> Result<()> {
    let task = async move {
        let reports = playback.reports.clone();
        if let Err(text) = contain_future(playback.run()).await {
            reports.panicked(&text);
        }
        over();
    };
    Thread::obtain()?.spawn(task).map(|_| ())
}

impl Playback {
    async fn run(self) {
        let mut released = self.released.clone();
        tokio::select! {
            () = self.play() => {}
            // The sender is gone when the player is.
            _ = released.wait_for(|is| *is) => {}
        }
    }

    async fn play(&self) {
        let mut attempts = Attempts::new(&*self.reports, &self.figures);
        loop {
            attempts.begin();
            let failure = self.connection(&mut attempts).await;
            tracing::debug!(target = %self.target, "{failure}");
            let Some(pause) = attempts.failed(&failure) else {
                return;
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// One connection, from its beginning to its end; why that came.
    async fn connection(&self, attempts: &mut Attempts<'_>) -> Failure {
        let connection = Connection::open(Role::Play, &self.target, &self.policy).await;
        match connection {
            Ok(connection) => {
                attempts.succeeded();
                match self.receive(connection).await {
                    Ok(()) => Failure::Closed,
                    Err(failure) => failure,
                }
            }
            Err(failure) => failure,
        }
    }

    async fn receive(&self, mut connection: Connection) -> std::result::Result<(), Failure> {
        let mut reception = Reception::new(self.output.clone(), self.figures.clone());
        let mut meter = Meter::default();
        let mut piece = vec![0; PIECE];
        let mut tick = interval(TICK);
        let mut heard = Instant::now();
        loop {
            reception.on_messages(&connection.client.take_media(), now());
            if !connection.client.out().is_empty() {
                let written = timeout(SILENCE, connection.write_all()).await;
                written.map_err(|_| Failure::Stalled)??;
            }
            tokio::select! {
                read = connection.reader.read(&mut piece) => {
                    let length = read?;
                    if length == 0 {
                        return Ok(());
                    }
                    heard = Instant::now();
                    self.figures.count(length);
                    meter.count(length);
                    connection.client.on_data(piece.get(..length).unwrap_or_default())?;
                }
                _ = tick.tick() => {
                    if heard.elapsed() > SILENCE {
                        return Err(Failure::Mute);
                    }
                    self.figures.measure(round_trip(&connection.socket), meter.bitrate());
                }
            }
        }
    }
}

/// ns on the pipeline's clock.
pub(crate) fn now() -> i64 {
    host().map_or(0, Host::now)
}
