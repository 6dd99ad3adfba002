//! The door: what a request shows becomes a principal, or a refusal.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;

use super::certificates::Certificates;
use super::credential::{Credential, is_token};
use super::jwt::{self, Verifier};
use super::principal::Principal;
use super::settings::{LoadError, Secret, Settings, TokenSettings, read};
use super::throttle::{Delay, Throttle};
use super::tokens::{Digest, Tokens, digest_of};

/// The shortest token that a file or the configuration may contain: fewer characters can be
/// guessed.
const LEAST_TOKEN: usize = 16;
/// How often files of keys and tokens are looked at.
const PERIOD: Duration = Duration::from_secs(2);
/// How long a connection goes on after its credential has expired: what runs need not be cut, and
/// the client has time to come with a new one.
const GRACE: Duration = Duration::from_secs(60);

/// Knows all credentials.
#[derive(Debug)]
pub struct Guard {
    /// `None` where everybody may do everything.
    door: ArcSwapOption<Door>,
    /// Outlives every door: who guesses begins nothing anew when the configuration is read again.
    throttle: Throttle,
    grace: Duration,
}

#[derive(Debug)]
struct Door {
    settings: Settings,
    directory: PathBuf,
    known: ArcSwap<Known>,
    /// What the files contained when they were last looked at.
    seen: Mutex<Vec<Option<String>>>,
}

/// The credentials of one moment.
#[derive(Debug)]
struct Known {
    tokens: Tokens,
    verifier: Option<Verifier>,
    certificates: Option<Certificates>,
}

/// Why a request is not let in.
#[derive(Debug)]
pub enum Refusal {
    /// It shows no credential.
    Missing,
    /// It shows a wrong one; the answer is due when the delay is over.
    Wrong(Delay),
    /// So many wrong ones came from there that nothing was looked at.
    Unheard,
}

impl Default for Guard {
    /// Lets everybody in.
    fn default() -> Guard {
        Guard {
            door: ArcSwapOption::empty(),
            throttle: Throttle::default(),
            grace: GRACE,
        }
    }
}

impl Guard {
    /// Reads the credentials; names of files may be relative to `directory`. What is wrong but no
    /// reason not to start is added to `warnings`.
    ///
    /// # Errors
    /// When a credential cannot be used.
    pub fn load(
        settings: Settings,
        directory: &Path,
        warnings: &mut Vec<String>,
    ) -> Result<Guard, LoadError> {
        let known = Known::load(&settings, directory, warnings)?;
        let door = Door {
            seen: Mutex::new(contents(&settings, directory)),
            directory: directory.to_owned(),
            known: ArcSwap::from_pointee(known),
            settings,
        };
        Ok(Guard {
            door: ArcSwapOption::from_pointee(door),
            ..Guard::default()
        })
    }

    /// Asks for what `other` asks for from now on; what connections have shown stays as it is.
    pub fn adopt(&self, other: &Guard) {
        self.door.store(other.door.load_full());
    }

