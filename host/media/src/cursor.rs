//! What one consumer gets of a source: a state machine over packets, without locks or clocks.
//!
//! Whoever pushes packets owns the [`Cursor`] of each consumer and moves it with each packet. What
//! the consumer and the control side want reaches it as an [`Order`], which they write and it only
//! reads.

use rivero_plugin_api::Packet;

use crate::{order::Order, thinning::Thinner, traffic::Tally};

/// Codings that do not say where a consumer may go up to more temporal layers let it at keyframes
/// only. One comes by itself now and then, and costs all viewers, so it is asked for only when this
/// many frames, about a second, were left out in vain.
const PATIENCE: u8 = 30;

/// A burst, looked at once for all consumers.
pub(crate) struct Burst<'a> {
    pub(crate) packets: &'a [Packet],
    /// One bit a packet.
    all: u64,
    /// The encoding of all packets, when they share one.
    encoding: Option<u8>,
    /// Whether a packet is above the base layers.
    layered: bool,
    /// ns since the first packet entered the server, while that is measured.
    pub(crate) age: Option<i64>,
    /// Of all packets.
    pub(crate) bytes: u64,
    /// What went to elements so far.
    pub(crate) tally: Tally,
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
            bytes: packets.iter().map(size).sum(),
            tally: Tally::default(),
        }
    }

    /// Bytes of those packets that pass.
    pub(crate) fn bytes_of(&self, selection: u64) -> u64 {
        if selection == self.all {
            return self.bytes;
        }
        let bits = self.packets.iter().take(64).enumerate();
        bits.filter(|(bit, _)| selection >> bit & 1 == 1)
            .map(|(_, packet)| size(packet))
            .sum()
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

fn size(packet: &Packet) -> u64 {
    packet.bytes.len() as u64
}

/// What passes of a burst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// One bit a packet.
    pub(crate) packets: u64,
    /// The consumer has to be told of the burst even if nothing of it passes, so that it does not
    /// take what was left out on purpose for lost.
    pub(crate) is_told: bool,
    /// A keyframe is needed, to begin, to switch or to go on.
    pub(crate) starved: bool,
}

/// Where a consumer is in a source's encodings.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// That of the order that it began with.
    start: u32,
    is_video: bool,
    /// Nothing passes before a keyframe of the wanted encoding.
    waiting: bool,
    /// Has begun and was not shown what came before.
    catches_up: bool,
    encoding: u8,
    /// The highest temporal layer that passes now.
    temporal: u8,
    /// Frames of wanted temporal layers that were left out because nothing allowed to go up.
    missed: u8,
    /// RTP timestamp of the frame that was looked at last.
    frame: Option<u32>,
    thinner: Thinner,
}

impl Cursor {
    pub(crate) fn new(is_video: bool) -> Self {
        Self {
            start: 0,
            is_video,
            waiting: false,
            catches_up: false,
            encoding: 0,
            temporal: u8::MAX,
            missed: 0,
            frame: None,
            thinner: Thinner::default(),
        }
    }

    /// Begins anew where the order says so.
    pub(crate) fn follow(&mut self, order: Order) {
        if self.start != order.start {
            *self = Self {
                start: order.start,
                waiting: self.is_video,
                catches_up: self.is_video,
                encoding: order.encoding,
                ..Self::new(self.is_video)
            };
        }
    }

    /// It was shown what came before it began.
    pub(crate) fn on_caught_up(&mut self) {
        self.catches_up = false;
    }

    /// Whether it has begun and was not shown what came before.
    pub(crate) fn catches_up(&self) -> bool {
        self.catches_up
    }

    /// The packets of a burst that pass on a path that carries `estimate` bit/s.
    pub(crate) fn select(&mut self, order: Order, estimate: u64, burst: &Burst<'_>) -> Selection {
        self.follow(order);
        let packets = if self.is_steady(order, estimate, burst) {
            burst.all
        } else {
            let bits = burst.packets.iter().take(64).enumerate();
            bits.fold(0, |passed, (bit, packet)| {
                passed | u64::from(self.step(order, estimate, packet)) << bit
            })
        };
        let of_encoding = |packet: &Packet| packet.layer.encoding == self.encoding;
        Selection {
            packets,
            is_told: packets != 0 || !self.waiting && burst.packets.iter().any(of_encoding),
            starved: self.wants_keyframe(order, estimate),
        }
    }

    /// Whether all packets of a burst pass and nothing changes by them.
    fn is_steady(&self, order: Order, estimate: u64, burst: &Burst<'_>) -> bool {
        !self.waiting
            && burst.encoding == Some(self.encoding)
            && order.encoding == self.encoding
            && (!burst.layered || self.temporal == u8::MAX && order.is_for_all_layers())
            && !self.thins(order, estimate)
    }

