//! A requested connection, and what its consumer is to get.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use rivero_plugin_api::{Encoding, MediaKind};

use crate::{
    connection::Connection,
    cursor::{Burst, Cursor, Selection},
    layers::{Budget, Choice},
    order::{Order, SharedOrder},
    traffic::TranscodedLink,
};

/// A requested connection and, once it is active, its selection of packets.
///
/// Three parties use it, and each writes what is its own: control and consumer the order, by
/// exchanging the whole word, so that nobody overwrites what another has just wanted; whoever pushes
/// packets the cursor, which nobody else locks, so that it never waits; and the control side, under
/// the lock of its graph, the record.
pub(crate) struct Link {
    pub(crate) connection: Connection,
    order: SharedOrder,
    /// While the link passes from one producer to another both may have a burst at hand; the lock
    /// lets one after the other, and the [start](Order::start) tells whose order it is.
    cursor: Mutex<Cursor>,
    /// The start for which the cursor is [cut](Cursor::is_cut). Written with the cursor.
    ///
    /// Relaxed is enough: it stands for itself, and who reads it only saves a keyframe request that
    /// would be in vain. A request too many costs a keyframe, and one too few is made up for by the
    /// cursor, which asks by itself once its path can take a keyframe.
    cut: AtomicU32,
    record: Mutex<Record>,
}

/// A pad that media of a link comes through, and its format there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) pad: u32,
    pub(crate) format: u32,
}

/// What the control side knows of a link; nothing of the media path.
#[derive(Default)]
struct Record {
    active: bool,
    /// The pad among whose consumers its sink is.
    feed: Option<u32>,
    /// The source pad, then the conversions; empty while nothing is carried.
    route: Vec<Hop>,
    /// Media is decoded or encoded on that way.
    is_transcoding: bool,
    /// Counts it then.
    transcoded: Option<TranscodedLink>,
    /// Why it could not carry anything, as reported last.
    reported: String,
}

