//! The host's side of a source pad: the media path begins here.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{
            AtomicBool, AtomicU32, AtomicU64,
            Ordering::{AcqRel, Relaxed},
        },
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use rivero_plugin_api::{
    Encoding, MediaKind, Packet, Upstream,
    abi::{traits::SourceHandler, types::AbiUpstream},
};

use super::{
    cursor::Burst,
    depth::Depth,
    fanout::{FanOut, Member},
    flow::Flow,
    format::FormatUse,
    history::{self, History},
    keyframe::{Requests, Verdict},
    latency::Measuring,
    layers,
    link::Link,
    plane::{Plane, SharedEncoding},
};

/// What the paths to all consumers carry is looked at this long after one of them has changed, for
/// all changes of that time together: many weak viewers tell theirs many times a second.
const COLLECTION: Duration = Duration::from_millis(20);
/// So many consumers are looked at at once when one of them comes or goes, which is before what is
/// encoded for them begins; of more the estimates are collected, so that a thousand joins are not a
/// thousand looks at a thousand consumers.
const FEW: usize = 16;

/// Where packets of an element leave it.
pub struct Source {
    id: u32,
    kind: MediaKind,
    plane: Weak<Plane>,
    handler: SourceHandler,
    flow: Arc<Flow>,
    format: AtomicU32,
    /// Keeps the number of `format` valid.
    format_use: Mutex<Option<Arc<FormatUse>>>,
    encodings: Mutex<Vec<Encoding>>,
    fan_out: ArcSwap<FanOut>,
    history: History,
    keeps_history: AtomicBool,
    keyframes: Mutex<Requests>,
    told_estimate: AtomicU64,
    /// The consumers' estimates are about to be looked at.
    collecting: AtomicBool,
    shared_encoding: SharedEncoding,
    /// What comes out of a conversion has one encoding, whatever the original has.
    is_converted: bool,
    measuring: Arc<Measuring>,
}

impl Source {
    pub(crate) fn new(
        plane: &Arc<Plane>,
        kind: MediaKind,
        handler: SourceHandler,
        flow: Arc<Flow>,
    ) -> Self {
        Self {
            id: plane.next_pad(),
            kind,
            plane: Arc::downgrade(plane),
            handler,
            flow,
            format: AtomicU32::new(0),
            format_use: Mutex::default(),
            encodings: Mutex::default(),
            fan_out: ArcSwap::default(),
            history: History::default(),
            keeps_history: AtomicBool::new(false),
            keyframes: Mutex::default(),
            told_estimate: AtomicU64::new(u64::MAX),
            collecting: AtomicBool::new(false),
            shared_encoding: plane.shared_encoding(),
            is_converted: false,
            measuring: Arc::default(),
        }
    }

    /// What comes out of a conversion.
    pub(crate) fn converted(
        plane: &Arc<Plane>,
        kind: MediaKind,
        handler: SourceHandler,
        flow: Arc<Flow>,
    ) -> Self {
        Self {
            is_converted: true,
            ..Self::new(plane, kind, handler, flow)
        }
    }

    /// Has it measure the age of media while its pipeline wants that.
    pub(crate) fn measuring(mut self, measuring: &Arc<Measuring>) -> Self {
        self.measuring = measuring.clone();
        self
    }

    pub(crate) fn is_converted(&self) -> bool {
        self.is_converted
    }

    pub(crate) fn kind(&self) -> MediaKind {
        self.kind
    }

