//! Names of STUN and TURN servers and of candidates. Looking a name up may take seconds, so it is
//! done on threads that exist only meanwhile.

mod mdns;

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rivero_plugin_api::supervise::thread;

/// Look-ups that may run at a time; names beyond count as unknown.
const MAX_LOOKUPS: usize = 16;
/// How long an answer is good for.
const MEMORY: Duration = Duration::from_secs(60);
/// Names that are remembered.
const MAX_REMEMBERED: usize = 256;

/// A server's name and what it stands for, nothing if it is unknown.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) addresses: Vec<SocketAddr>,
}

/// Finds the addresses of servers, in their order. `then` is called at once, on this thread, if
/// no name has to be looked up.
pub(crate) fn servers(hosts: Vec<(String, u16)>, then: impl FnOnce(Vec<Host>) + Send + 'static) {
    let of_memory = hosts.iter().map(|(name, port)| known(name, *port));
    if let Some(found) = of_memory.collect() {
        return then(found);
    }
    look_up(move |allowed| {
        let find = |(name, port): (String, u16)| {
            let found = known(&name, port).or_else(|| allowed.then(|| ask(&name, port)));
            found.unwrap_or(Host {
                name,
                addresses: Vec::new(),
            })
        };
        then(hosts.into_iter().map(find).collect());
    });
}

/// Finds the addresses of a candidate: `.local` names by multicast DNS on the named interfaces
/// (all if there are none), others as the system does.
pub(crate) fn candidate(
    name: &str,
    interfaces: Vec<String>,
    then: impl FnOnce(Vec<IpAddr>) + Send + 'static,
) {
    if name.to_ascii_lowercase().ends_with(".local") {
        return mdns::resolve(name, interfaces, then);
    }
    servers(vec![(name.to_owned(), 0)], move |found| {
        let addresses = found.into_iter().flat_map(|host| host.addresses);
        then(addresses.map(|address| address.ip()).collect());
    });
}

/// One of those that are being looked up, until it is dropped: a panic ends it, too.
struct Running(&'static AtomicUsize);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Runs `work` on a thread of its own; it is told whether it may look names up.
fn look_up(work: impl FnOnce(bool) + Send + 'static) {
    static RUNNING: AtomicUsize = AtomicUsize::new(0);
    let allowed = RUNNING.fetch_add(1, Relaxed) < MAX_LOOKUPS;
    if !allowed {
        RUNNING.fetch_sub(1, Relaxed);
        tracing::warn!("too many names are being looked up: the name server may be down");
        return work(false);
    }
    let running = Running(&RUNNING);
    let spawned = thread("webrtc-dns", move || {
        let _running = running;
        work(true);
    });
    if let Err(error) = spawned {
        tracing::error!(%error, "no thread to look names up");
    }
}

type Memory = HashMap<String, (Instant, Vec<IpAddr>)>;

fn memory() -> std::sync::MutexGuard<'static, Option<Memory>> {
    static MEMORY: Mutex<Option<Memory>> = Mutex::new(None);
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What needs no look-up: addresses, and names that were looked up lately.
fn known(name: &str, port: u16) -> Option<Host> {
    let with_port = |addresses: &[IpAddr]| Host {
        name: name.to_owned(),
        addresses: addresses
            .iter()
            .map(|ip| SocketAddr::new(*ip, port))
            .collect(),
    };
    if let Ok(ip) = name.parse() {
        return Some(with_port(&[ip]));
    }
    let memory = memory();
    let (since, addresses) = memory.as_ref()?.get(name)?;
    (since.elapsed() < MEMORY).then(|| with_port(addresses))
}

fn ask(name: &str, port: u16) -> Host {
    let addresses: Vec<SocketAddr> = match (name, port).to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            tracing::info!(name, %error, "a name is unknown");
            Vec::new()
        }
    };
    if !addresses.is_empty() {
        let mut memory = memory();
        let memory = memory.get_or_insert_default();
        if memory.len() >= MAX_REMEMBERED {
            memory.clear();
        }
        let ips = addresses.iter().map(SocketAddr::ip).collect();
        memory.insert(name.to_owned(), (Instant::now(), ips));
    }
    Host {
        name: name.to_owned(),
        addresses,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn addresses_are_there_at_once() {
        let (sender, receiver) = mpsc::channel();
        let hosts = vec![("192.0.2.1".to_owned(), 1), ("2001:db8::1".to_owned(), 2)];
        servers(hosts, move |found| sender.send(found).unwrap());
        let found = receiver.try_recv().unwrap();
        let texts = found.iter().map(|host| format!("{:?}", host.addresses));
        let texts: Vec<String> = texts.collect();
        assert_eq!(texts, ["[192.0.2.1:1]", "[[2001:db8::1]:2]"]);
    }

    #[test]
    fn look_ups_that_panic_make_room_for_others() {
        let (sender, receiver) = mpsc::channel();
        let (mut begun, deadline) = (0, Instant::now() + Duration::from_secs(20));
        while begun < 2 * MAX_LOOKUPS {
            assert!(Instant::now() < deadline);
            let sender = sender.clone();
            look_up(move |allowed| {
                sender.send(allowed).unwrap();
                assert!(!allowed, "on purpose");
            });
            // Those before may still be ending.
            begun += usize::from(receiver.recv().unwrap());
        }
    }

    #[test]
    fn names_are_looked_up_and_remembered() {
        let (sender, receiver) = mpsc::channel();
        servers(vec![("localhost".to_owned(), 7)], move |found| {
            sender.send(found).unwrap();
        });
        let found = receiver.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(
            found[0]
                .addresses
                .iter()
                .all(|a| a.ip().is_loopback() && a.port() == 7)
        );
        assert!(!found[0].addresses.is_empty());
        assert!(known("localhost", 7).is_some());
    }
}
