//! Multicast DNS (RFC 6762): asks for the addresses behind `.local` names, which browsers give
//! instead of their own (RFC 8828 §3).
//!
//! `rtc-mdns` knows IPv4 only. One thread asks for all endpoints and ends when it has nothing to
//! ask.

mod message;
mod sockets;

use std::{
    net::IpAddr,
    sync::{
        Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    time::{Duration, Instant},
};

use rivero_plugin_api::supervise::{contained, thread};

use sockets::Sockets;

/// Questions that may be open; names beyond count as unknown.
const MAX_QUERIES: usize = 1024;
/// First wait for an answer, doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(400);
/// Questions; the last is given up 6 s after the first.
const MAX_SENDINGS: u8 = 4;
/// After the first answer: a name may have an address for each IP version.
const AFTER_ANSWER: Duration = Duration::from_millis(300);

/// Of the thread.
const NAME: &str = "webrtc-mdns";

type Then = Box<dyn FnOnce(Vec<IpAddr>) + Send>;

/// A name that somebody wants.
struct Query {
    name: String,
    interfaces: Vec<String>,
    then: Then,
    due: Instant,
    wait: Duration,
    sendings: u8,
    found: Vec<IpAddr>,
}

/// The thread that asks, while there is one.
static ASKING: Mutex<Option<Sender<Query>>> = Mutex::new(None);

/// Finds the addresses of a `.local` name; `then` gets none if nobody answers.
pub(super) fn resolve(
    name: &str,
    interfaces: Vec<String>,
    then: impl FnOnce(Vec<IpAddr>) + Send + 'static,
) {
    let query = Query {
        name: name.to_ascii_lowercase(),
        interfaces,
        then: Box::new(then),
        due: Instant::now(),
        wait: FIRST_WAIT,
        sendings: 0,
        found: Vec::new(),
    };
    let mut asking = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    let query = match asking.as_ref() {
        Some(sender) => match sender.send(query) {
            Ok(()) => return,
            Err(mpsc::SendError(query)) => query,
        },
        None => query,
    };
    let (sender, receiver) = mpsc::channel();
    let _ = sender.send(query);
    // Should it panic, who asks next finds nobody at the other end, and starts another one.
    match thread(NAME, move || ask(&receiver)) {
        Ok(_) => *asking = Some(sender),
        Err(error) => tracing::error!(%error, "no thread for multicast DNS"),
    }
}

/// Asks until there is nothing left to ask.
fn ask(new: &Receiver<Query>) {
    let mut sockets = Sockets::open();
    let mut queries: Vec<Query> = Vec::new();
    loop {
        for query in new.try_iter() {
            if queries.len() < MAX_QUERIES {
                queries.push(query);
            } else {
                contained(NAME, || (query.then)(Vec::new()));
            }
        }
        if queries.is_empty() && ends(new, &mut queries) {
            return;
        }
        send_due(&mut queries, &mut sockets);
        for (name, address) in sockets.receive() {
            take(&mut queries, &name, address);
        }
    }
}

/// Whether the thread ends; a question that came meanwhile is taken.
fn ends(new: &Receiver<Query>, queries: &mut Vec<Query>) -> bool {
    let mut asking = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    match new.try_recv() {
        Ok(query) => {
            queries.push(query);
            false
        }
        Err(_) => {
            *asking = None;
            true
        }
    }
}

fn send_due(queries: &mut Vec<Query>, sockets: &mut Sockets) {
    let now = Instant::now();
    let mut at = 0;
    while let Some(query) = queries.get_mut(at) {
        if query.due > now {
            at += 1;
        } else if query.sendings >= MAX_SENDINGS || !query.found.is_empty() {
            let query = queries.swap_remove(at);
            contained(NAME, || (query.then)(query.found));
        } else {
            query.sendings += 1;
            query.due = now + query.wait;
            query.wait *= 2;
            sockets.send(&message::query(&query.name), &query.interfaces);
            at += 1;
        }
    }
}

fn take(queries: &mut [Query], name: &str, address: IpAddr) {
    for query in queries.iter_mut().filter(|query| query.name == name) {
        if !query.found.contains(&address) {
            query.found.push(address);
            query.due = query.due.min(Instant::now() + AFTER_ANSWER);
        }
    }
}
