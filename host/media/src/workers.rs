//! The threads on which converters work: one a processor, whatever the number of streams.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use rivero_plugin_api::supervise::{self, contain, contained};

/// Of the threads.
const NAME: &str = "converter";

/// So many threads are replaced that do not come back from their work.
const SPARE: usize = 4;

/// Something that works in short pieces.
pub(crate) trait Work: Send + Sync {
    /// Whether it goes before other work: sound takes little time, and gaps in it are heard.
    fn is_urgent(&self) -> bool;

    /// Does a piece; `true` when there is more.
    fn work(&self) -> bool;

    /// A piece of it panicked: it is not done any more.
    fn panicked(&self, text: &str);
}

/// A pool of threads, started with the first piece of work. They end when this is dropped.
#[derive(Default)]
pub(crate) struct Workers(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    ready: Condvar,
    /// ns that the threads have worked. Relaxed: it stands for itself.
    busy: AtomicU64,
}

#[derive(Default)]
struct Queue {
    urgent: VecDeque<Arc<dyn Work>>,
    waiting: VecDeque<Arc<dyn Work>>,
    started: bool,
    closed: bool,
    /// Threads that do not come back.
    lost: usize,
    /// Threads that are to end, since others have their places.
    surplus: usize,
}

impl Queue {
    fn add(&mut self, work: Arc<dyn Work>) {
        if work.is_urgent() {
            self.urgent.push_back(work);
        } else {
            self.waiting.push_back(work);
        }
    }

    fn next(&mut self) -> Option<Arc<dyn Work>> {
        let urgent = self.urgent.pop_front();
        urgent.or_else(|| self.waiting.pop_front())
    }
}

impl Workers {
    /// Has a piece of work done. The caller sees to it that the same work waits only once.
    pub(crate) fn schedule(&self, work: Arc<dyn Work>) {
        let mut queue = self.0.lock();
        queue.add(work);
        if !std::mem::replace(&mut queue.started, true) {
            drop(queue);
            start(&self.0);
        }
        self.0.ready.notify_one();
    }
}

impl Workers {
    /// How long the threads have worked so far, all together.
    pub(crate) fn busy_time(&self) -> Duration {
        Duration::from_nanos(self.0.busy.load(Relaxed))
    }

    /// A thread does not come back from its work: another one does that of the others meanwhile.
    pub(crate) fn lose(&self) {
        let mut queue = self.0.lock();
        queue.lost += 1;
        if queue.lost > SPARE {
            return;
        }
        if queue.surplus > 0 {
            queue.surplus -= 1;
            return;
        }
        drop(queue);
        start_one(&self.0);
    }

    /// It has come back.
    pub(crate) fn regain(&self) {
        let mut queue = self.0.lock();
        if queue.lost <= SPARE {
            queue.surplus += 1;
        }
        queue.lost = queue.lost.saturating_sub(1);
        drop(queue);
        self.0.ready.notify_one();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let waiting = {
            let mut queue = self.0.lock();
            queue.closed = true;
            let Queue {
                urgent, waiting, ..
            } = &mut *queue;
            [urgent, waiting].map(std::mem::take)
        };
        self.0.ready.notify_all();
        drop(waiting);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for work; `None` at the end.
    fn next(&self) -> Option<Arc<dyn Work>> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(work) = queue.next() {
                return Some(work);
            }
            if queue.surplus > 0 {
                queue.surplus -= 1;
                return None;
            }
            queue = self
                .ready
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn start(shared: &Arc<Shared>) {
    let count = thread::available_parallelism().map_or(1, usize::from);
    (0..count).for_each(|_| start_one(shared));
}

fn start_one(shared: &Arc<Shared>) {
    let shared = shared.clone();
    if let Err(error) = supervise::lasting_thread(NAME, move || run(&shared)) {
        tracing::error!("a thread for conversions cannot be started: {error}");
    }
}

fn run(shared: &Shared) {
    while let Some(work) = shared.next() {
        let begin = Instant::now();
        let outcome = contain(|| work.work());
        let took = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        shared.busy.fetch_add(took, Relaxed);
        match outcome {
            Ok(true) => {
                // Behind the others: no stream keeps the rest waiting for more than a piece.
                shared.lock().add(work);
                shared.ready.notify_one();
                continue;
            }
            Ok(false) => {}
            Err(text) => {
                supervise::report("a conversion", &text);
                contained(NAME, || work.panicked(&text));
            }
        }
        // It may be the last one who holds it.
        contained(NAME, || drop(work));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Urgent or not.
    struct Piece(bool);

    impl Work for Piece {
        fn is_urgent(&self) -> bool {
            self.0
        }

        fn work(&self) -> bool {
            false
        }

        fn panicked(&self, _: &str) {}
    }

    /// Panics in every piece, and says what it hears of that.
    struct Mine(std::sync::mpsc::Sender<String>);

    impl Work for Mine {
        fn is_urgent(&self) -> bool {
            true
        }

        fn work(&self) -> bool {
            panic!("on purpose")
        }

        fn panicked(&self, text: &str) {
            self.0.send(text.to_owned()).unwrap();
            panic!("once more")
        }
    }

    #[test]
    fn work_that_panics_hears_of_it_and_the_threads_go_on() {
        let workers = Workers::default();
        let (sender, heard) = std::sync::mpsc::channel();
        for _ in 0..100 {
            workers.schedule(Arc::new(Mine(sender.clone())));
        }
        drop(sender);
        let texts: Vec<String> = heard.iter().collect();
        assert_eq!(texts, vec!["on purpose"; 100]);
    }

    /// Does not come back before it is let.
    struct Hangs(Mutex<std::sync::mpsc::Receiver<()>>);

    impl Work for Hangs {
        fn is_urgent(&self) -> bool {
            true
        }

        fn work(&self) -> bool {
            let _ = self.0.lock().unwrap().recv();
            false
        }

        fn panicked(&self, _: &str) {}
    }

    #[test]
    fn threads_that_do_not_come_back_are_replaced() {
        let workers = Workers::default();
        let count = thread::available_parallelism().map_or(1, usize::from);
        let mut hanging = Vec::new();
        for _ in 0..count {
            let (let_go, is_let) = std::sync::mpsc::channel();
            hanging.push(let_go);
            workers.schedule(Arc::new(Hangs(Mutex::new(is_let))));
        }
        let (sender, heard) = std::sync::mpsc::channel();
        workers.schedule(Arc::new(Mine(sender.clone())));
        workers.lose();
        assert_eq!(heard.recv(), Ok("on purpose".to_owned()));
        hanging.clear();
        workers.regain();
        workers.schedule(Arc::new(Mine(sender)));
        assert_eq!(heard.recv(), Ok("on purpose".to_owned()));
    }

    #[test]
    fn urgent_work_goes_first_and_all_else_in_turn() {
        let mut queue = Queue::default();
        let work = [false, false, true, false, true]
            .map(|urgent| Arc::new(Piece(urgent)) as Arc<dyn Work>);
        work.iter().for_each(|work| queue.add(work.clone()));
        for expected in [2, 4, 0, 1, 3] {
            let next = queue.next().unwrap();
            assert!(Arc::ptr_eq(&next, &work[expected]));
        }
        assert!(queue.next().is_none());
    }
}
