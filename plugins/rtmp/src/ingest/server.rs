//! The server of all ingests.

use std::{
    collections::hash_map::Entry,
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    time::Duration,
};

use rivero_http::{listen, public_host};
use rivero_plugin_api::{
    Error, Result, host,
    supervise::{contain_future, lock, report},
};
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet, time::sleep};

use super::{
    Seat,
    visit::{Seats, attend},
};
use crate::runtime::Thread;

/// Connections at a time; further ones are closed.
const CONNECTIONS: usize = 100;
/// Until another attempt when no connection can be taken.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Where publishers come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// Name or address to listen at.
    pub(crate) host: String,
    /// 0 is any free one.
    pub(crate) port: u16,
    /// What URIs are to name, if that is not the address.
    pub(crate) announced: Option<String>,
}

/// The running server, and how many ingests it has.
struct Running {
    thread: Arc<Thread>,
    /// Accepts; ends when it is dropped.
    accepting: JoinSet<()>,
    seats: Seats,
    /// `host:port` in URIs.
    authority: String,
    leases: usize,
}

static RUNNING: Mutex<Option<Running>> = Mutex::new(None);

/// The path of an ingest; dropping it gives it up, and ends the connection of its publisher.
pub(crate) struct Lease {
    path: String,
    uri: String,
}

impl Lease {
    /// Lets publishers of a path come to a seat.
    ///
    /// # Errors
    /// 40001 when the path is another ingest's; 40003 when nobody can listen where the settings say
    pub(crate) fn new(path: String, seat: Arc<Seat>, address: &Address) -> Result<Self> {
        let mut running = lock(&RUNNING);
        if running.is_none() {
            *running = Some(Running::start(address)?);
        }
        let Some(server) = &mut *running else {
            return Err(Error::unexpected("there is no RTMP server"));
        };
        let uri = format!("rtmp://{}/{path}", server.authority);
        match lock(&server.seats).entry(path.clone()) {
            Entry::Occupied(_) => {
                return Err(Error::illegal_parameter(
                    "another RtmpIngest has this application and key; end that one, or choose another key",
                ));
            }
            Entry::Vacant(place) => place.insert(seat),
        };
        server.leases += 1;
        Ok(Self { path, uri })
    }

    /// Where to publish to, the key included.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut running = lock(&RUNNING);
        let Some(server) = &mut *running else {
            return;
        };
        if let Some(seat) = lock(&server.seats).remove(&self.path) {
            seat.close();
        }
        server.leases -= 1;
        if server.leases == 0
            && let Some(server) = running.take()
        {
            // Under the lock: whoever comes next finds the port free.
            server.end();
        }
    }
}

impl Running {
    fn start(address: &Address) -> Result<Self> {
        let refused = |error: io::Error| {
            let Address { host, port, .. } = address;
            Error::unexpected(format!(
                "publishers cannot be let in at {host} port {port} (RtmpIngest.serverAddress, serverPort): {error}"
            ))
        };
        let thread = Thread::obtain()?;
        let listeners = listen(&address.host, address.port).map_err(refused)?;
        let bound = listeners.first().map(TcpListener::local_addr);
        let bound = bound.unwrap_or_else(|| Err(io::ErrorKind::AddrNotAvailable.into()));
        let bound = bound.map_err(refused)?;
        let seats = Seats::default();
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut accepting = JoinSet::new();
        let runtime = thread.handle()?;
        for listener in listeners {
            let _context = runtime.enter();
            let listener = tokio::net::TcpListener::from_std(listener).map_err(refused)?;
            accepting.spawn_on(accept(listener, seats.clone(), places.clone()), runtime);
        }
        let authority = authority(address, bound);
        tracing::info!(authority, "publishers are let in");
        Ok(Self {
            thread,
            accepting,
            seats,
            authority,
            leases: 0,
        })
    }

    /// Listens no more when it returns.
    fn end(mut self) {
        self.accepting.abort_all();
        if let Ok(runtime) = self.thread.handle() {
            // They end by being aborted; the listeners go with them.
            runtime.block_on(async { while self.accepting.join_next().await.is_some() {} });
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, seats: Seats, places: Arc<Semaphore>) {
    // What a listener has let in ends with it.
    let mut visits = JoinSet::new();
    loop {
        // Those that have ended are of no interest.
        while visits.try_join_next().is_some() {}
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(EXHAUSTED).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            tracing::warn!(%peer, "a publisher is one too many: {CONNECTIONS} are connected");
            count_refusal("full");
            continue;
        };
        // Answers are small, and acknowledgements should not wait for more.
        let _ = stream.set_nodelay(true);
        let seats = seats.clone();
        visits.spawn(async move {
            match contain_future(attend(stream, &seats)).await {
                Ok(end) => {
                    if let Some(refusal) = end.refusal() {
                        count_refusal(refusal);
                    }
                    tracing::debug!(%peer, "a publisher has gone: {end}");
                }
                Err(text) => report("the connection of a publisher", &text),
            }
            drop(place);
        });
    }
}

fn count_refusal(reason: &str) {
    if let Some(host) = host() {
        host.count(
            "refused_publishers_total",
            &json!({ "reason": reason }),
            1.0,
        );
    }
}

/// What URIs name.
fn authority(address: &Address, bound: SocketAddr) -> String {
    let host = public_host(address.announced.as_deref(), &address.host, bound);
    match bound.port() {
        1935 => host,
        port => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_port_is_left_out() {
        let address = Address {
            host: "::1".to_owned(),
            port: 0,
            announced: None,
        };
        let named = |port| authority(&address, ([127, 0, 0, 1], port).into());
        assert_eq!(
            (named(1935), named(1936)),
            ("[::1]".to_owned(), "[::1]:1936".to_owned())
        );
    }
}
