//! The thread of all connections.

use std::{
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use rivero_plugin_api::{Error, Result, supervise::lock};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
};

const NAME: &str = "rtmp";
/// Threads that wait for the resolver; they end when they have nothing to do.
const BLOCKING_THREADS: usize = 16;
const IDLE_THREAD: Duration = Duration::from_secs(5);

/// The thread of all connections: there while somebody keeps it.
pub(crate) struct Thread(Option<Runtime>);

impl Thread {
    /// The thread that is there, or a new one.
    ///
    /// # Errors
    /// 40003 when there is no thread to be had
    pub(crate) fn obtain() -> Result<Arc<Self>> {
        static CURRENT: Mutex<Weak<Thread>> = Mutex::new(Weak::new());
        let mut current = lock(&CURRENT);
        if let Some(thread) = current.upgrade() {
            return Ok(thread);
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_keep_alive(IDLE_THREAD)
            .thread_name(NAME)
            .enable_all()
            .build()
            .map_err(|error| {
                Error::unexpected(format!("Cannot start a thread for RTMP: {error}"))
            })?;
        let thread = Arc::new(Self(Some(runtime)));
        *current = Arc::downgrade(&thread);
        Ok(thread)
    }

    /// What spawns tasks on the thread.
    ///
    /// # Errors
    /// 40003 while it ends
    pub(crate) fn handle(&self) -> Result<&Handle> {
        let runtime = self.0.as_ref().map(Runtime::handle);
        runtime.ok_or_else(|| Error::unexpected("the thread of RTMP is ending"))
    }

    /// Runs a task, which keeps the thread.
    ///
    /// # Errors
    /// 40003 while the thread ends
    pub(crate) fn spawn(
        self: &Arc<Self>,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Result<JoinHandle<()>> {
        let kept = self.clone();
        Ok(self.handle()?.spawn(async move {
            task.await;
            drop(kept);
        }))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // The last one may be a task of the runtime itself, which cannot wait for it.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
