//! One consumer of a source: what it may see of a burst.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
};

use rivero_plugin_api::{Encoding, MediaKind, Packet};

use super::{
    connection::Connection,
    layers::{self, Choice},
    source::Source,
    thinning::Thinner,
};

/// Codings that do not say where a consumer may go up to more temporal layers let it at keyframes
/// only, and after this many frames one is asked for.
const PATIENCE: u8 = 30;

/// A burst, looked at once for all links.
pub(crate) struct Burst<'a> {
    pub(crate) packets: &'a [Packet],
    /// One bit a packet.
    pub(crate) all: u64,
    /// The encoding of all packets, when they share one.
    encoding: Option<u8>,
    /// Whether no packet is above the base layers.
    layered: bool,
    /// ns since the first packet entered the server, while that is measured.
    pub(crate) age: Option<i64>,
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
            age: None,
        }
    }

    /// The same, measured at `now` on the pipeline clock.
    pub(crate) fn measured(self, now: i64) -> Self {
        let entered = self.packets.first().map(|packet| packet.ingress_time);
        // 0 where a producer does not say.
        let age = entered
            .filter(|entered| *entered > 0)
            .map(|entered| now - entered);
        Self { age, ..self }
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
    /// Where the temporal layers are to go: up where the coding allows it, down between frames.
    wanted_temporal: AtomicU8,
    /// Frames of wanted temporal layers that were left out because nothing allowed to go up.
    missed: AtomicU8,
    /// RTP timestamp of the frame that was looked at last; above 32 bits before the first.
    frame: AtomicU64,
    /// The consumer chose its layers itself.
    wished: AtomicBool,
    /// The consumer cannot be told what was left out, and would take it for lost.
    whole: AtomicBool,
    /// Bit/s that the path to the consumer carries, `u64::MAX` where nothing limits.
    estimate: AtomicU64,
    /// Frames are left out, or were and no keyframe has come since.
    thinned: AtomicBool,
    thinner: Mutex<Thinner>,
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
            wanted_temporal: AtomicU8::new(u8::MAX),
            missed: AtomicU8::new(0),
            frame: AtomicU64::new(u64::MAX),
            wished: AtomicBool::new(false),
            whole: AtomicBool::new(false),
            estimate: AtomicU64::new(u64::MAX),
            thinned: AtomicBool::new(false),
            thinner: Mutex::default(),
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
        if !active {
            // What feeds it next has other layers.
            self.wished.store(false, Relaxed);
            self.thinned.store(false, Relaxed);
            *self.thinner() = Thinner::default();
        }
        changed
    }

    /// A keyframe is needed, to begin or to change to the encoding that was chosen.
    pub(crate) fn is_waiting(&self) -> bool {
        let changes = self.encoding.load(Relaxed) != self.wanted.load(Relaxed);
        self.waiting.load(Relaxed)
            || self.missed.load(Relaxed) >= PATIENCE
            || changes && !self.wished.load(Relaxed)
            || self.thinned.load(Relaxed) && self.thinner().wants_keyframe(self.estimate())
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
        self.wanted_temporal.store(temporal, Relaxed);
        self.wished.store(true, Relaxed);
    }

    /// Another source feeds the consumer: what it wished of the former one means nothing.
    pub(crate) fn forget_wish(&self) {
        self.wish(0, u8::MAX, u8::MAX);
        self.wished.store(false, Relaxed);
    }

    /// Whether the consumer gets encodings as a whole or not at all.
    pub(crate) fn takes_whole(&self) -> bool {
        self.whole.load(Relaxed)
    }

    pub(crate) fn take_whole(&self, whole: bool) {
        self.whole.store(whole, Relaxed);
    }

    /// Chooses the best of `encodings` that the path carries, unless the consumer chose itself;
    /// `true` when the encoding is to change.
    pub(crate) fn choose(&self, encodings: &[Encoding]) -> bool {
        if self.wished.load(Relaxed) {
            return false;
        }
        let (estimate, present) = (self.estimate(), self.choice());
        let choice = if self.takes_whole() {
            layers::choose(&without_layers(encodings), estimate, present)
        } else {
            layers::choose(encodings, estimate, present)
        };
        let Some(choice) = choice else { return false };
        self.wanted_temporal.store(choice.temporal, Relaxed);
        self.wanted.swap(choice.encoding, Relaxed) != choice.encoding
    }

    /// What was chosen last.
    pub(crate) fn choice(&self) -> Choice {
        Choice {
            encoding: self.wanted.load(Relaxed),
            temporal: self.wanted_temporal.load(Relaxed),
        }
    }

    pub(crate) fn set_estimate(&self, bits_per_second: u64) {
        self.estimate.store(bits_per_second, Relaxed);
    }

    /// Bit/s, `u64::MAX` where nothing limits.
    pub(crate) fn estimate(&self) -> u64 {
        self.estimate.load(Relaxed)
    }

    /// Frames are left out from now on where the path does not carry all of them.
    pub(crate) fn thin(&self) {
        self.thinned.store(true, Relaxed);
    }

    /// The path does not carry what it was sent, so nothing is before a keyframe that it can take.
    pub(crate) fn is_cut(&self) -> bool {
        self.thinned.load(Relaxed) && self.thinner().is_cut()
    }

    fn thinner(&self) -> MutexGuard<'_, Thinner> {
        self.thinner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the consumer has to be told of a burst of which nothing passes, so that it does not
    /// take what was left out on purpose for lost.
    pub(crate) fn leaves_out(&self, burst: &Burst<'_>) -> bool {
        let encoding = self.encoding.load(Relaxed);
        !self.waiting.load(Relaxed) && { burst.packets.iter() }
            .any(|packet| packet.layer.encoding == encoding)
    }

    /// The packets of a burst that pass, one bit each.
    pub(crate) fn select(&self, burst: &Burst<'_>) -> u64 {
        let selection = self.select_layers(burst);
        if self.thinned.load(Relaxed) {
            self.select_frames(burst, selection)
        } else {
            selection
        }
    }

    /// Those of a selection that the path carries.
    fn select_frames(&self, burst: &Burst<'_>, mut selection: u64) -> u64 {
        let (mut thinner, rate) = (self.thinner(), self.estimate());
        for (bit, packet) in burst.packets.iter().enumerate().take(64) {
            let now = match packet.ingress_time {
                0 => packet.presentation_time,
                ingress => ingress,
            };
            if selection >> bit & 1 == 1 && !thinner.admits(now, packet, rate) {
                selection &= !(1 << bit);
            }
        }
        if rate == u64::MAX && !thinner.is_cut() {
            self.thinned.store(false, Relaxed);
        }
        selection
    }

    fn select_layers(&self, burst: &Burst<'_>) -> u64 {
        let encoding = self.encoding.load(Relaxed);
        let steady = !self.waiting.load(Relaxed)
            && burst.encoding == Some(encoding)
            && self.wanted.load(Relaxed) == encoding
            && (!burst.layered || self.takes_all_layers());
        if steady {
            burst.all
        } else {
            self.select_each(burst, encoding)
        }
    }

    fn takes_all_layers(&self) -> bool {
        let limits = [&self.temporal, &self.wanted_temporal, &self.spatial];
        limits.iter().all(|limit| limit.load(Relaxed) == u8::MAX)
    }

    fn select_each(&self, burst: &Burst<'_>, mut encoding: u8) -> u64 {
        let wanted = self.wanted.load(Relaxed);
        let wanted_temporal = self.wanted_temporal.load(Relaxed);
        let spatial = self.spatial.load(Relaxed);
        let mut temporal = self.temporal.load(Relaxed);
        let mut frame = self.frame.load(Relaxed);
        let mut waiting = self.waiting.load(Relaxed);
        let mut missed = self.missed.load(Relaxed);
        let mut selection = 0;
        for (bit, packet) in burst.packets.iter().enumerate().take(64) {
            let layer = packet.layer;
            if layer.encoding == wanted && packet.is_keyframe() {
                (encoding, waiting, temporal) = (wanted, false, wanted_temporal);
                missed = 0;
            }
            let timestamp = u64::from(packet.rtp.timestamp);
            let begins = layer.encoding == encoding && timestamp != frame;
            if begins {
                frame = timestamp;
                temporal = temporal.min(wanted_temporal);
            }
            let rises = packet.flags & Packet::LAYER_SYNC != 0 && layer.encoding == encoding;
            if rises && (temporal..=wanted_temporal).contains(&layer.temporal) {
                temporal = layer.temporal;
                missed = 0;
            }
            let misses = layer.temporal > temporal && layer.temporal <= wanted_temporal;
            missed = missed.saturating_add(u8::from(begins && misses));
            let passes = !waiting
                && layer.encoding == encoding
                && layer.spatial <= spatial
                && layer.temporal <= temporal;
            selection |= u64::from(passes) << bit;
        }
        self.encoding.store(encoding, Relaxed);
        self.waiting.store(waiting, Relaxed);
        self.temporal.store(temporal, Relaxed);
        self.frame.store(frame, Relaxed);
        self.missed.store(missed, Relaxed);
        selection
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

    /// A packet of a frame of its own.
    fn frame(timestamp: u32, temporal: u8, flags: u8) -> Packet {
        let mut packet = packet(0, temporal, false);
        packet.rtp.timestamp = timestamp;
        packet.flags = flags;
        packet
    }

    #[test]
    fn temporal_layers_above_the_wish_are_left_out_from_the_next_frame_on() {
        let link = link(MediaKind::Video);
        let begin = [frame(1, 0, Packet::KEYFRAME), frame(2, 2, 0)];
        assert_eq!(link.select(&Burst::new(&begin)), 0b11);
        link.wish(0, u8::MAX, 1);
        let burst = [
            frame(2, 2, 0),
            frame(3, 0, 0),
            frame(4, 2, 0),
            frame(5, 1, 0),
        ];
        assert_eq!(link.select(&Burst::new(&burst)), 0b1011);
    }

    #[test]
    fn temporal_layers_come_back_where_the_coding_allows_it() {
        let link = link(MediaKind::Video);
        assert_eq!(
            link.select(&Burst::new(&[frame(1, 0, Packet::KEYFRAME)])),
            1
        );
        link.wish(0, u8::MAX, 0);
        let burst = [frame(2, 0, 0), frame(3, 2, 0), frame(4, 1, 0)];
        assert_eq!(link.select(&Burst::new(&burst)), 0b001);
        link.wish(0, u8::MAX, u8::MAX);
        let sync = Packet::LAYER_SYNC;
        let burst = [
            frame(5, 1, 0),
            frame(6, 1, sync),
            frame(7, 2, 0),
            frame(8, 1, 0),
            frame(9, 2, sync),
        ];
        assert_eq!(link.select(&Burst::new(&burst)), 0b11010);
    }

    #[test]
    fn a_keyframe_is_asked_for_where_the_coding_does_not_say_how_to_go_up() {
        let link = link(MediaKind::Video);
        link.select(&Burst::new(&[frame(1, 0, Packet::KEYFRAME)]));
        link.wish(0, u8::MAX, 0);
        for number in 1..40 {
            let burst = [frame(4 * number, 0, 0), frame(4 * number + 2, 1, 0)];
            assert_eq!(link.select(&Burst::new(&burst)), 0b01);
        }
        assert!(!link.is_waiting(), "not wanted");
        link.wish(0, u8::MAX, u8::MAX);
        let asked = (100..200).find(|number| {
            let burst = [frame(4 * number, 0, 0), frame(4 * number + 2, 1, 0)];
            link.select(&Burst::new(&burst));
            link.is_waiting()
        });
        assert_eq!(asked, Some(129));
        let burst = [frame(4000, 0, Packet::KEYFRAME), frame(4002, 1, 0)];
        assert_eq!(link.select(&Burst::new(&burst)), 0b11);
        assert!(!link.is_waiting());
    }

    #[test]
    fn a_weaker_path_gets_the_lesser_encoding_at_its_keyframe() {
        let link = link(MediaKind::Video);
        let encodings = [150_000, 900_000].map(|bitrate| Encoding {
            bitrate,
            temporal_layers: 1,
            ..Encoding::default()
        });
        assert!(link.choose(&encodings));
        let burst = [packet(0, 0, true), packet(1, 0, true)];
        assert_eq!(link.select(&Burst::new(&burst)), 0b10);
        link.set_estimate(300_000);
        assert!(link.choose(&encodings) && link.is_waiting());
        let burst = [
            packet(0, 0, false),
            packet(1, 0, false),
            packet(0, 0, true),
            packet(1, 0, false),
        ];
        assert_eq!(link.select(&Burst::new(&burst)), 0b0110);
        assert!(!link.is_waiting());
        link.set_estimate(2_000_000);
        assert!(link.choose(&encodings));
    }

    #[test]
    fn a_full_burst_of_64_packets_is_selected_whole() {
        let link = link(MediaKind::Video);
        let burst = vec![packet(0, 0, true); 64];
        assert_eq!(link.select(&Burst::new(&burst)), u64::MAX);
    }
}
