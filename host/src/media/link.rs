//! One consumer of a source: what it may see of a burst.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
};

use rivero_plugin_api::{MediaKind, Packet};

use super::{connection::Connection, source::Source};

/// A burst, looked at once for all links.
pub(crate) struct Burst<'a> {
    pub(crate) packets: &'a [Packet],
    /// One bit a packet.
    pub(crate) all: u64,
    /// The encoding of all packets, when they share one.
    encoding: Option<u8>,
    /// Whether no packet is above the base layers.
    layered: bool,
}

impl<'a> Burst<'a> {
    /// `packets`: 1 to 64.
    pub(crate) fn new(packets: &'a [Packet]) -> Self {
        let first = packets.first().map(|packet| packet.layer.encoding);
        let uniform = packets
            .iter()
            .all(|packet| Some(packet.layer.encoding) == first);
        Self {
            packets,
            all: u64::MAX >> (64 - packets.len().clamp(1, 64)),
            encoding: first.filter(|_| uniform),
            layered: packets
                .iter()
                .any(|p| p.layer.temporal > 0 || p.layer.spatial > 0),
        }
    }
}

/// A requested connection and, once it is active, its selection of packets.
///
/// Written by the producer's thread, but for the wishes, which come from the
/// consumer; every field stands on its own, so relaxed access is enough.
pub(crate) struct Link {
    pub(crate) connection: Connection,
    active: AtomicBool,
    /// Nothing passes before a keyframe of the wanted encoding.
    waiting: AtomicBool,
    /// Has become active and was not offered what came before.
    newcomer: AtomicBool,
    encoding: AtomicU8,
    wanted: AtomicU8,
    spatial: AtomicU8,
    temporal: AtomicU8,
    /// Bit/s that the path to the consumer carries, `u64::MAX` where nothing limits.
    estimate: AtomicU64,
    /// What the control side has to say about it; nothing of the media path.
    account: Mutex<Account>,
}

/// A pad that media of a link comes through, and its format there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) pad: u32,
    pub(crate) format: u32,
}

impl Hop {
    pub(crate) fn of(source: &Arc<Source>) -> Self {
        Self {
            pad: source.id(),
            format: source.format(),
        }
    }
}

#[derive(Default)]
struct Account {
    /// The source pad, then the conversions; empty while nothing is carried.
    route: Vec<Hop>,
    /// Why it could not carry anything, as told last.
    told: String,
}

impl Link {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            active: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            newcomer: AtomicBool::new(false),
            encoding: AtomicU8::new(0),
            wanted: AtomicU8::new(0),
            spatial: AtomicU8::new(u8::MAX),
            temporal: AtomicU8::new(u8::MAX),
            estimate: AtomicU64::new(u64::MAX),
            account: Mutex::default(),
        }
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Begins or ends to carry media; `true` when that is a change.
    pub(crate) fn set_active(&self, active: bool) -> bool {
        let changed = self.active.swap(active, Relaxed) != active;
        if changed && active && self.connection.kind == MediaKind::Video {
            self.waiting.store(true, Relaxed);
            self.newcomer.store(true, Relaxed);
        }
        if changed && !active {
            self.account().route.clear();
        }
        changed
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.load(Relaxed)
    }

    pub(crate) fn is_newcomer(&self) -> bool {
        self.newcomer.load(Relaxed)
    }

    pub(crate) fn greeted(&self) {
        self.newcomer.store(false, Relaxed);
    }

    /// The encoding that the consumer asks for.
    pub(crate) fn wanted(&self) -> u8 {
        self.wanted.load(Relaxed)
    }

    /// The consumer wants these layers; the switch happens at a keyframe.
    pub(crate) fn wish(&self, encoding: u8, spatial: u8, temporal: u8) {
        self.wanted.store(encoding, Relaxed);
        self.spatial.store(spatial, Relaxed);
        self.temporal.store(temporal, Relaxed);
    }

    pub(crate) fn set_estimate(&self, bits_per_second: u64) {
        self.estimate.store(bits_per_second, Relaxed);
    }

    /// Bit/s, `u64::MAX` where nothing limits.
    pub(crate) fn estimate(&self) -> u64 {
        self.estimate.load(Relaxed)
    }

    /// The packets of a burst that pass, one bit each.
    pub(crate) fn select(&self, burst: &Burst<'_>) -> u64 {
        let encoding = self.encoding.load(Relaxed);
        let steady = !self.waiting.load(Relaxed)
            && burst.encoding == Some(encoding)
            && self.wanted.load(Relaxed) == encoding
            && (!burst.layered || self.temporal.load(Relaxed) == u8::MAX);
        if steady {
            burst.all
        } else {
            self.select_each(burst, encoding)
        }
    }

    fn select_each(&self, burst: &Burst<'_>, mut encoding: u8) -> u64 {
        let wanted = self.wanted.load(Relaxed);
        let (spatial, temporal) = (self.spatial.load(Relaxed), self.temporal.load(Relaxed));
        let mut waiting = self.waiting.load(Relaxed);
        let mut selection = 0;
        for (bit, packet) in burst.packets.iter().enumerate().take(64) {
            let layer = packet.layer;
            if (waiting || encoding != wanted) && layer.encoding == wanted && packet.is_keyframe() {
                (encoding, waiting) = (wanted, false);
            }
            let passes = !waiting
                && layer.encoding == encoding
                && layer.spatial <= spatial
                && layer.temporal <= temporal;
            selection |= u64::from(passes) << bit;
        }
        self.encoding.store(encoding, Relaxed);
        self.waiting.store(waiting, Relaxed);
        selection
    }
}

