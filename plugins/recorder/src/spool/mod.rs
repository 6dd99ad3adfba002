//! Recordings on their way to a store: files in a directory of the server, each with a note that says where it goes.
//!
//! They are written there as any other recording is, and stay until the store has confirmed them, whatever happens to the
//! server meanwhile. `directory` is what is on the disk and who owns it, `entry` one file, `room` how much of all there may
//! be, `queue` which is next and when, `courier` brings one file away, `events` tells the endpoint.

mod courier;
mod directory;
mod entry;
mod events;
mod queue;
mod room;

use std::{
    io,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use rivero_plugin_api::{host, supervise::lock};

use crate::{s3::Object, settings::Settings, threads::Threads};
use courier::ToStore;
use directory::{Directory, Instance};
pub(crate) use entry::Recorded;
use entry::{Job, Note};
pub(crate) use events::{Deliveries, Listener, UploadEvent, UploadEvents};
use queue::Queue;
use room::Room;

/// How often what another process still had is looked after again.
const AGAIN: Duration = Duration::from_secs(30);

/// The spool of this process.
pub(crate) struct Spool {
    directory: Directory,
    room: Arc<Room>,
    queue: Arc<Queue>,
    /// Where files of this process are, once there are any.
    own: Mutex<Option<Arc<Instance>>>,
}

impl Spool {
    /// As the settings say.
    pub(crate) fn of_process(settings: &Settings) -> &'static Arc<Self> {
        static SPOOL: OnceLock<Arc<Spool>> = OnceLock::new();
        let spool = SPOOL.get_or_init(|| {
            let data = host().map(rivero_plugin_api::Host::data_directory);
            let data = data.unwrap_or_else(std::env::temp_dir);
            let given = settings.spool_path.as_deref().map(str::trim);
            let path = data.join(given.unwrap_or("upload-spool"));
            let directory = Directory::new(path, Some(data));
            Self::new(directory, settings.spool(), Box::new(ToStore))
        });
        spool.room.set_limit(settings.spool());
        spool
    }

    fn new(directory: Directory, limit: u64, courier: Box<dyn queue::Courier>) -> Arc<Self> {
        Arc::new(Self {
            directory,
            room: Arc::new(Room::new(limit)),
            queue: Queue::new(courier),
            own: Mutex::default(),
        })
    }

    /// Makes a file for a recording. May block.
    ///
    /// # Errors
    /// Those of the system; [`io::ErrorKind::QuotaExceeded`] when the spool is full
    pub(crate) fn begin(
        self: &Arc<Self>,
        object: Object,
        content_type: &'static str,
        events: &UploadEvents,
    ) -> io::Result<Recorded> {
        let space = self.room.begin()?;
        let note = Note::new(object, content_type);
        let recorded = Recorded::create(self, self.instance()?, note, space, events.begin())?;
        // After the file is there, so that nobody who finds none removes this again.
        self.directory.mark()?;
        Ok(recorded)
    }

    fn instance(&self) -> io::Result<Arc<Instance>> {
        let mut own = lock(&self.own);
        if let Some(instance) = &*own {
            return Ok(instance.clone());
        }
        let instance = Arc::new(self.directory.begin()?);
        *own = Some(instance.clone());
        Ok(instance)
    }

    /// Takes a file over that is to be brought away.
    fn push(self: &Arc<Self>, job: Job) {
        self.queue.push(job);
        self.start_workers();
    }

    fn start_workers(self: &Arc<Self>) {
        while self.queue.wants_worker() {
            let threads = Threads::for_uploads();
            let spool = self.clone();
            let worker = async move {
                spool.queue.work().await;
                spool.tidy();
            };
            let spawned = threads.and_then(|threads| threads.spawn(worker));
            if let Err(error) = spawned {
                self.queue.lost_worker();
                tracing::error!(
                    "recordings stay in the spool, without a thread that brings them away: {error}"
                );
                return;
            }
        }
    }

    /// When nothing is left to be brought away, the server needs not start the module for it the next time.
    fn tidy(&self) {
        if self.room.is_empty() {
            // Who begins a recording meanwhile has it already, or makes another one.
            drop(lock(&self.own).take());
            self.directory.forget();
        }
    }

    /// Looks for what earlier processes have left, and brings it away, in the background.
    pub(crate) fn resume(self: &Arc<Self>) {
        if !self.directory.exists() {
            return self.directory.forget();
        }
        let spool = self.clone();
        let resume = async move {
            loop {
                let spool = spool.clone();
                // Whoever has it now may be killed, too.
                let others = tokio::task::spawn_blocking(move || spool.adopt());
                if !others.await.unwrap_or(false) {
                    break;
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        let spawned = Threads::for_uploads().and_then(|threads| threads.spawn(resume));
        if let Err(error) = spawned {
            tracing::error!(
                "recordings stay in the spool, without a thread that brings them away: {error}"
            );
        }
    }

    /// Takes over what nobody has; whether others have some.
    fn adopt(self: &Arc<Self>) -> bool {
        let own = lock(&self.own).clone();
        let (instances, others) = match self.directory.adopt(own.as_deref()) {
            Ok(found) => found,
            Err(error) => {
                tracing::error!("the spool of recordings cannot be read: {error}");
                return false;
            }
        };
        let mut count = 0;
        for instance in instances {
            let instance = Arc::new(instance);
            for job in entry::left_in(&instance, &self.room) {
                count += 1;
                self.push(job);
            }
        }
        if count > 0 {
            tracing::info!(
                "{count} recordings that an earlier server left in the spool are brought to their stores"
            );
        } else if !others {
            self.tidy();
        }
        others
    }
}

/// Goes on with what the server before this one has left: when the module starts in a server.
pub(crate) fn resume() {
    if host().is_none() {
        return;
    }
    match Settings::load() {
        Ok(settings) => Spool::of_process(&settings).resume(),
        Err(error) => tracing::error!("recordings stay in the spool: {error}"),
    }
}

#[cfg(test)]
mod tests;
