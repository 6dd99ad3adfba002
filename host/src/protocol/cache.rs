//! Replies that were given a short while ago, for clients that ask again.
//!
//! A client that missed a reply sends its request again under the same id. The reply is
//! then repeated byte for byte and nothing is executed. An id that is repeated while the
//! first request still runs is not executed either: whoever asks gets the one reply.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::outbox::Outbox;

/// How long a reply can be repeated.
const LIFETIME: Duration = Duration::from_secs(20);
/// Replies kept per session; the oldest goes first.
const MAX_REPLIES: usize = 1_000;
/// Bytes of replies kept per session.
const MAX_BYTES: usize = 4 << 20;

/// The replies of one session by request id.
#[derive(Debug, Default)]
pub struct RequestCache {
    entries: HashMap<Box<str>, Entry>,
    order: VecDeque<(Instant, Box<str>)>,
    bytes: usize,
}

#[derive(Debug)]
enum Entry {
    /// Still running; those who asked again wait here.
    Running(Vec<Arc<Outbox>>),
    Done(Utf8Bytes),
}

/// What is known of a request id.
#[derive(Debug, PartialEq, Eq)]
pub enum Known {
    /// Never seen, or too long ago.
    No,
    /// Running: the reply will come to the outbox given.
    Running,
    /// Answered with this.
    Reply(Utf8Bytes),
}

impl RequestCache {
    /// Looks an id up; `asker` gets the reply of a request that still runs.
    pub fn look_up(&mut self, id: &str, asker: &Arc<Outbox>, now: Instant) -> Known {
        self.expire(now);
        match self.entries.get_mut(id) {
            None => Known::No,
            Some(Entry::Done(reply)) => Known::Reply(reply.clone()),
            Some(Entry::Running(waiting)) => {
                if !waiting.iter().any(|outbox| Arc::ptr_eq(outbox, asker)) {
                    waiting.push(asker.clone());
                }
                Known::Running
            }
        }
    }

    /// Notes that the request runs, and that `asker` waits for its reply.
    pub fn begin(&mut self, id: &str, asker: &Arc<Outbox>) {
        self.entries
            .insert(id.into(), Entry::Running(vec![asker.clone()]));
    }

    /// Keeps a reply, and returns those who wait for it.
    pub fn finish(&mut self, id: &str, reply: Utf8Bytes, now: Instant) -> Vec<Arc<Outbox>> {
        self.expire(now);
        self.bytes += reply.len();
        let waiting = match self.entries.insert(id.into(), Entry::Done(reply)) {
            Some(Entry::Running(waiting)) => waiting,
            Some(Entry::Done(old)) => {
                self.bytes -= old.len();
                self.order.retain(|(_, known)| **known != *id);
                Vec::new()
            }
            None => Vec::new(),
        };
        self.order.push_back((now, id.into()));
        while self.order.len() > MAX_REPLIES || (self.bytes > MAX_BYTES && self.order.len() > 1) {
            self.drop_oldest();
        }
        waiting
    }

    /// Drops what is too old, and the room that it took; whether nothing is left.
    pub fn expire(&mut self, now: Instant) -> bool {
        while self
            .order
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) >= LIFETIME)
        {
            self.drop_oldest();
        }
        if self.entries.is_empty() {
            (self.entries, self.order) = Default::default();
        }
        self.order.is_empty()
    }

    fn drop_oldest(&mut self) {
        let Some((_, id)) = self.order.pop_front() else {
            return;
        };
        if let Some(Entry::Done(reply)) = self.entries.remove(&id) {
            self.bytes -= reply.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_repeated_for_twenty_seconds() {
        let (mut cache, outbox, start) = (RequestCache::default(), Arc::default(), Instant::now());
        cache.finish("7", "reply".into(), start);
        assert_eq!(
            cache.look_up("7", &outbox, start + Duration::from_secs(19)),
            Known::Reply("reply".into())
        );
        assert_eq!(cache.look_up("7", &outbox, start + LIFETIME), Known::No);
        assert_eq!(cache.bytes, 0);
    }

    #[test]
    fn a_running_request_is_joined() {
        let (mut cache, start) = (RequestCache::default(), Instant::now());
        let (first, second) = (Arc::default(), Arc::default());
        cache.begin("7", &first);
        assert_eq!(cache.look_up("7", &first, start), Known::Running);
        assert_eq!(cache.look_up("7", &second, start), Known::Running);
        assert_eq!(cache.finish("7", "reply".into(), start).len(), 2);
        assert_eq!(
            cache.look_up("7", &second, start),
            Known::Reply("reply".into())
        );
    }

    #[test]
    fn memory_is_bounded() {
        let (mut cache, outbox, start) = (RequestCache::default(), Arc::default(), Instant::now());
        for id in 0..2_000 {
            cache.finish(&id.to_string(), "x".repeat(10_000).into(), start);
        }
        assert!(cache.bytes <= MAX_BYTES && cache.entries.len() <= MAX_REPLIES);
        assert_eq!(cache.look_up("0", &outbox, start), Known::No);
        assert!(matches!(
            cache.look_up("1999", &outbox, start),
            Known::Reply(_)
        ));
    }
}