#[cfg(test)]
mod tests {
    use rivero_plugin_api::{Bytes, Layer, Rtp};

    use super::*;

    fn packet(encoding: u8, temporal: u8, keyframe: bool) -> Packet {
        Packet {
            bytes: Bytes::default(),
            format: 1,
            origin: 1,
            kind: MediaKind::Video,
            flags: if keyframe { Packet::KEYFRAME } else { 0 },
            layer: Layer {
                encoding,
                spatial: 0,
                temporal,
            },
            presentation_time: 0,
            ingress_time: 0,
            duration: 0,
            rtp: Rtp::default(),
        }
    }

    fn link(kind: MediaKind) -> Link {
        let link = Link::new(Connection {
            source: "a".into(),
            sink: "b".into(),
            kind,
            source_description: "default".into(),
            sink_description: "default".into(),
        });
        link.set_active(true);
        link
    }

    #[test]
    fn video_begins_at_a_keyframe() {
        let link = link(MediaKind::Video);
        let burst = [packet(0, 0, false), packet(0, 0, true), packet(0, 0, false)];
        assert_eq!(link.select(&Burst::new(&burst)), 0b110);
        assert_eq!(link.select(&Burst::new(&burst[..1])), 0b1);
    }

    #[test]
    fn audio_begins_at_once() {
        assert_eq!(
            link(MediaKind::Audio).select(&Burst::new(&[packet(0, 0, false)])),
            1
        );
    }

    #[test]
    fn an_encoding_is_switched_at_its_keyframe() {
        let link = link(MediaKind::Video);
        assert_eq!(link.select(&Burst::new(&[packet(0, 0, true)])), 1);
        link.wish(1, u8::MAX, u8::MAX);
        let burst = [
            packet(0, 0, false),
            packet(1, 0, false),
            packet(1, 0, true),
            packet(0, 0, false),
        ];
        assert_eq!(link.select(&Burst::new(&burst)), 0b0101);
    }

    #[test]
    fn temporal_layers_above_the_wish_are_left_out() {
        let link = link(MediaKind::Video);
        assert_eq!(link.select(&Burst::new(&[packet(0, 0, true)])), 1);
        link.wish(0, u8::MAX, 1);
        let burst = [
            packet(0, 0, false),
            packet(0, 2, false),
            packet(0, 1, false),
        ];
        assert_eq!(link.select(&Burst::new(&burst)), 0b101);
    }

    #[test]
    fn a_full_burst_of_64_packets_is_selected_whole() {
        let link = link(MediaKind::Video);
        let burst = vec![packet(0, 0, true); 64];
        assert_eq!(link.select(&Burst::new(&burst)), u64::MAX);
    }
}
