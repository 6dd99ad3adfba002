//! Certificates of clients (RFC 5280, RFC 8446 section 4.4.2): an authority that the operator trusts says who
//! calls, and the configuration what he may.
//!
//! rustls verifies them in the handshake of the TLS listener, revocation included. What is left to
//! do here is to find the principal: that of the entry whose pattern fits best.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;

use super::guard::Refusal;
use super::principal::{CERTIFICATE, LONGEST_NAME, Principal, expiry, is_name, matches};
use super::settings::{CertificateSettings, Grant, HolderSettings, LoadError, read};
use super::subject::{KINDS, Subject, comparable};

/// What verifies certificates and knows their holders, with the files of one moment.
#[derive(Debug)]
pub(super) struct Certificates {
    verifier: Arc<dyn ClientCertVerifier>,
    required: bool,
    /// Patterns, each with its principal.
    known: Vec<(String, Arc<Principal>)>,
    others: Option<Grant>,
}

impl Certificates {
    /// # Errors
    /// When a file or a pattern cannot be used.
    pub(super) fn load(
        settings: &CertificateSettings,
        directory: &Path,
    ) -> Result<Certificates, LoadError> {
        Ok(Certificates {
            verifier: verifier(settings, directory)?,
            required: settings.required,
            known: known(&settings.principals)?,
            others: settings.others.clone(),
        })
    }

    /// For the handshake.
    pub(super) fn verifier(&self) -> &Arc<dyn ClientCertVerifier> {
        &self.verifier
    }

    /// The principal of a certificate that was verified.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn identify(
        &self,
        certificate: &CertificateDer<'_>,
    ) -> Result<Arc<Principal>, String> {
        let subject = Subject::of(certificate)?;
        let principal = match self.find(&subject)? {
            Some(known) => Principal::clone(known),
            None => self.other(&subject)?,
        };
        Ok(until(principal, &subject))
    }

    /// A principal whose token came on a connection with a certificate. Where that has to be, one
    /// that expires takes the token with it.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub(super) fn bound(
        &self,
        principal: Arc<Principal>,
        certificate: &CertificateDer<'_>,
    ) -> Result<Arc<Principal>, Refusal> {
        if !self.required {
            return Ok(principal);
        }
        let subject = Subject::of(certificate).map_err(|_| Refusal::Missing)?;
        Ok(until(Principal::clone(&principal), &subject))
    }

    /// The principal whose pattern says most: a whole name more than a part of one, a longer part
    /// more than a shorter one.
    fn find(&self, subject: &Subject) -> Result<Option<&Arc<Principal>>, String> {
        let is_of = |pattern: &str| subject.names.iter().any(|name| fits(pattern, name));
        let fitting = self.known.iter().filter(|(pattern, _)| is_of(pattern));
        let ranked: Vec<_> = fitting.map(|(pattern, one)| (rank(pattern), one)).collect();
        let Some(best) = ranked.iter().map(|(rank, _)| *rank).max() else {
            return Ok(None);
        };
        let mut best = ranked
            .iter()
            .filter(|(rank, _)| *rank == best)
            .map(|(_, one)| *one);
        let first = best.next();
        // Whoever issued it has said two things, and either may be the wrong one.
        if best.any(|other| first.is_some_and(|first| !Arc::ptr_eq(first, other))) {
            return Err(format!(
                "{:?} are names of several principals",
                subject.names
            ));
        }
        Ok(first)
    }

    /// The principal that stands for a client nobody knows by name: each has its own.
    fn other(&self, subject: &Subject) -> Result<Principal, String> {
        let names = &subject.names;
        let grant = self.others.as_ref();
        let grant = grant.ok_or_else(|| format!("{names:?} are names of no principal"))?;
        let name = names.first().filter(|name| is_name(name));
        let name = name
            .ok_or_else(|| format!("it has no name of {LONGEST_NAME} bytes at most: {names:?}"))?;
        Ok(Principal::of(&format!("{CERTIFICATE}-of/{name}"), grant))
    }
}

/// What the names of hosts below another one begin with, in a pattern.
const BELOW: &str = "DNS:*.";

