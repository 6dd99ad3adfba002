//! One thread that runs short actions at a later time.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use rivero_plugin_api::supervise;

type Action = Box<dyn FnOnce() + Send>;

/// Timers on a thread of their own. The thread ends when this is dropped.
pub struct Timers(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    actions: BTreeMap<(Instant, u64), Action>,
    due: HashMap<u64, Instant>,
    last: u64,
    closed: bool,
}

impl Timers {
    /// Starts the thread under the given name.
    pub fn start(name: &str) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            changed: Condvar::new(),
        });
        let weak = Arc::downgrade(&shared);
        let place = name.to_owned();
        supervise::lasting_thread(name, move || run(&place, &weak))?;
        Ok(Self(shared))
    }

    /// Runs `action` once after `delay`. It must not block: others wait for it.
    pub fn after(&self, delay: Duration, action: impl FnOnce() + Send + 'static) -> u64 {
        let mut queue = self.0.lock();
        queue.last += 1;
        let (number, due) = (queue.last, after(Instant::now(), delay));
        queue.actions.insert((due, number), Box::new(action));
        queue.due.insert(number, due);
        self.0.changed.notify_one();
        number
    }

    /// Forgets a timer; too late is no error.
    pub fn cancel(&self, number: u64) {
        let mut queue = self.0.lock();
        let action = queue
            .due
            .remove(&number)
            .and_then(|due| queue.actions.remove(&(due, number)));
        drop(queue);
        drop(action);
    }
}

/// When `delay` will be over, however long it is.
fn after(now: Instant, delay: Duration) -> Instant {
    /// Where the clock itself ends: more than anybody waits.
    const LONGEST: Duration = Duration::from_secs(1 << 32);
    now.checked_add(delay).unwrap_or_else(|| now + LONGEST)
}

impl Drop for Timers {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next action; `None` when closed.
    fn next(&self) -> Option<Action> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            let now = Instant::now();
            let Some((&(due, number), _)) = queue.actions.first_key_value() else {
                queue = self
                    .changed
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if due <= now {
                queue.due.remove(&number);
                return queue.actions.remove(&(due, number));
            }
            let wait = self.changed.wait_timeout(queue, due - now);
            queue = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn run(name: &str, shared: &Weak<Shared>) {
    while let Some(shared) = shared.upgrade() {
        let Some(action) = shared.next() else { return };
        drop(shared);
        supervise::contained(name, action);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn actions_run_in_order_of_time_and_cancelled_ones_do_not() {
        let timers = Timers::start("test-timers").unwrap();
        let (sender, receiver) = mpsc::channel();
        let send = |text: &'static str| {
            let sender = sender.clone();
            move || sender.send(text).unwrap()
        };
        timers.after(Duration::from_millis(40), send("second"));
        timers.after(Duration::from_millis(10), send("first"));
        let cancelled = timers.after(Duration::from_millis(20), send("never"));
        timers.cancel(cancelled);
        timers.after(Duration::from_millis(60), || {
            panic!("must not end the thread")
        });
        timers.after(Duration::from_millis(80), send("third"));
        let got: Vec<_> = receiver.iter().take(3).collect();
        assert_eq!(got, ["first", "second", "third"]);
    }

    #[test]
    fn long_delays_are_kept() {
        let now = Instant::now();
        for days in [1, 2, 40, 10_000] {
            let delay = Duration::from_secs(days * 86_400);
            assert_eq!(after(now, delay) - now, delay);
        }
        let longest = after(now, Duration::MAX) - now;
        assert!(longest > Duration::from_secs(86_400 * 365 * 100));
        // The thread can wait for it.
        let timers = Timers::start("test-timers").unwrap();
        let (sender, receiver) = mpsc::channel();
        timers.after(Duration::MAX, || unreachable!("it is not over"));
        timers.after(Duration::from_nanos(u64::MAX), || {
            unreachable!("nor is this")
        });
        timers.after(Duration::ZERO, move || sender.send(()).unwrap());
        receiver.recv_timeout(Duration::from_secs(20)).unwrap();
    }
}