    /// Moves on by a packet; whether it passes.
    pub(crate) fn step(&mut self, order: Order, estimate: u64, packet: &Packet) -> bool {
        let passes = self.step_layers(order, packet);
        passes && (!self.thins(order, estimate) || self.step_frames(estimate, packet))
    }

    fn step_layers(&mut self, order: Order, packet: &Packet) -> bool {
        let layer = packet.layer;
        if layer.encoding == order.encoding && packet.is_keyframe() {
            self.encoding = order.encoding;
            self.temporal = order.temporal;
            self.waiting = false;
            self.missed = 0;
        }
        let is_current = layer.encoding == self.encoding;
        let begins = is_current && self.frame != Some(packet.rtp.timestamp);
        if begins {
            self.frame = Some(packet.rtp.timestamp);
            self.temporal = self.temporal.min(order.temporal);
        }
        let rises = is_current && packet.flags & Packet::LAYER_SYNC != 0;
        if rises && (self.temporal..=order.temporal).contains(&layer.temporal) {
            self.temporal = layer.temporal;
            self.missed = 0;
        }
        let misses = layer.temporal > self.temporal && layer.temporal <= order.temporal;
        self.missed = self.missed.saturating_add(u8::from(begins && misses));
        !self.waiting
            && is_current
            && layer.spatial <= order.spatial
            && layer.temporal <= self.temporal
    }

    /// Of packets whose layers pass: whether the path carries this one.
    fn step_frames(&mut self, estimate: u64, packet: &Packet) -> bool {
        let now = match packet.ingress_time {
            0 => packet.presentation_time,
            ingress => ingress,
        };
        self.thinner.passes(now, packet, estimate)
    }

    /// Frames are left out, or were and no keyframe has come since.
    fn thins(&self, order: Order, estimate: u64) -> bool {
        order.thins && (estimate != u64::MAX || self.is_cut())
    }

    /// The path does not carry what it was sent, so nothing is before a keyframe that it can take.
    pub(crate) fn is_cut(&self) -> bool {
        self.thinner.is_cut()
    }

    fn wants_keyframe(&self, order: Order, estimate: u64) -> bool {
        self.waiting
            || self.missed >= PATIENCE
            || (self.encoding != order.encoding && !order.wished)
            || (self.thins(order, estimate) && self.thinner.wants_keyframe(estimate))
    }
}

#[cfg(test)]
mod tests {
    use rivero_plugin_api::{Bytes, Layer, MediaKind, Rtp};

    use super::*;

