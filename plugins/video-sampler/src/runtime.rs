//! The thread that sends for all samplers.

use std::{
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use rivero_plugin_api::{Error, Result, supervise::lock};
use tokio::{
    runtime::{Builder, Runtime},
    task::AbortHandle,
};

const NAME: &str = "sampler";
/// Threads that wait for the resolver; they end when they have nothing to do.
const BLOCKING_THREADS: usize = 16;
const IDLE_THREAD: Duration = Duration::from_secs(5);

/// There while somebody keeps it.
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
            .map_err(|error| Error::unexpected(format!("no thread for samplers: {error}")))?;
        let thread = Arc::new(Self(Some(runtime)));
        *current = Arc::downgrade(&thread);
        Ok(thread)
    }

    /// Runs a task until it ends or is aborted.
    ///
    /// # Errors
    /// 40003 while the thread ends
    pub(crate) fn spawn(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Result<AbortHandle> {
        let runtime = self.0.as_ref();
        let runtime =
            runtime.ok_or_else(|| Error::unexpected("the thread of samplers is ending"))?;
        Ok(runtime.spawn(task).abort_handle())
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // A resolver may still be busy.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
