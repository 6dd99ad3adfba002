//! Replies that were given a short while ago, for clients that ask again.
//!
//! A client that missed a reply sends its request again under the same id. The reply is
//! then repeated byte for byte and nothing is executed. An id that is repeated while the
//! first request still runs is not executed either: whoever asks gets the one reply. The id is
//! noted before the request runs, so that this holds for requests on two connections, too.
//!
//! Replies count for the account of their session. Where it has no room for another one the
//! oldest go, of whichever of its sessions.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Instant;

use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::outbox::Outbox;
use super::session::Session;
use crate::accounts::{Account, Claim, KeptReplies, REPLY_GRANULE, REPLY_LIFETIME, Resource};

/// What a reply takes beside its text and its id.
const OVERHEAD: u64 = 160;

/// The replies of one session by request id.
#[derive(Debug)]
pub struct Replies {
    entries: HashMap<Arc<str>, Entry>,
    order: VecDeque<(Instant, Arc<str>)>,
    /// For what [`Entry::Done`] and [`Entry::TooLong`] take.
    claim: Claim,
    /// When the session was put last into the order of its account.
    listed: Option<Instant>,
}

#[derive(Debug)]
enum Entry {
    /// Still running.
    Running {
        /// Who asked first, and gets the reply from whoever carries the request out.
        first: Arc<Outbox>,
        /// Who else waits for it.
        others: Vec<Arc<Outbox>>,
    },
    Done(Utf8Bytes),
    /// Done, with a reply that is too long to be kept.
    TooLong,
}

/// Connections that wait for a reply.
type Waiting = Vec<Arc<Outbox>>;

/// What is known of a request id.
#[derive(Debug, PartialEq, Eq)]
pub enum Known {
    /// Never seen, or too long ago.
    No,
    /// Running: the reply will come to the outbox given.
    Running,
    /// Answered with this.
    Reply(Utf8Bytes),
    /// Answered with something that cannot be repeated.
    TooLong,
}

impl Replies {
    /// None yet, of a session of `account`.
    #[must_use]
    pub fn new(account: &Arc<Account>) -> Replies {
        Replies {
            entries: HashMap::new(),
            order: VecDeque::new(),
            claim: Claim::none(account, Resource::ReplyBytes),
            listed: None,
        }
    }

    /// Looks an id up; `asker` gets the reply of a request that still runs.
    pub fn look_up(&mut self, id: &str, asker: &Arc<Outbox>, now: Instant) -> Known {
        self.expire(now);
        match self.entries.get_mut(id) {
            None => Known::No,
            Some(Entry::Done(reply)) => Known::Reply(reply.clone()),
            Some(Entry::TooLong) => Known::TooLong,
            Some(Entry::Running { first, others }) => {
                let is_asker = |outbox: &Arc<Outbox>| Arc::ptr_eq(outbox, asker);
                if !is_asker(first) && !others.iter().any(is_asker) {
                    others.push(asker.clone());
                }
                Known::Running
            }
        }
    }

    /// Looks an id up, and notes that the request runs now if it is not known.
    pub fn begin(&mut self, id: &Arc<str>, asker: &Arc<Outbox>, now: Instant) -> Known {
        let known = self.look_up(id, asker, now);
        if known == Known::No {
            let first = asker.clone();
            let others = Vec::new();
            self.entries
                .insert(id.clone(), Entry::Running { first, others });
        }
        known
    }

    /// The request has come to no end; whoever waits for it may ask once more.
    pub fn abandon(&mut self, id: &str) {
        if matches!(self.entries.get(id), Some(Entry::Running { .. })) {
            self.entries.remove(id);
            self.shrink_if_empty();
        }
    }

