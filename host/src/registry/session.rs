//! Sessions: who holds objects and gets events.
//!
//! A session outlives its connection. It becomes *known* when it first touches an object;
//! before that its id is only a string that a connection carries.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::holds::Held;
use super::object::Object;
use super::outbox::Outbox;
use super::replies::Replies;
use crate::accounts::{Account, Claim, Exhausted, Resource};

/// Events kept for a session without connection; the oldest are dropped first.
const MAX_BACKLOG: usize = 1_000;
/// Bytes of events kept for a session without connection.
const MAX_BACKLOG_BYTES: u64 = 1 << 20;
/// What a kept event costs beside its text.
const EVENT_OVERHEAD: u64 = 64;

static NEXT_SERIAL: AtomicU64 = AtomicU64::new(1);

/// One session.
#[derive(Debug)]
pub struct Session {
    /// Chosen by the client or by the server.
    pub id: Arc<str>,
    /// Never used twice, unlike the id.
    pub serial: u64,
    pub(super) known: AtomicBool,
    /// Cleared by each pass of the garbage collector, set by each use.
    pub(super) alive: AtomicBool,
    /// Objects held. Changed only under the registry's graph lock.
    pub(super) held: Mutex<Held>,
    /// Objects with subscriptions of this session, by serial number. Changed only under the
    /// registry's graph lock.
    pub(super) subscribed: Mutex<HashMap<u64, Weak<Object>>>,
    /// That the account may have the session, while it is known.
    pub(super) place: Mutex<Option<Claim>>,
    account: Arc<Account>,
    link: Mutex<Link>,
    replies: Mutex<Replies>,
}

/// Where events go.
#[derive(Debug)]
struct Link {
    outbox: Option<Arc<Outbox>>,
    backlog: VecDeque<Utf8Bytes>,
    /// For what the backlog takes.
    claim: Claim,
}

/// What tells a session from all others: its id, and whose it is. So nobody learns from an id which
/// sessions others have.
pub(super) fn key<'a>(owner: Option<&Arc<str>>, id: &'a str) -> Cow<'a, str> {
    match owner {
        None => id.into(),
        // No name of a principal has the character in between.
        Some(owner) => format!("{owner}\0{id}").into(),
    }
}

impl Session {
    /// A session that nobody knows yet, of the client that names it first.
    #[must_use]
    pub fn new(id: Arc<str>, account: &Arc<Account>) -> Arc<Session> {
        Arc::new(Session {
            id,
            serial: NEXT_SERIAL.fetch_add(1, Ordering::Relaxed),
            known: AtomicBool::new(false),
            alive: AtomicBool::new(true),
            held: Mutex::new(Held::new(account)),
            subscribed: Mutex::default(),
            place: Mutex::default(),
            account: account.clone(),
            link: Mutex::new(Link {
                outbox: None,
                backlog: VecDeque::new(),
                claim: Claim::none(account, Resource::UnreadBytes),
            }),
            replies: Mutex::new(Replies::new(account)),
        })
    }

    /// A session that is known without holding anything, for tests.
    #[cfg(test)]
    pub(crate) fn known_for_tests(id: Arc<str>, account: &Arc<Account>) -> Arc<Session> {
        let session = Session::new(id, account);
        session.known.store(true, Ordering::Release);
        session
    }

