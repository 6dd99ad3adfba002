//! The host's side of a source pad: the media path begins here.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use rivero_plugin_api::{Encoding, MediaKind, Packet, Upstream, abi::traits::SourceHandler};

use crate::{
    cursor::Burst,
    demand::Demand,
    depth::Depth,
    fanout::{FanOut, Member},
    flow::Flow,
    format::{CurrentFormat, FormatUse},
    history::{History, Keeping},
    keyframe::{Requests, Verdict},
    latency::Measuring,
    layers::{self, Budget},
    link::{Hop, Link},
    owner::Owner,
    plane::Plane,
    upstream::Outbox,
};

/// What the paths to all consumers carry is looked at this long after one of them has changed, for
/// all changes of that time together: many weak viewers report theirs many times a second.
const COLLECTION: Duration = Duration::from_millis(20);
/// So many consumers are looked at at once when one of them comes or goes, which is before what is
/// encoded for them begins; of more the estimates are collected, so that a thousand joins are not a
/// thousand looks at a thousand consumers.
const FEW: usize = 16;
/// Packets that are pushed at once: a [selection](crate::cursor::Selection) has one bit for each.
const BURST: usize = 64;

/// Where packets of an element leave it.
pub struct Source {
    id: u32,
    kind: MediaKind,
    plane: Weak<Plane>,
    outbox: Arc<Outbox>,
    flow: Arc<Flow>,
    format: CurrentFormat,
    audience: Audience,
    history: History,
    keyframes: Mutex<Requests>,
    demand: Demand,
    /// What comes out of a conversion has one encoding, whatever the original has.
    conversion: Option<Converted>,
    measuring: Arc<Measuring>,
}

/// The consumers, and what is still to be done about them.
struct Audience {
    fan_out: ArcSwap<FanOut>,
    /// Some of them got to know the format after they had joined, and are to be shown what came since the
    /// last keyframe. Who reads it sees as well that they know.
    late: AtomicBool,
    /// Other pads show this one: whether media flows there is decided here. Relaxed: who misses the first
    /// burst counts the next.
    is_shown: AtomicBool,
    shown_by: ArcSwap<Vec<Arc<Flow>>>,
    /// How many the module was told of. Written by whoever delivers, one at a time.
    told: AtomicUsize,
}

/// What comes out of a conversion.
struct Converted {
    /// Bit/s that it has if no path limits it, 0 while unknown. Relaxed is enough: it stands for
    /// itself, and is looked at again and again.
    wanted: Option<Arc<AtomicU64>>,
}

impl Source {
    pub(crate) fn new(
        plane: &Arc<Plane>,
        kind: MediaKind,
        handler: SourceHandler,
        owner: Option<Arc<dyn Owner>>,
        flow: Arc<Flow>,
    ) -> Self {
        Self {
            id: plane.next_pad(),
            kind,
            plane: Arc::downgrade(plane),
            outbox: Outbox::new(handler, owner),
            flow,
            format: CurrentFormat::default(),
            audience: Audience {
                fan_out: ArcSwap::default(),
                late: AtomicBool::new(false),
                is_shown: AtomicBool::new(false),
                shown_by: ArcSwap::default(),
                told: AtomicUsize::new(0),
            },
            history: History::default(),
            keyframes: Mutex::default(),
            demand: Demand::new(plane.shared_encoding()),
            conversion: None,
            measuring: Arc::default(),
        }
    }

    /// What comes out of a conversion. `wanted`: bit/s that it has if no path limits it.
    pub(crate) fn converted(
        plane: &Arc<Plane>,
        kind: MediaKind,
        handler: SourceHandler,
        flow: Arc<Flow>,
        wanted: Option<Arc<AtomicU64>>,
    ) -> Self {
        Self {
            conversion: Some(Converted { wanted }),
            ..Self::new(plane, kind, handler, None, flow)
        }
    }

    /// Has it measure the age of media while its pipeline wants that.
    pub(crate) fn measuring(mut self, measuring: &Arc<Measuring>) -> Self {
        self.measuring = measuring.clone();
        self
    }

    pub(crate) fn is_converted(&self) -> bool {
        self.conversion.is_some()
    }

    pub(crate) fn kind(&self) -> MediaKind {
        self.kind
    }

