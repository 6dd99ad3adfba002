//! What waits to be sent on one connection: replies and events in their order.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::accounts::{Account, Claim, Resource, Unread};

/// Bytes that every connection may leave unread without counting for its account: the replies to
/// a few requests of a client that reads.
const FREE: usize = 16 << 10;
/// No request is read while this many bytes of replies wait …
const WATERMARK: usize = 256 << 10;
/// … or so many, while the clients of an account leave more unread than this part of its bound.
const PRESSURE: u64 = 4;

static NEXT_SERIAL: AtomicU64 = AtomicU64::new(1);

/// The queue of outgoing messages; any thread may push, the connection's task sends.
#[derive(Debug)]
pub struct Outbox {
    serial: u64,
    account: Arc<Account>,
    queue: Mutex<Queue>,
    waker: AtomicWaker,
}

#[derive(Debug)]
struct Queue {
    messages: VecDeque<Utf8Bytes>,
    /// Of the messages, and of the one that is being sent.
    bytes: usize,
    /// Of the one that is being sent.
    in_flight: usize,
    closed: bool,
    /// For the bytes beyond those that are free.
    claim: Claim,
}

impl Outbox {
    /// The outbox of a connection of `account`.
    #[must_use]
    pub fn new(account: &Arc<Account>) -> Arc<Outbox> {
        let outbox = Arc::new(Outbox {
            serial: NEXT_SERIAL.fetch_add(1, Ordering::Relaxed),
            account: account.clone(),
            queue: Mutex::new(Queue {
                messages: VecDeque::new(),
                bytes: 0,
                in_flight: 0,
                closed: false,
                claim: Claim::none(account, Resource::UnreadBytes),
            }),
            waker: AtomicWaker::new(),
        });
        let weak: Weak<Outbox> = Arc::downgrade(&outbox);
        account.unread().enter(outbox.serial, weak);
        outbox
    }

    /// An outbox that counts for nobody else, for tests.
    #[must_use]
    pub fn detached() -> Arc<Outbox> {
        Outbox::new(&Account::alone())
    }

    /// Whose connection it is.
    #[must_use]
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Appends a message; false when the connection is closed or the client reads nothing.
    ///
    /// Where the clients of the account leave too much unread, those who leave most are closed.
    pub fn push(&self, message: Utf8Bytes) -> bool {
        let limit = self.account.limits().connection_unread_bytes;
        loop {
            let mut queue = self.queue.lock();
            if queue.closed {
                return false;
            }
            let bytes = queue.bytes + message.len();
            if bytes as u64 > limit && queue.bytes > 0 {
                queue.close();
                drop(queue);
                self.log_unread("mediaServer.limits.connection.unreadBytes is reached");
                return false;
            }
            match queue.claim.resize(bytes.saturating_sub(FREE) as u64) {
                Ok(()) => {
                    queue.bytes = bytes;
                    queue.messages.push_back(message);
                    let first = queue.messages.len() == 1;
                    drop(queue);
                    if first {
                        self.waker.wake();
                    }
                    return true;
                }
                Err(exhausted) => {
                    drop(queue);
                    let heaviest = self.account.unread().heaviest();
                    // Without any it is this one, at its first message.
                    let heaviest = heaviest.as_deref().unwrap_or(self);
                    heaviest.give_up(&exhausted.to_string());
                }
            }
        }
    }

    /// The oldest message. It counts as unread until the next call, or until all has been sent.
    pub fn pop(&self) -> Option<Utf8Bytes> {
        let mut queue = self.queue.lock();
        queue.settle();
        let message = queue.messages.pop_front()?;
        queue.in_flight = message.len();
        Some(message)
    }

    /// What was taken out has been sent.
    pub fn sent(&self) {
        self.queue.lock().settle();
    }

    /// Whether so much waits that no more requests should be read.
    pub fn is_full(&self) -> bool {
        let bytes = self.queue.lock().bytes;
        bytes >= WATERMARK || (bytes > FREE && self.account_is_pressed())
    }

