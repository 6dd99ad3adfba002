//! What can be changed of a server that runs.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Weak};

use tokio::net::TcpListener;
use tokio::runtime::Handle;

use super::{Options, Server};
use crate::auth::Guard;
use crate::handover::{self, Adoption, Predecessor, Role};
use crate::http::site::Access;
use crate::protocol::connection::Service;
use crate::protocol::tls::Certificate;
use crate::tasks::spawn;

/// The parts of a server that take other settings while it runs.
pub struct Controls {
    access: Arc<Access>,
    guard: Arc<Guard>,
    certificate: Option<Arc<Certificate>>,
    service: Arc<Service>,
    on_network: bool,
    /// Whoever serves has them, and they are closed when nobody does.
    sockets: Vec<(Role, Weak<TcpListener>)>,
}

impl Server {
    /// Says to the server before this one that this one serves, and passes clients on to it that
    /// come back to sessions there.
    ///
    /// # Errors
    /// When the other one has given this one up, or the system refuses a thread.
    pub fn follow(&self, predecessor: Predecessor) -> Result<(), handover::Error> {
        let service = self.service.clone();
        let ended = move || service.predecessor.store(None);
        let predecessor = predecessor.succeed(&self.core, ended)?;
        self.service.predecessor.store(Some(predecessor));
        Ok(())
    }

    /// What can be changed of it once it runs.
    #[must_use]
    pub fn controls(&self) -> Controls {
        let listeners = self.listeners.iter().chain(&self.management);
        Controls {
            access: self.access.clone(),
            guard: self.service.guard.clone(),
            certificate: self.certificate.clone(),
            service: self.service.clone(),
            sockets: { listeners.clone() }
                .map(|listener| (listener.role, Arc::downgrade(&listener.socket)))
                .collect(),
            on_network: { listeners }.any(|listener| !listener.site.on_loopback),
        }
    }
}

impl Controls {
    /// Whether the network would reach a server of these options here, and nobody would have to
    /// show a credential. The sockets are those that are open, whatever addresses the options have.
    #[must_use]
    pub fn would_be_open_to_all(&self, options: &Options) -> bool {
        self.on_network && !options.guard.asks()
    }

    /// The listening sockets, for a server that is to take over.
    #[must_use]
    pub fn sockets(&self) -> &[(Role, Weak<TcpListener>)] {
        &self.sockets
    }

    /// Serves the clients that the server which took over passes on. To be called within the
    /// runtime; what is returned may be called anywhere.
    pub fn adopter(&self) -> impl Fn(UnixStream, Adoption) + Send + use<> {
        let (service, runtime) = (self.service.clone(), Handle::current());
        move |stream, adoption| {
            let _context = runtime.enter();
            spawn("a connection", service.clone().adopt(stream, adoption));
        }
    }

    /// Goes by these options from now on, as far as they are not about sockets.
    pub fn apply(&self, options: Options) {
        self.access.policy.store(Arc::new(options.access));
        self.guard.adopt(&options.guard);
        self.service
            .methods
            .set_caches_replies(options.caches_replies);
        // A listener that there is not yet, or that is to go, is a matter of the next start.
        if let (Some(certificate), Some((_, new))) = (&self.certificate, &options.secure) {
            certificate.adopt(new);
        }
    }
}