    /// The same, with another time between the expiry of a credential and the end of its connection.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Guard {
        self.grace = grace;
        self
    }

    /// How long a connection goes on after its credential has expired.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// Whether a credential is asked for.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.door.load().is_some()
    }

    /// On whose behalf a request comes that shows this credential, on a connection that has shown
    /// this certificate.
    ///
    /// Where both are shown the token counts: a proxy that has a certificate hands on the tokens of
    /// its users. It counts no longer than a certificate that has to be shown besides.
    ///
    /// # Errors
    /// When it is not let in.
    pub fn identify(
        &self,
        credential: &Credential,
        certificate: Option<&CertificateDer<'_>>,
        from: IpAddr,
    ) -> Result<Arc<Principal>, Refusal> {
        let Some(door) = self.door.load_full() else {
            return Ok(Arc::new(Principal::anyone()));
        };
        let known = door.known.load();
        let certificates = known.certificates.as_ref().zip(certificate);
        let token = match credential {
            // Not a guess, and so not counted: browsers and probes ask without one first, and whoever
            // has a certificate has it from somebody trusted.
            Credential::None => {
                let identified = certificates.map(|(known, shown)| known.identify(shown));
                let identified = identified.ok_or(Refusal::Missing)?;
                return identified.map_err(|reason| {
                    tracing::warn!(%from, "a certificate that opens nothing: {reason}");
                    Refusal::Missing
                });
            }
            _ if !self.throttle.listens_to(from) => return Err(Refusal::Unheard),
            Credential::Malformed => None,
            Credential::Bearer(token) => Some(token),
        };
        let reason = match token.map(|token| known.find(token)) {
            Some(Ok(principal)) => match certificates {
                Some((known, shown)) => return known.bound(principal, shown),
                None => return Ok(principal),
            },
            Some(Err(reason)) => reason,
            None => "it is malformed".to_owned(),
        };
        tracing::warn!(%from, "a wrong credential: {reason}");
        Err(Refusal::Wrong(self.throttle.failed(from, Instant::now())))
    }

    /// What verifies certificates of clients at this moment; `None` where none is asked for.
    #[must_use]
    pub fn client_verifier(&self) -> Option<Arc<dyn ClientCertVerifier>> {
        let door = self.door.load_full()?;
        let known = door.known.load();
        Some(known.certificates.as_ref()?.verifier().clone())
    }

    /// Reads the credentials again, if their files have changed; what connections have shown
    /// stays as it is.
    ///
    /// # Errors
    /// When one cannot be used any more: those of before stay in use.
    pub fn reload(&self) -> Result<bool, LoadError> {
        match self.door.load_full() {
            Some(door) => door.reload(),
            None => Ok(false),
        }
    }

    /// Looks at the files every [`PERIOD`], for as long as it is polled.
    pub async fn keep_current(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(PERIOD);
        loop {
            ticks.tick().await;
            let has_files = |door: &Arc<Door>| !door.settings.files().is_empty();
            if !self.door.load().as_ref().is_some_and(has_files) {
                continue;
            }
            let guard = self.clone();
            // The files may be on a disk that takes its time.
            match spawn_blocking(move || guard.reload()).await {
                Ok(Ok(false)) | Err(_) => {}
                Ok(Ok(true)) => tracing::info!("the files of credentials were read again"),
                Ok(Err(error)) => tracing::warn!("{error}; the ones before stay in use"),
            }
        }
    }
}

impl Door {
    fn reload(&self) -> Result<bool, LoadError> {
        let now = contents(&self.settings, &self.directory);
        let mut seen = self.seen.lock();
        if *seen == now {
            return Ok(false);
        }
        *seen = now;
        drop(seen);
        let mut warnings = Vec::new();
        let known = Known::load(&self.settings, &self.directory, &mut warnings)?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        self.known.store(Arc::new(known));
        Ok(true)
    }
}

/// What is in the files of credentials now: `None` for what cannot be read.
fn contents(settings: &Settings, directory: &Path) -> Vec<Option<String>> {
    let files = settings.files().into_iter();
    files.map(|file| read(directory, file).ok()).collect()
}

impl Known {
    fn load(
        settings: &Settings,
        directory: &Path,
        warnings: &mut Vec<String>,
    ) -> Result<Known, LoadError> {
        let mut tokens = Vec::new();
        for token in &settings.tokens {
            let digest = digest(token, directory)
                .map_err(|problem| LoadError::new(format!("tokens.{}", token.name), problem))?;
            if tokens.iter().any(|(known, _)| *known == digest) {
                let problem = "another name has the same token";
                return Err(LoadError::new(format!("tokens.{}", token.name), problem));
            }
            let name = format!("token/{}", token.name);
            tokens.push((digest, Arc::new(Principal::of(&name, &token.grant))));
        }
        let verifier = settings.jwt.as_ref();
        let verifier = verifier.map(|jwt| Verifier::load(jwt, directory, warnings));
        let certificates = settings.certificates.as_ref();
        let certificates = certificates.map(|settings| Certificates::load(settings, directory));
        Ok(Known {
            tokens: Tokens::new(tokens),
            verifier: verifier.transpose()?,
            certificates: certificates.transpose()?,
        })
    }

    fn find(&self, token: &str) -> Result<Arc<Principal>, String> {
        if let Some(principal) = self.tokens.find(token) {
            return Ok(principal.clone());
        }
        match &self.verifier {
            Some(verifier) if jwt::looks_like_one(token) => verifier.verify(token).map(Arc::new),
            _ => Err("nobody has this token".to_owned()),
        }
    }
}

fn digest(token: &TokenSettings, directory: &Path) -> Result<Digest, String> {
    let text = match &token.secret {
        Secret::Sha256(digest) => return Ok(*digest),
        Secret::Value(text) => text.clone(),
        Secret::File(file) => {
            read(directory, file).map_err(|error| format!("{}: {error}", file.display()))?
        }
    };
    let text = text.trim();
    if text.len() < LEAST_TOKEN || !is_token(text) {
        return Err(format!(
            "a token has to have {LEAST_TOKEN} characters or more, all of them visible ASCII: `openssl rand -hex 32` makes one"
        ));
    }
    Ok(digest_of(text))
}
