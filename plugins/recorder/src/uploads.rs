//! What becomes of the files that an endpoint has brought to a store, as events.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use rivero_plugin_api::ElementContext;

use crate::{
    api::RecorderEndpointEvents,
    spool::{Deliveries, Listener, UploadEvent, UploadEvents},
};

/// A released endpoint waits so long for its files to be in their store: where the server ends, its disk may go with it.
/// What takes longer, or cannot be brought there now, is brought there later.
const PATIENCE: Duration = Duration::from_secs(5);

/// See the head of this file.
pub(crate) struct Uploads {
    listener: Arc<Listener>,
    deliveries: Arc<Deliveries>,
}

impl Uploads {
    pub(crate) fn new(context: &ElementContext) -> Self {
        let context = context.clone();
        Self {
            listener: Arc::new(move |event| tell(&context, event)),
            deliveries: Arc::default(),
        }
    }

    /// What the spool is given: it does not keep the endpoint.
    pub(crate) fn events(&self) -> UploadEvents {
        let listener: Weak<Listener> = Arc::downgrade(&self.listener);
        UploadEvents {
            listener,
            deliveries: self.deliveries.clone(),
        }
    }

    /// Waits for the files that are recorded, or tried for the first time; not for ever.
    pub(crate) fn settled(&self) -> impl Future<Output = ()> + Send + 'static {
        let deliveries = self.deliveries.clone();
        async move { deliveries.settled(PATIENCE).await }
    }
}

fn tell(context: &ElementContext, event: &UploadEvent) {
    let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let bytes_of = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    match event.clone() {
        UploadEvent::Uploading {
            uri,
            bytes,
            attempt,
        } => context.uploading(uri, bytes_of(bytes), count(attempt)),
        UploadEvent::Uploaded { uri, bytes } => context.uploaded(uri, bytes_of(bytes)),
        UploadEvent::Failed {
            uri,
            attempt,
            reason,
            delay,
        } => {
            let delay = i32::try_from(delay.as_millis()).unwrap_or(i32::MAX);
            context.upload_failed(uri, count(attempt), reason, delay);
        }
    }
}