    fn account_is_pressed(&self) -> bool {
        let bound = self.account.limits().of(Resource::UnreadBytes).account;
        self.account.usage(Resource::UnreadBytes) > bound / PRESSURE
    }

    /// Bytes waiting, those that are being sent included.
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

    fn log_unread(&self, reason: &str) {
        self.waker.wake();
        static CLOSED: AtomicU64 = AtomicU64::new(0);
        let closed = CLOSED.fetch_add(1, Ordering::Relaxed) + 1;
        // A line for the first, the second, the fourth …
        if closed.is_power_of_two() {
            tracing::warn!(
                closed,
                reason,
                "closing a connection whose client does not read its messages"
            );
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.account.unread().remove(self.serial);
    }
}

impl Unread for Outbox {
    fn claimed(&self) -> u64 {
        self.queue.lock().claim.amount()
    }

    fn give_up(&self, reason: &str) {
        self.close();
        self.log_unread(reason);
    }
}

impl Queue {
    fn settle(&mut self) {
        self.bytes -= std::mem::take(&mut self.in_flight);
        self.claim.shrink(
            self.claim
                .amount()
                .saturating_sub(self.bytes.saturating_sub(FREE) as u64),
        );
        // A burst leaves no room behind.
        if self.messages.is_empty() && self.messages.capacity() > 1_000 {
            self.messages = VecDeque::new();
        }
    }

    fn close(&mut self) {
        self.closed = true;
        self.messages = VecDeque::new();
        self.bytes = 0;
        self.in_flight = 0;
        self.claim.shrink(self.claim.amount());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{Accounts, Bounds, Limits};

    fn text(length: usize) -> Utf8Bytes {
        "x".repeat(length).into()
    }

    #[test]
    fn messages_keep_their_order() {
        let outbox = Outbox::detached();
        assert!(outbox.push("a".into()) && outbox.push("bc".into()));
        assert_eq!(outbox.bytes(), 3);
        assert_eq!(
            (
                outbox.pop().unwrap().as_str(),
                outbox.pop().unwrap().as_str()
            ),
            ("a", "bc")
        );
        assert_eq!((outbox.bytes(), outbox.pop()), (2, None));
        assert_eq!(outbox.bytes(), 0);
    }

    #[test]
    fn an_unread_connection_is_closed() {
        let outbox = Outbox::detached();
        assert!(outbox.push(text(32 << 20)));
        assert!(!outbox.push("y".into()) && outbox.is_closed() && outbox.bytes() == 0);
        assert!(!outbox.push("z".into()));
        assert_eq!(outbox.account.usage(Resource::UnreadBytes), 0);
    }

    #[test]
    fn who_leaves_most_unread_is_closed_first() {
        let bounds = Bounds {
            total: 1_000_000,
            account: 100_000,
        };
        let accounts = Accounts::new(Limits::default().with(Resource::UnreadBytes, bounds));
        let account = accounts.of_server();
        let [deaf, slow, reading] = std::array::from_fn(|_| Outbox::new(&account));
        assert!(deaf.push(text(80_000)) && slow.push(text(40_000)));
        assert!(!deaf.is_full() || deaf.bytes() > FREE);
        assert!(reading.push(text(30_000)));
        assert!(deaf.is_closed() && !slow.is_closed() && !reading.is_closed());
        assert_eq!(
            account.usage(Resource::UnreadBytes),
            (70_000 - 2 * FREE) as u64
        );
    }

    #[test]
    fn little_counts_for_nobody_and_what_is_sent_comes_back() {
        let outbox = Outbox::detached();
        let usage = || outbox.account.usage(Resource::UnreadBytes);
        assert!(outbox.push(text(FREE)));
        assert_eq!(usage(), 0);
        assert!(outbox.push(text(1_000)));
        assert_eq!(usage(), 1_000);
        while outbox.pop().is_some() {}
        outbox.sent();
        assert_eq!((usage(), outbox.bytes()), (0, 0));
    }
}
