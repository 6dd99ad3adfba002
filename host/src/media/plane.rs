//! What all pipelines of a server share.

use std::{
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use super::{
    convert::{Converters, Ledger, Workers},
    flow::FlowMonitor,
    format::Formats,
    timers::Timers,
};

/// Clock, formats and threads of the media plane.
pub struct Plane {
    formats: Formats,
    timers: Timers,
    flow: FlowMonitor,
    epoch: Instant,
    pads: AtomicU32,
    converters: OnceLock<Weak<dyn Converters>>,
    workers: Workers,
    conversions: Ledger,
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
            converters: OnceLock::new(),
            workers: Workers::default(),
            conversions: Ledger::default(),
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

    /// Names what converts media from now on; only the first call counts. The caller
    /// keeps it alive.
    pub fn set_converters(&self, converters: &Arc<dyn Converters>) {
        let _ = self.converters.set(Arc::downgrade(converters));
    }

    pub(crate) fn converters(&self) -> Option<Arc<dyn Converters>> {
        self.converters.get()?.upgrade()
    }

    pub(crate) fn workers(&self) -> &Workers {
        &self.workers
    }

    pub(crate) fn conversions(&self) -> &Ledger {
        &self.conversions
    }

    /// What the media plane measures, in the text format of Prometheus.
    pub fn metrics(&self) -> String {
        self.conversions.text()
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
