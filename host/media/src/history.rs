//! Recent packets of a source, kept once for all its viewers: for those that
//! miss some (RFC 4585 NACK), and for those that join after a keyframe, or get to know its format
//! only after it: a file has no second one at hand.
//!
//! What is kept is bounded by time and by bytes, not by a number of packets: a slow source does not
//! hold on to what nobody may ask for any more, and a fast one has as much as may be asked for.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::Duration,
};

use rivero_plugin_api::{MediaKind, Packaging, Packet};

/// How long a packet is kept. A viewer is sent again what is younger than a second or three of its
/// round trips (`track/repair.rs` of the WebRTC module), so 2 s serve round trips up to two thirds of
/// a second; where those take longer, what is repaired comes too late to be shown.
const HORIZON: Duration = Duration::from_secs(2);
/// Bytes of all packets of a source together, what it takes to keep them included. The time alone
/// would let a publisher choose how much memory it takes; 8 MiB are 2 s at 28 Mbit/s, more than any
/// browser sends, and whoever sends more can repair less far back.
const BYTES: usize = 8 << 20;
/// Packets of one encoding that can be found: 2 s at 39 Mbit/s. A power of two, so that sequence
/// numbers go on at the same place after 65535.
const PLACES: usize = 8192;
/// Encodings of one source; packets of further ones are not kept.
const ENCODINGS: usize = 8;

/// A viewer that joins catches up from a keyframe not older than this: its picture begins that far
/// in the past and then runs, and more would be seen as a jump, while what a keyframe costs is paid
/// by all viewers of the source.
const FRESH: Duration = Duration::from_millis(500);
/// And not from more packets than this: they come as one burst, which a path has to take in its
/// queues beside what is live.
const CATCH_UP: u16 = 256;

/// The packets of all encodings of one source.
#[derive(Default)]
pub(crate) struct History {
    kept: Mutex<Kept>,
    /// What is to be stored, a [`Keeping`] by number. Relaxed is enough: what a producer pushes while
    /// that changes may be stored or not.
    keeping: AtomicU8,
}

/// What is kept of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Keeping {
    #[default]
    Nothing = 0,
    /// RTP packets, which may be asked for again: a NACK names them by their sequence numbers (RFC 4585
    /// section 6.2.1), and nothing else has any.
    Packets = 1,
    /// Encoded frames from the last keyframe on.
    Frames = 2,
}

impl Keeping {
    /// Sound is not asked for again, and begins without a keyframe, as raw media does.
    pub(crate) fn of(kind: MediaKind, packaging: Packaging) -> Self {
        match packaging {
            _ if kind != MediaKind::Video => Self::Nothing,
            Packaging::Rtp => Self::Packets,
            Packaging::Frame => Self::Frames,
            _ => Self::Nothing,
        }
    }
}

#[derive(Default)]
struct Kept {
    /// Oldest first.
    packets: VecDeque<Arrival>,
    /// The number of the oldest packet; the others count on from it, modulo 2^32.
    first: u32,
    bytes: usize,
    /// Where the packets of each encoding are.
    encodings: Vec<Index>,
    frames: Frames,
}

/// Whole frames from the last keyframe on, which have no sequence numbers.
#[derive(Default)]
struct Frames {
    /// The first one is a keyframe.
    packets: Vec<Packet>,
    bytes: usize,
    /// When the keyframe came; pipeline clock, ns.
    began: i64,
}

impl Frames {
    fn store(&mut self, packet: &Packet, now: i64) {
        if packet.is_keyframe() {
            *self = Self {
                began: now,
                ..Self::default()
            };
        } else if self.packets.is_empty() {
            return;
        }
        self.bytes += packet.bytes.len() + size_of::<Packet>();
        self.packets.push(packet.clone());
        if !self.is_fresh(now) || self.bytes > BYTES {
            *self = Self::default();
        }
    }

    fn is_fresh(&self, now: i64) -> bool {
        !self.packets.is_empty() && is_fresh(self.began, now)
    }
}

struct Arrival {
    packet: Packet,
    /// Pipeline clock, ns.
    at: i64,
}

impl Arrival {
    fn bytes(&self) -> usize {
        self.packet.bytes.len() + size_of::<Self>()
    }
}

/// Numbers of an encoding's packets by sequence number modulo [`PLACES`]. What stands at a place
/// may be another packet, or none any more.
struct Index {
    numbers: Vec<u32>,
    /// The highest sequence number so far.
    newest: u16,
    keyframe: Option<Keyframe>,
}

