//! A requested connection, and what its consumer is to get.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{
        AtomicU32, AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
};

use rivero_plugin_api::{Encoding, MediaKind};

use super::{
    connection::Connection,
    cursor::{Burst, Cursor, Order, Selection},
    layers::{self, Choice},
    source::Source,
};

/// A requested connection and, once it is active, its selection of packets.
///
/// Three parties use it, and each writes what is its own: control and consumer the order, by
/// exchanging the whole word, so that nobody overwrites what another has just wanted; whoever pushes
/// packets the cursor, which nobody else locks, so that it never waits; and the control side, under
/// the lock of its graph, the account.
pub(crate) struct Link {
    pub(crate) connection: Connection,
    /// An [`Order`].
    order: AtomicU64,
    /// While the link passes from one producer to another both may have a burst at hand; the lock
    /// lets one after the other, and the [start](Order::start) tells whose order it is.
    cursor: Mutex<Cursor>,
    /// The start for which the cursor is [cut](Cursor::is_cut). Written with the cursor.
    cut: AtomicU32,
    account: Mutex<Account>,
}

/// A pad that media of a link comes through, and its format there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) pad: u32,
    pub(crate) format: u32,
}

impl Hop {
    pub(crate) fn of(source: &Source) -> Self {
        Self {
            pad: source.id(),
            format: source.format(),
        }
    }
}

/// What the control side has to say about a link; nothing of the media path.
#[derive(Default)]
struct Account {
    active: bool,
    /// The pad among whose consumers its sink is.
    feed: Option<u32>,
    /// The source pad, then the conversions; empty while nothing is carried.
    route: Vec<Hop>,
    /// Why it could not carry anything, as told last.
    told: String,
}

impl Link {
    pub(crate) fn new(connection: Connection) -> Self {
        let is_video = connection.kind == MediaKind::Video;
        Self {
            connection,
            order: AtomicU64::new(Order::default().to_word()),
            cursor: Mutex::new(Cursor::new(is_video)),
            cut: AtomicU32::new(0),
            account: Mutex::default(),
        }
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cursor(&self) -> MutexGuard<'_, Cursor> {
        self.cursor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn order(&self) -> Order {
        Order::from_word(self.order.load(Acquire))
    }

    /// Changes the order as a whole; gives the former and the new one.
    fn reorder(&self, change: impl Fn(&mut Order)) -> (Order, Order) {
        let mut word = self.order.load(Acquire);
        loop {
            let former = Order::from_word(word);
            let mut order = former;
            change(&mut order);
            let exchanged =
                self.order
                    .compare_exchange_weak(word, order.to_word(), AcqRel, Acquire);
            match exchanged {
                Ok(_) => return (former, order),
                Err(latest) => word = latest,
            }
        }
    }

    /// Takes note of the way that media comes; `true` when that is another one.
    pub(crate) fn set_route(&self, route: Vec<Hop>) -> bool {
        let mut account = self.account();
        account.told.clear();
        let changed = account.route != route;
        account.route = route;
        changed
    }

    /// The way that media comes; empty while it does not.
    pub(crate) fn route(&self) -> Vec<Hop> {
        self.account().route.clone()
    }

    /// Whether this was not told yet.
    pub(crate) fn is_news(&self, reason: &str) -> bool {
        let mut account = self.account();
        let is_news = account.told != reason;
        reason.clone_into(&mut account.told);
        is_news
    }

    /// The number of the pad among whose consumers the link's sink is.
    pub(crate) fn feed(&self) -> Option<u32> {
        self.account().feed
    }

    pub(crate) fn set_feed(&self, pad: Option<u32>) {
        self.account().feed = pad;
    }

    /// Begins to carry media; `true` when it did not.
    pub(crate) fn activate(&self) -> bool {
        if std::mem::replace(&mut self.account().active, true) {
            return false;
        }
        self.reorder(|order| order.start = order.start.wrapping_add(1).max(1));
        true
    }

    /// Ends to carry media. What feeds it next has other layers, so what was chosen means nothing.
    pub(crate) fn deactivate(&self) {
        let mut account = self.account();
        account.active = false;
        account.route.clear();
        drop(account);
        self.reorder(|order| (order.wished, order.thins) = (false, false));
    }

    /// Another source feeds the consumer: what it wished of the former one means nothing.
    pub(crate) fn forget_wish(&self) {
        self.wish(0, u8::MAX, u8::MAX);
        self.reorder(|order| order.wished = false);
    }

    /// The consumer wants these layers; the switch happens at a keyframe.
    pub(crate) fn wish(&self, encoding: u8, spatial: u8, temporal: u8) {
        self.reorder(|order| {
            (order.encoding, order.spatial, order.temporal) = (encoding, spatial, temporal);
            order.wished = true;
        });
    }

    /// Whether the consumer gets encodings as a whole or not at all.
    pub(crate) fn set_whole(&self, whole: bool) {
        self.reorder(|order| order.whole = whole);
    }

    /// Chooses the best of `encodings` that a path with this estimate carries, unless the consumer
    /// chose itself; `true` when the encoding is to change.
    pub(crate) fn choose(&self, encodings: &[Encoding], estimate: u64) -> bool {
        let (former, order) = self.reorder(|order| {
            if order.wished {
                return;
            }
            let present = choice(*order);
            let choice = if order.whole {
                layers::choose(&without_layers(encodings), estimate, present)
            } else {
                layers::choose(encodings, estimate, present)
            };
            if let Some(choice) = choice {
                (order.encoding, order.temporal) = (choice.encoding, choice.temporal);
            }
        });
        former.encoding != order.encoding
    }

    /// What was chosen last.
    pub(crate) fn choice(&self) -> Choice {
        choice(self.order())
    }

    /// Frames are left out from now on where the path does not carry all of them.
    pub(crate) fn thin(&self) {
        self.reorder(|order| order.thins = true);
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
    pub(crate) fn is_newcomer(&self, start: u32) -> bool {
        let mut cursor = self.cursor();
        let order = self.order();
        if order.start != start {
            return false;
        }
        cursor.follow(order);
        cursor.is_newcomer()
    }

    /// It has been shown that; for whoever pushes.
    pub(crate) fn greeted(&self, start: u32) {
        let mut cursor = self.cursor();
        if self.order().start == start {
            cursor.greet();
        }
    }
}

fn choice(order: Order) -> Choice {
    Choice {
        encoding: order.encoding,
        temporal: order.temporal,
    }
}

/// The same, with nothing to choose within one of them.
fn without_layers(encodings: &[Encoding]) -> Vec<Encoding> {
    let whole = |encoding: &Encoding| Encoding {
        temporal_layers: 1,
        ..encoding.clone()
    };
    encodings.iter().map(whole).collect()
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
        assert!(link.is_newcomer(link.order().start) && !link.is_newcomer(former));
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
