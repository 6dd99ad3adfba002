//! The certificate of a listener, which is read again when its file changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

use super::{Error, Problem, certified_key, provider};
use crate::http::host::HostPattern;
use crate::regular_file;

/// How often the file is looked at. Reading a few kilobytes costs nothing, and notices what
/// notifications of the system do not tell: another target of a symbolic link somewhere on the way
/// (certbot, Kubernetes), a file system of another machine.
pub const PERIOD: Duration = Duration::from_secs(2);

/// Bytes of a certificate file at most: chains have a few kilobytes.
const MAX_SIZE: u64 = 1 << 20;

/// What a TLS listener shows its clients, from a PEM file with the certificate chain, the
/// server's own first, and the key, in any place.
///
/// Keys are in PKCS #8, PKCS #1 or SEC 1; in PKCS #8 they may be encrypted with a password.
#[derive(Debug)]
pub struct Certificate {
    source: Mutex<Source>,
    shown: Arc<Shown>,
    names: Arc<ArcSwap<Vec<HostPattern>>>,
    /// What the file contained when it was last looked at, or why it could not be read.
    seen: Mutex<Result<Vec<u8>, String>>,
}

/// Where a certificate is read from.
#[derive(Debug, Clone)]
struct Source {
    file: PathBuf,
    password: String,
}