/// Whether a name is one of a pattern: that name, one that begins as it says before `*`, or a host below
/// one.
fn fits(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix(BELOW), name.strip_prefix("DNS:")) {
        (Some(domain), Some(host)) => {
            let above = host.strip_suffix(domain);
            above.is_some_and(|above| above.len() > 1 && above.ends_with('.'))
        }
        (Some(_), None) => false,
        (None, _) => matches(pattern, name),
    }
}

/// How much a pattern says: whole names are equal in rank.
fn rank(pattern: &str) -> (bool, usize) {
    match pattern.contains('*') {
        true => (false, pattern.len()),
        false => (true, 0),
    }
}

/// Whether a text is a pattern: a kind and what may follow it. The end of a host's name says whose it is, so
/// that `*` stands for its beginning, and for the end of all other names.
fn is_pattern(text: &str) -> bool {
    let kind = KINDS.iter().find(|kind| text.starts_with(*kind));
    let name = kind
        .and_then(|kind| text.strip_prefix(kind))
        .unwrap_or_default();
    let fixed = match text.strip_prefix(BELOW) {
        Some(domain) => domain,
        None if text.starts_with("DNS:") => name,
        None => name.strip_suffix('*').unwrap_or(name),
    };
    !name.is_empty() && !fixed.contains('*') && (!fixed.is_empty() || !text.starts_with("DNS:"))
}

/// A principal that expires with a certificate, if it does not before.
fn until(mut principal: Principal, subject: &Subject) -> Arc<Principal> {
    let end = expiry(subject.not_after);
    principal.expires = Some(principal.expires.map_or(end, |earlier| earlier.min(end)));
    Arc::new(principal)
}

