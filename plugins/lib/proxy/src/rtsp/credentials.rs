//! User and password, and who may get them.

use http_auth::{PasswordClient, PasswordParams};
use percent_encoding::percent_decode_str;
use url::Url;

/// Challenges that are looked at.
const MOST_CHALLENGES: usize = 8;

/// A user and a password, for one host.
pub(crate) struct Credentials {
    user: String,
    password: String,
    /// What the host last asked for.
    client: Option<PasswordClient>,
}

impl Credentials {
    /// Those of a URL, decoded.
    pub(crate) fn of(url: &Url) -> Option<Self> {
        if url.username().is_empty() && url.password().is_none() {
            return None;
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Some(Self {
            user: decoded(url.username()),
            password: decoded(url.password().unwrap_or_default()),
            client: None,
        })
    }

    /// Takes the challenges of a response, one header `WWW-Authenticate` each; whether one of them can be answered.
    /// A digest tells the host nothing that it does not know, so it goes before the password itself.
    pub(crate) fn challenged<'a>(&mut self, challenges: impl Iterator<Item = &'a str>) -> bool {
        let known = challenges
            .take(MOST_CHALLENGES)
            .filter_map(|challenge| PasswordClient::try_from(challenge).ok());
        self.client = known.min_by_key(|client| !matches!(client, PasswordClient::Digest(_)));
        self.client.is_some()
    }

    /// The header `Authorization` for a request, once the host has asked for it (RFC 7616, RFC 7617).
    pub(crate) fn answer(&mut self, method: &str, uri: &str) -> Option<String> {
        let params = PasswordParams {
            username: &self.user,
            password: &self.password,
            uri,
            method,
            body: None,
        };
        self.client.as_mut()?.respond(&params).ok()
    }
}

impl Clone for Credentials {
    /// For another connection, on which nobody has asked for them yet.
    fn clone(&self) -> Self {
        Self {
            user: self.user.clone(),
            password: self.password.clone(),
            client: None,
        }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Credentials")
    }
}
