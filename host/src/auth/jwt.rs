//! JSON Web Tokens (RFC 7519): somebody whom the operator trusts says who calls and what he may.
//!
//! The algorithm is that of the key, never what the token says: a token that names another one is
//! refused, `none` included, and a public key is never taken for a secret.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use pkcs8::SubjectPublicKeyInfoRef;
use serde::Deserialize;
use tokio_rustls::rustls::pki_types::SubjectPublicKeyInfoDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::principal::{LONGEST_NAME, Permissions, Principal, Scope, expiry, is_name};
use super::ring_provider;
use super::settings::{Algorithm, JwtSettings, KeySettings, LoadError, Secret, read};
use crate::accounts::Quotas;

/// The least secret of HS256 (RFC 7518 section 3.2).
const LEAST_SECRET: usize = 32;
/// Object identifiers of public keys (RFC 8017 appendix A.1, RFC 8410 section 3).
const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
const ID_ED25519: &str = "1.3.101.112";

/// Verifies tokens with the keys of one moment.
#[derive(Debug)]
pub struct Verifier {
    keys: Vec<Key>,
    issuer: Option<String>,
    audience: Vec<String>,
    leeway: Duration,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    algorithm: jsonwebtoken::Algorithm,
    key: DecodingKey,
}

/// The claims that count.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    classes: Option<Vec<String>>,
    #[serde(default)]
    methods: Option<Vec<String>>,
    #[serde(default)]
    quotas: Option<BTreeMap<String, u64>>,
}

impl Verifier {
    /// Reads the keys. What of a set of keys cannot be used is left out, and said in `warnings`.
    ///
    /// # Errors
    /// When a key cannot be used, or there is none.
    pub fn load(
        settings: &JwtSettings,
        directory: &Path,
        warnings: &mut Vec<String>,
    ) -> Result<Verifier, LoadError> {
        ring_provider::install();
        let mut keys = Vec::new();
        for key in &settings.keys {
            let problem = |problem| LoadError::new(format!("jwt.keys.{}", key.name), problem);
            keys.push(Key::load(key, directory).map_err(problem)?);
        }
        if let Some(file) = &settings.jwks {
            let set = read(directory, file).map_err(|error| error.to_string());
            let set = set.and_then(|text| keys_of_set(&text, warnings));
            let problem =
                |problem| LoadError::new("jwt.jwks", format!("{}: {problem}", file.display()));
            keys.extend(set.map_err(problem)?);
        }
        if keys.is_empty() {
            return Err(LoadError::new(
                "jwt",
                "there is no key: 'keys' or 'jwks' has to name some",
            ));
        }
        Ok(Verifier {
            keys,
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            leeway: settings.leeway,
        })
    }

    /// The principal that a token speaks of.
    ///
    /// # Errors
    /// Why it is refused, in words that tell nothing of it but its issue.
    pub fn verify(&self, token: &str) -> Result<Principal, String> {
        let header = decode_header(token).map_err(|error| error.to_string())?;
        let is_meant = |key: &&Key| match (&header.kid, &key.id) {
            (Some(asked), Some(id)) => asked == id,
            _ => true,
        };
        let mut refused = "no key has the algorithm and the 'kid' of the token".to_owned();
        for key in self.keys.iter().filter(is_meant) {
            if key.algorithm != header.alg {
                continue;
            }
            match decode::<Claims>(token, &key.key, &self.validation(key)) {
                Ok(verified) => return self.principal(&verified.claims),
                Err(error) => refused = error.to_string(),
            }
        }
        Err(refused)
    }