/// Where the last keyframe begins.
#[derive(Clone, Copy)]
struct Keyframe {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// Pipeline clock, ns.
    arrived: i64,
}

impl Index {
    fn new() -> Self {
        Self {
            numbers: vec![0; PLACES],
            newest: 0,
            keyframe: None,
        }
    }

    fn enter(&mut self, packet: &Packet, number: u32, now: i64) {
        let rtp = &packet.rtp;
        if packet.is_keyframe() && self.begins_keyframe(packet) {
            (self.newest, self.keyframe) = (
                rtp.sequence,
                Some(Keyframe {
                    ssrc: rtp.ssrc,
                    sequence: rtp.sequence,
                    timestamp: rtp.timestamp,
                    arrived: now,
                }),
            );
        } else if is_newer(rtp.sequence, self.newest) {
            self.newest = rtp.sequence;
        }
        if let Some(place) = self.numbers.get_mut(usize::from(rtp.sequence) % PLACES) {
            *place = number;
        }
    }

    /// A keyframe may be marked on several of its packets; only the first counts.
    fn begins_keyframe(&self, packet: &Packet) -> bool {
        let rtp = &packet.rtp;
        self.keyframe.is_none_or(|known| {
            known.ssrc != rtp.ssrc
                || (known.timestamp != rtp.timestamp && is_newer(rtp.sequence, known.sequence))
        })
    }

    fn fresh_keyframe(&self, now: i64) -> Option<Keyframe> {
        let keyframe = self.keyframe?;
        let length = self.newest.wrapping_sub(keyframe.sequence);
        (is_fresh(keyframe.arrived, now) && length < CATCH_UP).then_some(keyframe)
    }
}

impl Kept {
    fn store(&mut self, packet: &Packet, now: i64) {
        let encoding = usize::from(packet.layer.encoding);
        if encoding >= ENCODINGS {
            return;
        }
        while self.encodings.len() <= encoding {
            self.encodings.push(Index::new());
        }
        // There are at most as many as fit into `BYTES`.
        #[allow(clippy::cast_possible_truncation)]
        let number = self.first.wrapping_add(self.packets.len() as u32);
        if let Some(index) = self.encodings.get_mut(encoding) {
            index.enter(packet, number, now);
        }
        let packet = packet.clone();
        let arrival = Arrival { packet, at: now };
        self.bytes += arrival.bytes();
        self.packets.push_back(arrival);
    }

    /// Lets go of what is too old, and of the oldest where there is too much.
    fn expire(&mut self, now: i64) {
        let horizon = i64::try_from(HORIZON.as_nanos()).unwrap_or(i64::MAX);
        while let Some(oldest) = self.packets.front()
            && (oldest.at < now.saturating_sub(horizon) || self.bytes > BYTES)
        {
            self.bytes -= oldest.bytes();
            self.packets.pop_front();
            self.first = self.first.wrapping_add(1);
        }
        let (length, capacity) = (self.packets.len(), self.packets.capacity());
        // Rarely: a source that has slowed down for good frees what it took.
        if capacity > 1024 && length < capacity / 8 {
            self.packets.shrink_to(capacity / 4);
        }
    }

    fn find(&self, index: &Index, ssrc: u32, sequence: u16) -> Option<&Packet> {
        let number = index.numbers.get(usize::from(sequence) % PLACES)?;
        let position = number.wrapping_sub(self.first) as usize;
        let packet = &self.packets.get(position)?.packet;
        (packet.rtp.ssrc == ssrc && packet.rtp.sequence == sequence).then_some(packet)
    }
}

impl History {
    /// `now`: the pipeline clock, ns.
    pub(crate) fn store(&self, packets: &[Packet], now: i64) {
        let mut kept = self.kept();
        if self.keeping.load(Relaxed) == Keeping::Frames as u8 {
            for packet in packets {
                kept.frames.store(packet, now);
            }
            return;
        }
        for packet in packets {
            kept.store(packet, now);
        }
        kept.expire(now);
    }

    pub(crate) fn find(&self, ssrc: u32, sequence: u16) -> Option<Packet> {
        let kept = self.kept();
        let mut encodings = kept.encodings.iter();
        let found = encodings.find_map(|index| kept.find(index, ssrc, sequence));
        found.cloned()
    }

