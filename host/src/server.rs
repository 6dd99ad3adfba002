//! The server: a core, its sessions' housekeeping, and the sockets that lead to it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::core::Core;
use crate::observe::pages;
use crate::protocol::connection::Service;
use crate::protocol::listener::{self, Binding};
use crate::protocol::methods::Methods;

/// How the server is reached, and how it treats sessions.
#[derive(Debug, Clone)]
pub struct Options {
    /// The plain WebSocket listener.
    pub binding: Binding,
    /// Path of the WebSocket, without leading slash.
    pub path: String,
    /// A session that is neither used nor connected ends after one to two of these.
    pub collector_period: Duration,
    /// Whether a repeated request gets the reply of the first.
    pub caches_replies: bool,
}

/// A server whose socket is open.
#[derive(Debug)]
pub struct Server {
    core: Arc<Core>,
    service: Arc<Service>,
    listener: TcpListener,
    collector_period: Duration,
}

impl Server {
    /// Opens the socket; clients can connect, and are answered once [`Server::run`] runs.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn open(core: Arc<Core>, options: Options) -> io::Result<Server> {
        let listener = listener::bind(&options.binding)?;
        let methods = Methods::new(core.clone(), options.caches_replies);
        let path = options.path.trim_start_matches('/').to_owned();
        let service = Arc::new(Service {
            methods,
            path,
            pages: pages::page,
        });
        Ok(Server {
            core,
            service,
            listener,
            collector_period: options.collector_period,
        })
    }

    /// Where the server listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is done, then closes the socket and destroys all objects.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut tasks = JoinSet::new();
        tasks.spawn(listener::accept(self.listener, self.service.clone()));
        tasks.spawn(collect(self.core.clone(), self.collector_period));
        stop.await;
        tasks.shutdown().await;
        let dead = self.core.registry.remove_all();
        // Destruction reports no errors; it only takes its time.
        let _ = self.core.destroy(dead).wait().await;
    }
}

/// Ends sessions that went away, for as long as it is polled.
async fn collect(core: Arc<Core>, period: Duration) {
    let mut ticks = tokio::time::interval(period.max(Duration::from_millis(1)));
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let dead = core.registry.collect();
        if !dead.is_empty() {
            tracing::info!(
                objects = dead.len(),
                "destroying objects that nobody holds any more"
            );
            let _ = core.destroy(dead).wait().await;
        }
    }
}
