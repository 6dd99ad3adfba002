//! Sound in packets as long as the peer asks for (`a=ptime`, RFC 8866 §6.4): sampled codecs only, whose bytes may
//! be cut anywhere.

use rivero_plugin_api::{Bytes, Packet, Rtp};
use rivero_rtp::{ExtensionBlock, OutgoingHeader};

/// What is made of a sampled codec for a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packing {
    /// The server's number for the format; others pass as they come.
    pub(crate) format: u32,
    /// Bytes of a packet, and timestamp units: the same number for codecs of one byte a sample.
    pub(crate) length: u16,
}

/// Puts sound together anew.
#[derive(Default)]
pub(super) struct Packer {
    packing: Option<Packing>,
    /// What has not filled a packet yet.
    rest: Vec<u8>,
    /// The timestamp of its first byte.
    timestamp: u32,
    sequence: u16,
    /// Origin, source and sequence number of the latest packet that came.
    latest: Option<(u32, u32, u16)>,
}

/// The source of what is put together, by which the peer's stream tells it from what passes as it comes.
const ORIGIN: u32 = u32::MAX - 1;
/// Longest packet; what a peer asks for beyond is not met (RFC 3551 §4.2 has 200 ms).
const MAX_LENGTH: u16 = 1600;

impl Packer {
    pub(super) fn set_packing(&mut self, packing: Option<Packing>) {
        let packing = packing.filter(|packing| (1..=MAX_LENGTH).contains(&packing.length));
        if self.packing != packing {
            self.packing = packing;
            self.rest.clear();
            self.latest = None;
        }
    }

    /// Whether these packets are put together anew: not those that are as long as the peer wants them, which is
    /// what nearly all sources make.
    #[inline]
    pub(super) fn packs(&self, packets: &[Packet]) -> bool {
        let Some(packing) = self.packing else {
            return false;
        };
        let is_right = |packet: &Packet| packet.payload().len() == usize::from(packing.length);
        let is_of_format = packets
            .first()
            .is_some_and(|packet| packet.format == packing.format);
        is_of_format && !(self.rest.is_empty() && packets.iter().all(is_right))
    }

    /// Takes the selected packets of a burst; gives those that are full, 64 at most.
    pub(super) fn pack(&mut self, packets: &[Packet], selection: u64) -> Vec<Packet> {
        let mut full = Vec::new();
        for (bit, packet) in packets.iter().enumerate() {
            if selection >> bit & 1 == 1 {
                self.add(packet);
                self.take_full(packet, &mut full);
            }
        }
        full.truncate(64);
        full
    }

    fn add(&mut self, packet: &Packet) {
        let (origin, ssrc, sequence) = (packet.origin, packet.rtp.ssrc, packet.rtp.sequence);
        let follows = self.latest == Some((origin, ssrc, sequence.wrapping_sub(1)));
        let expected = u32::try_from(self.rest.len()).unwrap_or(0);
        let expected = self.timestamp.wrapping_add(expected);
        if !follows || packet.rtp.timestamp != expected {
            // Another source, or a gap: what is left over has no end.
            self.rest.clear();
            self.timestamp = packet.rtp.timestamp;
        }
        self.latest = Some((origin, ssrc, sequence));
        self.rest.extend_from_slice(packet.payload());
    }

    fn take_full(&mut self, like: &Packet, full: &mut Vec<Packet>) {
        let Some(Packing { length, .. }) = self.packing else {
            return;
        };
        while self.rest.len() >= usize::from(length) {
            let rest = self.rest.split_off(usize::from(length));
            let payload = std::mem::replace(&mut self.rest, rest);
            full.push(self.packet(like, &payload));
            self.timestamp = self.timestamp.wrapping_add(u32::from(length));
        }
    }

    fn packet(&mut self, like: &Packet, payload: &[u8]) -> Packet {
        self.sequence = self.sequence.wrapping_add(1);
        let extensions = ExtensionBlock::default();
        let header = OutgoingHeader {
            marker: like.rtp.marker,
            payload_type: 0,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: like.rtp.ssrc,
            extensions: &extensions,
            padding: 0,
        };
        let mut bytes = Vec::new();
        header.write_to(&mut bytes);
        let payload_offset = u16::try_from(bytes.len()).unwrap_or(0);
        bytes.extend_from_slice(payload);
        Packet {
            bytes: Bytes::copy_from(&bytes),
            origin: ORIGIN,
            rtp: Rtp {
                timestamp: self.timestamp,
                ssrc: like.rtp.ssrc,
                sequence: self.sequence,
                marker: like.rtp.marker,
                payload_offset,
                ..Rtp::default()
            },
            ..like.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use rivero_plugin_api::{Layer, MediaKind};

    use super::*;

    const FORMAT: u32 = 3;

    fn sound(sequence: u16, timestamp: u32, length: usize) -> Packet {
        Packet {
            bytes: Bytes::copy_from(&vec![sequence as u8; length]),
            format: FORMAT,
            origin: 1,
            kind: MediaKind::Audio,
            flags: 0,
            layer: Layer::default(),
            presentation_time: 0,
            ingress_time: 0,
            duration: 0,
            rtp: Rtp {
                timestamp,
                ssrc: 9,
                sequence,
                ..Rtp::default()
            },
            ..Packet::default()
        }
    }

    fn packer(length: u16) -> Packer {
        let mut packer = Packer::default();
        packer.set_packing(Some(Packing {
            format: FORMAT,
            length,
        }));
        packer
    }

    #[test]
    fn packets_of_20_ms_become_packets_of_30_and_of_10() {
        for (length, count) in [(240, 20), (80, 60), (480, 10)] {
            let mut packer = packer(length);
            let mut made = Vec::new();
            for n in 0..30u16 {
                let packet = sound(n.wrapping_sub(3), u32::from(n) * 160, 160);
                assert!(packer.packs(std::slice::from_ref(&packet)));
                made.extend(packer.pack(&[packet], 1));
            }
            assert_eq!(made.len(), count);
            for (n, packet) in made.iter().enumerate() {
                assert_eq!(packet.payload().len(), usize::from(length));
                assert_eq!(packet.rtp.timestamp, n as u32 * u32::from(length));
                assert_eq!(packet.rtp.sequence, n as u16 + 1);
            }
        }
    }

    #[test]
    fn what_is_lost_begins_a_packet_anew() {
        let mut packer = packer(240);
        assert_eq!(packer.pack(&[sound(1, 0, 160)], 1).len(), 0);
        let made = packer.pack(&[sound(3, 320, 160), sound(4, 480, 160)], 0b11);
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].rtp.timestamp, 320);
        assert!(made[0].payload()[..160].iter().all(|byte| *byte == 3));
        assert_eq!(
            packer.pack(&[sound(5, 640, 160)], 0).len(),
            0,
            "not selected"
        );
    }

    #[test]
    fn other_formats_and_lengths_pass() {
        let mut other = sound(1, 0, 160);
        other.format = 4;
        assert!(!packer(240).packs(&[other]));
        assert!(!packer(160).packs(&[sound(1, 0, 160), sound(2, 160, 160)]));
        assert!(!packer(5000).packs(&[sound(1, 0, 160)]));
        assert!(!Packer::default().packs(&[sound(1, 0, 160)]));
    }
}
