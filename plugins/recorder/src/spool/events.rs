//! What becomes of the files of a recording, for its endpoint.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

/// What an endpoint is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UploadEvent {
    /// An attempt begins.
    Uploading {
        uri: String,
        bytes: u64,
        attempt: u32,
    },
    /// The store has confirmed the file.
    Uploaded { uri: String, bytes: u64 },
    /// It has not, and is tried again.
    Failed {
        uri: String,
        attempt: u32,
        reason: String,
        delay: Duration,
    },
}

/// Takes them, from any thread.
pub(crate) type Listener = dyn Fn(&UploadEvent) + Send + Sync;

/// The uploads of one endpoint.
#[derive(Clone)]
pub(crate) struct UploadEvents {
    /// An endpoint that is released while its files wait is not kept for them.
    pub(crate) listener: Weak<Listener>,
    pub(crate) deliveries: Arc<Deliveries>,
}

impl std::fmt::Debug for UploadEvents {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("UploadEvents")
            .finish_non_exhaustive()
    }
}

impl UploadEvents {
    pub(super) fn begin(&self) -> Pending {
        self.deliveries.0.send_modify(|count| *count += 1);
        Pending(self.clone())
    }
}

/// Files that are recorded, or tried for the first time.
#[derive(Default)]
pub(crate) struct Deliveries(watch::Sender<usize>);

impl Deliveries {
    /// Waits until all files have been brought away, or could not be, for `patience` at most.
    pub(crate) async fn settled(&self, patience: Duration) {
        let mut count = self.0.subscribe();
        let settled = count.wait_for(|count| *count == 0);
        // Neither the end of patience nor that of the sender, which is `self`, is told apart.
        let _ = timeout(patience, settled).await;
    }
}

/// A file that is waited for until this is dropped.
pub(super) struct Pending(UploadEvents);

impl Pending {
    pub(super) fn events(&self) -> &UploadEvents {
        &self.0
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.deliveries.0.send_modify(|count| *count -= 1);
    }
}
