//! A port's way in and out, for one kind of media.

use std::sync::{
    Arc, Mutex, OnceLock, Weak,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use rivero_plugin_api::{
    DEFAULT_DESCRIPTION, ElementContext, MediaKind, Packet, Result, SinkHandler, SinkPad,
    SourceHandler, Upstream, host, supervise::lock,
};

use super::{Switch, outlet::Outlet, selector::Step};

/// One kind of media of one port.
pub(crate) struct Lane {
    pub(super) port: Box<str>,
    /// Tells its input from those of all other lanes, former ones included.
    pub(super) number: u64,
    pub(super) outlet: Outlet,
    sink: OnceLock<SinkPad>,
    input: Mutex<Input>,
    /// What the paths behind the outlet carry.
    budget: Budget,
    switch: Weak<Switch>,
}

/// What comes in.
#[derive(Default)]
struct Input {
    format: Option<u32>,
    /// Whose outlets show it or wait for it, as far as the control side knows.
    listeners: Arc<[Weak<Lane>]>,
    /// What its source was told of their paths.
    told: Paths,
}

/// What paths carry, bit/s; `u64::MAX` where nothing limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paths {
    estimate: u64,
    start: u64,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            estimate: u64::MAX,
            start: u64::MAX,
        }
    }
}

impl Paths {
    /// What all of them carry.
    pub(super) fn least(self, other: Self) -> Self {
        Self {
            estimate: self.estimate.min(other.estimate),
            start: self.start.min(other.start),
        }
    }
}

/// The same, as consumers report it. Each number stands for itself, so relaxed is enough.
struct Budget {
    estimate: AtomicU64,
    start: AtomicU64,
}

impl Lane {
    /// Opens the pads of a port.
    pub(super) fn open(
        switch: &Arc<Switch>,
        number: u64,
        port: &str,
        context: &ElementContext,
    ) -> Result<Arc<Self>> {
        let kind = switch.kind;
        let lane = Arc::new(Self {
            port: port.into(),
            number,
            outlet: Outlet::new(kind == MediaKind::Video),
            sink: OnceLock::new(),
            input: Mutex::default(),
            budget: Budget {
                estimate: AtomicU64::new(u64::MAX),
                start: AtomicU64::new(u64::MAX),
            },
            switch: Arc::downgrade(switch),
        });
        let end = || End(Arc::downgrade(&lane));
        let source = context.source_pad(kind, DEFAULT_DESCRIPTION, end())?;
        lane.outlet.open(source);
        let sink = context.sink_pad(kind, DEFAULT_DESCRIPTION, end())?;
        lane.sink.get_or_init(|| sink).accept_any();
        Ok(lane)
    }

    /// A message towards what comes in.
    pub(super) fn send_upstream(&self, message: Upstream) {
        if let Some(sink) = self.sink.get() {
            sink.upstream(message);
        }
    }

    pub(super) fn set_listeners(&self, listeners: Vec<Weak<Self>>) {
        lock(&self.input).listeners = listeners.into();
    }

    pub(super) fn paths(&self) -> Paths {
        Paths {
            estimate: self.budget.estimate.load(Relaxed),
            start: self.budget.start.load(Relaxed),
        }
    }

    /// Tells the source of what comes in about the paths of its listeners, if that is news.
    pub(super) fn tell(&self, paths: Paths) {
        let told = std::mem::replace(&mut lock(&self.input).told, paths);
        if told.estimate != paths.estimate {
            self.send_upstream(Upstream::BandwidthEstimate {
                bits_per_second: paths.estimate,
            });
        }
        if told.start != paths.start {
            self.send_upstream(Upstream::StartBitrate {
                bits_per_second: paths.start,
            });
        }
    }

    fn listeners(&self) -> (Option<u32>, Arc<[Weak<Self>]>) {
        let input = lock(&self.input);
        (input.format, input.listeners.clone())
    }

    fn on_packets(&self, packets: &[Packet]) {
        let (format, listeners) = self.listeners();
        let Some(host) = host().filter(|_| !listeners.is_empty()) else {
            return;
        };
        let (now, mut asks, mut switches) = (host.now(), false, false);
        for listener in listeners.iter().filter_map(Weak::upgrade) {
            let step = listener
                .outlet
                .on_packets((self.number, format), packets, now);
            asks |= step == Step::Ask;
            switches |= matches!(step, Step::Switch(_));
        }
        if asks {
            self.send_upstream(Upstream::KeyframeRequest);
        }
        if switches && let Some(switch) = self.switch.upgrade() {
            switch.settle();
        }
    }

    fn on_format(&self, format: Option<u32>) {
        lock(&self.input).format = format;
        let (_, listeners) = self.listeners();
        for listener in listeners.iter().filter_map(Weak::upgrade) {
            listener.outlet.on_format(self.number, format);
        }
    }

    fn on_upstream(&self, message: Upstream) {
        let Some(switch) = self.switch.upgrade() else {
            return;
        };
        match message {
            Upstream::BandwidthEstimate { bits_per_second } => {
                self.budget.estimate.store(bits_per_second, Relaxed);
                switch.settle();
            }
            Upstream::StartBitrate { bits_per_second } => {
                self.budget.start.store(bits_per_second, Relaxed);
                switch.settle();
            }
            _ => {
                for number in self.outlet.inputs() {
                    if let Some(source) = switch.lane_by_number(number) {
                        source.send_upstream(message);
                    }
                }
            }
        }
    }
}

/// The lane as its pads know it: they do not keep it alive.
struct End(Weak<Lane>);

impl SinkHandler for End {
    fn packets(&self, packets: &[Packet]) {
        if let Some(lane) = self.0.upgrade() {
            lane.on_packets(packets);
        }
    }

    fn format(&self, format: Option<u32>) {
        if let Some(lane) = self.0.upgrade() {
            lane.on_format(format);
        }
    }
}

impl SourceHandler for End {
    fn upstream(&self, message: Upstream) {
        if let Some(lane) = self.0.upgrade() {
            lane.on_upstream(message);
        }
    }
}
