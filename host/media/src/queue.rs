//! Media that waits for a converter or for a pad, and what is left out when that falls behind.

use std::collections::VecDeque;

use rivero_plugin_api::{MediaKind, Packaging, Packet};

/// What is left out of a full queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// Everything up to the next keyframe: what lies between could not be decoded.
    ToKeyframe,
    /// The oldest: each packet stands for itself.
    Oldest,
}

/// How much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) packets: usize,
    pub(crate) bytes: usize,
    /// Between the arrival of the first and the last, ns.
    pub(crate) age: i64,
}

impl Limits {
    /// Encoded media: a large keyframe in RTP packets, and some more.
    const ENCODED: Self = Self {
        packets: 4096,
        bytes: 16 << 20,
        age: 1_000_000_000,
    };
    /// Raw media: what is late is better left out soon.
    const RAW: Self = Self {
        packets: 64,
        bytes: 64 << 20,
        age: 300_000_000,
    };
}

/// Packets of encoded media before a pad: its module may wait for a processor for some tenths of a second.
const BEFORE_PAD: usize = 16_384;

/// Packets handed over at once; between two pieces other streams have their turn.
const PIECE: usize = 64;

/// A bounded queue of media.
pub(crate) struct Queue {
    packets: VecDeque<Packet>,
    bytes: usize,
    overflow: Overflow,
    limits: Limits,
    /// Packets handed over at once.
    piece: usize,
    /// Left something out: the next packet says so.
    broken: bool,
    /// Waits for a keyframe.
    skipping: bool,
}

/// What a push came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// Packets left out.
    pub(crate) dropped: u64,
    /// The queue went over, and a keyframe would help.
    pub(crate) overflowed: bool,
}

impl Queue {
    pub(crate) fn new(kind: MediaKind, packaging: Packaging) -> Self {
        let raw = packaging == Packaging::Raw;
        let overflow = if kind == MediaKind::Video && !raw {
            Overflow::ToKeyframe
        } else {
            Overflow::Oldest
        };
        let limits = if raw { Limits::RAW } else { Limits::ENCODED };
        // Whole pictures take their time, to decode as well as to encode.
        let pictures = kind == MediaKind::Video && packaging != Packaging::Rtp;
        let piece = if pictures { 1 } else { PIECE };
        Self {
            piece,
            ..Self::with(overflow, limits)
        }
    }

    /// A queue before a pad.
    pub(crate) fn before_pad(kind: MediaKind, packaging: Packaging) -> Self {
        let mut queue = Self::new(kind, packaging);
        if packaging != Packaging::Raw {
            queue.limits.packets = BEFORE_PAD;
        }
        queue
    }

    fn with(overflow: Overflow, limits: Limits) -> Self {
        Self {
            packets: VecDeque::new(),
            bytes: 0,
            overflow,
            limits,
            piece: PIECE,
            broken: false,
            skipping: false,
        }
    }

    pub(crate) fn push(&mut self, packet: &Packet) -> Pushed {
        let mut pushed = Pushed::default();
        if self.skipping && !packet.is_keyframe() {
            pushed.dropped = 1;
            return pushed;
        }
        self.skipping = false;
        self.add(packet.clone());
        if !self.is_over() {
            return pushed;
        }
        match self.overflow {
            Overflow::Oldest => {
                while self.is_over() && self.packets.len() > 1 {
                    self.drop_oldest();
                    pushed.dropped += 1;
                }
            }
            Overflow::ToKeyframe => {
                pushed.dropped = self.drop_to_keyframe();
                pushed.overflowed = true;
            }
        }
        pushed
    }

    fn add(&mut self, mut packet: Packet) {
        if std::mem::take(&mut self.broken) {
            packet.flags |= Packet::DISCONTINUITY;
        }
        self.bytes += packet.bytes.len();
        self.packets.push_back(packet);
    }

    fn is_over(&self) -> bool {
        let (first, last) = (self.packets.front(), self.packets.back());
        let age = first.zip(last).map_or(0, |(first, last)| {
            last.ingress_time.saturating_sub(first.ingress_time)
        });
        self.packets.len() > self.limits.packets
            || self.bytes > self.limits.bytes
            || age > self.limits.age
    }

    fn drop_oldest(&mut self) {
        if let Some(packet) = self.packets.pop_front() {
            self.bytes -= packet.bytes.len();
        }
        match self.packets.front_mut() {
            Some(first) => first.flags |= Packet::DISCONTINUITY,
            None => self.broken = true,
        }
    }

    /// Keeps what begins with the last keyframe, if that is not the first packet.
    fn drop_to_keyframe(&mut self) -> u64 {
        let keyframe = self.packets.iter().rposition(Packet::is_keyframe);
        let drop = match keyframe {
            Some(position) if position > 0 => position,
            _ => self.packets.len(),
        };
        (0..drop).for_each(|_| self.drop_oldest());
        self.skipping = self.packets.is_empty();
        drop as u64
    }

    /// Media of another kind of format comes to the pad from now on; what waits is handed over as before.
    pub(crate) fn retune(&mut self, kind: MediaKind, packaging: Packaging) {
        let Self {
            overflow,
            limits,
            piece,
            ..
        } = Self::before_pad(kind, packaging);
        (self.overflow, self.limits, self.piece) = (overflow, limits, piece);
        self.skipping &= overflow == Overflow::ToKeyframe;
    }

