//! Who uses how much: counters of each account and of all together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::Guard;
use parking_lot::Mutex;

use super::limits::{Limits, RESOURCES, Resource, share};
use super::{Account, AccountId, Accounts};
use crate::error::CallError;

/// How long it counts who the heaviest account is: looking for it takes a look at all of them.
const HEAVIEST_VALIDITY: Duration = Duration::from_millis(100);

/// Amounts by resource.
///
/// The counters are independent of everything else in memory, so that relaxed operations do: a
/// claim adds first and looks at the sum that it got, and therefore no two claims pass the same
/// bound together.
#[derive(Debug, Default)]
pub(super) struct Counters([AtomicU64; RESOURCES]);

impl Counters {
    fn of(&self, resource: Resource) -> Option<&AtomicU64> {
        self.0.get(resource as usize)
    }

    pub(super) fn get(&self, resource: Resource) -> u64 {
        self.of(resource)
            .map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// Adds; returns the sum.
    fn add(&self, resource: Resource, amount: u64) -> u64 {
        let before = self
            .of(resource)
            .map(|counter| counter.fetch_add(amount, Ordering::Relaxed));
        before.unwrap_or_default().saturating_add(amount)
    }

    fn subtract(&self, resource: Resource, amount: u64) {
        if let Some(counter) = self.of(resource) {
            counter.fetch_sub(amount, Ordering::Relaxed);
        }
    }
}

/// Why an account gets no more of something. The text names the setting that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exhausted {
    /// It has what one account may have.
    #[error("This client has reached mediaServer.limits.account.{} ({limit})", resource.name())]
    Account {
        /// Of what.
        resource: Resource,
        /// The bound.
        limit: u64,
    },
    /// It has what its credential permits.
    #[error("The token permits {limit} {} (quota {}): end some first", resource.name(), resource.name())]
    Quota {
        /// Of what.
        resource: Resource,
        /// The quota.
        limit: u64,
    },
    /// Nearly all is used, most of it by this account.
    #[error("The server is near mediaServer.limits.{} ({limit}), and no client uses more of it than this one", resource.name())]
    Heaviest {
        /// Of what.
        resource: Resource,
        /// The bound of all together.
        limit: u64,
    },
    /// All is used.
    #[error("The server has reached mediaServer.limits.{} ({limit})", resource.name())]
    Total {
        /// Of what.
        resource: Resource,
        /// The bound of all together.
        limit: u64,
    },
}

impl Exhausted {
    /// The setting that says so, in a text that fits into a close frame (123 bytes).
    #[must_use]
    pub fn setting(&self) -> String {
        match self {
            Exhausted::Account { resource, .. } => {
                format!("mediaServer.limits.account.{} is reached", resource.name())
            }
            Exhausted::Quota { resource, .. } => {
                format!("The token's quota of {} is reached", resource.name())
            }
            Exhausted::Heaviest { resource, .. } | Exhausted::Total { resource, .. } => {
                format!("mediaServer.limits.{} is reached", resource.name())
            }
        }
    }
}

impl From<Exhausted> for CallError {
    fn from(exhausted: Exhausted) -> CallError {
        CallError::not_enough_resources(exhausted.to_string())
    }
}

/// What an account has of something; dropping it gives it back.
#[derive(Debug)]
pub struct Claim {
    account: Arc<Account>,
    resource: Resource,
    amount: u64,
}

impl Claim {
    /// A claim of nothing yet.
    #[must_use]
    pub fn none(account: &Arc<Account>, resource: Resource) -> Claim {
        Claim {
            account: account.clone(),
            resource,
            amount: 0,
        }
    }

    /// What is claimed.
    #[must_use]
    pub fn amount(&self) -> u64 {
        self.amount
    }

    /// Who claims.
    #[must_use]
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Claims more.
    ///
    /// # Errors
    /// When a bound is reached; what was claimed before stays.
    pub fn grow(&mut self, amount: u64) -> Result<(), Exhausted> {
        if amount == 0 {
            return Ok(());
        }
        self.account
            .accounts
            .add(&self.account, self.resource, amount)?;
        self.amount += amount;
        Ok(())
    }

    /// Gives back, at most what there is.
    pub fn shrink(&mut self, amount: u64) {
        let amount = amount.min(self.amount);
        if amount == 0 {
            return;
        }
        self.amount -= amount;
        self.account.used.subtract(self.resource, amount);
        self.account.accounts.used.subtract(self.resource, amount);
    }

    /// Takes over what another claim of the same account and kind has.
    pub fn merge(&mut self, other: &mut Claim) {
        debug_assert!(
            Arc::ptr_eq(&self.account, &other.account) && self.resource == other.resource
        );
        self.amount += std::mem::take(&mut other.amount);
    }

    /// Claims as much as `amount` in all, more or less than before.
    ///
    /// # Errors
    /// As [`Claim::grow`].
    pub fn resize(&mut self, amount: u64) -> Result<(), Exhausted> {
        if amount > self.amount {
            return self.grow(amount - self.amount);
        }
        self.shrink(self.amount - amount);
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shrink(self.amount);
    }
}

