//! What the configuration says about credentials, and what its files contain.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::principal::{Permissions, Scope};
use super::tokens::Digest;
use crate::accounts::Quotas;
use crate::regular_file;

/// Bytes of a file with a token, a secret, a key or a set of keys at most.
const MAX_SIZE: u64 = 1 << 20;

/// `mediaServer.auth`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Static tokens.
    pub tokens: Vec<TokenSettings>,
    /// What signs JWTs, and what they have to say.
    pub jwt: Option<JwtSettings>,
    /// Which certificates clients of the TLS listener may show.
    pub certificates: Option<CertificateSettings>,
}

/// What a credential gives its principal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// Which objects there are for it.
    pub scope: Scope,
    /// What it permits.
    pub permissions: Permissions,
    /// How much it permits.
    pub quotas: Quotas,
}

/// A static token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// Who has it; several may be of one name only by being one.
    pub name: String,
    /// The token.
    pub secret: Secret,
    /// What it gives.
    pub grant: Grant,
}

/// `mediaServer.auth.clientCertificates`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateSettings {
    /// The authorities that issue them, in PEM.
    pub ca: PathBuf,
    /// What these have revoked, in PEM (RFC 5280 section 5); without a file nothing is.
    pub crl: Option<PathBuf>,
    /// Whether a client without one is refused in the handshake; else a token does as well.
    pub required: bool,
    /// Whose certificates are known by name.
    pub principals: Vec<HolderSettings>,
    /// What all others of these authorities give; nothing, if there is none.
    pub others: Option<Grant>,
}

/// A principal that shows a certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HolderSettings {
    /// What it is called here.
    pub name: String,
    /// Patterns of the names in its certificates, each with its kind: `CN:`, `DNS:`, `URI:` or `email:`.
    pub names: Vec<String>,
    /// What they give.
    pub grant: Grant,
}

/// Where something secret is. It shows itself in no log.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// In the configuration itself.
    Value(String),
    /// Nowhere: this is its SHA-256.
    Sha256(Digest),
    /// In a file, of which blanks around it are no part.
    File(PathBuf),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Secret::Value(_) => f.write_str("Value(…)"),
            Secret::Sha256(_) => f.write_str("Sha256(…)"),
            Secret::File(file) => f.debug_tuple("File").field(file).finish(),
        }
    }
}

/// `mediaServer.auth.jwt`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JwtSettings {
    /// Keys, each of one algorithm.
    pub keys: Vec<KeySettings>,
    /// A file with a set of keys (RFC 7517).
    pub jwks: Option<PathBuf>,
    /// Who has to have issued them, if that is checked.
    pub issuer: Option<String>,
    /// For whom they have to be: one of these. Without any, they may name nobody.
    pub audience: Vec<String>,
    /// By how much clocks may differ.
    pub leeway: Duration,
}

/// A key that verifies JWTs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySettings {
    /// What tokens call it in `kid`, if they do.
    pub name: String,
    /// The one algorithm that it is for.
    pub algorithm: Algorithm,
    /// The secret of HS256, or the public key in PEM.
    pub key: Secret,
}

/// How a JWT may be signed (RFC 7518, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// Ed25519.
    EdDsa,
}

/// Why credentials cannot be used; it fits on one line, and tells none of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mediaServer.auth.{key}: {problem}")]
pub struct LoadError {
    /// Below `mediaServer.auth`.
    pub key: String,
    /// What is wrong.
    pub problem: String,
}

impl LoadError {
    /// A problem with what stands at `key`.
    pub fn new(key: impl Into<String>, problem: impl Into<String>) -> LoadError {
        let (key, problem) = (key.into(), problem.into());
        LoadError { key, problem }
    }
}

impl Settings {
    /// All files that it names.
    pub(super) fn files(&self) -> Vec<&Path> {
        let secrets = self.tokens.iter().map(|token| &token.secret);
        let jwt = self.jwt.iter();
        let keys = jwt.clone().flat_map(|jwt| &jwt.keys).map(|key| &key.key);
        let files = secrets.chain(keys).filter_map(|secret| match secret {
            Secret::File(file) => Some(file.as_path()),
            Secret::Value(_) | Secret::Sha256(_) => None,
        });
        let certificates = self.certificates.iter();
        let of_certificates = certificates.flat_map(|settings| {
            [Some(settings.ca.as_path()), settings.crl.as_deref()]
                .into_iter()
                .flatten()
        });
        files
            .chain(jwt.filter_map(|jwt| jwt.jwks.as_deref()))
            .chain(of_certificates)
            .collect()
    }
}

/// The text of a file, which may be relative to the directory of the configuration.
pub(super) fn read(directory: &Path, file: &Path) -> io::Result<String> {
    regular_file::read_to_string(&directory.join(file), MAX_SIZE)
}