    /// Whether [`since_keyframe`](Self::since_keyframe) has something.
    pub(crate) fn has_keyframe(&self, encoding: u8, now: i64) -> bool {
        let kept = self.kept();
        let index = kept.encodings.get(usize::from(encoding));
        kept.frames.is_fresh(now) || index.is_some_and(|index| index.fresh_keyframe(now).is_some())
    }

    /// The packets of an encoding from a recent keyframe on, without those that
    /// are missing; empty when there was no keyframe lately.
    pub(crate) fn since_keyframe(&self, encoding: u8, now: i64) -> Vec<Packet> {
        let kept = self.kept();
        if kept.frames.is_fresh(now) {
            return kept.frames.packets.clone();
        }
        let index = kept.encodings.get(usize::from(encoding));
        let Some((index, start)) =
            index.and_then(|index| Some((index, index.fresh_keyframe(now)?)))
        else {
            return Vec::new();
        };
        let length = index.newest.wrapping_sub(start.sequence);
        let sequences = (0..=length).map(|offset| start.sequence.wrapping_add(offset));
        sequences
            .filter_map(|sequence| kept.find(index, start.ssrc, sequence))
            .cloned()
            .collect()
    }

    /// Whether anything is to be stored.
    pub(crate) fn is_on(&self) -> bool {
        self.keeping.load(Relaxed) != Keeping::Nothing as u8
    }

