//! Events: how what happens to an object becomes a message to those who
//! [subscribed](crate::registry::Subscriptions).
//!
//! A session gets each event of an object once, however often it subscribed, in the order in
//! which the events were raised.

mod delivery;
mod emitter;
mod seen;

pub use emitter::Emitter;
pub use seen::Seen;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rivero_idl::Model;
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::accounts::{Account, OnItsWay, Resource};
use crate::aliases::{old_event_data, old_event_names};
use crate::convert;
use crate::jsonrpc::json::weight;
use crate::jsonrpc::response;
use crate::observe::recent::Recent;
use crate::registry::{Object, Tags};
use delivery::Delivery;

/// How long a reply waits at most for the events that its request raised.
const PATIENCE: Duration = Duration::from_millis(100);

/// Raises events on objects.
#[derive(Debug)]
pub struct Events {
    model: Arc<Model>,
    delivery: Delivery,
    /// Number of the next event.
    next: AtomicU64,
    /// The latest ones, while somebody looks on, whether clients want them or not.
    recent: Arc<Recent<Seen>>,
}

/// An event as it was when it was raised.
struct Raised {
    model: Arc<Model>,
    object: Arc<Object>,
    name: Box<str>,
    data: Map<String, Value>,
    number: u64,
    /// Whose the object is that the event speaks of, if it is of the server manager about another.
    owner: Option<Option<Arc<str>>>,
    millis: u128,
    /// `None` where events carry none.
    tags: Option<Arc<Tags>>,
}

impl Events {
    /// `model` tells which properties the events of the server's own classes have.
    ///
    /// # Errors
    /// When the thread that delivers events cannot be started.
    pub fn new(model: Arc<Model>) -> io::Result<Events> {
        Ok(Events {
            model,
            delivery: Delivery::start()?,
            next: AtomicU64::new(0),
            recent: Arc::new(Recent::new(seen::MOST, seen::MOST_BYTES)),
        })
    }

    /// Sends an event to every session that subscribed to it, soon.
    ///
    /// `data` holds the event's own properties; `source`, `timestampMillis`, `tags` and, for
    /// events that have it, `type` are added unless given. Who subscribed to an old name of
    /// the event gets it under that one. Costs no more than a queue, whoever listens.
    pub fn raise(&self, object: &Arc<Object>, event: &str, data: Map<String, Value>) {
        self.raise_for(object.account(), object, None, event, data);
    }

    /// As [`Events::raise`], of the server manager about another object: only those get it for whom
    /// that exists.
    pub fn raise_about(
        &self,
        other: &Object,
        manager: &Arc<Object>,
        event: &str,
        data: Map<String, Value>,
    ) {
        let owner = Some(other.owner().cloned());
        self.raise_for(other.account(), manager, owner, event, data);
    }

    /// Raises an event that is due to what `account` did.
    fn raise_for(
        &self,
        account: &Arc<Account>,
        object: &Arc<Object>,
        owner: Option<Option<Arc<str>>>,
        event: &str,
        data: Map<String, Value>,
    ) {
        if self.recent.is_watched() {
            let seen = Seen::new(object, event, &data);
            self.recent.push(seen.size(), seen);
        }
        let subscriptions = &object.subscriptions;
        let mut old_names = old_event_names(&object.class, event);
        if !subscriptions.wants(event) && !old_names.any(|old| subscriptions.wants(old)) {
            return;
        }
        // Modules choose the sizes. What has no room is missed, as with a connection that is.
        let weight = data.values().map(weight).sum::<u64>();
        let Ok(claim) = account.claim(Resource::UnreadBytes, weight) else {
            return;
        };
        let raised = Raised {
            model: object.types().unwrap_or(&self.model).clone(),
            object: object.clone(),
            name: event.into(),
            data,
            number: self.next.fetch_add(1, Ordering::AcqRel),
            owner,
            millis: now_millis(),
            tags: tags(object),
        };
        let on_its_way = OnItsWay::begin(account);
        self.delivery.push(account, move || {
            let _until_then = (claim, on_its_way);
            raised.deliver()
        });
    }

    /// The latest events, kept while somebody [watches](Recent::watch).
    #[must_use]
    pub fn recent(&self) -> &Arc<Recent<Seen>> {
        &self.recent
    }

    /// The number of the next event: who subscribes now wants this one and later ones.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// Ends the subscriptions of an object that was destroyed, after its last events.
    pub fn retire(&self, object: &Arc<Object>) {
        if object.subscriptions.is_empty() {
            return;
        }
        let retired = object.clone();
        self.delivery
            .push_always(object.account(), move || retired.forget_subscriptions());
    }

    /// Done when the events that the account has raised so far are with those who want them, or
    /// when that takes too long.
    pub async fn settled(&self, account: &Arc<Account>) {
        let fence = self.delivery.fence(account);
        let _ = tokio::time::timeout(PATIENCE, fence).await;
    }

    /// Events that were raised and wanted so far.
    #[must_use]
    pub fn raised(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Events that wait for their delivery.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.delivery.waiting()
    }

    /// Calls `then` on the thread of events, when it is the account's turn.
    pub fn when_idle(&self, account: &Arc<Account>, then: Box<dyn FnOnce() + Send>) {
        self.delivery.push_always(account, move || {
            then();
            0
        });
    }

    /// Events that were dropped because too many waited for their delivery.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.delivery.dropped()
    }
}

impl Raised {
    /// Makes the messages and hands them over; returns how many.
    fn deliver(mut self) -> u64 {
        let name = std::mem::take(&mut self.name);
        self.complete(&name);
        let mut count = self.send(&name, &self.data);
        for old in old_event_names(&self.object.class, &name) {
            if self.object.subscriptions.wants(old) {
                count += self.send(old, &old_event_data(old, &self.data));
            }
        }
        count
    }

    /// Brings the data into the form that clients expect.
    fn complete(&mut self, event: &str) {
        let data = &mut self.data;
        let definition = self.object.class.event(event);
        if let Some(definition) = definition {
            convert::label_event(&self.model, definition, data);
        }
        data.entry("source")
            .or_insert_with(|| Value::from(&*self.object.id));
        data.entry("timestampMillis")
            .or_insert_with(|| Value::String(self.millis.to_string()));
        let tags = self.tags.iter().flat_map(|tags| tags.iter());
        data.entry("tags")
            .or_insert_with(|| tags.map(|(key, value)| tag(key, value)).collect());
        // ObjectCreated and ObjectDestroyed are the ones without.
        if definition.is_none_or(|definition| {
            definition
                .properties
                .iter()
                .any(|property| property.name == "type")
        }) {
            data.entry("type").or_insert_with(|| Value::from(event));
        }
    }

    fn send(&self, event: &str, data: &Map<String, Value>) -> u64 {
        let sessions = self
            .object
            .subscriptions
            .sessions(event, self.number, self.owner.as_ref());
        if sessions.is_empty() {
            return 0;
        }
        let text = Utf8Bytes::from(response::event(&self.object.id, event, data));
        for session in &sessions {
            session.deliver(text.clone());
        }
        sessions.len() as u64
    }
}

/// Milliseconds since the epoch.
#[must_use]
pub fn now_millis() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis()
}

/// The tags that an object's events carry: its own ones, if the client asked for them.
fn tags(object: &Object) -> Option<Arc<Tags>> {
    let labels = object.labels.lock();
    labels.send_tags_in_events.then(|| labels.tags().clone())
}

/// A tag as clients expect it.
#[must_use]
pub fn tag(key: &str, value: &str) -> Value {
    json!({"__module__": "kurento", "__type__": "Tag", "key": key, "value": value})
}
