//! Principals: on whose behalf a connection acts, and what its credential permits.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rivero_idl::Class;
use tokio::time::Instant;

use super::settings::Grant;
use crate::accounts::{Account, Quotas};
use crate::error::CallError;

/// Methods that every credential permits: they concern nothing but the connection and its own
/// session, or consist of others.
const ALWAYS: &[&str] = &["connect", "keepAlive", "ping", "transaction"];

/// What the names of principals begin with that have shown a certificate.
pub(super) const CERTIFICATE: &str = "certificate";

/// Bytes of the name of a principal that a credential brings with it, at most.
pub(super) const LONGEST_NAME: usize = 256;

/// Which objects and sessions there are for a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Its own.
    #[default]
    Own,
    /// Those of all principals.
    All,
}

/// What a credential permits to do; `None` is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Patterns of classes of which objects may be created, with or without their namespace.
    pub classes: Option<Vec<String>>,
    /// Patterns of methods of the protocol; `invoke.play` is one operation alone.
    pub methods: Option<Vec<String>>,
}

/// On whose behalf a connection acts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Principal {
    /// Its name, with the kind of its credential; `None` where nobody has to show one.
    pub name: Option<Arc<str>>,
    /// Which objects there are for it.
    pub scope: Scope,
    /// What it may do with them.
    pub permissions: Permissions,
    /// How much it may have.
    pub quotas: Quotas,
    /// Nothing new is begun from then on.
    pub expires: Option<Instant>,
}

/// Who makes a request: a principal, and the account that it is counted for.
#[derive(Debug, Clone)]
pub struct Caller {
    principal: Arc<Principal>,
    account: Arc<Account>,
}

impl Principal {
    /// One that a credential without end of its own gives this.
    pub(super) fn of(name: &str, grant: &Grant) -> Principal {
        Principal {
            name: Some(name.into()),
            scope: grant.scope,
            permissions: grant.permissions.clone(),
            quotas: grant.quotas.clone(),
            expires: None,
        }
    }

    /// Whoever calls a server that asks for no credential.
    #[must_use]
    pub fn anyone() -> Principal {
        Principal {
            scope: Scope::All,
            ..Principal::default()
        }
    }

    /// What it has shown, in the words of clients.
    #[must_use]
    pub fn credential(&self) -> &'static str {
        let name = self.name.as_deref().unwrap_or_default();
        match name.starts_with(CERTIFICATE) {
            true => "certificate",
            false => "token",
        }
    }

    /// Whether its credential has expired.
    #[must_use]
    pub fn has_expired(&self) -> bool {
        self.expires.is_some_and(|at| at <= Instant::now())
    }

    /// Done so long after the credential has expired; never, if it does not.
    pub async fn expired_for(&self, grace: Duration) {
        match self.expires {
            Some(at) => tokio::time::sleep_until(at + grace).await,
            None => std::future::pending().await,
        }
    }
}

impl Caller {
    /// A principal that is counted for `account`.
    #[must_use]
    pub fn new(principal: Arc<Principal>, account: Arc<Account>) -> Caller {
        Caller { principal, account }
    }

    /// Whoever calls a server that asks for no credential.
    #[must_use]
    pub fn anyone(account: &Arc<Account>) -> Caller {
        Caller::new(Arc::new(Principal::anyone()), account.clone())
    }

    /// The principal.
    #[must_use]
    pub fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// Whom it is counted for.
    #[must_use]
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Whether what others own exists for it.
    #[must_use]
    pub fn sees_all(&self) -> bool {
        self.principal.scope == Scope::All
    }

    /// Whether what `owner` owns exists for it.
    #[must_use]
    pub fn sees(&self, owner: Option<&Arc<str>>) -> bool {
        self.sees_all() || owner == self.account.owner()
    }

    /// # Errors
    /// 40111 when the credential does not permit a method of the protocol.
    pub fn check_method(&self, method: &str) -> Result<(), CallError> {
        let Some(permitted) = &self.principal.permissions.methods else {
            return Ok(());
        };
        // Which operation is invoked is checked once that is known.
        let is_permitted = |pattern: &String| {
            matches(pattern, method) || (method == "invoke" && pattern.starts_with("invoke."))
        };
        match ALWAYS.contains(&method) || permitted.iter().any(is_permitted) {
            true => Ok(()),
            false => Err(not_permitted(method)),
        }
    }