    fn validation(&self, key: &Key) -> Validation {
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = self.leeway.as_secs();
        validation.validate_nbf = true;
        let mut required = vec!["exp", "sub"];
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if !self.audience.is_empty() {
            validation.set_audience(&self.audience);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        validation
    }

    fn principal(&self, claims: &Claims) -> Result<Principal, String> {
        let Claims { sub, iss, .. } = claims;
        let issuer = iss.as_deref().unwrap_or("-");
        if !is_name(sub) || !is_name(issuer) {
            return Err(format!(
                "'sub' and 'iss' have to be names of {LONGEST_NAME} bytes at most"
            ));
        }
        let mut quotas = Quotas::default();
        for (name, quota) in claims.quotas.iter().flatten() {
            if !quotas.set(name, *quota) {
                let known: Vec<_> = Quotas::names().collect();
                return Err(format!("a quota that is none of {}", known.join(", ")));
            }
        }
        // Whoever issues tokens for others as well has scopes of his own in that claim.
        let scope = match claims.scope.as_deref() {
            Some("all") => Scope::All,
            _ => Scope::Own,
        };
        Ok(Principal {
            // The length tells apart what would look the same put together.
            name: Some(format!("jwt/{}/{issuer}/{sub}", issuer.len()).into()),
            scope,
            permissions: Permissions {
                classes: claims.classes.clone(),
                methods: claims.methods.clone(),
            },
            quotas,
            expires: Some(expiry(claims.exp + self.leeway.as_secs_f64())),
        })
    }
}

impl Key {
    fn load(settings: &KeySettings, directory: &Path) -> Result<Key, String> {
        let text = match &settings.key {
            Secret::Value(text) => text.clone(),
            Secret::File(file) => read(directory, file)
                .map_err(|error| format!("{}: {error}", file.display()))?
                .trim()
                .to_owned(),
            Secret::Sha256(_) => return Err("it has to be given itself".to_owned()),
        };
        let key = match settings.algorithm {
            Algorithm::Hs256 => secret(text.as_bytes())?,
            Algorithm::Rs256 => DecodingKey::from_rsa_der(&public_key(&text, RSA_ENCRYPTION)?),
            Algorithm::EdDsa => DecodingKey::from_ed_der(&public_key(&text, ID_ED25519)?),
        };
        Ok(Key {
            id: Some(settings.name.clone()),
            algorithm: algorithm(settings.algorithm),
            key,
        })
    }

    /// `None` for what is there for something else.
    fn of_set(jwk: &Jwk) -> Result<Option<Key>, String> {
        let common = &jwk.common;
        if common
            .public_key_use
            .as_ref()
            .is_some_and(|purpose| *purpose != PublicKeyUse::Signature)
        {
            return Ok(None);
        }
        let (own, named) = match &jwk.algorithm {
            AlgorithmParameters::OctetKey(_) => (Algorithm::Hs256, KeyAlgorithm::HS256),
            AlgorithmParameters::RSA(_) => (Algorithm::Rs256, KeyAlgorithm::RS256),
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
                (Algorithm::EdDsa, KeyAlgorithm::EdDSA)
            }
            _ => return Err("its type is none of oct, RSA and Ed25519".to_owned()),
        };
        if common.key_algorithm.is_some_and(|given| given != named) {
            return Err("its algorithm is none of HS256, RS256 and EdDSA".to_owned());
        }
        let key = DecodingKey::from_jwk(jwk).map_err(|error| error.to_string())?;
        if own == Algorithm::Hs256 {
            secret(key.try_get_as_bytes().map_err(|error| error.to_string())?)?;
        }
        Ok(Some(Key {
            id: common.key_id.clone(),
            algorithm: algorithm(own),
            key,
        }))
    }
}

fn algorithm(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
    }
}

fn secret(bytes: &[u8]) -> Result<DecodingKey, String> {
    if bytes.len() < LEAST_SECRET {
        return Err(format!(
            "a secret of HS256 has to have {LEAST_SECRET} bytes"
        ));
    }
    DecodingKey::from_secret(bytes).map_err(|error| error.to_string())
}

/// What a public key in PEM (RFC 7468 section 13) consists of, if it is of this kind.
fn public_key(pem: &str, kind: &str) -> Result<Vec<u8>, String> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| "it contains no public key ('BEGIN PUBLIC KEY')".to_owned())?;
    let info =
        SubjectPublicKeyInfoRef::try_from(der.as_ref()).map_err(|error| error.to_string())?;
    if info.algorithm.oid.to_string() != kind {
        return Err("its public key is of another algorithm".to_owned());
    }
    Ok(info.subject_public_key.raw_bytes().to_vec())
}

/// The usable keys of a set (RFC 7517 section 5).
fn keys_of_set(text: &str, warnings: &mut Vec<String>) -> Result<Vec<Key>, String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    // The error of the parser might quote a key.
    let set: Set = serde_json::from_str(text).map_err(|_| "it is no set of keys".to_owned())?;
    let mut keys = Vec::new();
    for (index, jwk) in set.keys.into_iter().enumerate() {
        let jwk = Jwk::deserialize(jwk).map_err(|_| "it is malformed".to_owned());
        match jwk.and_then(|jwk| Key::of_set(&jwk)) {
            Ok(key) => keys.extend(key),
            Err(problem) => warnings.push(format!(
                "mediaServer.auth.jwt.jwks: key {index} is left out: {problem}"
            )),
        }
    }
    Ok(keys)
}

/// Whether a token looks like a JWT.
pub(super) fn looks_like_one(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 2
}