    /// Whose session it is.
    #[must_use]
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// See [`key`].
    pub(super) fn key(&self) -> Cow<'_, str> {
        key(self.account.owner(), &self.id)
    }

    /// Whether it has touched an object and has not ended.
    pub fn is_known(&self) -> bool {
        self.known.load(Ordering::Acquire)
    }

    /// Objects that it is recorded to hold, and those with subscriptions: how much work its end is.
    pub fn extent(&self) -> usize {
        self.held.lock().count() + self.subscribed.lock().len()
    }

    /// Keeps the garbage collector away for another period.
    pub fn keep_alive(&self) {
        self.alive.store(true, Ordering::Relaxed);
    }

    /// Replies given lately.
    pub fn replies(&self) -> &Mutex<Replies> {
        &self.replies
    }

    /// Claims its place among the known sessions, once.
    ///
    /// # Errors
    /// When the account may have no more sessions.
    pub(super) fn claim_place(&self) -> Result<(), Exhausted> {
        let mut place = self.place.lock();
        if place.is_none() {
            *place = Some(self.account.claim(Resource::Sessions, 1)?);
        }
        Ok(())
    }

    /// Sends events to this connection from now on, beginning with those that could not be
    /// delivered. The newest connection wins.
    pub fn bind(&self, outbox: &Arc<Outbox>) {
        let mut link = self.link.lock();
        if link
            .outbox
            .as_ref()
            .is_some_and(|bound| Arc::ptr_eq(bound, outbox))
        {
            return;
        }
        for event in std::mem::take(&mut link.backlog) {
            outbox.push(event);
        }
        let kept = link.claim.amount();
        link.claim.shrink(kept);
        link.outbox = Some(outbox.clone());
    }

    /// Forgets the connection, unless another one has taken over.
    pub fn unbind(&self, outbox: &Arc<Outbox>) {
        let mut link = self.link.lock();
        if link
            .outbox
            .as_ref()
            .is_some_and(|bound| Arc::ptr_eq(bound, outbox))
        {
            link.outbox = None;
            self.keep_alive();
        }
    }

    /// Whether a connection is bound.
    pub fn is_bound(&self) -> bool {
        self.link.lock().outbox.is_some()
    }

    /// Sends an event, or keeps it for the next connection.
    pub fn deliver(&self, event: Utf8Bytes) {
        let mut link = self.link.lock();
        let sent = link
            .outbox
            .as_ref()
            .is_some_and(|outbox| outbox.push(event.clone()));
        if !sent && self.is_known() {
            link.keep(event);
        }
    }

    /// Nobody will come for its events any more.
    pub(super) fn forget_backlog(&self) {
        let mut link = self.link.lock();
        link.backlog = VecDeque::new();
        let kept = link.claim.amount();
        link.claim.shrink(kept);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.account.newcomers().forget_dropped(&self.id);
    }
}

impl Link {
    /// Keeps an event, at the cost of the oldest ones; without any of them in vain, where the
    /// account has too much unread.
    fn keep(&mut self, event: Utf8Bytes) {
        let cost = cost(&event);
        while self.backlog.len() >= MAX_BACKLOG
            || self.claim.amount() + cost > MAX_BACKLOG_BYTES
            || self.claim.grow(cost).is_err()
        {
            let Some(dropped) = self.backlog.pop_front() else {
                return;
            };
            self.claim.shrink(self::cost(&dropped));
        }
        self.backlog.push_back(event);
    }
}

fn cost(event: &Utf8Bytes) -> u64 {
    event.len() as u64 + EVENT_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(outbox: &Outbox) -> Vec<String> {
        std::iter::from_fn(|| outbox.pop())
            .map(|text| text.to_string())
            .collect()
    }

    #[test]
    fn events_wait_for_the_next_connection() {
        let session = Session::new("s".into(), &Account::alone());
        session.known.store(true, Ordering::Release);
        let (first, second) = (Outbox::detached(), Outbox::detached());
        session.bind(&first);
        session.deliver("1".into());
        first.close();
        session.deliver("2".into());
        session.unbind(&first);
        session.deliver("3".into());
        session.bind(&second);
        session.deliver("4".into());
        assert_eq!(texts(&second), ["2", "3", "4"]);
    }

    #[test]
    fn the_newest_connection_wins() {
        let session = Session::new("s".into(), &Account::alone());
        let (first, second) = (Outbox::detached(), Outbox::detached());
        session.bind(&first);
        session.bind(&second);
        session.unbind(&first);
        session.deliver("1".into());
        assert!(session.is_bound() && texts(&first).is_empty());
        assert_eq!(texts(&second), ["1"]);
    }

    #[test]
    fn the_backlog_is_bounded() {
        let session = Session::new("s".into(), &Account::alone());
        session.known.store(true, Ordering::Release);
        for number in 0..2_000 {
            session.deliver(format!("{number}").into());
        }
        let outbox = Outbox::detached();
        session.bind(&outbox);
        let texts = texts(&outbox);
        assert_eq!(
            (texts.len(), texts.last().unwrap().as_str()),
            (MAX_BACKLOG, "1999")
        );
    }
}
