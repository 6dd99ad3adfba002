//! The subscriptions of one object.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::id::unique_id;
use super::session::Session;
use crate::accounts::{Claim, Exhausted, Resource};

/// Which sessions want which events of an object.
#[derive(Debug, Default)]
pub struct Subscriptions {
    by_event: Mutex<HashMap<Box<str>, Subscribers>>,
}

/// By serial number of the session, so that each gets an event once.
type Subscribers = HashMap<u64, Subscriber>;

/// A session that wants an event.
#[derive(Debug)]
struct Subscriber {
    session: Arc<Session>,
    /// Number of the first event that it wants: one that was raised before waits for its
    /// delivery perhaps.
    since: u64,
    ids: HashSet<Arc<str>>,
    /// For as many as there are ids.
    claim: Claim,
}

impl Subscriptions {
    /// Subscribes a session to the events from number `since` on; returns the id of the
    /// subscription.
    ///
    /// # Errors
    /// When the account of the session may have no more subscriptions.
    pub fn add(
        &self,
        event: &str,
        session: &Arc<Session>,
        since: u64,
    ) -> Result<Arc<str>, Exhausted> {
        let mut claim = session.account().claim(Resource::Subscriptions, 1)?;
        let id = unique_id();
        let mut by_event = self.by_event.lock();
        let subscribers = by_event.entry(event.into()).or_default();
        let subscriber = subscribers
            .entry(session.serial)
            .or_insert_with(|| Subscriber {
                session: session.clone(),
                since,
                ids: HashSet::new(),
                claim: Claim::none(session.account(), Resource::Subscriptions),
            });
        subscriber.ids.insert(id.clone());
        subscriber.claim.merge(&mut claim);
        Ok(id)
    }

    /// Ends one subscription of a session; unknown ids are no error. Returns whether the session
    /// has none left.
    pub fn remove(&self, id: &str, session: &Session) -> bool {
        self.retain(session, |subscriber| {
            if subscriber.ids.remove(id) {
                subscriber.claim.shrink(1);
            }
            !subscriber.ids.is_empty()
        })
    }

    /// Ends all subscriptions of a session.
    pub fn remove_session(&self, session: &Session) {
        self.retain(session, |_| false);
    }

    /// Keeps what `keep` says of a session's subscriptions to each event; whether nothing is left.
    fn retain(&self, session: &Session, mut keep: impl FnMut(&mut Subscriber) -> bool) -> bool {
        let mut left = 0;
        let mut by_event = self.by_event.lock();
        by_event.retain(|_, subscribers| {
            match subscribers.get_mut(&session.serial).map(&mut keep) {
                Some(true) => left += 1,
                Some(false) => drop(subscribers.remove(&session.serial)),
                None => {}
            }
            !subscribers.is_empty()
        });
        left == 0
    }

    /// Ends all subscriptions: the object has been destroyed. Returns the sessions that had some.
    pub fn take(&self) -> Vec<Arc<Session>> {
        let by_event = std::mem::take(&mut *self.by_event.lock());
        let subscribers = by_event.into_values().flat_map(HashMap::into_values);
        subscribers.map(|subscriber| subscriber.session).collect()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_event.lock().is_empty()
    }

    /// Whether somebody wants an event.
    pub fn wants(&self, event: &str) -> bool {
        self.by_event.lock().contains_key(event)
    }

    /// The sessions that want the event with this number, each once.
    pub fn sessions(&self, event: &str, number: u64) -> Vec<Arc<Session>> {
        let by_event = self.by_event.lock();
        let subscribers = by_event.get(event).into_iter().flat_map(HashMap::values);
        let concerned = subscribers.filter(|subscriber| subscriber.since <= number);
        concerned
            .map(|subscriber| subscriber.session.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::Account;

    fn session(id: &str) -> Arc<Session> {
        Session::new(id.into(), &Account::alone())
    }

    #[test]
    fn one_delivery_however_many_subscriptions() {
        let (subscriptions, session) = (Subscriptions::default(), session("s"));
        let first = subscriptions.add("Error", &session, 0).unwrap();
        let second = subscriptions.add("Error", &session, 0).unwrap();
        assert_ne!(first, second);
        assert_eq!(subscriptions.sessions("Error", 0).len(), 1);
        assert!(!subscriptions.remove(&first, &session));
        assert!(!subscriptions.remove("nope", &session));
        assert_eq!(subscriptions.sessions("Error", 0).len(), 1);
        assert!(subscriptions.remove(&second, &session) && subscriptions.is_empty());
    }

    #[test]
    fn nobody_ends_another_sessions_subscription() {
        let (subscriptions, mine, other) = (Subscriptions::default(), session("a"), session("b"));
        let id = subscriptions.add("Error", &mine, 0).unwrap();
        subscriptions.remove(&id, &other);
        assert_eq!(subscriptions.sessions("Error", 0).len(), 1);
        subscriptions.remove_session(&mine);
        assert!(subscriptions.sessions("Error", 0).is_empty());
    }

    #[test]
    fn events_of_before_are_not_wanted() {
        let (subscriptions, session) = (Subscriptions::default(), session("s"));
        subscriptions.add("Error", &session, 7).unwrap();
        assert!(subscriptions.sessions("Error", 6).is_empty());
        assert_eq!(subscriptions.sessions("Error", 7).len(), 1);
    }

    #[test]
    fn subscriptions_count_for_their_account() {
        let (subscriptions, session) = (Subscriptions::default(), session("s"));
        let usage = || session.account().usage(Resource::Subscriptions);
        let first = subscriptions.add("Error", &session, 0).unwrap();
        subscriptions.add("Error", &session, 0).unwrap();
        subscriptions.add("MediaStateChanged", &session, 0).unwrap();
        assert_eq!(usage(), 3);
        subscriptions.remove(&first, &session);
        assert_eq!(usage(), 2);
        assert_eq!(subscriptions.take().len(), 2);
        assert_eq!(usage(), 0);
    }
}
