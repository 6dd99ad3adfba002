//! Bytes into a pipeline, no faster than it takes them.

use std::{fs::File, os::fd::AsRawFd, sync::Arc};

use bytes::Bytes;
use rivero_gst::{Error, element, gst, gst::prelude::*, gst_app};
use tokio::sync::Notify;

/// Bytes that wait in front of the decoder.
const QUEUE: u64 = 256 << 10;

/// An `appsrc` and how far it has got.
pub(crate) struct Feed {
    source: gst_app::AppSrc,
    wanting: Arc<Notify>,
}

impl Feed {
    pub(crate) fn new() -> Self {
        let wanting = Arc::new(Notify::new());
        let wants = wanting.clone();
        let callbacks = gst_app::AppSrcCallbacks::builder()
            .need_data(move |_, _| wants.notify_one())
            .build();
        let source = gst_app::AppSrc::builder()
            .name("upload")
            .format(gst::Format::Bytes)
            .stream_type(gst_app::AppStreamType::Stream)
            .block(false)
            .max_bytes(QUEUE)
            .min_percent(50)
            .callbacks(callbacks)
            .build();
        Self { source, wanting }
    }

    pub(crate) fn element(&self) -> &gst::Element {
        self.source.upcast_ref()
    }

    /// Waits until the pipeline wants more.
    pub(crate) async fn wanted(&self) {
        while self.source.current_level_bytes() >= QUEUE {
            self.wanting.notified().await;
        }
    }

    /// Hands bytes over, without copying them.
    pub(crate) fn push(&self, bytes: Bytes) {
        // A pipeline that takes no more says why.
        let _ = self.source.push_buffer(gst::Buffer::from_slice(bytes));
    }

    /// Nothing follows.
    pub(crate) fn end(&self) {
        let _ = self.source.end_of_stream();
    }
}

/// What reads a file that is complete. It has to stay open as long.
///
/// # Errors
/// [`Error::MissingElement`]
pub(crate) fn reader(file: &File) -> Result<gst::Element, Error> {
    let reader = element::make("filesrc")?;
    // The file has no name any more.
    reader.set_property("location", format!("/proc/self/fd/{}", file.as_raw_fd()));
    Ok(reader)
}
