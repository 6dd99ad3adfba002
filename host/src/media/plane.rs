//! What all pipelines of a server share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use super::{flow::FlowMonitor, format::Formats, timers::Timers};

/// Clock, formats and threads of the media plane.
pub struct Plane {
    formats: Formats,
    timers: Timers,
    flow: FlowMonitor,
    epoch: Instant,
    pads: AtomicU32,
}

impl Plane {
    /// Starts the two threads of the plane: timers and flow watch.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start() -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            formats: Formats::default(),
            timers: Timers::start("media-timers")?,
            flow: FlowMonitor::start()?,
            epoch: Instant::now(),
            pads: AtomicU32::new(0),
        }))
    }

    /// The clock of all pipelines, ns since the server started, monotonic.
    pub fn now(&self) -> i64 {
        i64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(i64::MAX)
    }

    /// The formats met so far.
    pub fn formats(&self) -> &Formats {
        &self.formats
    }

    pub(crate) fn timers(&self) -> &Timers {
        &self.timers
    }

    pub(crate) fn flow(&self) -> &FlowMonitor {
        &self.flow
    }

    pub(crate) fn next_pad(&self) -> u32 {
        self.pads.fetch_add(1, Ordering::Relaxed) + 1
    }
}
