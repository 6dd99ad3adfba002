//! The host's side of a sink pad.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use arc_swap::ArcSwapOption;
use rivero_plugin_api::{
    Packet, Upstream,
    abi::traits::{ANY_FORMAT, AbiSinkGroup_TO, SinkGroup, SinkHandler},
};

use super::{
    depth::Depth,
    flow::Flow,
    format::{FormatUse, Formats},
    latency::Latency,
    link::Link,
    source::Source,
};

/// Where packets of a link end.
pub struct Sink {
    handler: SinkHandler,
    group: Option<SinkGroup>,
    token: u64,
    flow: Arc<Flow>,
    accepted: Mutex<Accepted>,
    announced: Mutex<Announced>,
    feed: ArcSwapOption<Feed>,
    /// Bit/s that the path beyond carries, whatever feeds it; `u64::MAX` where nothing limits.
    estimate: AtomicU64,
    latency: Latency,
}

/// The formats that a sink accepts, best first, in use as long as it does.
#[derive(Default)]
pub(crate) struct Accepted {
    numbers: Arc<[u32]>,
    _uses: Vec<Arc<FormatUse>>,
    /// Further ones, which were left out.
    surplus: usize,
}

impl Accepted {
    /// Formats that one sink may accept: more than any description of a session has of those
    /// that can be told apart. What is planned for a sink is planned for each of them.
    pub(crate) const LIMIT: usize = 64;

    /// Each once; those that nobody knows any more are left out.
    pub(crate) fn new(formats: &Formats, numbers: &[u32]) -> Self {
        let mut accepted: Vec<u32> = Vec::new();
        let mut uses = Vec::new();
        let mut surplus = 0;
        for &number in numbers {
            if accepted.contains(&number) {
                continue;
            }
            let usage = formats.hold_number(number);
            if usage.is_none() && number != ANY_FORMAT {
                continue;
            }
            if accepted.len() == Self::LIMIT {
                surplus += 1;
                continue;
            }
            accepted.push(number);
            uses.extend(usage);
        }
        Self {
            numbers: accepted.into(),
            _uses: uses,
            surplus,
        }
    }

    /// How many formats there were beyond the [limit](Self::LIMIT).
    pub(crate) fn surplus(&self) -> usize {
        self.surplus
    }
}

/// Which format a module is to be told, and which it was.
#[derive(Default)]
struct Announced {
    latest: u32,
    told: u32,
    /// What it was told has ended since, whatever came after it.
    ended: bool,
}

/// What feeds a sink at present.
struct Feed {
    source: Arc<Source>,
    link: Arc<Link>,
}

impl Sink {
    pub(crate) fn new(
        handler: SinkHandler,
        group: Option<SinkGroup>,
        token: u64,
        flow: Arc<Flow>,
    ) -> Self {
        Self {
            handler,
            group,
            token,
            flow,
            accepted: Mutex::default(),
            announced: Mutex::default(),
            feed: ArcSwapOption::empty(),
            estimate: AtomicU64::new(u64::MAX),
            latency: Latency::default(),
        }
    }

    pub(crate) fn handler(&self) -> &SinkHandler {
        &self.handler
    }

    pub(crate) fn group(&self) -> Option<SinkGroup> {
        self.group
            .as_ref()
            .map(|group| AbiSinkGroup_TO::from_sabi(group.obj.shallow_clone()))
    }

    /// Whether it is told what was left out of a burst.
    pub(crate) fn is_grouped(&self) -> bool {
        self.group.is_some()
    }

    pub(crate) fn token(&self) -> u64 {
        self.token
    }

    /// Packets of a burst go to it.
    pub(crate) fn mark(&self, packets: u32, age: Option<i64>) {
        self.flow.mark(u64::from(packets));
        if let Some(age) = age {
            self.latency.note(age);
        }
    }

    pub(crate) fn latency(&self) -> &Latency {
        &self.latency
    }

    pub(crate) fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }

    /// `true` when it is a change.
    pub(crate) fn set_accepted(&self, formats: Accepted) -> bool {
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        let former = std::mem::replace(&mut *accepted, formats);
        former.numbers != accepted.numbers
    }

    pub(crate) fn accepted(&self) -> Arc<[u32]> {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.numbers.clone()
    }

    fn announced(&self) -> MutexGuard<'_, Announced> {
        self.announced
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of the format that the module is to be told; `true` when that is a change.
    pub(crate) fn announce(&self, format: u32) -> bool {
        let mut announced = self.announced();
        announced.ended |= format == 0;
        std::mem::replace(&mut announced.latest, format) != format
    }

    /// What the module has to be told next, taken for told: the end of what it was told last, then
    /// the latest format. What was announced between is of no use to it any more.
    pub(crate) fn untold(&self) -> Option<u32> {
        let mut announced = self.announced();
        let next = if std::mem::take(&mut announced.ended) && announced.told != 0 {
            0
        } else {
            announced.latest
        };
        (std::mem::replace(&mut announced.told, next) != next).then_some(next)
    }

    pub(crate) fn set_feed(&self, feed: Option<(Arc<Source>, Arc<Link>)>) {
        self.feed
            .store(feed.map(|(source, link)| Arc::new(Feed { source, link })));
    }

    pub(crate) fn is_fed_by(&self, source: &Source) -> bool {
        let feed = self.feed.load();
        feed.as_ref()
            .is_some_and(|feed| feed.source.id() == source.id())
    }

    /// What the module said last of the path beyond, bit/s.
    pub(crate) fn estimate(&self) -> u64 {
        self.estimate.load(Relaxed)
    }

    /// A message from the module towards what feeds it; without a feed it is lost, but for
    /// estimates, which count for what feeds it later.
    pub fn upstream(&self, message: Upstream) {
        if let Upstream::BandwidthEstimate { bits_per_second } = message {
            self.estimate.store(bits_per_second, Relaxed);
        }
        let Some(feed) = self.feed.load_full() else {
            return;
        };
        let Some(_depth) = Depth::enter() else { return };
        match message {
            // It would be left out, too: the link asks when its path can take one.
            Upstream::KeyframeRequest if feed.link.is_cut() => {}
            Upstream::KeyframeRequest => feed.source.request_keyframe(),
            Upstream::LayerWish {
                encoding,
                spatial,
                temporal,
            } => {
                let encoding = if feed.source.is_converted() {
                    0
                } else {
                    encoding
                };
                feed.link.wish(encoding, spatial, temporal);
                feed.source.request_keyframe();
            }
            Upstream::BandwidthEstimate { bits_per_second } => {
                feed.source.estimate_changed(&feed.link, bits_per_second);
            }
            Upstream::TargetBitrate { .. } | Upstream::Loss { .. } => feed.source.tell(message),
        }
    }

    /// Bit/s of the next better encoding or layer that the present feed has, 0 = none.
    pub fn next_bitrate(&self) -> u64 {
        let feed = self.feed.load();
        feed.as_ref().map_or(0, |feed| {
            feed.source.next_bitrate(&feed.link, self.estimate())
        })
    }

    /// A recent packet of the present feed, for retransmission.
    pub fn history(&self, ssrc: u32, sequence: u16) -> Option<Packet> {
        let feed = self.feed.load();
        feed.as_ref()?.source.history().find(ssrc, sequence)
    }
}
