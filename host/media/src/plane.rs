//! What all pipelines of a server share.

use std::{
    sync::{
        Arc, OnceLock, PoisonError, RwLock, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use rivero_plugin_api::Format;

use crate::{
    conversion_counters::{ConversionFigures, Ledger},
    converters::Converters,
    demand::SharedEncoding,
    flow::FlowMonitor,
    format::Formats,
    thinning,
    timers::Timers,
    traffic::{
        self, CodecTraffic, EstimateFigures, Estimates, Traffic, TrafficFigures, Transcoded,
        TranscodedFigures, TranscodedLink,
    },
    workers::Workers,
};

/// Clock, formats and threads of the media plane.
pub struct Plane {
    formats: Formats,
    timers: Timers,
    flow: FlowMonitor,
    epoch: Instant,
    pads: AtomicU32,
    converters: RwLock<Option<Weak<dyn Converters>>>,
    workers: Workers,
    conversions: Ledger,
    shared_encoding: OnceLock<SharedEncoding>,
    traffic: Traffic,
    estimates: Arc<Estimates>,
    transcoded: Transcoded,
}

/// What the media plane has counted since the server started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// By kind of conversion; empty before the first one.
    pub conversions: Vec<ConversionFigures>,
    /// Frames of shared encodings that weak viewers were not sent.
    pub frames_left_out: u64,
    /// By codec; empty before there was any.
    pub traffic: Vec<TrafficFigures>,
    /// What the paths to clients carry now.
    pub estimates: EstimateFigures,
    /// Links whose media is decoded or encoded, by codecs.
    pub transcoded: Vec<TranscodedFigures>,
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
            converters: RwLock::default(),
            workers: Workers::default(),
            conversions: Ledger::default(),
            shared_encoding: OnceLock::new(),
            traffic: Traffic::default(),
            estimates: Arc::default(),
            transcoded: Transcoded::default(),
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

    /// Names what converts media from now on. The caller keeps it alive. Later ones have the
    /// conversions of earlier ones under their numbers, or none there: paths go on that were
    /// planned before.
    pub fn set_converters(&self, converters: &Arc<dyn Converters>) {
        let mut current = { self.converters.write() }.unwrap_or_else(PoisonError::into_inner);
        *current = Some(Arc::downgrade(converters));
    }

    pub(crate) fn converters(&self) -> Option<Arc<dyn Converters>> {
        let current = { self.converters.read() }.unwrap_or_else(PoisonError::into_inner);
        current.as_ref()?.upgrade()
    }

    /// Sets who decides about an encoding that is shared; only the first call counts.
    pub fn set_shared_encoding(&self, rule: SharedEncoding) {
        let _ = self.shared_encoding.set(rule);
    }

    pub(crate) fn shared_encoding(&self) -> SharedEncoding {
        self.shared_encoding.get().copied().unwrap_or_default()
    }

    /// A worker of conversions does not come back from a module: another one takes its place, a few times.
    pub fn lose_worker(&self) {
        self.workers.lose();
    }

    /// It has come back.
    pub fn regain_worker(&self) {
        self.workers.regain();
    }

    pub(crate) fn workers(&self) -> &Workers {
        &self.workers
    }

    pub(crate) fn conversions(&self) -> &Ledger {
        &self.conversions
    }

    /// What the media plane has counted.
    pub fn figures(&self) -> Figures {
        Figures {
            conversions: self.conversions.figures(),
            frames_left_out: thinning::frames_left_out(),
            traffic: self.traffic.figures(),
            estimates: self.estimates.figures(),
            transcoded: self.transcoded.figures(),
        }
    }

    /// Calls `then` on the thread of timers, which must not be blocked by it.
    pub fn soon(&self, then: Box<dyn FnOnce() + Send>) {
        self.timers.after(Duration::ZERO, then);
    }

    /// How long the threads of conversions have worked so far, all together.
    #[must_use]
    pub fn converting_time(&self) -> Duration {
        self.workers.busy_time()
    }

    /// What an encoding is called in figures: as a conversion of the installed modules has it, or `other`.
    #[must_use]
    pub fn codec_name(&self, encoding: &str) -> String {
        let converters = self.converters();
        let conversions = converters
            .as_ref()
            .map_or(&[][..], |known| known.conversions());
        traffic::codec(encoding, conversions).to_owned()
    }

    /// Where the media of an encoding is counted.
    pub(crate) fn traffic(&self, encoding: &str) -> Arc<CodecTraffic> {
        let converters = self.converters();
        let conversions = converters
            .as_ref()
            .map_or(&[][..], |known| known.conversions());
        self.traffic.of(encoding, conversions)
    }

    /// Counts a link whose media is decoded or encoded between these formats.
    pub(crate) fn transcoded_link(&self, ends: [&Format; 2]) -> TranscodedLink {
        let converters = self.converters();
        let conversions = converters
            .as_ref()
            .map_or(&[][..], |known| known.conversions());
        self.transcoded.link(ends, conversions)
    }

    pub(crate) fn estimates(&self) -> &Arc<Estimates> {
        &self.estimates
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