    /// Unique in the process; packets carry it as their origin.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Hands a burst to all consumers. Never blocks. One producer at a time.
    pub fn push(self: &Arc<Self>, packets: &[Packet]) {
        let Some(_depth) = Depth::enter() else { return };
        for packets in packets.chunks(BURST) {
            if packets.first().is_some_and(Packet::is_event) {
                self.audience.fan_out.load().push_event(packets);
                continue;
            }
            let mut burst = Burst::new(packets);
            let plane = self.plane.upgrade();
            if self.measuring.is_on()
                && let Some(plane) = &plane
            {
                burst = burst.measured(plane.now());
            }
            let traffic = self.format.traffic.load();
            // What a conversion gives out has come in before.
            if let Some(traffic) = traffic.as_ref().filter(|_| !self.is_converted()) {
                traffic.on_in(packets.len() as u64, burst.bytes);
            }
            self.flow.on_packets(packets.len() as u64, burst.bytes);
            if self.audience.is_shown.load(Relaxed) {
                for flow in self.audience.shown_by.load().iter() {
                    flow.on_packets(packets.len() as u64, burst.bytes);
                }
            }
            // Before the consumers are looked at: whoever is late is among them.
            let late = &self.audience.late;
            let late = late.load(Relaxed) && late.swap(false, Acquire);
            let fan_out = self.audience.fan_out.load();
            if self.history.is_on()
                && let Some(plane) = &plane
            {
                let now = plane.now();
                // Here, on the producer's thread, so that no live packet overtakes what a consumer
                // is shown; and before this burst is stored, which it gets as everybody does.
                if fan_out.take_joined() || late {
                    let shown =
                        fan_out.catch_up(|encoding| self.history.since_keyframe(encoding, now));
                    if let Some(traffic) = &*traffic {
                        traffic.on_out(&shown, || None);
                    }
                }
                // Before the push: a consumer may ask for a packet again as soon as it misses it.
                self.history.store(packets, now);
            }
            if fan_out.push(&burst) {
                self.repeat_keyframe_request();
            }
            if let Some(traffic) = &*traffic {
                traffic.on_out(&burst.tally, || {
                    let came = packets.first()?.ingress_time;
                    // 0 where a producer does not say.
                    (came > 0).then_some(plane.as_ref()?.now() - came)
                });
            }
        }
    }

    /// Whether a consumer that joins now will be shown something at once.
    pub(crate) fn has_recent_keyframe(&self, encoding: u8) -> bool {
        let plane = self.plane.upgrade();
        plane.is_some_and(|plane| self.history.has_keyframe(encoding, plane.now()))
    }

    /// Some consumer waits for a keyframe: asks again when a request was lost.
    fn repeat_keyframe_request(self: &Arc<Self>) {
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
        // In a statement of its own: the lock is let go before the producer's module is called.
        let verdict = self.keyframes().on_request(plane.now());
        match verdict {
            Verdict::Now => self.send_upstream(Upstream::KeyframeRequest),
            Verdict::Pending => {}
            Verdict::Later(delay) => {
                let source = Arc::downgrade(self);
                plane.timers().after(delay, move || {
                    if let Some(source) = source.upgrade() {
                        source.send_keyframe_request();
                    }
                });
            }
        }
    }

    fn send_keyframe_request(&self) {
        let Some(plane) = self.plane.upgrade() else {
            return;
        };
        self.keyframes().on_sent(plane.now());
        self.send_upstream(Upstream::KeyframeRequest);
    }

    fn keyframes(&self) -> MutexGuard<'_, Requests> {
        self.keyframes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A message to the producer.
    pub(crate) fn send_upstream(&self, message: Upstream) {
        self.outbox.send(message);
    }

    /// A consumer that has joined can be given media only now.
    pub(crate) fn show_what_came(&self) {
        self.audience.late.store(true, Release);
    }

    /// Whether the module was told last that there are so many consumers.
    pub(crate) fn is_told_of(&self, count: usize) -> bool {
        self.audience.told.load(Relaxed) == count
    }

    /// Tells the module how many consumers there are, unless it knows.
    pub(crate) fn notify_of_consumers(&self) {
        let count = self.consumer_count();
        if self.audience.told.swap(count, Relaxed) != count {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            self.outbox.handler().consumers(count);
        }
    }

    /// Whose pad it is; nobody's for what comes out of a conversion.
    pub(crate) fn owner(&self) -> Option<&Arc<dyn Owner>> {
        self.outbox.owner()
    }

    /// A consumer's path carries another amount. Where there are several encodings or layers it
    /// alone gets another one of them, at once; else all share what there is, and the weakest
    /// decides, soon, what is sent, or the best, and the others get some of its frames.
    pub(crate) fn on_estimate(self: &Arc<Self>, link: &Link, budget: Budget) {
        self.on_start_bitrate(link, budget);
        self.collect_estimates();
    }

    /// A consumer's path is assumed to carry another amount, which is its own affair.
    pub(crate) fn on_start_bitrate(self: &Arc<Self>, link: &Link, budget: Budget) {
        if self.select_layer(link, budget) {
            self.request_keyframe();
        }
    }

