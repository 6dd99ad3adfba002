//! Recent packets of a source, kept once for all its viewers: for those that
//! miss some (RFC 4585 NACK), and for those that join after a keyframe.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rivero_plugin_api::{Packaging, Packet};

/// Packets kept per encoding: 1024 are 1 s at about 10 Mbit/s.
const LENGTH: usize = 1024;
/// Encodings of one source; packets of further ones are not kept.
const ENCODINGS: usize = 8;

/// A viewer that joins gets what came since a keyframe not older than this:
/// more would begin its picture noticeably in the past.
const FRESH: Duration = Duration::from_millis(500);
/// And not more packets than this, so that it is not flooded.
const GREETING: u16 = 256;

/// A ring per encoding, addressed by sequence number.
#[derive(Default)]
pub(crate) struct History(Mutex<Vec<Ring>>);

struct Ring {
    packets: Vec<Option<Packet>>,
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

impl Ring {
    fn new() -> Self {
        Self {
            packets: vec![None; LENGTH],
            newest: 0,
            keyframe: None,
        }
    }

    fn store(&mut self, packet: &Packet, now: i64) {
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
        let slot = self.packets.get_mut(usize::from(rtp.sequence) % LENGTH);
        if let Some(slot) = slot {
            *slot = Some(packet.clone());
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

    fn find(&self, ssrc: u32, sequence: u16) -> Option<&Packet> {
        let packet = self.packets.get(usize::from(sequence) % LENGTH)?.as_ref()?;
        (packet.rtp.ssrc == ssrc && packet.rtp.sequence == sequence).then_some(packet)
    }

    fn fresh_keyframe(&self, now: i64) -> Option<Keyframe> {
        let keyframe = self.keyframe?;
        let fresh = now - keyframe.arrived <= i64::try_from(FRESH.as_nanos()).unwrap_or(i64::MAX);
        let length = self.newest.wrapping_sub(keyframe.sequence);
        (fresh && length < GREETING).then_some(keyframe)
    }
}

impl History {
    /// `now`: the pipeline clock, ns.
    pub(crate) fn store(&self, packets: &[Packet], now: i64) {
        let mut rings = self.rings();
        for packet in packets {
            let encoding = usize::from(packet.layer.encoding);
            if encoding >= ENCODINGS {
                continue;
            }
            while rings.len() <= encoding {
                rings.push(Ring::new());
            }
            if let Some(ring) = rings.get_mut(encoding) {
                ring.store(packet, now);
            }
        }
    }

    pub(crate) fn find(&self, ssrc: u32, sequence: u16) -> Option<Packet> {
        let rings = self.rings();
        rings
            .iter()
            .find_map(|ring| ring.find(ssrc, sequence))
            .cloned()
    }

    /// Whether [`since_keyframe`](Self::since_keyframe) has something.
    pub(crate) fn has_keyframe(&self, encoding: u8, now: i64) -> bool {
        let rings = self.rings();
        let ring = rings.get(usize::from(encoding));
        ring.is_some_and(|ring| ring.fresh_keyframe(now).is_some())
    }

    /// The packets of an encoding from a recent keyframe on, without those that
    /// are missing; empty when there was no keyframe lately.
    pub(crate) fn since_keyframe(&self, encoding: u8, now: i64) -> Vec<Packet> {
        let rings = self.rings();
        let ring = rings.get(usize::from(encoding));
        let Some((ring, start)) = ring.and_then(|ring| Some((ring, ring.fresh_keyframe(now)?)))
        else {
            return Vec::new();
        };
        let length = ring.newest.wrapping_sub(start.sequence);
        let sequences = (0..=length).map(|offset| start.sequence.wrapping_add(offset));
        sequences
            .filter_map(|sequence| ring.find(start.ssrc, sequence))
            .cloned()
            .collect()
    }

    pub(crate) fn clear(&self) {
        self.rings().clear();
    }

    fn rings(&self) -> MutexGuard<'_, Vec<Ring>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Modulo 2^16 (RFC 1982).
fn is_newer(sequence: u16, than: u16) -> bool {
    sequence != than && sequence.wrapping_sub(than) < 0x8000
}

/// Whether packets of this packaging may be asked for again.
pub(crate) fn keeps(packaging: Packaging) -> bool {
    packaging == Packaging::Rtp
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
        history.store(&[packet(1 + GREETING, 2, false)], 0);
        assert!(since_keyframe(&history, 0).is_empty());
        assert!(!history.has_keyframe(1, 0), "another encoding");
    }
}
