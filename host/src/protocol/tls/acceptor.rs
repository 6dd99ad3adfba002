//! How a listener makes connections secure at each moment.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;

use super::Certificate;
use crate::auth::Guard;

/// The acceptor of a TLS listener. Which certificates of clients are good may change with each new file
/// that the guard has read, and what rustls makes connections with never changes: it is made anew then.
pub struct Acceptor {
    certificate: Arc<Certificate>,
    guard: Arc<Guard>,
    made: ArcSwap<Made>,
}

struct Made {
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    acceptor: TlsAcceptor,
}

impl Acceptor {
    /// Shows a certificate, and asks for one if the guard does.
    ///
    /// # Errors
    /// When the crypto provider lacks a protocol version.
    pub fn new(
        certificate: Arc<Certificate>,
        guard: Arc<Guard>,
    ) -> Result<Acceptor, rustls::Error> {
        let made = ArcSwap::from_pointee(Made::new(&certificate, guard.client_verifier())?);
        Ok(Acceptor {
            certificate,
            guard,
            made,
        })
    }

    /// For the next connection.
    #[must_use]
    pub fn current(&self) -> TlsAcceptor {
        let verifier = self.guard.client_verifier();
        let made = self.made.load();
        let is_same = match (&made.verifier, &verifier) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        if is_same {
            return made.acceptor.clone();
        }
        match Made::new(&self.certificate, verifier) {
            Ok(new) => {
                let acceptor = new.acceptor.clone();
                self.made.store(Arc::new(new));
                acceptor
            }
            // It cannot be: the protocol versions are those of before.
            Err(_) => made.acceptor.clone(),
        }
    }
}

impl Made {
    fn new(
        certificate: &Certificate,
        verifier: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Result<Made, rustls::Error> {
        let acceptor = certificate.acceptor(verifier.clone())?;
        Ok(Made { verifier, acceptor })
    }
}