    /// Keeps a reply, or that there was one, if there is room; returns who else waits for it.
    fn finish(&mut self, id: &Arc<str>, reply: &Utf8Bytes, now: Instant) -> Option<Waiting> {
        self.expire(now);
        let limits = self.claim.account().limits();
        let (most, longest) = (limits.session_replies, limits.reply_bytes);
        let entry = match reply.len() as u64 <= longest {
            true => Entry::Done(reply.clone()),
            false => Entry::TooLong,
        };
        while self.order.len() as u64 >= most && self.drop_oldest() {}
        self.claim.grow(cost(id, &entry)).ok()?;
        let former = self.entries.insert(id.clone(), entry);
        if let Some(former @ (Entry::Done(_) | Entry::TooLong)) = &former {
            self.claim.shrink(cost(id, former));
            self.order.retain(|(_, known)| known != id);
        }
        self.order.push_back((now, id.clone()));
        Some(former.map_or_else(Vec::new, Entry::others))
    }

    /// The reply is not kept; returns who else waits for it.
    fn forget(&mut self, id: &str) -> Waiting {
        let former = self.entries.remove(id);
        self.shrink_if_empty();
        former.map_or_else(Vec::new, Entry::others)
    }

    /// Whether the session is to be put into the order of its account again.
    fn is_to_be_listed(&mut self, now: Instant) -> bool {
        let is_new = |at: Instant| now.saturating_duration_since(at) >= REPLY_GRANULE;
        let due = !self.order.is_empty() && self.listed.is_none_or(is_new);
        if due {
            self.listed = Some(now);
        }
        due
    }

    /// Drops what is too old, and the room that it took.
    fn expire(&mut self, now: Instant) {
        if let Some(past) = now.checked_sub(REPLY_LIFETIME) {
            self.drop_until(past);
        }
    }

    /// Drops what was kept at `past` or before.
    fn drop_until(&mut self, past: Instant) {
        while self.order.front().is_some_and(|(at, _)| *at <= past) {
            self.drop_oldest();
        }
        self.shrink_if_empty();
    }

    /// Of a session that once was busy nothing should remain.
    fn shrink_if_empty(&mut self) {
        if self.entries.is_empty() {
            (self.entries, self.order) = Default::default();
        }
    }

    fn drop_oldest(&mut self) -> bool {
        let Some((_, id)) = self.order.pop_front() else {
            return false;
        };
        if let Some(entry) = self.entries.remove(&id) {
            self.claim.shrink(cost(&id, &entry));
        }
        true
    }

    /// Forgets all replies that have been given: the session has ended.
    pub fn clear(&mut self) {
        while self.drop_oldest() {}
        self.shrink_if_empty();
    }
}

impl Entry {
    fn others(self) -> Waiting {
        match self {
            Entry::Running { others, .. } => others,
            Entry::Done(_) | Entry::TooLong => Vec::new(),
        }
    }
}

fn cost(id: &str, entry: &Entry) -> u64 {
    let reply = match entry {
        Entry::Done(reply) => reply.len(),
        Entry::Running { .. } | Entry::TooLong => 0,
    };
    // The id stands in the map and in the order, as one text.
    OVERHEAD + (id.len() + reply) as u64
}

impl Session {
    /// Keeps a reply, in the place of older ones of the account if need be; returns who else waits
    /// for it. Only of a session that is known something is kept.
    pub fn finish_reply(
        self: &Arc<Self>,
        id: &Arc<str>,
        reply: &Utf8Bytes,
        now: Instant,
    ) -> Waiting {
        let order = self.account().replies();
        let mut replies = self.replies().lock();
        if !self.is_known() {
            return replies.forget(id);
        }
        let waiting = loop {
            if let Some(waiting) = replies.finish(id, reply, now) {
                break waiting;
            }
            // It may be a reply of the same session that makes room.
            drop(replies);
            let made_room = order.drop_oldest();
            replies = self.replies().lock();
            if !made_room {
                break replies.forget(id);
            }
        };
        let listed = replies.is_to_be_listed(now);
        drop(replies);
        if listed {
            let weak: Weak<Session> = Arc::downgrade(self);
            order.add(now, weak);
        }
        waiting
    }
}

