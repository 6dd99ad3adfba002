//! Work that takes long because a client made it large, beside the threads that serve everybody.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::error::CallError;
use crate::observe::usage::cpu_count;

/// Runs large pieces of work, a few at a time: one for two processors, so that those who ask for
/// much wait for each other and nobody else waits for them.
#[derive(Debug, Clone)]
pub struct Aside {
    permits: Arc<Semaphore>,
}

impl Default for Aside {
    fn default() -> Aside {
        Aside {
            permits: Arc::new(Semaphore::new((cpu_count() / 2).max(1))),
        }
    }
}

impl Aside {
    /// Runs something when its turn has come; dropping the future does not stop what has begun.
    ///
    /// # Errors
    /// 40003 when it panics, which is logged.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CallError> {
        let permit = self.permits.clone().acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        done.await.map_err(|error| {
            tracing::error!(%error, "a large request failed");
            CallError::unexpected("The server failed while it handled a large request")
        })
    }
}