impl Link {
    pub(crate) fn new(connection: Connection) -> Self {
        let is_video = connection.kind == MediaKind::Video;
        Self {
            connection,
            order: SharedOrder::default(),
            cursor: Mutex::new(Cursor::new(is_video)),
            cut: AtomicU32::new(0),
            record: Mutex::default(),
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cursor(&self) -> MutexGuard<'_, Cursor> {
        self.cursor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn order(&self) -> Order {
        self.order.get()
    }

    /// Records the way that media comes, and whether it is decoded or encoded there; `true` when that
    /// is another way.
    pub(crate) fn set_route(&self, route: Vec<Hop>, is_transcoding: bool) -> bool {
        let mut record = self.record();
        record.reported.clear();
        record.is_transcoding = is_transcoding;
        if !is_transcoding {
            record.transcoded = None;
        }
        let changed = record.route != route;
        record.route = route;
        changed
    }

    /// Counts it among those whose media is decoded or encoded, as long as it is.
    pub(crate) fn count_transcoded(&self, transcoded: TranscodedLink) {
        self.record().transcoded = Some(transcoded);
    }

    /// The way that media comes; empty while it does not.
    pub(crate) fn route(&self) -> Vec<Hop> {
        self.record().route.clone()
    }

    /// Whether it carries media, and whether that is decoded or encoded on the way.
    pub(crate) fn carries(&self) -> (bool, bool) {
        let record = self.record();
        (record.active, record.active && record.is_transcoding)
    }

    /// Whether this was not reported last, before it is now.
    pub(crate) fn is_new_reason(&self, reason: &str) -> bool {
        let mut record = self.record();
        let is_new = record.reported != reason;
        reason.clone_into(&mut record.reported);
        is_new
    }

    /// The number of the pad among whose consumers the link's sink is.
    pub(crate) fn feed(&self) -> Option<u32> {
        self.record().feed
    }

    pub(crate) fn set_feed(&self, pad: Option<u32>) {
        self.record().feed = pad;
    }

    /// Begins to carry media; `true` when it did not.
    pub(crate) fn activate(&self) -> bool {
        if std::mem::replace(&mut self.record().active, true) {
            return false;
        }
        self.order.change(Order::begin);
        true
    }

    /// Ends to carry media.
    pub(crate) fn deactivate(&self) {
        let mut record = self.record();
        record.active = false;
        record.is_transcoding = false;
        record.transcoded = None;
        record.route.clear();
        drop(record);
        self.order.change(Order::end);
    }

    /// Another source feeds the consumer, with other layers.
    pub(crate) fn reset_layers(&self) {
        self.order.change(Order::reset_layers);
    }

    /// The consumer wants these layers; the switch happens at a keyframe.
    pub(crate) fn wish(&self, encoding: u8, spatial: u8, temporal: u8) {
        self.order
            .change(|order| order.wish(encoding, spatial, temporal));
    }

    /// Whether the consumer gets encodings as a whole or not at all.
    pub(crate) fn set_whole(&self, whole: bool) {
        self.order.change(|order| order.whole = whole);
    }

    /// Chooses the best of `encodings` that a path with this budget carries, unless the consumer
    /// chose itself; `true` when the encoding is to change.
    pub(crate) fn choose(&self, encodings: &[Encoding], budget: impl Into<Budget>) -> bool {
        let budget = budget.into();
        let (former, order) = self.order.change(|order| order.choose(encodings, budget));
        former.encoding != order.encoding
    }

    /// What was chosen last.
    pub(crate) fn choice(&self) -> Choice {
        self.order().choice()
    }

    /// Frames are left out from now on where the path does not carry all of them.
    pub(crate) fn thin(&self) {
        self.order.change(|order| order.thins = true);
    }

    /// The path does not carry what it was sent, so nothing is before a keyframe that it can take.
    pub(crate) fn is_cut(&self) -> bool {
        let order = self.order();
        order.thins && self.cut.load(Relaxed) == order.start
    }

    /// The packets of a burst that pass on a path that carries `estimate` bit/s; for whoever
    /// pushes. Nothing does when the link has begun anew since `start`, with another source.
    pub(crate) fn select(&self, start: u32, estimate: u64, burst: &Burst<'_>) -> Selection {
        let mut cursor = self.cursor();
        // Read under the lock: a former producer must not take the cursor back to its own start.
        let order = self.order();
        if order.start != start {
            return Selection::default();
        }
        let selection = cursor.select(order, estimate, burst);
        if order.thins {
            let cut = if cursor.is_cut() { start } else { 0 };
            self.cut.store(cut, Relaxed);
        }
        selection
    }

    /// Whether the consumer was not shown what came before it began; for whoever pushes.
    pub(crate) fn catches_up(&self, start: u32) -> bool {
        let mut cursor = self.cursor();
        let order = self.order();
        if order.start != start {
            return false;
        }
        cursor.follow(order);
        cursor.catches_up()
    }

    /// The consumer has been shown that; for whoever pushes.
    pub(crate) fn on_caught_up(&self, start: u32) {
        let mut cursor = self.cursor();
        if self.order().start == start {
            cursor.on_caught_up();
        }
    }
}

#[cfg(test)]
mod tests {
    use rivero_plugin_api::{Bytes, Layer, Packet, Rtp};

    use super::*;

    fn packet(encoding: u8, keyframe: bool) -> Packet {
        Packet {
            bytes: Bytes::default(),
            format: 1,
            origin: 1,
            kind: MediaKind::Video,
            flags: if keyframe { Packet::KEYFRAME } else { 0 },
            layer: Layer {
                encoding,
                ..Layer::default()
            },
            presentation_time: 0,
            ingress_time: 0,
            duration: 0,
            rtp: Rtp::default(),
            ..Packet::default()
        }
    }

    fn link() -> Link {
        let link = Link::new(Connection {
            source: "a".into(),
            sink: "b".into(),
            kind: MediaKind::Video,
            source_description: "default".into(),
            sink_description: "default".into(),
        });
        assert!(link.activate() && !link.activate());
        link
    }

    fn select(link: &Link, estimate: u64, packets: &[Packet]) -> Selection {
        link.select(link.order().start, estimate, &Burst::new(packets))
    }

    #[test]
    fn a_weaker_path_gets_the_lesser_encoding_at_its_keyframe() {
        let link = link();
        let encodings = [150_000, 900_000].map(|bitrate| Encoding {
            bitrate,
            temporal_layers: 1,
            ..Encoding::default()
        });
        assert!(link.choose(&encodings, u64::MAX));
        let burst = [packet(0, true), packet(1, true)];
        assert_eq!(select(&link, u64::MAX, &burst).packets, 0b10);
        assert!(link.choose(&encodings, 300_000));
        let burst = [
            packet(1, false),
            packet(0, false),
            packet(0, true),
            packet(1, false),
        ];
        assert!(select(&link, 300_000, &burst[..1]).starved);
        let selection = select(&link, 300_000, &burst);
        assert_eq!((selection.packets, selection.starved), (0b0101, false));
        assert!(link.choose(&encodings, 2_000_000));
        link.wish(0, u8::MAX, u8::MAX);
        assert!(!link.choose(&encodings, 2_000_000), "the consumer chose");
    }

    /// A link that ends and begins while a burst is being selected waits for a keyframe all the
    /// same: the end of the selection does not undo it.
    #[test]
    fn what_a_producer_still_has_at_hand_does_not_pass_after_a_new_beginning() {
        let link = link();
        let former = link.order().start;
        let burst = [packet(0, true)];
        assert_eq!(
            link.select(former, u64::MAX, &Burst::new(&burst)).packets,
            1
        );
        link.deactivate();
        assert!(link.activate());
        let late = link.select(former, u64::MAX, &Burst::new(&burst));
        assert_eq!(late, Selection::default(), "nor does it begin with it");
        let selection = select(&link, u64::MAX, &[packet(0, false)]);
        assert_eq!((selection.packets, selection.starved), (0, true));
        assert!(link.catches_up(link.order().start) && !link.catches_up(former));
    }

    #[test]
    fn orders_of_many_threads_are_all_kept() {
        const ROUNDS: u32 = 20_000;
        let link = link();
        let begin = link.order().start;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..ROUNDS {
                    link.wish(u8::try_from(round % 7).unwrap(), 1, 2);
                }
            });
            scope.spawn(|| (0..ROUNDS).for_each(|_| link.thin()));
            scope.spawn(|| (0..ROUNDS).for_each(|_| link.set_whole(true)));
            scope.spawn(|| {
                let mut burst = [packet(0, true)];
                for round in 0..ROUNDS {
                    burst[0].layer.encoding = u8::try_from(round % 7).unwrap();
                    select(&link, u64::MAX, &burst);
                }
            });
            for _ in 0..ROUNDS {
                link.deactivate();
                assert!(link.activate());
            }
        });
        let order = link.order();
        assert_eq!(order.start, begin + ROUNDS);
        assert!(order.whole && order.spatial == 1 && order.temporal == 2);
    }
}
