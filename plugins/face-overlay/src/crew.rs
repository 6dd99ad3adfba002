//! The threads on which faces are looked for, the same for all filters.

use std::{
    path::Path,
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

use crate::detector::Detector;

/// Of the threads.
const NAME: &str = "faces";

/// Steps that the threads' priority is below that of media (`nice`), so that under load it is faces
/// that are left out.
const NICE: i32 = 10;

type Job = Box<dyn FnOnce(&mut Detector) + Send>;

/// See the head of this file. The threads end with the last one who holds it.
pub(crate) struct Crew {
    jobs: Sender<Job>,
}

impl Crew {
    /// The crew that there is, or a new one.
    ///
    /// # Errors
    /// 40003 when faces cannot be looked for
    pub(crate) fn join(cascade: &Path) -> Result<Arc<Self>> {
        static CREW: Mutex<Weak<Crew>> = Mutex::new(Weak::new());
        let mut crew = lock(&CREW);
        if let Some(crew) = crew.upgrade() {
            return Ok(crew);
        }
        let started = Arc::new(Self::start(cascade)?);
        *crew = Arc::downgrade(&started);
        Ok(started)
    }

    /// A thread for two processors: the other one is for media.
    fn start(cascade: &Path) -> Result<Self> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..processors.div_ceil(2) {
            let (mut detector, queue) = (Detector::new(cascade)?, queue.clone());
            lasting_thread(NAME, move || work(&mut detector, &queue))
                .map_err(|error| Error::unexpected(format!("no thread for faces: {error}")))?;
        }
        Ok(Self { jobs })
    }

    /// Runs `job` when those before it are done.
    pub(crate) fn add(&self, job: impl FnOnce(&mut Detector) + Send + 'static) {
        // The threads take jobs as long as there is a crew.
        let _ = self.jobs.send(Box::new(job));
    }
}

fn work(detector: &mut Detector, queue: &Mutex<Receiver<Job>>) {
    // Of this thread alone, as Linux has it.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "faces are looked for with the priority of media");
    }
    loop {
        let job = lock(queue).recv();
        let Ok(job) = job else { return };
        contained(NAME, || job(detector));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn a_job_that_panics_harms_none_after_it() {
        let crew = Crew::join(&Settings::default().cascade).unwrap();
        for _ in 0..100 {
            crew.add(|_| panic!("on purpose"));
        }
        let (done, is_done) = mpsc::channel();
        crew.add(move |_| done.send(()).unwrap());
        is_done.recv().unwrap();
    }

    /// The nice value of the calling thread (proc(5), `stat`, field 19).
    fn nice() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').nth(16).unwrap().parse().unwrap()
    }

    #[test]
    fn media_comes_before_faces() {
        let crew = Crew::join(&Settings::default().cascade).unwrap();
        let (done, is_done) = mpsc::channel();
        let before = nice();
        crew.add(move |_| done.send(nice()).unwrap());
        assert_eq!(is_done.recv().unwrap(), NICE.max(before));
        assert_eq!(nice(), before, "other threads keep theirs");
    }

    #[test]
    fn filters_share_a_crew() {
        let cascade = Settings::default().cascade;
        let (one, other) = (Crew::join(&cascade).unwrap(), Crew::join(&cascade).unwrap());
        assert!(Arc::ptr_eq(&one, &other));
    }
}