/// What new connections are shown.
#[derive(Debug)]
struct Shown(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Certificate {
    /// Reads the file.
    ///
    /// # Errors
    /// When the file, the certificate or the key cannot be used.
    pub fn load(file: &Path, password: &str) -> Result<Arc<Certificate>, Error> {
        let fail = |problem| Error {
            file: file.to_owned(),
            problem,
        };
        let pem = regular_file::read(file, MAX_SIZE).map_err(|error| fail(error.into()))?;
        let key = certified_key(&pem, password).map_err(fail)?;
        Ok(Arc::new(Certificate {
            names: Arc::new(ArcSwap::from_pointee(names_in(&key))),
            shown: Arc::new(Shown(ArcSwap::from_pointee(key))),
            source: Mutex::new(Source {
                file: file.to_owned(),
                password: password.to_owned(),
            }),
            seen: Mutex::new(Ok(pem)),
        }))
    }

    /// Makes connections secure, each with the certificate of its time. With `verifier`, clients are
    /// asked for certificates.
    ///
    /// # Errors
    /// When the crypto provider lacks a protocol version.
    pub fn acceptor(
        &self,
        verifier: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Result<TlsAcceptor, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?;
        let is_asking = verifier.is_some();
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut configuration = builder.with_cert_resolver(self.shown.clone());
        if is_asking {
            // A session that is taken up again brings its certificate along unverified: one that has
            // been revoked meanwhile would go on opening the door.
            configuration.session_storage = Arc::new(NoServerSessionStorage {});
            configuration.send_tls13_tickets = 0;
        }
        Ok(Arc::new(configuration).into())
    }

    /// The names that the server proves to have, of the newest certificate at any time.
    #[must_use]
    pub fn names(&self) -> Arc<ArcSwap<Vec<HostPattern>>> {
        self.names.clone()
    }

    /// Shows what `other` shows from now on, and looks after its file.
    pub fn adopt(&self, other: &Certificate) {
        *self.source.lock() = other.source.lock().clone();
        *self.seen.lock() = other.seen.lock().clone();
        self.names.store(other.names.load_full());
        self.shown.0.store(other.shown.0.load_full());
    }

    /// Looks at the file every [`PERIOD`], for as long as it is polled.
    pub async fn keep_current(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(PERIOD);
        loop {
            ticks.tick().await;
            let certificate = self.clone();
            // The file may be on a disk that takes its time.
            match spawn_blocking(move || certificate.refresh()).await {
                Ok(Ok(false)) | Err(_) => {}
                Ok(Ok(true)) => tracing::info!(
                    file = %self.source.lock().file.display(),
                    "new connections get the new certificate"
                ),
                Ok(Err(error)) => tracing::warn!("{error}; the one before stays in use"),
            }
        }
    }

    /// Takes over the file if it changed since the last look, and says whether it did.
    ///
    /// # Errors
    /// When what is there now cannot be used, once: as long as that does not change either, it is
    /// no news.
    fn refresh(&self) -> Result<bool, Error> {
        let Source { file, password } = self.source.lock().clone();
        let now = regular_file::read(&file, MAX_SIZE);
        let mut seen = self.seen.lock();
        let comparable = now.as_ref().map(Vec::clone).map_err(ToString::to_string);
        if *seen == comparable {
            return Ok(false);
        }
        *seen = comparable;
        drop(seen);
        let key = now
            .map_err(Problem::from)
            .and_then(|pem| certified_key(&pem, &password))
            .map_err(|problem| Error { file, problem })?;
        self.names.store(Arc::new(names_in(&key)));
        self.shown.0.store(Arc::new(key));
        Ok(true)
    }
}

/// The DNS names of a certificate. Addresses are of no interest: they count anyway.
fn names_in(key: &CertifiedKey) -> Vec<HostPattern> {
    let Some(certificate) = key.cert.first() else {
        return Vec::new();
    };
    match webpki::EndEntityCert::try_from(certificate) {
        Ok(certificate) => certificate
            .valid_dns_names()
            .filter_map(HostPattern::of_certificate)
            .collect(),
        Err(error) => {
            tracing::debug!(%error, "the names in the certificate cannot be read");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::generate_simple_self_signed;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn pem(names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let made = generate_simple_self_signed(names).unwrap();
        made.cert.pem() + &made.signing_key.serialize_pem()
    }

    fn names(certificate: &Certificate) -> Vec<HostPattern> {
        certificate.names().load().to_vec()
    }

    fn pattern(name: &str) -> HostPattern {
        HostPattern::of_certificate(name).unwrap()
    }

    #[test]
    fn a_changed_file_is_taken_over_and_a_broken_one_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("cert.pem");
        fs::write(&file, pem(&["a.example", "*.b.example", "127.0.0.1"])).unwrap();
        let certificate = Certificate::load(&file, "").unwrap();
        let first = [pattern("a.example"), pattern("*.b.example")];
        assert_eq!(names(&certificate), first);
        assert!(!certificate.refresh().unwrap());
        let shown = certificate.shown.0.load_full();
        fs::write(&file, "half a file").unwrap();
        let told = certificate.refresh().unwrap_err().to_string();
        assert!(told.ends_with("it contains no certificate"), "{told}");
        assert!(!certificate.refresh().unwrap());
        fs::remove_file(&file).unwrap();
        assert!(certificate.refresh().is_err() && !certificate.refresh().unwrap());
        assert!(Arc::ptr_eq(&shown, &certificate.shown.0.load_full()));
        assert_eq!(names(&certificate), first);
        fs::write(&file, pem(&["c.example"])).unwrap();
        assert!(certificate.refresh().unwrap());
        assert_eq!(names(&certificate), [pattern("c.example")]);
        assert!(!Arc::ptr_eq(&shown, &certificate.shown.0.load_full()));
    }

    #[test]
    fn a_symbolic_link_on_the_way_that_is_switched_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for (version, name) in [("1", "old.example"), ("2", "new.example")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("cert.pem"), pem(&[name])).unwrap();
        }
        // As Kubernetes mounts secrets: cert.pem → ..data/cert.pem, ..data → 1.
        symlink("1", at("..data")).unwrap();
        symlink("..data/cert.pem", at("cert.pem")).unwrap();
        let certificate = Certificate::load(&at("cert.pem"), "").unwrap();
        assert_eq!(names(&certificate), [pattern("old.example")]);
        symlink("2", at("..new")).unwrap();
        fs::rename(at("..new"), at("..data")).unwrap();
        assert!(certificate.refresh().unwrap());
        assert_eq!(names(&certificate), [pattern("new.example")]);
    }

    #[test]
    fn what_is_no_file_of_sane_size_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
        let large = directory.path().join("large");
        fs::write(&large, vec![b'x'; 2 << 20]).unwrap();
        for file in [&fifo, &large, Path::new("/dev/zero"), directory.path()] {
            assert!(Certificate::load(file, "").is_err(), "{}", file.display());
        }
    }
}
