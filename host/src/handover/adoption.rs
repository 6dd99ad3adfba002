//! A connection that the new process passes on to the old one, and on whose behalf it comes.

use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream as StdStream;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;
use tokio::time::Instant;

use crate::accounts::Quotas;
use crate::auth::{Permissions, Principal, Scope};

/// What the old process answers, on the stream itself: it has the session.
pub const KNOWN: u8 = b'y';
/// Nobody has it.
pub const UNKNOWN: u8 = b'n';

/// Who returns to which session. The principal is told as it is, and not its credential: the old
/// process may know that no more, or not yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Adoption {
    /// The id of the session.
    pub session: String,
    /// Where the client is.
    pub from: SocketAddr,
    name: Option<String>,
    sees_all: bool,
    classes: Option<Vec<String>>,
    methods: Option<Vec<String>>,
    quotas: Vec<(String, u64)>,
    /// Milliseconds from now: the clocks of processes have no common beginning.
    expires_in: Option<u64>,
}

impl Adoption {
    /// Of a client there, on behalf of `principal`.
    #[must_use]
    pub fn new(session: String, from: SocketAddr, principal: &Principal) -> Adoption {
        let quotas = Quotas::names();
        let quotas = quotas.filter_map(|name| Some((name.to_owned(), principal.quotas.get(name)?)));
        let expires_in = principal.expires.map(|at| {
            let left = at.saturating_duration_since(Instant::now());
            u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
        });
        Adoption {
            session,
            from,
            name: principal.name.as_deref().map(str::to_owned),
            sees_all: principal.scope == Scope::All,
            classes: principal.permissions.classes.clone(),
            methods: principal.permissions.methods.clone(),
            quotas: quotas.collect(),
            expires_in,
        }
    }

    /// On whose behalf the connection comes.
    #[must_use]
    pub fn principal(&self) -> Principal {
        let mut quotas = Quotas::default();
        for (name, quota) in &self.quotas {
            // One that this version does not know bounds nothing here.
            quotas.set(name, *quota);
        }
        let expires = self.expires_in.map(Duration::from_millis);
        Principal {
            name: self.name.as_deref().map(Into::into),
            scope: match self.sees_all {
                true => Scope::All,
                false => Scope::Own,
            },
            permissions: Permissions {
                classes: self.classes.clone(),
                methods: self.methods.clone(),
            },
            quotas,
            // What never comes is no time that a clock can show.
            expires: expires.and_then(|left| Instant::now().checked_add(left)),
        }
    }
}

/// A stream on which a connection is passed on, of the runtime.
pub(crate) fn nonblocking(stream: StdStream) -> io::Result<UnixStream> {
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_principal_is_the_same_there() {
        let mut quotas = Quotas::default();
        for (quota, name) in (1..).zip(Quotas::names()) {
            assert!(quotas.set(name, quota));
        }
        let principal = Principal {
            name: Some("token/app".into()),
            scope: Scope::Own,
            permissions: Permissions {
                classes: Some(vec!["chroma.*".into()]),
                methods: None,
            },
            quotas,
            expires: Some(Instant::now() + Duration::from_secs(60)),
        };
        for principal in [principal, Principal::anyone()] {
            let adoption = Adoption::new("s".into(), ([127, 0, 0, 1], 1).into(), &principal);
            let told = serde_json::to_string(&adoption).unwrap();
            let there: Adoption = serde_json::from_str(&told).unwrap();
            assert_eq!(there.principal(), principal);
        }
    }
}
