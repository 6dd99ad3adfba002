//! A certificate for `localhost`, made for the test that asks for it.

use std::net::SocketAddr;

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
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".into()]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let pem = cert.pem() + &signing_key.serialize_pem();
        std::fs::write(directory.path().join("cert.pem"), pem).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        Certificate { directory, roots }
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        tls::acceptor(&self.directory.path().join("cert.pem"), "").unwrap()
    }

    pub fn connector(&self) -> TlsConnector {
        tls::connector(self.roots.clone()).unwrap()
    }

    pub async fn connect(&self, address: SocketAddr) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        self.connector().connect(name, stream).await.unwrap()
    }

    pub async fn client(&self, address: SocketAddr, path: &str) -> Client<TlsStream<TcpStream>> {
        Client::over(
            self.connect(address).await,
            &format!("wss://localhost{path}"),
        )
        .await
    }
}