    /// Unique in the process; packets carry it as their origin.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Hands a burst to all consumers. Never blocks.
    pub fn push(self: &Arc<Self>, packets: &[Packet]) {
        let Some(_depth) = Depth::enter() else { return };
        for packets in packets.chunks(64) {
            let mut burst = Burst::new(packets);
            if self.measuring.is_on()
                && let Some(plane) = self.plane.upgrade()
            {
                burst = burst.measured(plane.now());
            }
            self.flow.mark(packets.len() as u64);
            let fan_out = self.fan_out.load();
            if self.keeps_history.load(Relaxed)
                && let Some(plane) = self.plane.upgrade()
            {
                let now = plane.now();
                // Here, on the producer's thread, so that nothing overtakes it.
                if fan_out.take_newcomers() {
                    fan_out.greet(|encoding| self.history.since_keyframe(encoding, now));
                }
                self.history.store(packets, now);
            }
            if fan_out.push(&burst) {
                self.help_the_starved();
            }
        }
    }

    /// Whether a consumer that joins now will be shown something at once.
    pub(crate) fn can_greet(&self, encoding: u8) -> bool {
        let plane = self.plane.upgrade();
        plane.is_some_and(|plane| self.history.has_keyframe(encoding, plane.now()))
    }

    /// Somebody waits for a keyframe: asks again when a request was lost.
    fn help_the_starved(self: &Arc<Self>) {
        let Some(plane) = self.plane.upgrade() else {
            return;
        };
        if self.keyframes().overdue(plane.now()) {
            self.request_keyframe();
        }
    }

    /// Asks the producer for a keyframe, soon and not too often.
    pub fn request_keyframe(self: &Arc<Self>) {
        let Some(plane) = self.plane.upgrade() else {
            return;
        };
        let verdict = self.keyframes().ask(plane.now());
        match verdict {
            Verdict::Now => self.tell(Upstream::KeyframeRequest),
            Verdict::Pending => {}
            Verdict::Later(delay) => {
                let source = Arc::downgrade(self);
                plane.timers().after(delay, move || {
                    if let Some(source) = source.upgrade() {
                        source.request_now();
                    }
                });
            }
        }
    }

    fn request_now(&self) {
        let Some(plane) = self.plane.upgrade() else {
            return;
        };
        self.keyframes().sent(plane.now());
        self.tell(Upstream::KeyframeRequest);
    }

