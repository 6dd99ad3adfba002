//! The certificates that endpoints prove themselves with.
//!
//! ECDSA certificates are made per endpoint. RSA keys take long to make, so all
//! endpoints share one that is made in the background. Configured PEM files
//! replace both.

use std::{
    fs,
    sync::{Arc, OnceLock},
};

use rivero_plugin_api::{Error, Result, supervise};

use crate::{
    peer::{Certificate, KeyType},
    settings::WebRtcSettings,
};

static RSA: OnceLock<Result<Arc<Certificate>>> = OnceLock::new();

/// Begins to make the RSA key, so that the first endpoint need not wait for it.
pub(crate) fn prepare() {
    // Should it panic, the first endpoint makes the key, and hears of the panic if that happens again.
    let started = supervise::thread("webrtc-rsa", || {
        let _ = rsa();
    });
    if let Err(error) = started {
        tracing::warn!(%error, "no thread to prepare the RSA key; the first endpoint will wait for it");
    }
}

/// The certificate for an endpoint. May take a while for the first RSA one.
pub(crate) fn obtain(key_type: KeyType, settings: &WebRtcSettings) -> Result<Arc<Certificate>> {
    let file = match key_type {
        KeyType::Rsa => &settings.pem_certificate_rsa,
        KeyType::Ecdsa => &settings.pem_certificate_ecdsa,
    };
    if let Some(configured) = from_file(file) {
        return Ok(configured);
    }
    match key_type {
        KeyType::Rsa => rsa(),
        KeyType::Ecdsa => generate(KeyType::Ecdsa),
    }
}

fn rsa() -> Result<Arc<Certificate>> {
    RSA.get_or_init(|| generate(KeyType::Rsa)).clone()
}

fn generate(key_type: KeyType) -> Result<Arc<Certificate>> {
    let certificate = Certificate::generate(key_type);
    certificate
        .map(Arc::new)
        .map_err(|error| Error::unexpected(error.to_string()))
}

/// A file that does not serve is named in the log, and a generated certificate
/// takes its place.
fn from_file(file: &str) -> Option<Arc<Certificate>> {
    if file.is_empty() {
        return None;
    }
    let text = fs::read_to_string(file).map_err(|error| error.to_string());
    let certificate = text.and_then(|text| Certificate::from_pem(&text).map_err(|e| e.to_string()));
    match certificate {
        Ok(certificate) => Some(Arc::new(certificate)),
        Err(error) => {
            tracing::warn!(
                file,
                error,
                "the certificate file is not usable; a generated one is used"
            );
            None
        }
    }
}
