//! The picture that waits to be sent.

use std::sync::Mutex;

use rivero_plugin_api::supervise::lock;
use tokio::sync::Notify;

/// Room for one: whoever takes it gets the latest.
#[derive(Debug)]
pub(crate) struct Outbox<T> {
    waiting: Mutex<Option<T>>,
    filled: Notify,
}

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        Self {
            waiting: Mutex::new(None),
            filled: Notify::new(),
        }
    }
}

impl<T> Outbox<T> {
    /// Puts one in; gives back the one that it takes the place of, which is lost.
    pub(crate) fn put(&self, item: T) -> Option<T> {
        let replaced = lock(&self.waiting).replace(item);
        self.filled.notify_one();
        replaced
    }

    /// Waits for one. Only one task at a time may do so.
    pub(crate) async fn take(&self) -> T {
        loop {
            if let Some(item) = lock(&self.waiting).take() {
                return item;
            }
            self.filled.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn the_latest_is_taken() {
        let outbox = Outbox::default();
        assert_eq!(outbox.put(1), None);
        assert_eq!(outbox.put(2), Some(1));
        assert_eq!(outbox.take().await, 2);
        assert_eq!(outbox.put(3), None);
        assert_eq!(outbox.take().await, 3);
    }

    #[tokio::test]
    async fn whoever_waits_gets_what_comes() {
        let outbox = Arc::new(Outbox::default());
        let taking = outbox.clone();
        let taken = tokio::spawn(async move { taking.take().await });
        tokio::task::yield_now().await;
        outbox.put(7);
        assert_eq!(taken.await.unwrap(), 7);
    }
}
