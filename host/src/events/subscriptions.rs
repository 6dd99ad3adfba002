//! The subscriptions of one object.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::registry::Session;
use crate::registry::id::unique_id;

/// Which sessions want which events of an object.
#[derive(Debug, Default)]
pub struct Subscriptions {
    by_event: Mutex<HashMap<Box<str>, Vec<Subscription>>>,
}

#[derive(Debug)]
struct Subscription {
    id: Arc<str>,
    session: Arc<Session>,
}

impl Subscriptions {
    /// Subscribes a session; returns the id of the subscription.
    pub fn add(&self, event: &str, session: &Arc<Session>) -> Arc<str> {
        let id = unique_id();
        let subscription = Subscription {
            id: id.clone(),
            session: session.clone(),
        };
        self.by_event
            .lock()
            .entry(event.into())
            .or_default()
            .push(subscription);
        id
    }

    /// Ends one subscription of a session; unknown ids are no error.
    pub fn remove(&self, id: &str, session: &Arc<Session>) {
        self.retain(|subscription| {
            *subscription.id != *id || !Arc::ptr_eq(&subscription.session, session)
        });
    }

    /// Ends all subscriptions of a session.
    pub fn remove_session(&self, session: &Arc<Session>) {
        self.retain(|subscription| !Arc::ptr_eq(&subscription.session, session));
    }

    /// Ends all subscriptions: the object has been destroyed.
    pub fn clear(&self) {
        self.by_event.lock().clear();
    }

    /// The sessions that want an event, each once.
    pub fn sessions(&self, event: &str) -> Vec<Arc<Session>> {
        let by_event = self.by_event.lock();
        let mut sessions: Vec<Arc<Session>> = Vec::new();
        for subscription in by_event.get(event).into_iter().flatten() {
            if !sessions
                .iter()
                .any(|session| Arc::ptr_eq(session, &subscription.session))
            {
                sessions.push(subscription.session.clone());
            }
        }
        sessions
    }

    fn retain(&self, keep: impl Fn(&Subscription) -> bool) {
        self.by_event.lock().retain(|_, subscriptions| {
            subscriptions.retain(&keep);
            !subscriptions.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_delivery_however_many_subscriptions() {
        let (subscriptions, session) = (Subscriptions::default(), Session::new("s".into()));
        let first = subscriptions.add("Error", &session);
        let second = subscriptions.add("Error", &session);
        assert_ne!(first, second);
        assert_eq!(subscriptions.sessions("Error").len(), 1);
        subscriptions.remove(&first, &session);
        subscriptions.remove("nope", &session);
        assert_eq!(subscriptions.sessions("Error").len(), 1);
        subscriptions.remove(&second, &session);
        assert!(subscriptions.sessions("Error").is_empty());
    }

    #[test]
    fn nobody_ends_another_sessions_subscription() {
        let (subscriptions, mine, other) = (
            Subscriptions::default(),
            Session::new("a".into()),
            Session::new("b".into()),
        );
        let id = subscriptions.add("Error", &mine);
        subscriptions.remove(&id, &other);
        assert_eq!(subscriptions.sessions("Error").len(), 1);
        subscriptions.remove_session(&mine);
        assert!(subscriptions.sessions("Error").is_empty());
    }
}