    fn collect_estimates(self: &Arc<Self>) {
        if !self.demand.schedule() {
            return;
        }
        let Some(plane) = self.plane.upgrade() else {
            return;
        };
        let source = Arc::downgrade(self);
        plane.timers().after(COLLECTION, move || {
            if let Some(source) = source.upgrade() {
                source.demand.begin();
                source.apply_estimates();
            }
        });
    }

    /// Other consumers are there, now `count`.
    pub(crate) fn on_consumers(self: &Arc<Self>, count: usize) {
        if count <= FEW {
            self.apply_estimates();
        } else {
            self.collect_estimates();
        }
    }

    fn apply_estimates(self: &Arc<Self>) {
        self.select_layers(&self.encodings());
        self.send_estimate();
    }

    /// Has the producer send what the paths carry.
    fn send_estimate(&self) {
        let fan_out = self.audience.fan_out.load();
        if let Some(best) = self.demand.best(fan_out.members().map(Member::estimate)) {
            for member in fan_out.members().filter(|member| member.estimate() < best) {
                member.link().thin();
            }
        }
        let paths = fan_out.members().map(Member::path);
        if let Some(bits_per_second) = self.demand.update(paths) {
            self.send_upstream(Upstream::BandwidthEstimate { bits_per_second });
        }
    }

    fn select_layers(self: &Arc<Self>, encodings: &[Encoding]) {
        let fan_out = self.audience.fan_out.load();
        let mut switches = false;
        for member in fan_out.members() {
            switches |= member.link().choose(encodings, member.budget());
        }
        if switches {
            self.request_keyframe();
        }
    }

    /// Chooses an encoding for one consumer; `true` when it is to change.
    pub(crate) fn select_layer(&self, link: &Link, budget: Budget) -> bool {
        link.choose(&self.demand.encodings(), budget)
    }

    /// Bit/s of the next better encoding or layer than a consumer has, 0 = none. What is encoded for
    /// it has no steps: it is as good as the path.
    pub(crate) fn next_bitrate(&self, link: &Link, estimate: u64) -> u64 {
        let conversion = self.conversion.as_ref();
        if let Some(wanted) = conversion.and_then(|conversion| conversion.wanted.as_ref()) {
            return layers::next_step(wanted.load(Relaxed), estimate);
        }
        self.demand.next_bitrate(link.choice(), estimate)
    }

    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    pub(crate) fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }

    /// Other pads show this one, with these flows.
    pub(crate) fn set_shown_by(&self, flows: Vec<Arc<Flow>>) {
        self.audience.is_shown.store(!flows.is_empty(), Relaxed);
        self.audience.shown_by.store(Arc::new(flows));
    }

    pub(crate) fn format(&self) -> u32 {
        self.format.number()
    }

    /// What keeps the number of the present format valid.
    pub(crate) fn format_use(&self) -> Option<Arc<FormatUse>> {
        self.format.usage()
    }

    /// This pad on the route of a link.
    pub(crate) fn hop(&self) -> Hop {
        Hop {
            pad: self.id,
            format: self.format(),
        }
    }

    /// `true` when it is a change.
    pub(crate) fn set_format(&self, format: Option<Arc<FormatUse>>, plane: &Plane) -> bool {
        let number = format.as_deref().map_or(0, FormatUse::number);
        let known = plane.formats().get(number);
        let traffic = known.as_ref().map(|format| plane.traffic(&format.encoding));
        self.format.traffic.store(traffic);
        let keeping = known.map(|format| Keeping::of(self.kind, format.packaging));
        self.history.keep(keeping.unwrap_or_default());
        self.format.set(format)
    }

    /// What the producer sends has changed.
    pub fn set_encodings(self: &Arc<Self>, encodings: Vec<Encoding>) {
        self.demand.encodings().clone_from(&encodings);
        self.select_layers(&encodings);
    }

    /// The encodings that the producer announced.
    pub fn encodings(&self) -> Vec<Encoding> {
        self.demand.encodings().clone()
    }

    /// A copy of the consumers, to be changed and [installed](Self::set_consumers).
    pub(crate) fn consumers(&self) -> FanOut {
        FanOut::clone(&self.audience.fan_out.load())
    }

    /// How many consumers there are.
    pub(crate) fn consumer_count(&self) -> usize {
        self.audience.fan_out.load().len()
    }

    /// Installs new consumers.
    pub(crate) fn set_consumers(&self, consumers: FanOut) {
        self.audience.fan_out.store(Arc::new(consumers));
    }
}
