//! Bounds for clients: whoever shares an [`Account`] shares what one client may have.
//!
//! An account stands for the principal of the credential that a connection has shown, and where
//! none is asked for, for the machine that it comes from. Whatever a client can make
//! grow is claimed from its account ([`Claim`]) before it grows, and comes back when the claim is
//! dropped. An account at its bound is refused more of that kind, and so is, near the bound of
//! the server, the account that has most: nobody is refused because of others who have more.
//!
//! A claim takes no lock, and two or three atomic additions.

mod belongings;
mod events;
mod key;
mod ledger;
mod limits;
mod media;
mod quotas;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

pub use belongings::{KeptReplies, Newcomers, ReplyOrder, Unread, UnreadMessages};
pub(crate) use belongings::{REPLY_GRANULE, REPLY_LIFETIME};
pub use events::EventCount;
pub(crate) use events::OnItsWay;
pub(crate) use key::AccountId;
pub use ledger::{Claim, Exhausted};
use ledger::{Counters, Heaviest};
pub use limits::{Bounds, Limits, Resource};
pub use media::{Carrier, Metered};
pub use quotas::Quotas;

/// All accounts, and what they use together.
#[derive(Debug, Default)]
pub struct Accounts {
    /// Replaced as a whole when the configuration is read again.
    limits: ArcSwap<Limits>,
    used: Counters,
    heaviest: Heaviest,
    /// An account is known as long as something belongs to it.
    known: Mutex<HashMap<AccountId, Weak<Account>>>,
    /// Bytes of media by account and day, of accounts that have a quota of these and have gone: who comes
    /// back on the same day does not begin anew.
    gone: Mutex<HashMap<AccountId, (u64, u64)>>,
}

/// Whom clients are counted for.
#[derive(Debug)]
pub struct Account {
    accounts: Arc<Accounts>,
    id: AccountId,
    /// The principal that it is of; `None` where an address is all that is known.
    owner: Option<Arc<str>>,
    quotas: quotas::InForce,
    used: Counters,
    events: EventCount,
    replies: ReplyOrder,
    unread: UnreadMessages,
    media: media::Media,
    newcomers: Newcomers,
    turns: Arc<Semaphore>,
    arrivals: Semaphore,
}

/// Accounts at most whose bytes are remembered when they have gone. Of more, those go that had least.
const REMEMBERED: usize = 65_536;

/// Connections of one account that may begin at a time. A handshake takes some hundred
/// microseconds, and a thousand of them at once would hold everybody up for that many.
const ARRIVALS: usize = 16;

/// Connections of one account that may have requests handled at a time. Further ones wait for
/// their turn, so that nobody else waits for thousands of them.
const TURNS: usize = 16;

impl Accounts {
    /// No accounts yet.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Accounts> {
        Arc::new(Accounts {
            limits: ArcSwap::from_pointee(limits),
            ..Accounts::default()
        })
    }

    /// Puts other bounds in place of those so far. Who has more already keeps it, and gets no more.
    pub fn set_limits(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
    }

    /// The account of the clients at an address.
    pub fn of_peer(self: &Arc<Self>, address: IpAddr) -> Arc<Account> {
        self.account(AccountId::of(address), None)
    }

    /// The account of a principal, from wherever it connects. Of several credentials with
    /// different quotas the one that was shown last counts.
    pub fn of_principal(self: &Arc<Self>, name: &Arc<str>, quotas: &Quotas) -> Arc<Account> {
        let account = self.account(AccountId::of_principal(name), Some(name));
        account.quotas.replace(quotas);
        account
    }

    /// The account of the server itself, which makes the server manager.
    pub fn of_server(self: &Arc<Self>) -> Arc<Account> {
        self.account(AccountId::Server, None)
    }

    fn account(self: &Arc<Self>, id: AccountId, owner: Option<&Arc<str>>) -> Arc<Account> {
        let mut known = self.known.lock();
        if let Some(account) = known.get(&id).and_then(Weak::upgrade) {
            return account;
        }
        let account = Arc::new(Account {
            accounts: self.clone(),
            id,
            owner: owner.cloned(),
            quotas: quotas::InForce::default(),
            used: Counters::default(),
            events: EventCount::default(),
            replies: ReplyOrder::default(),
            unread: UnreadMessages::default(),
            media: media::Media::default(),
            newcomers: Newcomers::default(),
            turns: Arc::new(Semaphore::new(TURNS)),
            arrivals: Semaphore::new(ARRIVALS),
        });
        if let Some(bytes) = self.gone.lock().remove(&id) {
            account.media.resume(bytes);
        }
        known.insert(id, Arc::downgrade(&account));
        account
    }

    /// Looks how much media the accounts carry whose quotas are on it; for every second.
    pub fn look_at_media(&self, now: Instant, since_1970: Duration) {
        let day = since_1970.as_secs() / 86_400;
        for account in self.all().iter().filter(|account| account.owner.is_some()) {
            account.media.look(account.quotas.are_on_media(), now, day);
        }
        self.gone.lock().retain(|_, (of, _)| *of == day);
    }

    fn remember(&self, id: AccountId, bytes: (u64, u64)) {
        let mut gone = self.gone.lock();
        if gone.len() >= REMEMBERED {
            let mut least: Vec<_> = gone.iter().map(|(id, (_, bytes))| (*bytes, *id)).collect();
            least.sort_unstable();
            // A tenth at a time, so that the next thousands cost no sorting.
            for (_, id) in least.iter().take(REMEMBERED / 10) {
                gone.remove(id);
            }
        }
        gone.insert(id, bytes);
    }

    /// Drops the replies that nobody may ask for any more; whether some are left.
    pub fn expire_replies(&self, now: Instant) -> bool {
        let left = self
            .all()
            .iter()
            .filter(|account| account.replies.expire(now))
            .count();
        left > 0
    }

    /// All accounts that something belongs to.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Account>> {
        self.known
            .lock()
            .values()
            .filter_map(Weak::upgrade)
            .collect()
    }
}

