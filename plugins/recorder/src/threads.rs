//! The threads on which recordings are written and brought away.

use std::{
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use rivero_plugin_api::{Error, Result, supervise::lock};
use tokio::runtime::{Builder, Runtime};

/// Threads that wait for disks, or for the resolver; they end when they have nothing to do.
pub(crate) const BLOCKING_THREADS: usize = 64;
const IDLE_THREAD: Duration = Duration::from_secs(5);

/// The threads of all recordings of a kind: there while one lasts.
///
/// Files and uploads have their own. What files wait for are disks, on threads that block; what
/// uploads wait for are servers and the resolver, and none of these is to hold up a file.
pub(crate) struct Threads(Option<Runtime>);

impl Threads {
    /// # Errors
    /// 40003 when there are no threads to be had
    pub(crate) fn for_files() -> Result<Arc<Self>> {
        static FILES: Mutex<Weak<Threads>> = Mutex::new(Weak::new());
        Self::obtain(&FILES, "recorder")
    }

    /// # Errors
    /// 40003 when there are no threads to be had
    pub(crate) fn for_uploads() -> Result<Arc<Self>> {
        static UPLOADS: Mutex<Weak<Threads>> = Mutex::new(Weak::new());
        Self::obtain(&UPLOADS, "recorder-upload")
    }

    fn obtain(current: &Mutex<Weak<Self>>, name: &str) -> Result<Arc<Self>> {
        let mut current = lock(current);
        if let Some(threads) = current.upgrade() {
            return Ok(threads);
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_keep_alive(IDLE_THREAD)
            .thread_name(name)
            .enable_all()
            .build()
            .map_err(|error| {
                Error::unexpected(format!("Cannot start a thread for recordings: {error}"))
            })?;
        let threads = Arc::new(Self(Some(runtime)));
        *current = Arc::downgrade(&threads);
        Ok(threads)
    }

    /// Runs `future` on them; they last as long as it does.
    ///
    /// # Errors
    /// 40003 when they have come to their end
    pub(crate) fn spawn(
        self: &Arc<Self>,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Result<()> {
        let runtime = self.0.as_ref();
        let runtime = runtime.ok_or_else(|| Error::unexpected("the recorder is shutting down"))?;
        let threads = self.clone();
        runtime.spawn(async move {
            future.await;
            drop(threads);
        });
        Ok(())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // The last one may be a task of the runtime itself, which cannot wait for it.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
