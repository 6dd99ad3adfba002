//! Work whose panics stay where they happen.
//!
//! A panic unwinds the thread it happens on. A thread that serves many (a loop, a pool, a server)
//! must survive that, so each piece of its work goes through [`contained`], and the thread itself
//! is started by [`lasting_thread`], which begins anew should anything else panic. A thread with one
//! thing to do is started by [`thread`]. Each panic is one line of the log and counts in
//! `panics_total` by its place; who knows the object whose panic it was raises its `Error` event
//! as well ([`ElementContext::panicked`](crate::ElementContext::panicked)).

use std::{
    collections::BTreeMap,
    future::poll_fn,
    io,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
    thread::{Builder, JoinHandle, sleep},
    time::{Duration, Instant},
};

pub use crate::abi::guard::contain;
use crate::host;

/// Between the second failure in a row and the next attempt; doubled from then on.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// After so long without a failure the next one counts as the first.
const CALM: Duration = Duration::from_secs(60);
/// Places that are counted apart. Their names come from code, not from clients.
const PLACES: usize = 256;

/// Runs `body`; a panic is reported under `place` and goes no further.
pub fn contained<T>(place: &str, body: impl FnOnce() -> T) -> Option<T> {
    contain(body).inspect_err(|text| report(place, text)).ok()
}

/// A future whose panic comes back as its text; it is not polled any more then. For tasks of a
/// runtime, which keeps such a panic to itself.
///
/// # Errors
/// The text of the panic.
pub async fn contain_future<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    poll_fn(|context| match contain(|| future.as_mut().poll(context)) {
        Ok(polled) => polled.map(Ok),
        Err(text) => Poll::Ready(Err(text)),
    })
    .await
}

/// Says in the log and in the metrics that something panicked: for a panic that [`contain`] gave.
pub fn report(place: &str, text: &str) {
    tracing::error!("a panic in {place} was contained: {text}");
    count(place);
}

/// Counts a panic that is told of in another way.
pub fn count(place: &str) {
    if let Some(host) = host() {
        let labels = serde_json::json!({ "place": place });
        return host.count("panics_total", &labels, 1.0);
    }
    let mut counts = counts();
    if let Some(count) = counts.get_mut(place) {
        *count += 1;
    } else if counts.len() < PLACES {
        counts.insert(place.to_owned(), 1);
    }
}

/// Panics by place, as far as no host counts them: those of the server itself.
pub fn panics() -> Vec<(String, u64)> {
    let counts = counts();
    let entries = counts.iter().map(|(place, count)| (place.clone(), *count));
    entries.collect()
}

fn counts() -> MutexGuard<'static, BTreeMap<String, u64>> {
    static COUNTS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());
    lock(&COUNTS)
}

/// Locks a mutex, even if a thread panicked while it had it.
///
/// That panic was contained and reported where it happened, and whoever comes next must not panic
/// over it as well: one object's mistake would end the threads that serve all the others. So a value
/// behind such a lock must be usable after any statement that changes it, which is no more than
/// panics ask for anyway that unwind past a guard.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a thread that does one thing; a panic ends it early, and is reported under its name.
///
/// # Errors
/// When the system refuses a thread.
pub fn thread(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let place = name.to_owned();
    Builder::new().name(place.clone()).spawn(move || {
        contained(&place, body);
    })
}

/// Starts a thread that serves until `body` returns. Should `body` panic, it is reported and called
/// again, at once for the first time and after growing pauses while it goes on panicking.
///
/// # Errors
/// When the system refuses a thread.
pub fn lasting_thread(
    name: &str,
    mut body: impl FnMut() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let place = name.to_owned();
    Builder::new().name(place.clone()).spawn(move || {
        let mut back_off = BackOff::default();
        while contained(&place, &mut body).is_none() {
            sleep(back_off.pause(Instant::now()));
        }
    })
}

/// How long to wait before doing once more what has failed.
#[derive(Debug, Default)]
pub struct BackOff {
    pause: Duration,
    last: Option<Instant>,
}

impl BackOff {
    /// The pause after a failure at `now`: none after the first, then from 0.1 s to 10 s. A minute
    /// without a failure makes the next one a first one again.
    pub fn pause(&mut self, now: Instant) -> Duration {
        let last = self.last.replace(now);
        let again = last.is_some_and(|last| now.saturating_duration_since(last) < CALM);
        self.pause = if again {
            (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE)
        } else {
            Duration::ZERO
        };
        self.pause
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn panics_in(place: &str) -> u64 {
        let panics = panics();
        let of_place = panics.iter().find(|(known, _)| known == place);
        of_place.map_or(0, |(_, count)| *count)
    }

    #[test]
    fn a_panic_goes_no_further_and_is_counted() {
        assert_eq!(contained("tests of order", || 7), Some(7));
        assert_eq!(panics_in("tests of order"), 0);
        for count in 1..=2 {
            let nothing: Option<u8> = contained("tests of order", || panic!("on purpose"));
            assert_eq!((nothing, panics_in("tests of order")), (None, count));
        }
    }

    #[test]
    fn what_a_thread_left_behind_that_panicked_can_be_locked() {
        let value = Mutex::new(1);
        let _: Option<()> = contained("tests of locks", || {
            *lock(&value) = 2;
            let _guard = lock(&value);
            panic!("on purpose");
        });
        assert!(value.is_poisoned());
        assert_eq!(*lock(&value), 2);
    }

    #[test]
    fn a_future_that_panics_says_so_once_polled() {
        let poll = |future: &mut std::pin::Pin<Box<dyn Future<Output = Result<u8, String>>>>| {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            future.as_mut().poll(&mut context)
        };
        let mut done: std::pin::Pin<Box<dyn Future<Output = _>>> =
            Box::pin(contain_future(async { 7 }));
        assert_eq!(poll(&mut done), Poll::Ready(Ok(7)));
        let mut waits = false;
        let future = poll_fn(move |_| {
            waits = !waits;
            assert!(waits, "on purpose");
            Poll::<u8>::Pending
        });
        let mut late: std::pin::Pin<Box<dyn Future<Output = _>>> = Box::pin(contain_future(future));
        assert_eq!(poll(&mut late), Poll::Pending);
        assert_eq!(poll(&mut late), Poll::Ready(Err("on purpose".to_owned())));
    }

    #[test]
    fn a_lasting_thread_goes_on_after_a_panic_and_ends_when_it_is_done() {
        let (sender, receiver) = mpsc::channel();
        let (work, jobs) = mpsc::channel();
        let body = move || {
            for job in &jobs {
                assert_ne!(job, 2, "on purpose");
                sender.send(job).unwrap();
            }
        };
        let thread = lasting_thread("tests that last", body).unwrap();
        (1..=3).for_each(|job| work.send(job).unwrap());
        drop(work);
        thread.join().unwrap();
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [1, 3]);
        assert_eq!(panics_in("tests that last"), 1);
    }

    #[test]
    fn pauses_grow_while_failures_follow_each_other() {
        let mut back_off = BackOff::default();
        let begin = Instant::now();
        let mut pause = |seconds| back_off.pause(begin + Duration::from_secs(seconds));
        let pauses: Vec<_> = (0..10).map(|at| pause(at).as_millis()).collect();
        assert_eq!(
            pauses,
            [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]
        );
        assert_eq!(pause(9 + CALM.as_secs()), Duration::ZERO);
        assert_eq!(pause(10 + CALM.as_secs()), FIRST_PAUSE);
    }
}