    /// # Errors
    /// 40111 when the credential does not permit an operation of objects.
    pub fn check_operation(&self, operation: &str) -> Result<(), CallError> {
        let Some(permitted) = &self.principal.permissions.methods else {
            return Ok(());
        };
        let is_permitted = |pattern: &String| match pattern.strip_prefix("invoke.") {
            Some(pattern) => matches(pattern, operation),
            None => matches(pattern, "invoke"),
        };
        match permitted.iter().any(is_permitted) {
            true => Ok(()),
            false => Err(not_permitted(&format!("invoke.{operation}"))),
        }
    }

    /// # Errors
    /// 40108 when the credential does not permit objects of a class.
    pub fn check_class(&self, class: &Class) -> Result<(), CallError> {
        let Some(permitted) = &self.principal.permissions.classes else {
            return Ok(());
        };
        let is_permitted = |pattern: &String| {
            matches(pattern, &class.name) || matches(pattern, class.qualified_name())
        };
        match permitted.iter().any(is_permitted) {
            true => Ok(()),
            false => Err(CallError::not_available(format!(
                "The token permits no objects of class '{}': its 'classes' would have to name it",
                class.name
            ))),
        }
    }
}

fn not_permitted(method: &str) -> CallError {
    CallError::operation_not_supported(format!(
        "The token does not permit '{method}': its 'methods' would have to name it"
    ))
}

/// Whether a text can be the name of a principal.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_NAME && !text.chars().any(char::is_control)
}

/// When a credential expires by the server's clock, from seconds since 1970; never later than in a
/// year, which no instant is out of reach of.
pub(super) fn expiry(at: f64) -> Instant {
    const YEAR: f64 = 366.0 * 86_400.0;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let left = at - now.unwrap_or_default().as_secs_f64();
    Instant::now() + Duration::try_from_secs_f64(left.min(YEAR)).unwrap_or_default()
}

/// Whether a text is the pattern, or begins with what stands before a `*` at the pattern's end.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => text.starts_with(beginning),
        None => text == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(methods: &[&str]) -> Caller {
        let methods = methods.iter().map(|method| (*method).to_owned()).collect();
        let permissions = Permissions {
            methods: Some(methods),
            classes: None,
        };
        let principal = Principal {
            permissions,
            ..Principal::anyone()
        };
        Caller::new(Arc::new(principal), Account::alone())
    }

    #[test]
    fn methods_and_operations_are_permitted_by_their_patterns() {
        let reader = caller(&["describe", "invoke.get*", "sub*"]);
        for method in ["describe", "subscribe", "invoke", "ping", "transaction"] {
            assert!(reader.check_method(method).is_ok(), "{method}");
        }
        for method in ["create", "release", "unsubscribe", "closeSession"] {
            assert_eq!(reader.check_method(method).unwrap_err().code, 40111);
        }
        assert!(reader.check_operation("getStats").is_ok());
        assert!(reader.check_operation("play").is_err());
        assert!(caller(&["invoke"]).check_operation("play").is_ok());
        assert!(caller(&["*"]).check_operation("play").is_ok());
        assert!(caller(&[]).check_operation("getName").is_err());
        assert!(caller(&["create"]).check_method("invoke").is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_a_minute_after_its_credential() {
        let start = Instant::now();
        let principal = Principal {
            expires: Some(start + Duration::from_secs(5)),
            ..Principal::default()
        };
        assert!(!principal.has_expired() && !Principal::anyone().has_expired());
        let grace = crate::auth::Guard::default().grace();
        principal.expired_for(grace).await;
        assert!(principal.has_expired() && start.elapsed().as_secs() == 65);
        let never = Principal::anyone();
        let waited = tokio::time::timeout(Duration::from_secs(86_400), never.expired_for(grace));
        assert!(waited.await.is_err());
    }

    #[test]
    fn anyone_may_do_everything() {
        let anyone = Caller::anyone(&Account::alone());
        assert!(anyone.check_method("release").is_ok() && anyone.check_operation("x").is_ok());
        assert!(anyone.sees(None) && anyone.sees(Some(&"a".into())));
    }
}
