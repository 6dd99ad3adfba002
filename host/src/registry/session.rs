//! Sessions: who holds objects and gets events.
//!
//! A session outlives its connection. It becomes *known* when it first touches an object;
//! before that its id is only a string that a connection carries.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::object::Object;
use crate::protocol::cache::RequestCache;
use crate::protocol::outbox::Outbox;

/// Events kept for a session without connection; the oldest are dropped first.
const MAX_BACKLOG: usize = 1_000;
/// Bytes of events kept for a session without connection.
const MAX_BACKLOG_BYTES: usize = 1 << 20;

static NEXT_SERIAL: AtomicU64 = AtomicU64::new(1);

/// One session.
#[derive(Debug)]
pub struct Session {
    /// Chosen by the client or by the server.
    pub id: Arc<str>,
    /// Never used twice, unlike the id.
    pub(super) serial: u64,
    pub(super) known: AtomicBool,
    /// Cleared by each pass of the garbage collector, set by each use.
    pub(super) alive: AtomicBool,
    /// Objects held, by serial number. Changed only under the registry's graph lock.
    pub(super) held: Mutex<HashMap<u64, Arc<Object>>>,
    link: Mutex<Link>,
    cache: Mutex<RequestCache>,
}

/// Where events go.
#[derive(Debug, Default)]
struct Link {
    outbox: Option<Arc<Outbox>>,
    backlog: VecDeque<Utf8Bytes>,
    backlog_bytes: usize,
}

impl Session {
    /// A session that nobody knows yet.
    #[must_use]
    pub fn new(id: Arc<str>) -> Arc<Session> {
        Arc::new(Session {
            id,
            serial: NEXT_SERIAL.fetch_add(1, Ordering::Relaxed),
            known: AtomicBool::new(false),
            alive: AtomicBool::new(true),
            held: Mutex::default(),
            link: Mutex::default(),
            cache: Mutex::default(),
        })
    }

    /// Whether it has touched an object and has not ended.
    pub fn is_known(&self) -> bool {
        self.known.load(Ordering::Acquire)
    }

    /// Keeps the garbage collector away for another period.
    pub fn keep_alive(&self) {
        self.alive.store(true, Ordering::Relaxed);
    }

    /// Replies given lately.
    pub fn cache(&self) -> &Mutex<RequestCache> {
        &self.cache
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
        for event in link.backlog.drain(..) {
            outbox.push(event);
        }
        link.backlog_bytes = 0;
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
        if link
            .outbox
            .as_ref()
            .is_some_and(|outbox| outbox.push(event.clone()))
            || !self.is_known()
        {
            return;
        }
        link.backlog_bytes += event.len();
        link.backlog.push_back(event);
        while link.backlog.len() > MAX_BACKLOG || link.backlog_bytes > MAX_BACKLOG_BYTES {
            let Some(dropped) = link.backlog.pop_front() else {
                break;
            };
            link.backlog_bytes -= dropped.len();
        }
    }
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
        let session = Session::new("s".into());
        session.known.store(true, Ordering::Release);
        let (first, second) = (Arc::new(Outbox::default()), Arc::new(Outbox::default()));
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
        let session = Session::new("s".into());
        let (first, second) = (Arc::new(Outbox::default()), Arc::new(Outbox::default()));
        session.bind(&first);
        session.bind(&second);
        session.unbind(&first);
        session.deliver("1".into());
        assert!(session.is_bound() && texts(&first).is_empty());
        assert_eq!(texts(&second), ["1"]);
    }

    #[test]
    fn the_backlog_is_bounded() {
        let session = Session::new("s".into());
        session.known.store(true, Ordering::Release);
        for number in 0..2_000 {
            session.deliver(format!("{number}").into());
        }
        let outbox = Arc::new(Outbox::default());
        session.bind(&outbox);
        let texts = texts(&outbox);
        assert_eq!(
            (texts.len(), texts.last().unwrap().as_str()),
            (MAX_BACKLOG, "1999")
        );
    }
}