    /// Nobody takes what waits: all of it is left out, and so is what comes before the next keyframe where
    /// that is what decoding begins with. Gives how many packets are lost.
    pub(crate) fn break_off(&mut self) -> u64 {
        let lost = self.packets.len() as u64;
        self.packets.clear();
        self.bytes = 0;
        self.broken = true;
        self.skipping = self.overflow == Overflow::ToKeyframe;
        lost
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Those to be handed over next into `out`.
    pub(crate) fn pop_piece(&mut self, out: &mut Vec<Packet>) {
        let count = self.piece.min(self.packets.len());
        out.extend(self.packets.drain(..count));
        let taken: usize = out.iter().rev().take(count).map(|p| p.bytes.len()).sum();
        self.bytes -= taken;
    }
}

#[cfg(test)]
mod tests {
    use rivero_plugin_api::{Bytes, Layer, Rtp};

    use super::*;

    fn packet(number: i64, keyframe: bool) -> Packet {
        Packet {
            bytes: Bytes::from(vec![0; 10]),
            format: 1,
            origin: 1,
            kind: MediaKind::Video,
            flags: if keyframe { Packet::KEYFRAME } else { 0 },
            layer: Layer::default(),
            presentation_time: number,
            ingress_time: number,
            duration: 0,
            rtp: Rtp::default(),
            ..Packet::default()
        }
    }

    fn queue(overflow: Overflow) -> Queue {
        let limits = Limits {
            packets: 4,
            bytes: 1000,
            age: 1000,
        };
        Queue::with(overflow, limits)
    }

    fn content(queue: &mut Queue) -> Vec<(i64, bool)> {
        let mut out = Vec::new();
        queue.pop_piece(&mut out);
        let broken = |packet: &Packet| packet.flags & Packet::DISCONTINUITY != 0;
        out.iter()
            .map(|packet| (packet.presentation_time, broken(packet)))
            .collect()
    }

    #[test]
    fn packets_come_out_in_order_and_in_pieces() {
        let mut queue = queue(Overflow::Oldest);
        for number in 0..3 {
            assert_eq!(queue.push(&packet(number, false)), Pushed::default());
        }
        let mut out = Vec::new();
        queue.piece = 2;
        queue.pop_piece(&mut out);
        assert_eq!((out.len(), queue.bytes), (2, 10));
        assert_eq!(content(&mut queue), [(2, false)]);
        assert!(queue.is_empty() && queue.bytes == 0);
    }

    #[test]
    fn pictures_come_out_one_by_one_and_sound_and_rtp_together() {
        for (kind, packaging, together) in [
            (MediaKind::Video, Packaging::Raw, 1),
            (MediaKind::Video, Packaging::Frame, 1),
            (MediaKind::Video, Packaging::Rtp, 3),
            (MediaKind::Audio, Packaging::Raw, 3),
        ] {
            let mut queue = Queue::new(kind, packaging);
            for number in 0..3 {
                queue.push(&packet(number, number == 0));
            }
            assert_eq!(
                content(&mut queue).len(),
                together,
                "{kind:?} {packaging:?}"
            );
        }
    }

    #[test]
    fn raw_media_loses_its_oldest() {
        let mut queue = queue(Overflow::Oldest);
        let pushed: Vec<_> = (0..10).map(|n| queue.push(&packet(n, false))).collect();
        assert_eq!(pushed.iter().map(|pushed| pushed.dropped).sum::<u64>(), 6);
        assert!(pushed.iter().all(|pushed| !pushed.overflowed));
        let left = content(&mut queue);
        assert_eq!(left, [(6, true), (7, false), (8, false), (9, false)]);
    }

    #[test]
    fn encoded_media_goes_on_at_the_next_keyframe() {
        let mut queue = queue(Overflow::ToKeyframe);
        queue.push(&packet(0, true));
        let pushed: Vec<_> = (1..7).map(|n| queue.push(&packet(n, false))).collect();
        assert_eq!(pushed.iter().filter(|pushed| pushed.overflowed).count(), 1);
        assert_eq!(pushed.iter().map(|pushed| pushed.dropped).sum::<u64>(), 7);
        queue.push(&packet(7, true));
        queue.push(&packet(8, false));
        assert_eq!(content(&mut queue), [(7, true), (8, false)]);
    }

    #[test]
    fn a_keyframe_that_waits_already_is_kept() {
        let mut queue = queue(Overflow::ToKeyframe);
        for number in 0..5 {
            queue.push(&packet(number, number == 3));
        }
        assert_eq!(content(&mut queue), [(3, true), (4, false)]);
    }

    #[test]
    fn after_a_break_encoded_media_begins_with_a_keyframe_and_raw_media_at_once() {
        for (overflow, expected) in [
            (Overflow::ToKeyframe, vec![(3, true), (4, false)]),
            (Overflow::Oldest, vec![(2, true), (3, false), (4, false)]),
        ] {
            let mut queue = queue(overflow);
            queue.push(&packet(0, true));
            queue.push(&packet(1, false));
            assert_eq!((queue.break_off(), queue.bytes), (2, 0));
            for number in 2..5 {
                queue.push(&packet(number, number == 3));
            }
            assert_eq!(content(&mut queue), expected);
        }
    }

    #[test]
    fn raw_media_in_place_of_encoded_waits_for_no_keyframe() {
        let mut queue = Queue::new(MediaKind::Video, Packaging::Rtp);
        queue.break_off();
        assert_eq!(queue.push(&packet(0, false)).dropped, 1);
        queue.retune(MediaKind::Video, Packaging::Raw);
        assert_eq!(queue.push(&packet(1, false)), Pushed::default());
        assert_eq!(content(&mut queue), [(1, true)]);
    }

    #[test]
    fn what_waits_too_long_is_too_much() {
        let mut queue = queue(Overflow::Oldest);
        queue.push(&packet(0, false));
        assert_eq!(queue.push(&packet(5000, false)).dropped, 1);
        assert_eq!(content(&mut queue), [(5000, true)]);
    }
}
