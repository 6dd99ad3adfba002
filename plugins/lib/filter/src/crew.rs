//! Threads that look at pictures beside their way, the same for all filters of a class.

use std::{
    sync::{
        Arc, Mutex, Weak,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use rivero_plugin_api::{
    Error, Result,
    supervise::{contained, lasting_thread, lock},
};

/// Steps that the threads' priority is below that of media (`nice`), so that under load it is what they
/// look for that is left out.
const NICE: i32 = 10;

type Job<D> = Box<dyn FnOnce(&mut D) + Send>;

/// See the head of this file. `D` is what a thread works with. The threads end with the last one who
/// holds the crew.
pub struct Crew<D> {
    jobs: Sender<Job<D>>,
}

impl<D: Send + 'static> Crew<D> {
    /// The crew that there is at this place, or a new one, each thread of which has what `make` gives.
    ///
    /// # Errors
    /// Those of `make`; 40003 where there is no thread to be had
    pub fn join(
        place: &Mutex<Weak<Self>>,
        name: &'static str,
        make: impl Fn() -> Result<D>,
    ) -> Result<Arc<Self>> {
        let mut place = lock(place);
        if let Some(crew) = place.upgrade() {
            return Ok(crew);
        }
        let started = Arc::new(Self::start(name, make)?);
        *place = Arc::downgrade(&started);
        Ok(started)
    }

    /// A thread for two processors: the other one is for media.
    fn start(name: &'static str, make: impl Fn() -> Result<D>) -> Result<Self> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..processors.div_ceil(2) {
            let (mut with, queue) = (make()?, queue.clone());
            lasting_thread(name, move || work(name, &mut with, &queue))
                .map_err(|error| Error::unexpected(format!("no thread for {name}: {error}")))?;
        }
        Ok(Self { jobs })
    }

    /// Runs `job` when those before it are done.
    pub fn add(&self, job: impl FnOnce(&mut D) + Send + 'static) {
        // The threads take jobs as long as there is a crew.
        let _ = self.jobs.send(Box::new(job));
    }
}

fn work<D>(name: &'static str, with: &mut D, queue: &Mutex<Receiver<Job<D>>>) {
    // Of this thread alone, as Linux has it.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, name, "works with the priority of media");
    }
    loop {
        let job = lock(queue).recv();
        let Ok(job) = job else { return };
        contained(name, || job(with));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crew() -> Arc<Crew<()>> {
        static PLACE: Mutex<Weak<Crew<()>>> = Mutex::new(Weak::new());
        Crew::join(&PLACE, "tests", || Ok(())).unwrap()
    }

    #[test]
    fn a_job_that_panics_harms_none_after_it() {
        let crew = crew();
        for _ in 0..100 {
            crew.add(|()| panic!("on purpose"));
        }
        let (done, is_done) = mpsc::channel();
        crew.add(move |()| done.send(()).unwrap());
        is_done.recv().unwrap();
    }

    /// The nice value of the calling thread (proc(5), `stat`, field 19).
    fn nice() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').nth(16).unwrap().parse().unwrap()
    }

    #[test]
    fn media_comes_first() {
        let (done, is_done) = mpsc::channel();
        let before = nice();
        let crew = crew();
        crew.add(move |()| done.send(nice()).unwrap());
        assert_eq!(is_done.recv().unwrap(), NICE.max(before));
        assert_eq!(nice(), before, "other threads keep theirs");
    }

    #[test]
    fn filters_share_a_crew() {
        let (one, other) = (crew(), crew());
        assert!(Arc::ptr_eq(&one, &other));
    }

    #[test]
    fn what_cannot_be_made_is_no_crew() {
        let place = Mutex::default();
        let made = Crew::<()>::join(&place, "tests", || Err(Error::unexpected("no")));
        assert!(made.is_err() && place.lock().unwrap().upgrade().is_none());
    }
}
