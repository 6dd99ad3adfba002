//! TLS towards TURN servers.

use std::{
    io::{self, Read, Write},
    sync::{Arc, OnceLock},
};

use rivero_net::Encryption;
use rustls::{ClientConfig, ClientConnection, RootCertStore, crypto::ring};
use rustls_pki_types::ServerName;

/// Reads the system's certificates, or those of `SSL_CERT_FILE`; takes some milliseconds the
/// first time, so that a shard should not be the first to ask.
pub(crate) fn configuration() -> Result<Arc<ClientConfig>, String> {
    static CONFIGURATION: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    CONFIGURATION.get_or_init(load).clone()
}

fn load() -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "certificates for TURN over TLS");
    }
    let (_, refused) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(
        count = roots.len(),
        refused,
        "certificates for TURN over TLS"
    );
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth())
        .map(Arc::new)
        .map_err(|error| error.to_string())
}

/// Our side of a TLS connection.
pub(super) struct Tls(ClientConnection);

impl Tls {
    /// `host`: the name or address that the server's certificate has to have.
    pub(super) fn new(host: &str) -> io::Result<Self> {
        let configuration = configuration().map_err(io::Error::other)?;
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        ClientConnection::new(configuration, name)
            .map(Self)
            .map_err(io::Error::other)
    }
}

impl Encryption for Tls {
    fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.0.writer().write_all(plain)?;
        while self.0.wants_write() {
            self.0.write_tls(out)?;
        }
        Ok(())
    }

    fn open(
        &mut self,
        mut received: &[u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        while !received.is_empty() {
            self.0.read_tls(&mut received)?;
            if let Err(error) = self.0.process_new_packets() {
                // Tells the server why.
                let _ = self.0.write_tls(out);
                return Err(io::Error::other(explained(&error)));
            }
            match self.0.reader().read_to_end(plain) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
        self.seal(&[], out)
    }
}

fn explained(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(_) => {
            format!("{error}; the system has to trust it, or SSL_CERT_FILE to name its issuer")
        }
        _ => error.to_string(),
    }
}
