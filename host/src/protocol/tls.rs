//! The certificates and keys of secure connections (TLS 1.2 and 1.3, RFC 8446).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use pkcs8::{EncryptedPrivateKeyInfo, SecretDocument};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

mod acceptor;
pub mod certificate;

pub use acceptor::Acceptor;
pub use certificate::Certificate;

use crate::regular_file;

/// Bytes of a file with the certificates that are trusted at most; Debian's has 220 KB.
const ROOTS_LIMIT: u64 = 64 << 20;
/// An encrypted key in PKCS #8 (RFC 7468 section 11).
const ENCRYPTED_BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const ENCRYPTED_END: &str = "-----END ENCRYPTED PRIVATE KEY-----";
/// A key encrypted as in RFC 1421, with a key derivation that is broken today.
const ENCRYPTED_OLD: &str = "Proc-Type: 4,ENCRYPTED";

/// Why a certificate cannot be used; each fits on one line.
#[derive(Debug, thiserror::Error)]
#[error("Cannot use the certificate {}: {problem}", file.display())]
pub struct Error {
    /// The PEM file.
    pub file: PathBuf,
    /// What is wrong with it.
    #[source]
    pub problem: Problem,
}

/// What is wrong with a PEM file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// A section is cut off, or not in base 64.
    #[error("malformed PEM: {0}")]
    Pem(pem::Error),
    /// There is no `CERTIFICATE` section.
    #[error("it contains no certificate")]
    NoCertificate,
    /// There is no section with a key.
    #[error("it contains no private key")]
    NoKey,
    /// The key needs a password and none is configured.
    #[error("its key is encrypted, and mediaServer.net.websocket.secure.password is empty")]
    NoPassword,
    /// The key does not open with the password.
    #[error("its key cannot be decrypted with mediaServer.net.websocket.secure.password: {0}")]
    Password(pkcs8::Error),
    /// The encryption of the key is one of before PKCS #8.
    #[error("its key is encrypted in the old way of PEM; convert it with `openssl pkcs8 -topk8`")]
    OldEncryption,
    /// The key is that of another certificate.
    #[error("its private key does not belong to its first certificate")]
    OtherKey,
    /// The certificate or the key is invalid.
    #[error("{0}")]
    Unusable(rustls::Error),
}

impl From<rustls::Error> for Problem {
    fn from(error: rustls::Error) -> Problem {
        match error {
            rustls::Error::InconsistentKeys(_) => Problem::OtherKey,
            error => Problem::Unusable(error),
        }
    }
}

/// The first certificate of a PEM file with its chain and its key.
fn certified_key(pem: &[u8], password: &str) -> Result<CertifiedKey, Problem> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| pem_problem(pem, error))?;
    if chain.is_empty() {
        return Err(Problem::NoCertificate);
    }
    let key = private_key(pem, password)?;
    Ok(CertifiedKey::from_der(chain, key, &provider())?)
}

fn private_key(pem: &[u8], password: &str) -> Result<PrivateKeyDer<'static>, Problem> {
    if let Some(section) = encrypted_section(pem) {
        return decrypt(section, password);
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        pem::Error::NoItemsFound => Problem::NoKey,
        error => pem_problem(pem, error),
    })
}

/// The headers of an old encrypted key are no base 64, which alone would explain nothing.
fn pem_problem(pem: &[u8], error: pem::Error) -> Problem {
    if String::from_utf8_lossy(pem).contains(ENCRYPTED_OLD) {
        return Problem::OldEncryption;
    }
    Problem::Pem(error)
}

fn encrypted_section(pem: &[u8]) -> Option<&str> {
    let find = |text: &[u8], mark: &str| {
        text.windows(mark.len())
            .position(|part| part == mark.as_bytes())
    };
    let from = pem.get(find(pem, ENCRYPTED_BEGIN)?..)?;
    let length = find(from, ENCRYPTED_END)? + ENCRYPTED_END.len();
    std::str::from_utf8(from.get(..length)?).ok()
}

fn decrypt(section: &str, password: &str) -> Result<PrivateKeyDer<'static>, Problem> {
    if password.is_empty() {
        return Err(Problem::NoPassword);
    }
    let (_, encrypted) =
        SecretDocument::from_pem(section).map_err(|error| Problem::Password(error.into()))?;
    let key = EncryptedPrivateKeyInfo::try_from(encrypted.as_bytes())
        .and_then(|encrypted| encrypted.decrypt(password))
        .map_err(Problem::Password)?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

/// Secure connections to servers whose certificates lead to one of `roots`.
///
/// # Errors
/// When the crypto provider lacks a protocol version.
pub fn connector(roots: RootCertStore) -> Result<TlsConnector, rustls::Error> {
    let configuration = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(configuration).into())
}

/// The certificates that the system trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` name others.
#[must_use]
pub fn system_roots() -> RootCertStore {
    if let Some(file) = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from)
        && let Err(error) = regular_file::check(&file, ROOTS_LIMIT)
    {
        // What reads it would wait for a FIFO, or read a device, for ever.
        tracing::warn!(file = %file.display(), %error, "SSL_CERT_FILE cannot be used");
        return RootCertStore::empty();
    }
    let loaded = rustls_native_certs::load_native_certs();
    for error in &loaded.errors {
        tracing::warn!(%error, "cannot read the system's certificates");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(loaded.certs);
    roots
}

/// Named in every configuration, so that no other crate's default counts.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
mod tests;
