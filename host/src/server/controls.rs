//! What can be changed of a server that runs.

use std::sync::Arc;

use super::{Options, Server};
use crate::auth::Guard;
use crate::http::site::Access;
use crate::protocol::methods::Methods;
use crate::protocol::tls::Certificate;

/// The parts of a server that take other settings while it runs.
pub struct Controls {
    access: Arc<Access>,
    guard: Arc<Guard>,
    certificate: Option<Arc<Certificate>>,
    methods: Arc<Methods>,
    on_network: bool,
}

impl Server {
    /// What can be changed of it once it runs.
    #[must_use]
    pub fn controls(&self) -> Controls {
        let listeners = self.listeners.iter().chain(&self.management);
        Controls {
            access: self.access.clone(),
            guard: self.service.guard.clone(),
            certificate: self.certificate.clone(),
            methods: self.service.methods.clone(),
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

    /// Goes by these options from now on, as far as they are not about sockets.
    pub fn apply(&self, options: Options) {
        self.access.policy.store(Arc::new(options.access));
        self.guard.adopt(&options.guard);
        self.methods.set_caches_replies(options.caches_replies);
        // A listener that there is not yet, or that is to go, is a matter of the next start.
        if let (Some(certificate), Some((_, new))) = (&self.certificate, &options.secure) {
            certificate.adopt(new);
        }
    }
}
