//! What waits to be sent on one connection: replies and events in their order.

use std::collections::VecDeque;
use std::task::Waker;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// A connection whose client leaves more than this many bytes unread is closed.
const LIMIT: usize = 32 << 20;

/// The queue of outgoing messages; any thread may push, the connection's task sends.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: Mutex<Queue>,
    waker: AtomicWaker,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Utf8Bytes>,
    bytes: usize,
    closed: bool,
}

impl Outbox {
    /// Appends a message; false when the connection is closed or the client reads nothing.
    pub fn push(&self, message: Utf8Bytes) -> bool {
        let mut queue = self.queue.lock();
        if queue.closed {
            return false;
        }
        if queue.bytes + message.len() > LIMIT && !queue.messages.is_empty() {
            queue.close();
            drop(queue);
            tracing::warn!(
                bytes = LIMIT,
                "closing a connection whose client does not read its messages"
            );
            self.waker.wake();
            return false;
        }
        queue.bytes += message.len();
        queue.messages.push_back(message);
        let first = queue.messages.len() == 1;
        drop(queue);
        if first {
            self.waker.wake();
        }
        true
    }

    /// The oldest message.
    pub fn pop(&self) -> Option<Utf8Bytes> {
        let mut queue = self.queue.lock();
        let message = queue.messages.pop_front()?;
        queue.bytes -= message.len();
        Some(message)
    }

    /// Bytes waiting.
    pub fn bytes(&self) -> usize {
        self.queue.lock().bytes
    }

    /// Drops what waits and refuses what comes.
    pub fn close(&self) {
        self.queue.lock().close();
        self.waker.wake();
    }

    /// Whether [`Outbox::close`] was called or the limit exceeded.
    pub fn is_closed(&self) -> bool {
        self.queue.lock().closed
    }

    /// Wakes `waker` at the next change.
    pub fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }
}

impl Queue {
    fn close(&mut self) {
        self.closed = true;
        self.messages.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_keep_their_order() {
        let outbox = Outbox::default();
        assert!(outbox.push("a".into()) && outbox.push("bc".into()));
        assert_eq!(outbox.bytes(), 3);
        assert_eq!(
            (
                outbox.pop().unwrap().as_str(),
                outbox.pop().unwrap().as_str()
            ),
            ("a", "bc")
        );
        assert_eq!((outbox.bytes(), outbox.pop()), (0, None));
    }

    #[test]
    fn an_unread_connection_is_closed() {
        let outbox = Outbox::default();
        let large = Utf8Bytes::from("x".repeat(LIMIT));
        assert!(outbox.push(large.clone()));
        assert!(!outbox.push("y".into()) && outbox.is_closed() && outbox.bytes() == 0);
        assert!(!outbox.push("z".into()));
    }
}
