//! The control side: several connections, each with one request on its way at any time.

use std::{
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Poll, Token};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    affinity::Cores,
    error::Error,
    options::Options,
    process::Process,
    rpc::{Incoming, Rpc},
    server::Server,
};

/// What the server may keep of a load, KiB.
pub(crate) const MEMORY_GROWN_KIB: f64 = 10_240.0;
/// How long it may take to give the rest back: replies can be asked for again for 20 s.
const SETTLE: Duration = Duration::from_secs(30);
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Figures of one run: requests (or pairs of them) per second, memory in KiB.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Control {
    /// `ping`.
    pub(crate) ping: f64,
    /// `invoke` of `getName`.
    pub(crate) get_name: f64,
    /// `create` and `release` of a WebRtcEndpoint.
    pub(crate) create_release: f64,
    /// Resident memory before.
    pub(crate) memory_before_kib: f64,
    /// Resident memory right after the load.
    pub(crate) memory_loaded_kib: f64,
    /// Resident memory once the server has given back what it does not need.
    pub(crate) memory_after_kib: f64,
    /// What it has more than before.
    pub(crate) memory_grown_kib: f64,
    /// Start to accepting connections, ms: for the first time, all modules being new to it.
    pub(crate) start_cold_ms: f64,
    /// The same when it knows them.
    pub(crate) start_warm_ms: f64,
}

/// What all connections ask for again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    Ping,
    GetName,
    CreateRelease,
}

/// What a reply lets a connection do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaits {
    /// The pipeline, which everything needs.
    Pipeline,
    /// The end of one round.
    Round,
    /// An object, to be released.
    Object,
}

struct Connection {
    rpc: Rpc<Awaits>,
    pipeline: String,
    rounds: u32,
}

/// One run with a server of its own.
pub(crate) fn measure(options: &Options, cores: Cores) -> Result<Control, Error> {
    let cold = Server::start(&options.release_dir, cores)?;
    let start_cold_ms = millis(cold.start_time());
    let server = cold.restart(&options.release_dir, cores)?;
    let process = server.process();
    let before = kib(process)?;
    let mut crowd = Crowd::connect(&server, options.connections)?;
    let time = Duration::from_secs_f64(options.control_seconds);
    let (ping, get_name) = (
        crowd.rate(Load::Ping, time)?,
        crowd.rate(Load::GetName, time)?,
    );
    let create_release = crowd.rate(Load::CreateRelease, time)?;
    let loaded = kib(process)?;
    drop(crowd);
    let after = settled(process, before)?;
    Ok(Control {
        ping,
        get_name,
        create_release,
        memory_before_kib: before,
        memory_loaded_kib: loaded,
        memory_after_kib: after,
        memory_grown_kib: after - before,
        start_cold_ms,
        start_warm_ms: millis(server.start_time()),
    })
}

/// Resident memory as soon as it is within the limit, else after [`SETTLE`].
fn settled(process: Process, before: f64) -> Result<f64, Error> {
    let deadline = Instant::now() + SETTLE;
    loop {
        let now = kib(process)?;
        if now - before <= MEMORY_GROWN_KIB || Instant::now() > deadline {
            return Ok(now);
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn kib(process: Process) -> Result<f64, Error> {
    let kib = u32::try_from(process.resident_kib()?);
    Ok(f64::from(kib.unwrap_or(u32::MAX)))
}

/// All connections, driven by one thread.
struct Crowd {
    poll: Poll,
    connections: Vec<Connection>,
}

impl Crowd {
    fn connect(server: &Server, connections: u32) -> Result<Self, Error> {
        let poll = Poll::new().map_err(Error::system("epoll"))?;
        let mut crowd = Self {
            poll,
            connections: Vec::new(),
        };
        for number in 0..connections as usize {
            let mut rpc = Rpc::connect(server.address())?;
            rpc.register(crowd.poll.registry(), Token(number))?;
            rpc.create("MediaPipeline", json!({}), Awaits::Pipeline)?;
            crowd.connections.push(Connection {
                rpc,
                pipeline: String::new(),
                rounds: 0,
            });
        }
        crowd.run(Load::Ping, Instant::now())?;
        Ok(crowd)
    }

    /// Rounds per second of all connections.
    fn rate(&mut self, load: Load, time: Duration) -> Result<f64, Error> {
        let begin = Instant::now();
        for connection in &mut self.connections {
            connection.rounds = 0;
            connection.begin(load)?;
        }
        self.run(load, begin + time)?;
        let rounds: u32 = self.connections.iter().map(|c| c.rounds).sum();
        Ok(f64::from(rounds) / begin.elapsed().as_secs_f64())
    }

    /// Begins new rounds until `end`, then waits for the replies that are missing.
    fn run(&mut self, load: Load, end: Instant) -> Result<(), Error> {
        let mut events = Events::with_capacity(64);
        while self.connections.iter().any(|c| c.rpc.outstanding() > 0) {
            match self.poll.poll(&mut events, Some(PATIENCE)) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                polled => polled.map_err(Error::system("epoll"))?,
            }
            if events.is_empty() {
                return Err(Error::Timeout {
                    what: format!("the server answers {load:?}"),
                    seconds: PATIENCE.as_secs_f64(),
                });
            }
            let goes_on = Instant::now() < end;
            for event in &events {
                if let Some(connection) = self.connections.get_mut(event.token().0) {
                    connection.receive(load, goes_on)?;
                }
            }
        }
        Ok(())
    }
}

impl Connection {
    fn begin(&mut self, load: Load) -> Result<(), Error> {
        let pipeline = self.pipeline.as_str();
        match load {
            Load::Ping => {
                let params = json!({"interval": 240_000});
                self.rpc.request("ping", params, Awaits::Round)
            }
            Load::GetName => self
                .rpc
                .invoke(pipeline, "getName", json!({}), Awaits::Round),
            Load::CreateRelease => {
                let params = json!({"mediaPipeline": pipeline});
                self.rpc.create("WebRtcEndpoint", params, Awaits::Object)
            }
        }
    }

    fn receive(&mut self, load: Load, goes_on: bool) -> Result<(), Error> {
        while let Some(incoming) = self.rpc.receive()? {
            if let Incoming::Reply { purpose, value } = incoming {
                self.reply(load, goes_on, purpose, &value)?;
            }
        }
        self.rpc.flush()
    }

    fn reply(
        &mut self,
        load: Load,
        goes_on: bool,
        awaited: Awaits,
        value: &Value,
    ) -> Result<(), Error> {
        let text = value.as_str().unwrap_or_default();
        match awaited {
            Awaits::Pipeline => text.clone_into(&mut self.pipeline),
            Awaits::Object => {
                let params = json!({"object": text});
                self.rpc.request("release", params, Awaits::Round)?;
            }
            Awaits::Round => {
                self.rounds += 1;
                if goes_on {
                    self.begin(load)?;
                }
            }
        }
        Ok(())
    }
}
