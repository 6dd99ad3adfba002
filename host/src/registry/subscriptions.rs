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
    /// Whether it gets what is said of objects that the session's principal does not own.
    sees_all: bool,
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
        sees_all: bool,
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
                sees_all: false,
                ids: HashSet::new(),
                claim: Claim::none(session.account(), Resource::Subscriptions),
            });
        subscriber.sees_all |= sees_all;
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

    /// The sessions that want the event with this number, each once. What is said of an object of
    /// `owner` reaches nobody for whom that object does not exist.
    pub fn sessions(
        &self,
        event: &str,
        number: u64,
        owner: Option<&Option<Arc<str>>>,
    ) -> Vec<Arc<Session>> {
        let by_event = self.by_event.lock();
        let subscribers = by_event.get(event).into_iter().flat_map(HashMap::values);
        let sees = |subscriber: &Subscriber| {
            let own = subscriber.session.account().owner();
            subscriber.sees_all || owner.is_none_or(|owner| owner.as_ref() == own)
        };
        let concerned =
            subscribers.filter(|subscriber| subscriber.since <= number && sees(subscriber));
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
        let first = subscriptions.add("Error", &session, 0, false).unwrap();
        let second = subscriptions.add("Error", &session, 0, false).unwrap();
        assert_ne!(first, second);
        assert_eq!(subscriptions.sessions("Error", 0, None).len(), 1);
        assert!(!subscriptions.remove(&first, &session));
        assert!(!subscriptions.remove("nope", &session));
        assert_eq!(subscriptions.sessions("Error", 0, None).len(), 1);
        assert!(subscriptions.remove(&second, &session) && subscriptions.is_empty());
    }

    #[test]
    fn nobody_ends_another_sessions_subscription() {
        let (subscriptions, mine, other) = (Subscriptions::default(), session("a"), session("b"));
        let id = subscriptions.add("Error", &mine, 0, false).unwrap();
        subscriptions.remove(&id, &other);
        assert_eq!(subscriptions.sessions("Error", 0, None).len(), 1);
        subscriptions.remove_session(&mine);
        assert!(subscriptions.sessions("Error", 0, None).is_empty());
    }

    #[test]
    fn news_of_an_object_reach_those_for_whom_it_exists() {
        let accounts = crate::accounts::Accounts::default().into();
        let session = |name: &str| {
            let quotas = crate::accounts::Quotas::default();
            let account = crate::accounts::Accounts::of_principal(&accounts, &name.into(), &quotas);
            Session::new("s".into(), &account)
        };
        let (subscriptions, a, b, all) = (
            Subscriptions::default(),
            session("a"),
            session("b"),
            session("c"),
        );
        subscriptions.add("ObjectCreated", &a, 0, false).unwrap();
        subscriptions.add("ObjectCreated", &b, 0, false).unwrap();
        subscriptions.add("ObjectCreated", &all, 0, true).unwrap();
        let count = |owner: Option<&str>| {
            let owner = owner.map(Arc::from);
            let sessions = subscriptions.sessions("ObjectCreated", 0, Some(&owner));
            sessions.len()
        };
        assert_eq!((count(Some("a")), count(Some("x")), count(None)), (2, 1, 1));
        assert_eq!(subscriptions.sessions("ObjectCreated", 0, None).len(), 3);
    }

    #[test]
    fn events_of_before_are_not_wanted() {
        let (subscriptions, session) = (Subscriptions::default(), session("s"));
        subscriptions.add("Error", &session, 7, false).unwrap();
        assert!(subscriptions.sessions("Error", 6, None).is_empty());
        assert_eq!(subscriptions.sessions("Error", 7, None).len(), 1);
    }

    #[test]
    fn subscriptions_count_for_their_account() {
        let (subscriptions, session) = (Subscriptions::default(), session("s"));
        let usage = || session.account().usage(Resource::Subscriptions);
        let first = subscriptions.add("Error", &session, 0, false).unwrap();
        subscriptions.add("Error", &session, 0, false).unwrap();
        subscriptions
            .add("MediaStateChanged", &session, 0, false)
            .unwrap();
        assert_eq!(usage(), 3);
        subscriptions.remove(&first, &session);
        assert_eq!(usage(), 2);
        assert_eq!(subscriptions.take().len(), 2);
        assert_eq!(usage(), 0);
    }
}
