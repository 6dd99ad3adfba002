//! The host's side of a sink pad: formats on their way to the module, messages on their way back.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use rivero_plugin_api::{MediaKind, Packaging, Packet, Upstream, abi::traits::ANY_FORMAT};

use crate::{
    consumer::{Consumer, Opening},
    depth::Depth,
    flow::Flow,
    format::{FormatUse, Formats},
    link::Link,
    source::Source,
};

/// A module that takes longer to take note of a format than this gets a keyframe of its own: what a consumer
/// that joins is shown may not be there any more.
const SOON: Duration = Duration::from_millis(200);

/// Where packets of a link end.
pub struct Sink {
    /// What packets go to.
    consumer: Arc<Consumer>,
    /// Keeps what the consumer accepts in use.
    accepted: Mutex<Accepted>,
    format: Mutex<FormatNotices>,
    feed: ArcSwapOption<Feed>,
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

/// Which format a module is to be notified of, and which it was.
///
/// A state machine without locks: control sets formats faster than a module may hear of them, and
/// the module gets what is still of use to it, in order.
#[derive(Debug, Default)]
struct FormatNotices {
    current: u32,
    notified: u32,
    /// Since when the module does not know of `current`.
    since: Option<Instant>,
    /// What it was notified of has ended since, whatever came after it.
    ended: bool,
}

impl FormatNotices {
    /// 0 = none; `true` when that is a change.
    fn set(&mut self, format: u32) -> bool {
        self.ended |= format == 0;
        std::mem::replace(&mut self.current, format) != format
    }

    /// Whether the module has not been told of anything that came before.
    fn begins(&self) -> bool {
        self.ended || self.notified == 0
    }

    /// Whether the module knows all that it has to; once for each change. Gives when that was.
    fn settle(&mut self) -> Option<Instant> {
        let has_next = (self.ended && self.notified != 0) || self.notified != self.current;
        if has_next { None } else { self.since.take() }
    }

    /// The next notice, taken for given: the end of what the module was notified of, then the
    /// current format. What was set between is of no use to it any more; but an end is, since the
    /// same format that begins again is another stream.
    fn next(&mut self) -> Option<u32> {
        let next = if std::mem::take(&mut self.ended) && self.notified != 0 {
            0
        } else {
            self.current
        };
        (std::mem::replace(&mut self.notified, next) != next).then_some(next)
    }
}

/// What feeds a sink at present.
struct Feed {
    source: Arc<Source>,
    link: Arc<Link>,
}

impl Sink {
    pub(crate) fn new(kind: MediaKind, opening: Opening, flow: Arc<Flow>) -> Arc<Self> {
        let sink = Arc::new(Self {
            consumer: Arc::new(Consumer::new(kind, opening, flow)),
            accepted: Mutex::default(),
            format: Mutex::default(),
            feed: ArcSwapOption::empty(),
        });
        if let Some(ring) = sink.consumer.ring() {
            let this = Arc::downgrade(&sink);
            ring.set_on_overflow(move || {
                if let Some(sink) = this.upgrade() {
                    sink.upstream(Upstream::KeyframeRequest);
                }
            });
        }
        sink
    }

    pub(crate) fn consumer(&self) -> &Arc<Consumer> {
        &self.consumer
    }

    /// `true` when it is a change.
    pub(crate) fn set_accepted(&self, formats: Accepted) -> bool {
        // In use before they are accepted, and as long as they are.
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        let former = std::mem::replace(&mut *accepted, formats);
        let changes = self.consumer.set_accepted(accepted.numbers.clone());
        drop(accepted);
        drop(former);
        changes
    }

    pub(crate) fn accepted(&self) -> Arc<[u32]> {
        self.consumer.accepted()
    }

    fn notices(&self) -> MutexGuard<'_, FormatNotices> {
        self.format.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the format that the module is to be notified of, 0 = none; `true` when that is a change.
    /// Called before media in that format can come: it waits until the module has been notified.
    pub(crate) fn set_format(&self, format: u32, packaging: Option<Packaging>) -> bool {
        let mut notices = self.notices();
        let changed = notices.set(format);
        if changed {
            notices.since = Some(Instant::now());
            self.consumer.hold(notices.begins(), packaging);
        }
        changed
    }

    /// The module may have been notified of all that it has to be: then it is given media.
    pub(crate) fn settle(&self) {
        let mut notices = self.notices();
        let Some(since) = notices.settle() else {
            return;
        };
        // Under the lock, so that no other change comes between.
        let missed = notices.current != 0 && self.consumer.open();
        drop(notices);
        self.consumer.go_on();
        let Some(feed) = self.feed.load_full().filter(|_| missed) else {
            return;
        };
        feed.source.show_what_came();
        if feed.source.kind() == MediaKind::Video && since.elapsed() > SOON {
            feed.source.request_keyframe();
        }
    }

    /// Whether the module has to be notified of something.
    pub(crate) fn is_settled(&self) -> bool {
        self.notices().since.is_none()
    }

    /// What the module has to be notified of next, taken for given.
    pub(crate) fn next_notice(&self) -> Option<u32> {
        self.notices().next()
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

    /// A message from the module towards what feeds it; without a feed it is lost, but for
    /// estimates and assumptions, which count for what feeds it later.
    pub fn upstream(&self, message: Upstream) {
        match message {
            Upstream::BandwidthEstimate { bits_per_second } => {
                self.consumer.set_estimate(bits_per_second);
            }
            Upstream::StartBitrate { bits_per_second } => self.consumer.set_start(bits_per_second),
            _ => {}
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
            Upstream::BandwidthEstimate { .. } => {
                feed.source.on_estimate(&feed.link, self.consumer.budget());
            }
            Upstream::StartBitrate { .. } => {
                feed.source
                    .on_start_bitrate(&feed.link, self.consumer.budget());
            }
            Upstream::TargetBitrate { .. } | Upstream::Loss { .. } => {
                feed.source.send_upstream(message);
            }
        }
    }

    /// Bit/s of the next better encoding or layer that the present feed has, 0 = none.
    pub fn next_bitrate(&self) -> u64 {
        let feed = self.feed.load();
        feed.as_ref().map_or(0, |feed| {
            feed.source
                .next_bitrate(&feed.link, self.consumer.estimate())
        })
    }

    /// A recent packet of the present feed, for retransmission.
    pub fn history(&self, ssrc: u32, sequence: u16) -> Option<Packet> {
        let feed = self.feed.load();
        feed.as_ref()?.source.history().find(ssrc, sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notices(formats: &[u32]) -> Vec<u32> {
        let mut state = FormatNotices::default();
        assert!(state.set(1));
        assert_eq!((state.next(), state.next()), (Some(1), None));
        for format in formats {
            state.set(*format);
        }
        std::iter::from_fn(|| state.next()).collect()
    }

    #[test]
    fn a_module_hears_the_end_of_what_it_knows_and_what_is_current_now() {
        assert!(notices(&[1]).is_empty());
        assert_eq!(notices(&[2, 3]), [3]);
        assert_eq!(notices(&[0]), [0]);
        assert_eq!(notices(&[0, 1]), [0, 1], "the same format, another stream");
        assert_eq!(notices(&[2, 0, 3]), [0, 3]);
    }

    #[test]
    fn what_began_and_ended_unheard_is_not_told() {
        let mut state = FormatNotices::default();
        assert!(state.set(1) && state.set(0) && !state.set(0));
        assert_eq!(state.next(), None);
    }
}