    /// Lets go of what was kept of another kind.
    pub(crate) fn keep(&self, keeping: Keeping) {
        if self.keeping.swap(keeping as u8, Relaxed) != keeping as u8 {
            *self.kept() = Kept::default();
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Modulo 2^16 (RFC 1982).
fn is_newer(sequence: u16, than: u16) -> bool {
    sequence != than && sequence.wrapping_sub(than) < 0x8000
}

/// Whether who joins may begin with a keyframe that came then.
fn is_fresh(arrived: i64, now: i64) -> bool {
    now - arrived <= i64::try_from(FRESH.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use rivero_plugin_api::{Bytes, Layer, MediaKind, Rtp};

    use super::*;

    fn packet(sequence: u16, timestamp: u32, keyframe: bool) -> Packet {
        Packet {
            bytes: Bytes::default(),
            format: 1,
            origin: 1,
            kind: MediaKind::Video,
            flags: if keyframe { Packet::KEYFRAME } else { 0 },
            layer: Layer::default(),
            presentation_time: 0,
            ingress_time: 0,
            duration: 0,
            rtp: Rtp {
                sequence,
                timestamp,
                ssrc: 9,
                ..Rtp::default()
            },
            ..Packet::default()
        }
    }

    fn since_keyframe(history: &History, now: i64) -> Vec<u16> {
        let packets = history.since_keyframe(0, now);
        packets.iter().map(|packet| packet.rtp.sequence).collect()
    }

    #[test]
    fn what_came_since_the_first_packet_of_a_keyframe_is_found_in_order() {
        let history = History::default();
        assert!(!history.has_keyframe(0, 0));
        history.store(&[packet(65_533, 1, false)], 0);
        // Parameter sets and picture, both marked; then a late one and a gap.
        history.store(&[packet(65_534, 2, true), packet(65_535, 2, true)], 0);
        history.store(&[packet(65_532, 1, false), packet(2, 4, false)], 0);
        history.store(&[packet(0, 3, false)], 0);
        assert!(history.has_keyframe(0, 0));
        assert_eq!(since_keyframe(&history, 0), [65_534, 65_535, 0, 2]);
    }

    #[test]
    fn a_keyframe_sent_again_is_no_new_one() {
        let history = History::default();
        history.store(&[packet(10, 5, true), packet(11, 6, false)], 0);
        history.store(&[packet(20, 7, true), packet(10, 5, true)], 0);
        assert_eq!(since_keyframe(&history, 0), [20]);
    }

    #[test]
    fn old_and_long_stretches_are_not_given() {
        let history = History::default();
        let fresh = i64::try_from(FRESH.as_nanos()).unwrap();
        history.store(&[packet(1, 1, true)], 0);
        assert_eq!(since_keyframe(&history, fresh), [1]);
        assert!(since_keyframe(&history, fresh + 1).is_empty());
        history.store(&[packet(1 + CATCH_UP, 2, false)], 0);
        assert!(since_keyframe(&history, 0).is_empty());
        assert!(!history.has_keyframe(1, 0), "another encoding");
    }

    /// Stores packets of `bytes` bytes at this rate for some seconds; gives the number of the last
    /// one and when it came.
    fn stream(history: &History, packets_per_second: u32, bytes: usize) -> (u32, i64) {
        let interval = 1_000_000_000 / i64::from(packets_per_second);
        let count = packets_per_second * 10;
        for number in 0..count {
            let mut packet = packet(number as u16, number, false);
            packet.bytes = vec![0; bytes].into();
            history.store(&[packet], i64::from(number) * interval);
        }
        (count - 1, i64::from(count - 1) * interval)
    }

    /// How many of the latest packets are found.
    fn depth(history: &History, last: u32) -> u32 {
        let found = |back: &u32| history.find(9, (last - back) as u16).is_some();
        (0..last).take_while(found).count() as u32
    }

    #[test]
    fn the_packets_of_two_seconds_are_found_at_any_rate_and_no_others() {
        for packets_per_second in [50, 250, 2_500] {
            let history = History::default();
            let (last, _) = stream(&history, packets_per_second, 1_000);
            let depth = depth(&history, last);
            let expected = 2 * packets_per_second;
            assert!(
                depth.abs_diff(expected) <= 1,
                "{depth} at {packets_per_second}/s"
            );
            assert_eq!(history.kept().packets.len() as u32, depth);
        }
    }

    #[test]
    fn no_source_keeps_more_bytes_than_its_share() {
        let history = History::default();
        let (last, _) = stream(&history, 8_000, 8_000);
        let kept = history.kept();
        assert!(
            kept.bytes <= BYTES && kept.bytes > BYTES - 10_000,
            "{}",
            kept.bytes
        );
        let sum: usize = kept.packets.iter().map(Arrival::bytes).sum();
        assert_eq!(kept.bytes, sum);
        drop(kept);
        assert_eq!(depth(&history, last) as usize, history.kept().packets.len());
    }

    #[test]
    fn room_is_given_back_when_a_source_slows_down() {
        let history = History::default();
        let (last, at) = stream(&history, 2_500, 100);
        assert!(history.kept().packets.capacity() >= 5_000);
        for number in 1..=200 {
            let late = packet((last + number) as u16, 0, false);
            history.store(&[late], at + i64::from(number) * 100_000_000);
        }
        assert!(history.kept().packets.capacity() <= 1024);
    }

    #[test]
    fn a_packet_that_comes_twice_or_late_is_found() {
        let history = History::default();
        for (sequence, at) in [(1, 0), (3, 0), (2, 900_000_000), (3, 1_900_000_000)] {
            history.store(&[packet(sequence, 1, false)], at);
        }
        history.store(&[packet(4, 1, false)], 2_500_000_000);
        let found = [1, 2, 3, 4].map(|sequence| history.find(9, sequence).is_some());
        assert_eq!(found, [false, true, true, true]);
    }

    #[test]
    fn frames_are_kept_from_a_fresh_keyframe_on() {
        let history = History::default();
        history.keep(Keeping::of(MediaKind::Video, Packaging::Frame));
        let frame = |timestamp, keyframe| packet(0, timestamp, keyframe);
        let shown = |now| -> Vec<u32> {
            let packets = history.since_keyframe(0, now);
            packets.iter().map(|packet| packet.rtp.timestamp).collect()
        };
        history.store(&[frame(1, false)], 0);
        assert!(shown(0).is_empty(), "nothing begins with it");
        history.store(&[frame(2, true), frame(3, false)], 0);
        history.store(&[frame(4, false)], 1);
        assert_eq!(shown(2), [2, 3, 4]);
        history.store(&[frame(5, true)], 3);
        assert_eq!(shown(3), [5]);
        let fresh = 3 + FRESH.as_nanos() as i64;
        assert!(history.has_keyframe(0, fresh) && !history.has_keyframe(0, fresh + 1));
        history.store(&[frame(6, false)], fresh + 1);
        assert!(
            history.kept().frames.packets.is_empty(),
            "it is of no use any more"
        );
        history.store(&[frame(7, true)], 0);
        history.keep(Keeping::Packets);
        assert!(shown(0).is_empty());
        history.keep(Keeping::of(MediaKind::Audio, Packaging::Frame));
        assert!(!history.is_on());
    }
}