    fn keyframes(&self) -> MutexGuard<'_, Requests> {
        self.keyframes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, message: Upstream) {
        self.handler.upstream(AbiUpstream::from(message));
    }

    /// A consumer's path carries another amount. Where there are several encodings or layers it
    /// alone gets another one of them, at once; else all share what there is, and the weakest
    /// decides, soon, what is sent, or the best, and the others get some of its frames.
    pub(crate) fn estimate_changed(self: &Arc<Self>, link: &Link, estimate: u64) {
        if self.select_layer(link, estimate) {
            self.request_keyframe();
        }
        self.collect_estimates();
    }

    fn collect_estimates(self: &Arc<Self>) {
        if self.collecting.swap(true, AcqRel) {
            return;
        }
        let Some(plane) = self.plane.upgrade() else {
            return;
        };
        let source = Arc::downgrade(self);
        plane.timers().after(COLLECTION, move || {
            if let Some(source) = source.upgrade() {
                source.collecting.swap(false, AcqRel);
                source.look_at_consumers();
            }
        });
    }

    /// Other consumers are there, now `count`.
    pub(crate) fn consumers_changed(self: &Arc<Self>, count: usize) {
        if count <= FEW {
            self.look_at_consumers();
        } else {
            self.collect_estimates();
        }
    }

    fn look_at_consumers(self: &Arc<Self>) {
        self.select_layers(&self.encodings());
        self.tell_estimate();
    }

    fn tell_estimate(&self) {
        let encodings = self.encodings();
        let bits_per_second = if encodings.len() > 1 {
            u64::MAX
        } else {
            match self.shared_encoding {
                SharedEncoding::LowestViewer => {
                    self.least_estimate(layers::least_share(&encodings))
                }
                SharedEncoding::BestViewer => self.best_estimate(),
            }
        };
        if self.told_estimate.swap(bits_per_second, Relaxed) != bits_per_second {
            self.tell(Upstream::BandwidthEstimate { bits_per_second });
        }
    }

    /// What may be sent, bit/s, so that every path carries it, or `share` of it where a consumer
    /// can do with less.
    fn least_estimate(&self, share: f64) -> u64 {
        let fan_out = self.fan_out.load();
        let whole = fan_out.members().map(|member| whole_of(member, share));
        whole.min().unwrap_or(u64::MAX)
    }

    /// What may be sent, bit/s, so that the best path carries it; the others are thinned.
    fn best_estimate(&self) -> u64 {
        let fan_out = self.fan_out.load();
        let best = fan_out.members().map(Member::estimate).max();
        let best = best.unwrap_or(u64::MAX);
        for member in fan_out.members().filter(|member| member.estimate() < best) {
            member.link().thin();
        }
        best
    }

    fn select_layers(self: &Arc<Self>, encodings: &[Encoding]) {
        let fan_out = self.fan_out.load();
        let mut switches = false;
        for member in fan_out.members() {
            switches |= member.link().choose(encodings, member.estimate());
        }
        if switches {
            self.request_keyframe();
        }
    }

    /// Chooses an encoding for one consumer; `true` when it is to change.
    pub(crate) fn select_layer(&self, link: &Link, estimate: u64) -> bool {
        let encodings = self
            .encodings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        link.choose(&encodings, estimate)
    }

    /// Bit/s of the next better encoding or layer than a consumer has, 0 = none.
    pub(crate) fn next_bitrate(&self, link: &Link, estimate: u64) -> u64 {
        let encodings = self
            .encodings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let next = if layers::are_layered(&encodings) {
            layers::next_bitrate(&encodings, link.choice())
        } else {
            0
        };
        match (next, self.shared_encoding) {
            (0, SharedEncoding::BestViewer) => layers::missing_bitrate(&encodings, estimate),
            (next, _) => next,
        }
    }

    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    pub(crate) fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }

    pub(crate) fn handler(&self) -> &SourceHandler {
        &self.handler
    }

    pub(crate) fn format(&self) -> u32 {
        self.format.load(Relaxed)
    }

    /// What keeps the number of the present format valid.
    pub(crate) fn format_use(&self) -> Option<Arc<FormatUse>> {
        let present = self.format_use.lock();
        present.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `true` when it is a change.
    pub(crate) fn set_format(&self, format: Option<Arc<FormatUse>>, plane: &Plane) -> bool {
        let number = format.as_deref().map_or(0, FormatUse::number);
        let keeps = plane
            .formats()
            .get(number)
            .is_some_and(|format| history::keeps(format.packaging));
        self.keeps_history
            .store(keeps && self.kind == MediaKind::Video, Relaxed);
        if !keeps {
            self.history.clear();
        }
        *self
            .format_use
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = format;
        self.format.swap(number, Relaxed) != number
    }

    /// What the producer sends has changed.
    pub(crate) fn set_encodings(self: &Arc<Self>, encodings: Vec<Encoding>) {
        self.encodings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&encodings);
        self.select_layers(&encodings);
    }

    /// The encodings that the producer announced.
    pub fn encodings(&self) -> Vec<Encoding> {
        self.encodings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A copy of the consumers, to be changed and [installed](Self::set_consumers).
    pub(crate) fn consumers(&self) -> FanOut {
        FanOut::clone(&self.fan_out.load())
    }

    /// How many consumers there are.
    pub(crate) fn consumer_count(&self) -> usize {
        self.fan_out.load().len()
    }

    /// Installs new consumers; gives the number of the former ones.
    pub(crate) fn set_consumers(&self, consumers: FanOut) -> usize {
        self.fan_out.swap(Arc::new(consumers)).len()
    }
}

/// Bit/s of the whole of which a path carries what its consumer needs at least.
fn whole_of(member: &Member, share: f64) -> u64 {
    let estimate = member.estimate();
    if estimate == u64::MAX || member.link().order().whole || share >= 1.0 {
        return estimate;
    }
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    let whole = (estimate as f64 / share) as u64;
    whole
}
