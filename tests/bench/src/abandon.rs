//! Clients that vanish: what a server keeps of calls that nobody ended.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    affinity::Cores,
    error::Error,
    generator::Generator,
    options::{Abandon, Options},
    server::Server,
    traffic::{Even, Shape, Traffic},
};

/// Period of the server's garbage collector, seconds.
const COLLECTION: u64 = 3;
/// Between two that join: both sides' handshakes have to be done by then, on a busy machine as well.
const JOIN_INTERVAL: Duration = Duration::from_millis(6);
/// Media before everybody vanishes.
const MEDIA: Duration = Duration::from_millis(500);
/// How long collecting may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// From the last object's end to looking at what is left: threads that wait for calls end after 10 s.
const REST: Duration = Duration::from_secs(12);

/// What the server uses after everybody vanished and was collected.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Round {
    /// Resident memory in KiB.
    resident_kib: u64,
    /// Threads.
    threads: u64,
    /// Open file descriptors.
    descriptors: u64,
}

/// Connects and drops the endpoints, round after round, on one server.
pub(crate) fn measure(
    options: &Options,
    abandon: &Abandon,
    cores: Cores,
) -> Result<Vec<Round>, Error> {
    let server = Server::start_collecting(&options.release_dir, cores, COLLECTION)?;
    let rounds = 0..abandon.rounds;
    rounds
        .map(|_| round(options, abandon, &server))
        .collect::<Result<_, _>>()
        .inspect_err(|_| eprintln!("the server's log:\n{}", server.log()))
}

fn round(options: &Options, abandon: &Abandon, server: &Server) -> Result<Round, Error> {
    let viewers = abandon.endpoints.saturating_sub(1).max(1) as usize;
    // It is about endpoints, not about packets: one for each frame will do.
    let frames = Even {
        packets_per_frame: 1,
        ..options.even()
    };
    let traffic = Traffic {
        shape: Shape::Even(frames),
        ..options.traffic()
    };
    let mut generator = Generator::new(server.address(), viewers, traffic)?;
    generator.start_publishing()?;
    generator.prepare_viewers()?;
    generator.join_viewers(JOIN_INTERVAL)?;
    generator.run_for(MEDIA)?;
    // Neither a request nor a datagram says goodbye.
    drop(generator);
    let deadline = Instant::now() + PATIENCE;
    while server.metric("rivero_objects")? > 0.0 {
        if Instant::now() > deadline {
            return Err(Error::Timeout {
                what: "everything is collected".to_owned(),
                seconds: PATIENCE.as_secs_f64(),
            });
        }
        thread::sleep(Duration::from_millis(200));
    }
    thread::sleep(REST);
    let process = server.process();
    Ok(Round {
        resident_kib: process.resident_kib()?,
        threads: process.threads()?,
        descriptors: process.descriptors()?,
    })
}
