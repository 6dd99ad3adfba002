//! A UDP relay under remote control: `tests/lib/relay.mjs` is its other side.
//!
//! One JSON object a line comes on standard input, one a line answers on standard output:
//!
//! - `{"open": {"id", "address", "target", "seed"}}`: a path to `target` through a fresh port of
//!   `address`; `{"id", "port"}`. Who sends to that port first is the client of the path.
//! - `{"set": {"id", "up", "down"}}`: [`Conditions`] from the client to the target and back.
//! - `{"count": {"id"}}`: `{"id", "up": {"passed", "lost"}, "down": …}` in datagrams.
//!
//! It ends with its standard input.

mod path;

use std::{
    collections::HashMap,
    io::{self, BufRead, Write},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Instant,
};

use mio::{Events, Poll, Token, Waker};
use rivero_relay::Conditions;
use serde::Deserialize;
use serde_json::json;

use path::Path;

const WAKE: Token = Token(usize::MAX);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Command {
    Open {
        id: String,
        address: IpAddr,
        target: SocketAddr,
        seed: u64,
    },
    Set {
        id: String,
        up: Option<Conditions>,
        down: Option<Conditions>,
    },
    Count {
        id: String,
    },
}

fn main() -> io::Result<()> {
    let poll = Poll::new()?;
    // Lives to the end: a call to wake is lost when what makes it is gone before it is seen.
    let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
    let commands = read_commands(waker.clone());
    let mut relay = Relay {
        poll,
        begin: Instant::now(),
        paths: Vec::new(),
        names: HashMap::new(),
    };
    let outcome = relay.run(&commands);
    drop(waker);
    outcome
}

/// Lines of standard input, read on a thread of their own; the channel closes at their end.
fn read_commands(waker: Arc<Waker>) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() || waker.wake().is_err() {
                return;
            }
        }
        drop(sender);
        let _ = waker.wake();
    });
    receiver
}

struct Relay {
    poll: Poll,
    begin: Instant,
    paths: Vec<Path>,
    names: HashMap<String, usize>,
}

impl Relay {
    fn run(&mut self, commands: &Receiver<String>) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        loop {
            let next = self.paths.iter().filter_map(Path::next_delivery).min();
            let patience = next.map(|due| due.saturating_sub(self.begin.elapsed()));
            match self.poll.poll(&mut events, patience) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            loop {
                match commands.try_recv() {
                    Ok(line) => self.obey(&line)?,
                    Err(std::sync::mpsc::TryRecvError::Empty) => break,
                    Err(std::sync::mpsc::TryRecvError::Disconnected) => return Ok(()),
                }
            }
            let now = self.begin.elapsed();
            for path in &mut self.paths {
                path.receive(now);
                path.deliver(now);
            }
        }
    }

    fn obey(&mut self, line: &str) -> io::Result<()> {
        let answer = match serde_json::from_str(line)? {
            Command::Open {
                id,
                address,
                target,
                seed,
            } => {
                let path = Path::open(&self.poll, self.paths.len(), address, target, seed)?;
                let answer = json!({ "id": id, "port": path.port()? });
                self.names.insert(id, self.paths.len());
                self.paths.push(path);
                answer
            }
            Command::Set { id, up, down } => {
                let path = self.path(&id)?;
                path.set(up, down);
                json!({ "id": id })
            }
            Command::Count { id } => {
                let [up, down] = self.path(&id)?.counts();
                json!({ "id": id, "up": up, "down": down })
            }
        };
        let mut output = io::stdout().lock();
        writeln!(output, "{answer}")?;
        output.flush()
    }

    fn path(&mut self, id: &str) -> io::Result<&mut Path> {
        let number = self.names.get(id).copied();
        number
            .and_then(|number| self.paths.get_mut(number))
            .ok_or_else(|| io::Error::other(format!("there is no path {id}")))
    }
}
