//! Lists of what belongs to an account, by which it is found who has to make room.
//!
//! Outboxes and sessions claim from their account and enter themselves here. The account knows them
//! only by what they can do about it: so the registry knows accounts, and accounts not the
//! registry.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How long a reply can be repeated.
pub(crate) const REPLY_LIFETIME: Duration = Duration::from_secs(20);
/// A session stands once for all its replies of so long in the order of its account.
pub(crate) const REPLY_GRANULE: Duration = Duration::from_secs(1);

/// Messages that wait for a client to read them.
pub trait Unread: Debug + Send + Sync {
    /// Bytes that count for the account.
    fn claimed(&self) -> u64;
    /// Gives all of them up, and the connection, for this reason.
    fn give_up(&self, reason: &str);
}

/// What waits on the connections of an account, by serial number.
#[derive(Debug, Default)]
pub struct UnreadMessages(Mutex<HashMap<u64, Weak<dyn Unread>>>);

impl UnreadMessages {
    pub(crate) fn enter(&self, serial: u64, unread: Weak<dyn Unread>) {
        self.0.lock().insert(serial, unread);
    }

    pub(crate) fn remove(&self, serial: u64) {
        self.0.lock().remove(&serial);
    }

    /// Where most waits, if anything counts for the account.
    pub(crate) fn heaviest(&self) -> Option<Arc<dyn Unread>> {
        // The lock of the list is let go before any of them is asked, which takes one of its own:
        // nobody ever holds both.
        let all: Vec<_> = self.0.lock().values().filter_map(Weak::upgrade).collect();
        let heaviest = all.into_iter().max_by_key(|unread| unread.claimed())?;
        (heaviest.claimed() > 0).then_some(heaviest)
    }
}

/// Replies that are kept for clients that ask again.
pub trait KeptReplies: Debug + Send + Sync {
    /// Drops what was kept at `past` or before.
    fn drop_until(&self, past: Instant);
    /// Drops what is too old to be repeated at `now`.
    fn expire(&self, now: Instant);
}

/// The sessions of an account in the order of their replies, the oldest first.
#[derive(Debug, Default)]
pub struct ReplyOrder(Mutex<VecDeque<(Instant, Weak<dyn KeptReplies>)>>);

impl ReplyOrder {
    /// Some reply is kept at `now`, and perhaps others within the [granule](REPLY_GRANULE) after it.
    pub(crate) fn add(&self, now: Instant, replies: Weak<dyn KeptReplies>) {
        self.0.lock().push_back((now, replies));
    }

    /// Drops the oldest replies; `false` when there are none.
    pub(crate) fn drop_oldest(&self) -> bool {
        let oldest = self.0.lock().pop_front();
        let Some((at, replies)) = oldest else {
            return false;
        };
        if let Some(replies) = replies.upgrade() {
            replies.drop_until(at + REPLY_GRANULE);
        }
        true
    }

    /// Drops the replies that nobody may ask for any more; whether some are left.
    pub fn expire(&self, now: Instant) -> bool {
        loop {
            let mut order = self.0.lock();
            match order.front() {
                None => {
                    *order = VecDeque::new();
                    return false;
                }
                Some((at, _))
                    if now.saturating_duration_since(*at) < REPLY_LIFETIME + REPLY_GRANULE =>
                {
                    return true;
                }
                Some(_) => {}
            }
            let oldest = order.pop_front();
            drop(order);
            if let Some(replies) = oldest.and_then(|(_, replies)| replies.upgrade()) {
                replies.expire(now);
            }
        }
    }
}

/// What clients of an account have named and nobody else knows yet: two connections that begin to
/// use a name at the same time mean the same.
#[derive(Debug, Default)]
pub struct Newcomers(Mutex<HashMap<Arc<str>, Weak<dyn Any + Send + Sync>>>);

impl Newcomers {
    /// What has this name, made if there is nothing.
    pub(crate) fn find_or_make<T: Any + Send + Sync>(
        &self,
        name: &Arc<str>,
        make: impl FnOnce() -> Arc<T>,
    ) -> Arc<T> {
        let mut all = self.0.lock();
        let known = all.get(name).and_then(Weak::upgrade);
        if let Some(known) = known.and_then(|known| known.downcast().ok()) {
            return known;
        }
        let made = make();
        let weak: Weak<T> = Arc::downgrade(&made);
        all.insert(name.clone(), weak);
        made
    }

    /// What has this name is known to all from now on.
    pub(crate) fn forget(&self, name: &str) {
        self.0.lock().remove(name);
    }

    /// Something with this name has gone, perhaps not what the name means now.
    pub(crate) fn forget_dropped(&self, name: &str) {
        let mut all = self.0.lock();
        if all.get(name).is_some_and(|known| known.strong_count() == 0) {
            all.remove(name);
        }
        if all.is_empty() {
            *all = HashMap::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_one_thing_until_that_has_gone() {
        let names = Newcomers::default();
        let name: Arc<str> = "a".into();
        let first = names.find_or_make(&name, || Arc::new(1u8));
        let second = names.find_or_make(&name, || Arc::new(2u8));
        assert!(Arc::ptr_eq(&first, &second));
        drop((first, second));
        assert_eq!(*names.find_or_make(&name, || Arc::new(3u8)), 3);
        names.forget_dropped(&name);
        assert!(names.0.lock().is_empty());
    }
}
