//! A certificate for `localhost`, made for the test that asks for it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rivero::protocol::tls;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::Client;

pub struct Certificate {
    directory: TempDir,
    /// Trusts this certificate only.
    pub roots: RootCertStore,
}

impl Certificate {
    pub fn new() -> Certificate {
        Certificate::of(&["localhost"])
    }

    /// With these names.
    pub fn of(names: &[&str]) -> Certificate {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let pem = cert.pem() + &signing_key.serialize_pem();
        std::fs::write(directory.path().join("cert.pem"), pem).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        Certificate { directory, roots }
    }

    pub fn file(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }

    /// Puts another certificate into the file, and trusts that one.
    pub fn replace(&mut self) {
        let other = Certificate::new();
        std::fs::copy(other.file(), self.file()).unwrap();
        self.roots = other.roots;
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        self.load().acceptor(None).unwrap()
    }

    pub fn load(&self) -> Arc<tls::Certificate> {
        tls::Certificate::load(&self.file(), "").unwrap()
    }

    pub fn connector(&self) -> TlsConnector {
        tls::connector(self.roots.clone()).unwrap()
    }

    pub async fn connect(&self, address: SocketAddr) -> TlsStream<TcpStream> {
        self.try_connect(address).await.unwrap()
    }

    /// Fails when the server shows another certificate.
    pub async fn try_connect(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        self.connector().connect(name, stream).await
    }

    pub async fn client(&self, address: SocketAddr, path: &str) -> Client<TlsStream<TcpStream>> {
        Client::over(
            self.connect(address).await,
            &format!("wss://localhost{path}"),
        )
        .await
    }
}