    const FREE: u64 = u64::MAX;

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
            ..Packet::default()
        }
    }

    /// A packet of a frame of its own.
    fn frame(timestamp: u32, temporal: u8, flags: u8) -> Packet {
        let mut packet = packet(0, temporal, false);
        packet.rtp.timestamp = timestamp;
        packet.flags = flags;
        packet
    }

    /// The first order that a link gives.
    fn begin() -> Order {
        Order {
            start: 1,
            ..Order::default()
        }
    }

    fn temporal(temporal: u8) -> Order {
        Order {
            temporal,
            ..begin()
        }
    }

    fn select(cursor: &mut Cursor, order: Order, packets: &[Packet]) -> u64 {
        cursor.select(order, FREE, &Burst::new(packets)).packets
    }

    #[test]
    fn video_begins_at_a_keyframe_each_time_it_begins() {
        let mut cursor = Cursor::new(true);
        let burst = [packet(0, 0, false), packet(0, 0, true), packet(0, 0, false)];
        assert_eq!(select(&mut cursor, begin(), &burst), 0b110);
        assert_eq!(select(&mut cursor, begin(), &burst[..1]), 0b1);
        let again = Order {
            start: 2,
            ..begin()
        };
        let selection = cursor.select(again, FREE, &Burst::new(&burst[..1]));
        let nothing = Selection {
            starved: true,
            ..Selection::default()
        };
        assert_eq!(selection, nothing);
        assert!(cursor.catches_up());
        cursor.on_caught_up();
        assert!(!cursor.catches_up());
    }

    #[test]
    fn audio_begins_at_once() {
        let mut cursor = Cursor::new(false);
        assert_eq!(select(&mut cursor, begin(), &[packet(0, 0, false)]), 1);
        assert!(!cursor.catches_up());
    }

    #[test]
    fn an_encoding_is_switched_at_its_keyframe() {
        let mut cursor = Cursor::new(true);
        select(&mut cursor, begin(), &[packet(0, 0, true)]);
        let other = Order {
            encoding: 1,
            ..begin()
        };
        let burst = [
            packet(0, 0, false),
            packet(1, 0, false),
            packet(1, 0, true),
            packet(0, 0, false),
        ];
        let first = cursor.select(other, FREE, &Burst::new(&burst[..1]));
        assert!(
            first.packets == 1 && first.starved,
            "the other has to begin"
        );
        let wished = Order {
            wished: true,
            ..other
        };
        let first = cursor.select(wished, FREE, &Burst::new(&burst[..1]));
        assert!(!first.starved, "who wishes asks by itself");
        assert_eq!(select(&mut cursor, other, &burst), 0b0101);
    }

    #[test]
    fn temporal_layers_above_the_order_are_left_out_from_the_next_frame_on() {
        let mut cursor = Cursor::new(true);
        let first = [frame(1, 0, Packet::KEYFRAME), frame(2, 2, 0)];
        assert_eq!(select(&mut cursor, begin(), &first), 0b11);
        let burst = [
            frame(2, 2, 0),
            frame(3, 0, 0),
            frame(4, 2, 0),
            frame(5, 1, 0),
        ];
        assert_eq!(select(&mut cursor, temporal(1), &burst), 0b1011);
        let left_out = cursor.select(temporal(1), FREE, &Burst::new(&[frame(6, 2, 0)]));
        assert!(left_out.packets == 0 && left_out.is_told);
    }

    #[test]
    fn temporal_layers_come_back_where_the_coding_allows_it() {
        let mut cursor = Cursor::new(true);
        select(&mut cursor, begin(), &[frame(1, 0, Packet::KEYFRAME)]);
        let burst = [frame(2, 0, 0), frame(3, 2, 0), frame(4, 1, 0)];
        assert_eq!(select(&mut cursor, temporal(0), &burst), 0b001);
        let sync = Packet::LAYER_SYNC;
        let burst = [
            frame(5, 1, 0),
            frame(6, 1, sync),
            frame(7, 2, 0),
            frame(8, 1, 0),
            frame(9, 2, sync),
        ];
        assert_eq!(select(&mut cursor, begin(), &burst), 0b11010);
    }

    #[test]
    fn a_keyframe_is_asked_for_where_the_coding_does_not_say_how_to_go_up() {
        let mut cursor = Cursor::new(true);
        select(&mut cursor, begin(), &[frame(1, 0, Packet::KEYFRAME)]);
        let two = |number: u32| [frame(4 * number, 0, 0), frame(4 * number + 2, 1, 0)];
        for number in 1..40 {
            let selection = cursor.select(temporal(0), FREE, &Burst::new(&two(number)));
            assert!(
                selection.packets == 0b01 && !selection.starved,
                "not wanted"
            );
        }
        let asked = (100..200).find(|number| {
            let selection = cursor.select(begin(), FREE, &Burst::new(&two(*number)));
            selection.starved
        });
        assert_eq!(asked, Some(129));
        let burst = [frame(4000, 0, Packet::KEYFRAME), frame(4002, 1, 0)];
        let selection = cursor.select(begin(), FREE, &Burst::new(&burst));
        assert!(selection.packets == 0b11 && !selection.starved);
    }

    #[test]
    fn a_path_that_does_not_carry_all_gets_less_until_a_keyframe_that_it_can_take() {
        let mut cursor = Cursor::new(true);
        let thins = Order {
            thins: true,
            ..begin()
        };
        let at = |number: u32, flags: u8| {
            let mut packet = frame(number, 0, flags);
            packet.ingress_time = 1 + i64::from(number) * 10_000_000;
            packet.bytes = vec![0; 1000].into();
            packet
        };
        let mut passed = |estimate: u64, number: u32, flags: u8| {
            let packets = [at(number, flags)];
            let selection = cursor.select(thins, estimate, &Burst::new(&packets));
            selection.packets == 1
        };
        assert!(passed(100_000, 0, Packet::KEYFRAME));
        let sent = (1..200)
            .filter(|number| passed(100_000, *number, 0))
            .count();
        assert!((5..100).contains(&sent), "{sent}");
        assert!(
            !passed(FREE, 200, 0),
            "it would depend on what was left out"
        );
        assert!(passed(FREE, 201, Packet::KEYFRAME) && passed(FREE, 202, 0));
        assert!(!cursor.is_cut());
    }

    #[test]
    fn a_full_burst_of_64_packets_is_selected_whole() {
        let burst = vec![packet(0, 0, true); 64];
        assert_eq!(select(&mut Cursor::new(true), begin(), &burst), u64::MAX);
    }
}
