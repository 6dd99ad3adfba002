//! How far the delivery of an account's events has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Account;

/// Counts events that are on their way.
#[derive(Debug, Default)]
pub struct EventCount {
    raised: AtomicU64,
    delivered: AtomicU64,
}

impl EventCount {
    /// How many have been raised so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.raised.load(Ordering::Acquire)
    }

    /// Whether some have not been delivered yet.
    #[must_use]
    pub fn are_waiting(&self) -> bool {
        // In this order: what is delivered in between has been raised before.
        let delivered = self.delivered.load(Ordering::Acquire);
        self.count() != delivered
    }
}

/// An event on its way; its end, whichever, counts as its delivery.
#[derive(Debug)]
pub(crate) struct OnItsWay(Arc<Account>);

impl OnItsWay {
    pub(crate) fn begin(account: &Arc<Account>) -> OnItsWay {
        account.events().raised.fetch_add(1, Ordering::Release);
        OnItsWay(account.clone())
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.events().delivered.fetch_add(1, Ordering::Release);
    }
}