impl KeptReplies for Session {
    fn drop_until(&self, past: Instant) {
        self.replies().lock().drop_until(past);
    }

    fn expire(&self, now: Instant) {
        self.replies().lock().expire(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::accounts::{Accounts, Bounds, Limits};

    fn known_session(account: &Arc<Account>) -> Arc<Session> {
        Session::known_for_tests("s".into(), account)
    }

    fn finish(session: &Arc<Session>, id: &str, reply: &str, now: Instant) -> Vec<Arc<Outbox>> {
        session.finish_reply(&id.into(), &reply.into(), now)
    }

    fn look_up(session: &Session, id: &str, now: Instant) -> Known {
        session
            .replies()
            .lock()
            .look_up(id, &Outbox::detached(), now)
    }

    #[test]
    fn replies_are_repeated_for_twenty_seconds() {
        let (account, start) = (Account::alone(), Instant::now());
        let session = known_session(&account);
        finish(&session, "7", "reply", start);
        let later = start + Duration::from_secs(19);
        assert_eq!(look_up(&session, "7", later), Known::Reply("reply".into()));
        assert_eq!(look_up(&session, "7", start + REPLY_LIFETIME), Known::No);
        assert_eq!(account.usage(Resource::ReplyBytes), 0);
    }

    #[test]
    fn a_running_request_is_joined() {
        let (account, start) = (Account::alone(), Instant::now());
        let session = known_session(&account);
        let (first, second) = (Outbox::detached(), Outbox::detached());
        let begin = |outbox| session.replies().lock().begin(&"7".into(), outbox, start);
        assert_eq!(begin(&first), Known::No);
        assert_eq!(
            (begin(&first), begin(&second)),
            (Known::Running, Known::Running)
        );
        assert_eq!(finish(&session, "7", "reply", start).len(), 1);
        assert_eq!(begin(&second), Known::Reply("reply".into()));
    }

    #[test]
    fn a_long_reply_is_not_kept_and_not_given_twice() {
        let (account, start) = (Account::alone(), Instant::now());
        let session = known_session(&account);
        let long = "x".repeat(usize::try_from(account.limits().reply_bytes).unwrap() + 1);
        finish(&session, "7", &long, start);
        assert_eq!(look_up(&session, "7", start), Known::TooLong);
        assert!(account.usage(Resource::ReplyBytes) < 1_000);
    }

    #[test]
    fn memory_is_bounded_for_all_sessions_of_an_account_together() {
        let bounds = Bounds {
            total: 200_000,
            account: 100_000,
        };
        let accounts = Accounts::new(Limits::default().with(Resource::ReplyBytes, bounds));
        let (account, start) = (accounts.of_server(), Instant::now());
        let sessions: Vec<_> = (0..40).map(|_| known_session(&account)).collect();
        for (number, session) in sessions.iter().enumerate() {
            let now = start + Duration::from_millis(number as u64);
            finish(session, "7", &"x".repeat(10_000), now);
            assert!(account.usage(Resource::ReplyBytes) <= 100_000);
            assert!(matches!(look_up(session, "7", now), Known::Reply(_)));
        }
        assert_eq!(look_up(&sessions[0], "7", start), Known::No);
        assert!(account.replies().expire(start + REPLY_LIFETIME));
        assert!(
            !account
                .replies()
                .expire(start + REPLY_LIFETIME + REPLY_GRANULE * 2)
        );
        assert_eq!(account.usage(Resource::ReplyBytes), 0);
    }

    #[test]
    fn a_busy_session_keeps_its_newest_replies() {
        let (account, start) = (Account::alone(), Instant::now());
        let session = known_session(&account);
        for id in 0..2_000 {
            finish(&session, &id.to_string(), "x", start);
        }
        assert_eq!(look_up(&session, "0", start), Known::No);
        assert!(matches!(look_up(&session, "1999", start), Known::Reply(_)));
        assert_eq!(session.replies().lock().order.len(), 1_000);
    }
}