impl Account {
    /// An account of its own without others beside it, with the bounds by default.
    #[must_use]
    pub fn alone() -> Arc<Account> {
        Accounts::new(Limits::default()).of_server()
    }

    /// What tells it from others.
    pub(crate) fn id(&self) -> AccountId {
        self.id
    }

    /// The principal that it is of, if clients have to show a credential.
    #[must_use]
    pub fn owner(&self) -> Option<&Arc<str>> {
        self.owner.as_ref()
    }

    /// The events that it waits for, or that are due to what it did.
    #[must_use]
    pub fn events(&self) -> &EventCount {
        &self.events
    }

    /// Its sessions, in the order of the replies that are kept for them.
    #[must_use]
    pub fn replies(&self) -> &ReplyOrder {
        &self.replies
    }

    /// What waits on its connections.
    #[must_use]
    pub fn unread(&self) -> &UnreadMessages {
        &self.unread
    }

    /// Its sessions that are not known yet.
    #[must_use]
    pub fn newcomers(&self) -> &Newcomers {
        &self.newcomers
    }

    /// The turns of its connections.
    #[must_use]
    pub fn turns(&self) -> &Arc<Semaphore> {
        &self.turns
    }

    /// The turns of its connections that are about to begin.
    #[must_use]
    pub fn arrivals(&self) -> &Semaphore {
        &self.arrivals
    }

    /// All bounds.
    #[must_use]
    pub fn limits(&self) -> Guard<Arc<Limits>> {
        self.accounts.limits()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let mut known = self.accounts.known.lock();
        // A new account of the same clients may have taken its place meanwhile.
        if known
            .get(&self.id)
            .is_some_and(|account| account.strong_count() == 0)
        {
            known.remove(&self.id);
            let bytes = self.media.last_day();
            // Before another account can take its place, which takes this over.
            if self.quotas.are_by_day() && bytes.1 > 0 {
                self.accounts.remember(self.id, bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_back_on_the_same_day_goes_on_counting() {
        #[derive(Debug)]
        struct Fixed;
        impl Carrier for Fixed {
            fn bytes(&self) -> u64 {
                1_000
            }
        }
        let accounts = Accounts::new(Limits::default());
        let mut quotas = Quotas::default();
        assert!(quotas.set("bytes", 1_000));
        let day = Duration::from_secs(86_400);
        let come = |name: &str| accounts.of_principal(&name.into(), &quotas);
        let first = come("a");
        accounts.look_at_media(Instant::now(), day);
        assert!(first.check_media().is_ok());
        drop(Metered::new(&first, Arc::new(Fixed)));
        drop(first);
        assert_eq!(come("a").check_media().unwrap_err().code, 40009);
        assert!(come("b").check_media().is_ok());
        accounts.look_at_media(Instant::now(), 2 * day);
        assert!(come("a").check_media().is_ok() && accounts.gone.lock().is_empty());
    }

    #[test]
    fn an_account_lasts_as_long_as_something_belongs_to_it() {
        let accounts = Accounts::new(Limits::default());
        let first = accounts.of_peer([192, 0, 2, 1].into());
        let claim = first.claim(Resource::Sessions, 1).unwrap();
        drop(first);
        assert!(Arc::ptr_eq(
            &accounts.of_peer([192, 0, 2, 1].into()),
            claim.account()
        ));
        drop(claim);
        assert!(accounts.all().is_empty() && accounts.known.lock().is_empty());
    }
}
