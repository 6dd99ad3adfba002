//! The certificate that a peer proves itself with in the DTLS handshake.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rsa::pkcs8::EncodePrivateKey;
use rtc_dtls::crypto::{Certificate as DtlsCertificate, CryptoPrivateKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::fingerprint::Fingerprint;

const RSA_BITS: usize = 2048;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Validity of a generated certificate. Peers compare fingerprints and ignore it.
const VALIDITY: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The key types of `certificateKeyType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// ECDSA on P-256; generated in well under a millisecond.
    Ecdsa,
    /// RSA with 2048 bits; generating one takes a good part of a second.
    Rsa,
}

/// Why there is no certificate.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CertificateError {
    /// A key could not be generated.
    #[error("generating the certificate's key failed: {0}")]
    Key(String),
    /// The certificate could not be signed.
    #[error("signing the certificate failed: {0}")]
    Sign(String),
    /// PEM text without a usable private key and certificate.
    #[error("unusable PEM certificate: {0}")]
    Pem(String),
}

/// A certificate with its private key. Share one between peers with [`std::sync::Arc`].
#[derive(Clone)]
pub struct Certificate {
    dtls: DtlsCertificate,
    fingerprint: Fingerprint,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({})", self.fingerprint)
    }
}

impl Certificate {
    /// Generates a key and a self-signed certificate for `CN=Rivero`.
    ///
    /// Computes for a while with [`KeyType::Rsa`]: never call that on a thread that forwards media.
    ///
    /// # Errors
    /// [`CertificateError::Key`], [`CertificateError::Sign`].
    pub fn generate(key_type: KeyType) -> Result<Self, CertificateError> {
        let key = match key_type {
            KeyType::Ecdsa => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
                .map_err(|error| CertificateError::Key(error.to_string()))?,
            KeyType::Rsa => generate_rsa_key()?,
        };
        Self::self_signed(&key)
    }

    fn self_signed(key: &KeyPair) -> Result<Self, CertificateError> {
        let sign = |error: rcgen::Error| CertificateError::Sign(error.to_string());
        let mut params = CertificateParams::new(Vec::<String>::new()).map_err(sign)?;
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, "Rivero");
        params.distinguished_name = name;
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = rcgen::date_time_ymd(1970, 1, 1) + since_epoch;
        // Peers whose clocks are behind must not see a certificate from the future.
        params.not_before = now - DAY;
        params.not_after = now + VALIDITY;
        let certificate = params.self_signed(key).map_err(sign)?;
        Self::from_chain(key, vec![certificate.der().clone()])
    }

    /// Reads a PKCS#8 private key (ECDSA P-256 or RSA) and a certificate chain, leaf first, from
    /// PEM text in which they may come in any order, as `pemCertificate` files hold them.
    ///
    /// # Errors
    /// [`CertificateError::Pem`].
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        let pem = |error: &dyn std::fmt::Display| CertificateError::Pem(error.to_string());
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| pem(&error))?;
        let key = KeyPair::try_from(&key).map_err(|error| pem(&error))?;
        let chain = CertificateDer::pem_slice_iter(text.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| pem(&error))?;
        Self::from_chain(&key, chain)
    }

    fn from_chain(
        key: &KeyPair,
        chain: Vec<CertificateDer<'static>>,
    ) -> Result<Self, CertificateError> {
        let leaf = chain
            .first()
            .ok_or_else(|| CertificateError::Pem("no `CERTIFICATE` block".to_owned()))?;
        let provider = rtc_crypto::default_provider()
            .map_err(|error| CertificateError::Key(error.to_string()))?;
        let private_key = CryptoPrivateKey::from_key_pair(key, provider.crypto())
            .map_err(|error| CertificateError::Key(error.to_string()))?;
        Ok(Self {
            fingerprint: Fingerprint::sha256(leaf),
            dtls: DtlsCertificate {
                certificate: chain,
                private_key,
            },
        })
    }

    /// The `sha-256` fingerprint for the `a=fingerprint` line.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    pub(super) fn dtls(&self) -> &DtlsCertificate {
        &self.dtls
    }
}

/// `ring` signs with RSA keys but does not make them.
fn generate_rsa_key() -> Result<KeyPair, CertificateError> {
    let key = |error: String| CertificateError::Key(error);
    let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, RSA_BITS)
        .map_err(|error| key(error.to_string()))?;
    let der = private
        .to_pkcs8_der()
        .map_err(|error| key(error.to_string()))?;
    let der = der.as_bytes().to_vec();
    KeyPair::from_pkcs8_der_and_sign_algo(&der.into(), &rcgen::PKCS_RSA_SHA256)
        .map_err(|error| key(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Base64 without line breaks.
    fn base64(der: &[u8]) -> String {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for chunk in der.chunks(3) {
            let word =
                chunk.iter().fold(0u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
            for position in 0..4 {
                let sextet = (word >> (18 - 6 * position) & 63) as usize;
                let filled = position <= chunk.len();
                text.push(if filled {
                    ALPHABET[sextet] as char
                } else {
                    '='
                });
            }
        }
        text
    }

    #[test]
    fn generated_certificates_differ() {
        let one = Certificate::generate(KeyType::Ecdsa).unwrap();
        let other = Certificate::generate(KeyType::Ecdsa).unwrap();
        assert_ne!(one.fingerprint(), other.fingerprint());
        assert!(one.fingerprint().matches(&one.dtls().certificate[0]));
    }

    #[test]
    fn pem_files_are_read_in_any_order() {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = CertificateParams::new(vec![])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let expected = Fingerprint::sha256(certificate.der());
        let pem = |label: &str, der: &[u8]| {
            let text = base64(der);
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
        };
        let (key, certificate) = (
            pem("PRIVATE KEY", key.serialized_der()),
            pem("CERTIFICATE", certificate.der()),
        );
        for text in [
            format!("{key}\n{certificate}"),
            format!("{certificate}\n{key}"),
        ] {
            assert_eq!(
                Certificate::from_pem(&text).unwrap().fingerprint(),
                &expected
            );
        }
        assert!(Certificate::from_pem(&certificate).is_err());
        assert!(Certificate::from_pem(&key).is_err());
        assert!(Certificate::from_pem("").is_err());
    }
}