fn verifier(
    settings: &CertificateSettings,
    directory: &Path,
) -> Result<Arc<dyn ClientCertVerifier>, LoadError> {
    let wrong = |key: &str, file: &Path, problem: String| {
        let key = format!("clientCertificates.{key}");
        LoadError::new(key, format!("{}: {problem}", file.display()))
    };
    let of_ca = |problem| wrong("ca", &settings.ca, problem);
    let pem = read(directory, &settings.ca).map_err(|error| of_ca(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let root = root.map_err(|error| of_ca(format!("malformed PEM: {error}")))?;
        roots.add(root).map_err(|error| of_ca(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(of_ca("it contains no certificate".to_owned()));
    }
    let provider = Arc::new(ring::default_provider());
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if let Some(file) = &settings.crl {
        let of_crl = |problem| wrong("crl", file, problem);
        let pem = read(directory, file).map_err(|error| of_crl(error.to_string()))?;
        let lists = CertificateRevocationListDer::pem_slice_iter(pem.as_bytes());
        let lists: Vec<_> = lists
            .collect::<Result<_, _>>()
            .map_err(|error| of_crl(format!("malformed PEM: {error}")))?;
        if lists.is_empty() {
            return Err(of_crl(
                "it contains no revocation list ('BEGIN X509 CRL')".to_owned(),
            ));
        }
        // As OpenSSL has it: a list that is out of date says nothing about anybody, and nobody is let
        // in by it. Whoever could keep a new list away would undo a revocation otherwise.
        builder = builder.with_crls(lists).enforce_revocation_expiration();
    }
    if !settings.required {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map_err(|error| match &settings.crl {
        Some(file) => wrong("crl", file, error.to_string()),
        None => of_ca(error.to_string()),
    })
}

fn known(holders: &[HolderSettings]) -> Result<Vec<(String, Arc<Principal>)>, LoadError> {
    let mut known: Vec<(String, Arc<Principal>)> = Vec::new();
    for holder in holders {
        let wrong = |problem: String| {
            LoadError::new(
                format!("clientCertificates.principals.{}", holder.name),
                problem,
            )
        };
        let principal = Principal::of(&format!("{CERTIFICATE}/{}", holder.name), &holder.grant);
        let principal = Arc::new(principal);
        for name in &holder.names {
            if !is_pattern(name) {
                return Err(wrong(format!(
                    "'{name}' in 'names' is none of CN:…, DNS:…, URI:… and email:…, with * at the end, or DNS:*.example.com"
                )));
            }
            let pattern = comparable(name);
            if known.iter().any(|(other, _)| *other == pattern) {
                return Err(wrong(format!("'{name}' stands in 'names' twice")));
            }
            known.push((pattern, principal.clone()));
        }
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificates(holders: &[(&str, &[&str])], others: bool) -> Result<Certificates, LoadError> {
        let directory = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["ca".into()]).unwrap();
        std::fs::write(directory.path().join("ca.pem"), made.cert.pem()).unwrap();
        let holders = holders.iter().map(|(name, names)| HolderSettings {
            name: (*name).to_owned(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            grant: Grant::default(),
        });
        let settings = CertificateSettings {
            ca: "ca.pem".into(),
            principals: holders.collect(),
            others: others.then(Grant::default),
            ..CertificateSettings::default()
        };
        Certificates::load(&settings, directory.path())
    }

    #[test]
    fn the_pattern_that_says_most_counts() {
        let holders: [(&str, &[&str]); 4] = [
            ("app", &["DNS:App.example.com", "CN:app"]),
            ("fleet", &["URI:spiffe://example.com/*"]),
            ("west", &["URI:spiffe://example.com/west/*"]),
            ("ops", &["email:Ops@EXAMPLE.com", "DNS:*.Ops.example.com"]),
        ];
        let known = certificates(&holders, true).unwrap();
        let name = |names: &[&str]| {
            let names = names.iter().map(|name| comparable(name)).collect();
            let subject = Subject {
                names,
                not_after: 0.0,
            };
            let principal = match known.find(&subject)? {
                Some(known) => Principal::clone(known),
                None => known.other(&subject)?,
            };
            Ok::<_, String>(principal.name.unwrap().to_string())
        };
        for (names, expected) in [
            (&["CN:app"][..], "certificate/app"),
            (&["DNS:APP.example.com", "CN:app"], "certificate/app"),
            (&["URI:spiffe://example.com/a"], "certificate/fleet"),
            (&["URI:spiffe://example.com/west/a"], "certificate/west"),
            (
                &["URI:spiffe://example.com/west/a", "CN:app"],
                "certificate/app",
            ),
            (&["email:Ops@example.COM"], "certificate/ops"),
            (
                &["email:ops@example.com"],
                "certificate-of/email:ops@example.com",
            ),
            (&["DNS:a.b.ops.example.com"], "certificate/ops"),
            (
                &["DNS:ops.example.com"],
                "certificate-of/DNS:ops.example.com",
            ),
            (
                &["DNS:.ops.example.com"],
                "certificate-of/DNS:.ops.example.com",
            ),
            (
                &["DNS:devops.example.com"],
                "certificate-of/DNS:devops.example.com",
            ),
            (&["CN:App"], "certificate-of/CN:App"),
            (
                &["CN:DNS:app.example.com"],
                "certificate-of/CN:DNS:app.example.com",
            ),
            (
                &["DNS:app.example.com.evil"],
                "certificate-of/DNS:app.example.com.evil",
            ),
        ] {
            assert_eq!(name(names).unwrap(), expected, "{names:?}");
        }
        assert!(
            name(&["CN:app", "email:Ops@example.com"])
                .unwrap_err()
                .contains("several")
        );
        assert!(name(&[]).is_err() && name(&["CN:a\u{0}"]).is_err());
        let none = certificates(&holders, false).unwrap();
        let unknown = Subject {
            names: vec!["CN:x".into()],
            not_after: 0.0,
        };
        assert!(none.other(&unknown).unwrap_err().contains("no principal"));
    }

    #[test]
    fn patterns_that_mean_nothing_or_two_things_are_refused() {
        for (holders, told) in [
            (
                [("a", &["app"][..]), ("b", &[])],
                "principals.a: 'app' in 'names'",
            ),
            (
                [("a", &["DNS:"]), ("b", &[])],
                "principals.a: 'DNS:' in 'names'",
            ),
            (
                [("a", &["DNS:*."]), ("b", &[])],
                "principals.a: 'DNS:*.' in 'names'",
            ),
            (
                [("a", &["DNS:app.*"]), ("b", &[])],
                "principals.a: 'DNS:app.*' in 'names'",
            ),
            (
                [("a", &["CN:*a"]), ("b", &[])],
                "principals.a: 'CN:*a' in 'names'",
            ),
            (
                [("a", &["DNS:x"]), ("b", &["DNS:X"])],
                "principals.b: 'DNS:X' stands",
            ),
        ] {
            let error = certificates(&holders, false).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