impl Account {
    /// Claims an amount of something.
    ///
    /// # Errors
    /// When a bound is reached.
    pub fn claim(self: &Arc<Self>, resource: Resource, amount: u64) -> Result<Claim, Exhausted> {
        let mut claim = Claim::none(self, resource);
        claim.grow(amount)?;
        Ok(claim)
    }

    /// What it uses of something.
    #[must_use]
    pub fn usage(&self, resource: Resource) -> u64 {
        self.used.get(resource)
    }
}

/// The account that has most of each resource.
#[derive(Debug, Default)]
pub(super) struct Heaviest([Mutex<Option<Most>>; RESOURCES]);

/// Who has most of something.
#[derive(Debug, Clone, Copy)]
struct Most {
    account: AccountId,
    amount: u64,
    looked_up: Instant,
}

impl Accounts {
    /// What all accounts use of something.
    #[must_use]
    pub fn usage(&self, resource: Resource) -> u64 {
        self.used.get(resource)
    }

    fn add(&self, account: &Account, resource: Resource, amount: u64) -> Result<(), Exhausted> {
        let own = account.used.add(resource, amount);
        let all = self.used.add(resource, amount);
        let verdict = self.judge(account, resource, own, all);
        if verdict.is_err() {
            account.used.subtract(resource, amount);
            self.used.subtract(resource, amount);
        }
        verdict
    }

    /// Whether an account may have `own` where all have `all`.
    fn judge(
        &self,
        account: &Account,
        resource: Resource,
        own: u64,
        all: u64,
    ) -> Result<(), Exhausted> {
        let bounds = self.limits().of(resource);
        if let Some(limit) = account.quotas.amount(resource) {
            if own > limit {
                return Err(Exhausted::Quota { resource, limit });
            }
        } else if own > bounds.account {
            return Err(Exhausted::Account {
                resource,
                limit: bounds.account,
            });
        }
        if all > bounds.total {
            return Err(Exhausted::Total {
                resource,
                limit: bounds.total,
            });
        }
        let is_heaviest = || self.most(resource).is_none_or(|most| own >= most.amount);
        if all > share(bounds.total) && is_heaviest() {
            return Err(Exhausted::Heaviest {
                resource,
                limit: bounds.total,
            });
        }
        Ok(())
    }

    fn most(&self, resource: Resource) -> Option<Most> {
        let mut known = self.heaviest.0.get(resource as usize)?.lock();
        if let Some(most) = *known
            && most.looked_up.elapsed() < HEAVIEST_VALIDITY
        {
            return Some(most);
        }
        let all = self.all();
        let heaviest = all.iter().max_by_key(|account| account.usage(resource))?;
        *known = Some(Most {
            account: heaviest.id(),
            amount: heaviest.usage(resource),
            looked_up: Instant::now(),
        });
        *known
    }

    /// The account that has most of something, or had a moment ago.
    pub(crate) fn heaviest(&self, resource: Resource) -> Option<AccountId> {
        self.most(resource).map(|most| most.account)
    }

    /// The bounds.
    #[must_use]
    pub fn limits(&self) -> Guard<Arc<Limits>> {
        self.limits.load()
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::Bounds;
    use super::*;

    fn accounts(total: u64, account: u64) -> Arc<Accounts> {
        let bounds = Bounds { total, account };
        Accounts::new(Limits::default().with(Resource::Sessions, bounds))
    }

    fn client(accounts: &Arc<Accounts>, last: u8) -> Arc<Account> {
        accounts.of_peer([192, 0, 2, last].into())
    }

    #[test]
    fn what_is_dropped_comes_back() {
        let accounts = accounts(100, 10);
        let account = client(&accounts, 1);
        let mut claim = account.claim(Resource::Sessions, 6).unwrap();
        assert!(claim.grow(5).is_err() && claim.amount() == 6);
        claim.resize(10).unwrap();
        claim.shrink(3);
        assert_eq!((account.usage(Resource::Sessions), claim.amount()), (7, 7));
        drop(claim);
        assert_eq!(
            (
                account.usage(Resource::Sessions),
                accounts.usage(Resource::Sessions)
            ),
            (0, 0)
        );
    }

    #[test]
    fn the_heaviest_is_refused_and_not_the_newest() {
        let accounts = accounts(100, 90);
        let (heavy, light) = (client(&accounts, 1), client(&accounts, 2));
        let _first = heavy.claim(Resource::Sessions, 79).unwrap();
        let mut second = light.claim(Resource::Sessions, 1).unwrap();
        let refused = heavy.claim(Resource::Sessions, 2).unwrap_err();
        assert_eq!(
            refused,
            Exhausted::Heaviest {
                resource: Resource::Sessions,
                limit: 100
            }
        );
        second.grow(19).unwrap();
        let refused = second.grow(10).unwrap_err();
        assert_eq!(
            refused,
            Exhausted::Total {
                resource: Resource::Sessions,
                limit: 100
            }
        );
    }

    #[test]
    fn a_refusal_names_its_setting() {
        let accounts = accounts(100, 10);
        let error = CallError::from(
            client(&accounts, 1)
                .claim(Resource::Sessions, 11)
                .unwrap_err(),
        );
        assert_eq!(error.code, 40009);
        assert!(
            error
                .message
                .contains("mediaServer.limits.account.sessions (10)"),
            "{error}"
        );
    }
}
