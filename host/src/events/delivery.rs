//! The thread that turns events into messages.
//!
//! Whoever raises an event, often a thread that carries media, only puts it into a queue. The
//! texts are made here, and handed to each session that wants them. Each account has a queue of
//! its own; the one that has had the least work done comes first, so that thousands of subscribers
//! of one client do not keep the events of the others.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};
use rivero_plugin_api::supervise;
use tokio::sync::oneshot;

use crate::accounts::{Account, AccountId};

/// Events of one account that may wait for their delivery; further ones are dropped.
const MAX_WAITING: usize = 10_000;

/// Something to do in its turn; returns how many messages it was.
type Work = Box<dyn FnOnce() -> u64 + Send>;

/// The queue, as those see it who fill it. Dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Delivery(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    /// Events that were dropped because too many waited.
    dropped: AtomicU64,
}

#[derive(Default)]
struct State {
    lanes: HashMap<AccountId, Lane>,
    /// Accounts with work, each with the work that it has had done.
    ready: BTreeSet<(u64, AccountId)>,
    /// The least work that an account with some had had done lately.
    clock: u64,
    closed: bool,
}

#[derive(Default)]
struct Lane {
    waiting: VecDeque<Work>,
    done: u64,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("lanes", &self.lanes.len())
            .finish_non_exhaustive()
    }
}

impl Delivery {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Delivery> {
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        supervise::lasting_thread("events", move || of_thread.run())?;
        Ok(Delivery(shared))
    }

    /// Queues an event for the account that it is due to; too many are dropped.
    pub(super) fn push(&self, account: &Arc<Account>, work: impl FnOnce() -> u64 + Send + 'static) {
        if !self.0.push(account, Box::new(work), MAX_WAITING) {
            let dropped = self.0.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            // One line for the first, the second, the fourth …
            if dropped.is_power_of_two() {
                tracing::warn!(
                    dropped,
                    "a client's events come faster than they can be delivered"
                );
            }
        }
    }

    /// Queues what has to be done whatever waits.
    pub(super) fn push_always(
        &self,
        account: &Arc<Account>,
        work: impl FnOnce() -> u64 + Send + 'static,
    ) {
        self.0.push(account, Box::new(work), usize::MAX);
    }

    /// Done when all events that have been queued for the account so far are delivered.
    pub(super) fn fence(&self, account: &Arc<Account>) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.push_always(account, move || {
            let _ = sender.send(());
            0
        });
        receiver
    }

    /// Work that waits, of all accounts.
    pub(super) fn waiting(&self) -> usize {
        let state = self.0.state.lock();
        state.lanes.values().map(|lane| lane.waiting.len()).sum()
    }

    /// Events that were dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.0.state.lock().closed = true;
        self.0.work.notify_one();
    }
}

impl Shared {
    fn push(&self, account: &Arc<Account>, work: Work, limit: usize) -> bool {
        let mut state = self.state.lock();
        let clock = state.clock;
        let id = account.id();
        // Who had no work for a while does not get all at once what others had meanwhile.
        let lane = state.lanes.entry(id).or_insert_with(|| Lane {
            done: clock,
            ..Lane::default()
        });
        if lane.waiting.len() >= limit {
            return false;
        }
        let idle = lane.waiting.is_empty();
        lane.waiting.push_back(work);
        if idle {
            let done = lane.done;
            let first = state.ready.is_empty();
            state.ready.insert((done, id));
            drop(state);
            if first {
                self.work.notify_one();
            }
        }
        true
    }

    fn run(&self) {
        while let Some((account, work)) = self.next() {
            let done = supervise::contained("the delivery of an event", work).unwrap_or(1);
            self.state.lock().charge(account, done);
        }
    }

    /// The next work; `None` when nobody is left to give some.
    fn next(&self) -> Option<(AccountId, Work)> {
        let mut state = self.state.lock();
        loop {
            if let Some(next) = state.take() {
                return Some(next);
            }
            if state.closed {
                return None;
            }
            self.work.wait(&mut state);
        }
    }
}

impl State {
    fn take(&mut self) -> Option<(AccountId, Work)> {
        let &(done, id) = self.ready.first()?;
        self.clock = done;
        let lane = self.lanes.get_mut(&id)?;
        let work = lane.waiting.pop_front()?;
        Some((id, work))
    }

    /// Notes the work that an account has had done, and forgets it if it has no more.
    fn charge(&mut self, id: AccountId, done: u64) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        self.ready.remove(&(lane.done, id));
        lane.done = lane.done.saturating_add(done.max(1));
        if lane.waiting.is_empty() {
            self.lanes.remove(&id);
        } else {
            self.ready.insert((lane.done, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{Accounts, Limits};
    use std::sync::mpsc;

    #[test]
    fn a_client_with_much_work_does_not_keep_others() {
        let delivery = Delivery::start().unwrap();
        let accounts = Accounts::new(Limits::default());
        let (heavy, light) = ([1, 1, 1, 1], [2, 2, 2, 2]);
        let [heavy, light] = [heavy, light].map(|address| accounts.of_peer(address.into()));
        let (start, started) = mpsc::channel::<()>();
        let (sender, order) = mpsc::channel();
        delivery.push(&heavy, move || u64::from(started.recv().is_err()));
        for number in 0..100 {
            let sender = sender.clone();
            delivery.push(&heavy, move || {
                sender.send(("heavy", number)).unwrap();
                20_000
            });
        }
        for number in 0..100 {
            let sender = sender.clone();
            delivery.push(&light, move || {
                sender.send(("light", number)).unwrap();
                1
            });
        }
        drop((start, sender));
        let order: Vec<_> = order.iter().collect();
        let last_light = order.iter().rposition(|(who, _)| *who == "light").unwrap();
        assert_eq!(
            (order.len(), last_light <= 101),
            (200, true),
            "{last_light}"
        );
        assert!(order.iter().filter(|(who, _)| *who == "heavy").is_sorted());
    }

    #[test]
    fn waiting_events_are_bounded_and_fences_are_not() {
        let delivery = Delivery::start().unwrap();
        let account = Account::alone();
        let (start, started) = mpsc::channel::<()>();
        delivery.push(&account, move || u64::from(started.recv().is_err()));
        for _ in 0..=MAX_WAITING + 10 {
            delivery.push(&account, || 1);
        }
        assert!(delivery.dropped() >= 10);
        let fence = delivery.fence(&account);
        drop(start);
        assert!(fence.blocking_recv().is_ok());
    }

    #[test]
    fn a_panic_loses_one_event_only() {
        let delivery = Delivery::start().unwrap();
        let account = Account::alone();
        delivery.push(&account, || panic!("on purpose"));
        assert!(delivery.fence(&account).blocking_recv().is_ok());
    }
}
