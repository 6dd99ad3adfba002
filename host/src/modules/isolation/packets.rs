//! Packets as they pass between processes: what is known of each, beside its payload.
//!
//! The payload goes through the [ring](super::ring), all else through the socket. What came is looked at
//! before anything is made of it: who parses a packet relies on the places in it that its fields name.

use rivero_plugin_api::{AudioLevel, Bytes, Extension, Extensions, Layer, MediaKind, Packet, Rtp};
use serde::{Deserialize, Serialize};

/// Packets of one burst at most, as at the boundary.
const BURST: usize = 64;

/// The packets of a burst, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Burst(Vec<Head>);

/// A packet without its payload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Head {
    length: u32,
    format: u32,
    origin: u32,
    kind: u8,
    flags: u8,
    /// Encoding, spatial, temporal.
    layer: (u8, u8, u8),
    audio_level: Option<u8>,
    presentation_time: i64,
    ingress_time: i64,
    duration: i64,
    rtp: Option<Box<RtpHead>>,
    details: Option<Box<DetailsHead>>,
}

/// Nothing where all of it is zero, as it is of what is no RTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct RtpHead {
    timestamp: u32,
    ssrc: u32,
    sequence: u16,
    marker: bool,
    payload_offset: u16,
    padding: u8,
    /// Kind, length, offset.
    extensions: Vec<(u8, u8, u16)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct DetailsHead {
    decode_time: Option<i64>,
    capture_time: Option<i64>,
    metadata: Vec<(String, Vec<u8>)>,
}

/// What is wrong with packets that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("a burst of more than {BURST} packets")]
    Burst,
    #[error("an RTP packet whose parts lie outside of it")]
    Rtp,
    #[error("metadata beyond its bounds")]
    Metadata,
    #[error("payload that is not in the ring")]
    Payload,
}

impl Burst {
    pub(super) fn of(packets: &[Packet]) -> Self {
        Self(packets.iter().map(Head::of).collect())
    }

    /// The packets, with the payloads that `take` gives for their lengths.
    pub(super) fn packets(
        self,
        mut take: impl FnMut(usize) -> Option<Bytes>,
    ) -> Result<Vec<Packet>, Malformed> {
        if self.0.len() > BURST {
            return Err(Malformed::Burst);
        }
        let packets = self.0.into_iter().map(|head| {
            let bytes = take(head.length as usize).ok_or(Malformed::Payload)?;
            head.packet(bytes)
        });
        packets.collect()
    }
}

impl Head {
    fn of(packet: &Packet) -> Self {
        let Layer {
            encoding,
            spatial,
            temporal,
        } = packet.layer;
        Self {
            // A packet of 4 GiB fits into no ring.
            length: u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX),
            format: packet.format,
            origin: packet.origin,
            kind: packet.kind.number(),
            flags: packet.flags,
            layer: (encoding, spatial, temporal),
            audio_level: packet.audio_level.byte(),
            presentation_time: packet.presentation_time,
            ingress_time: packet.ingress_time,
            duration: packet.duration,
            rtp: RtpHead::of(&packet.rtp),
            details: DetailsHead::of(packet),
        }
    }

    fn packet(self, bytes: Bytes) -> Result<Packet, Malformed> {
        let rtp = self.rtp.map(|rtp| rtp.checked(bytes.len())).transpose()?;
        let (encoding, spatial, temporal) = self.layer;
        let mut packet = Packet {
            bytes,
            format: self.format,
            origin: self.origin,
            kind: MediaKind::from_number(self.kind),
            flags: self.flags,
            layer: Layer {
                encoding,
                spatial,
                temporal,
            },
            audio_level: self
                .audio_level
                .map_or(AudioLevel::UNKNOWN, AudioLevel::from_byte),
            presentation_time: self.presentation_time,
            ingress_time: self.ingress_time,
            duration: self.duration,
            rtp: rtp.unwrap_or_default(),
            ..Packet::default()
        };
        if let Some(details) = self.details {
            details.add_to(&mut packet)?;
        }
        Ok(packet)
    }
}

impl RtpHead {
    const NONE: Self = Self {
        timestamp: 0,
        ssrc: 0,
        sequence: 0,
        marker: false,
        payload_offset: 0,
        padding: 0,
        extensions: Vec::new(),
    };

    fn of(rtp: &Rtp) -> Option<Box<Self>> {
        let head = Self {
            timestamp: rtp.timestamp,
            ssrc: rtp.ssrc,
            sequence: rtp.sequence,
            marker: rtp.marker,
            payload_offset: rtp.payload_offset,
            padding: rtp.padding,
            extensions: { rtp.extensions.iter() }
                .map(|extension| (extension.kind, extension.length, extension.offset))
                .collect(),
        };
        (head != Self::NONE).then(|| Box::new(head))
    }

    /// What these fields say of a packet of `length` bytes.
    fn checked(self, length: usize) -> Result<Rtp, Malformed> {
        let begin = usize::from(self.payload_offset);
        let is_inside = |offset: u16, length_of_part: u8| {
            usize::from(offset) + usize::from(length_of_part) <= begin
        };
        let parts =
            { self.extensions.iter() }.all(|(_, length, offset)| is_inside(*offset, *length));
        if !parts || begin + usize::from(self.padding) > length {
            return Err(Malformed::Rtp);
        }
        let mut extensions = Extensions::default();
        for (kind, length, offset) in self.extensions {
            extensions.push(Extension {
                kind,
                length,
                offset,
            });
        }
        Ok(Rtp {
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            sequence: self.sequence,
            marker: self.marker,
            payload_offset: self.payload_offset,
            padding: self.padding,
            extensions,
        })
    }
}

impl DetailsHead {
    fn of(packet: &Packet) -> Option<Box<Self>> {
        if packet.details.is_none() {
            return None;
        }
        let decode_time = packet.decode_time();
        let entries = packet.details.entries();
        Some(Box::new(Self {
            // One that is the time of presentation says nothing.
            decode_time: Some(decode_time).filter(|time| *time != packet.presentation_time),
            capture_time: packet.capture_time(),
            metadata: entries
                .map(|(key, value)| (key.to_owned(), value.to_vec()))
                .collect(),
        }))
    }

    fn add_to(self, packet: &mut Packet) -> Result<(), Malformed> {
        if let Some(time) = self.decode_time {
            packet.set_decode_time(time);
        }
        if let Some(time) = self.capture_time {
            packet.set_capture_time(time);
        }
        for (key, value) in self.metadata {
            let added = packet.set_metadata(&key, &value);
            added.map_err(|_| Malformed::Metadata)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn packet() -> impl Strategy<Value = Packet> {
        let numbers = any::<(u32, u32, u8, u8, (u8, u8, u8))>();
        let times = any::<(i64, i64, i64, Option<i64>, Option<i64>, Option<u8>)>();
        let rtp = any::<(u32, u32, u16, bool, u8, u8)>();
        let extensions = vec(any::<(u8, u8)>(), 0..7);
        let metadata = vec(("[a-z]{1,20}", vec(any::<u8>(), 0..40)), 0..5);
        let payload = vec(any::<u8>(), 0..1500);
        (payload, numbers, times, rtp, extensions, metadata).prop_map(
            |(bytes, numbers, times, rtp, extensions, metadata)| {
                let length = bytes.len();
                let mut packet = Packet {
                    bytes: bytes.into(),
                    format: numbers.0,
                    origin: numbers.1,
                    kind: MediaKind::from_number(numbers.2),
                    flags: numbers.3,
                    layer: Layer {
                        encoding: numbers.4.0,
                        spatial: numbers.4.1,
                        temporal: numbers.4.2,
                    },
                    presentation_time: times.0,
                    ingress_time: times.1,
                    duration: times.2,
                    ..Packet::default()
                };
                packet.audio_level = times.5.map_or(AudioLevel::UNKNOWN, AudioLevel::from_byte);
                if length > 600 {
                    packet.rtp = Rtp {
                        timestamp: rtp.0,
                        ssrc: rtp.1,
                        sequence: rtp.2,
                        marker: rtp.3,
                        payload_offset: 300 + u16::from(rtp.4) / 8,
                        padding: rtp.5,
                        ..Rtp::default()
                    };
                    for (kind, offset) in extensions {
                        packet.rtp.extensions.push(Extension {
                            kind,
                            length: offset / 8,
                            offset: u16::from(offset),
                        });
                    }
                }
                if let Some(time) = times.3 {
                    packet.set_decode_time(time);
                }
                if let Some(time) = times.4 {
                    packet.set_capture_time(time);
                }
                for (key, value) in metadata {
                    packet.set_metadata(&key, &value).unwrap();
                }
                packet
            },
        )
    }

    /// All that a packet has, as text.
    fn in_words(packet: &Packet) -> String {
        let (decode, capture) = (packet.decode_time(), packet.capture_time());
        let entries: Vec<_> = packet.details.entries().collect();
        let Packet {
            format,
            origin,
            kind,
            flags,
            layer,
            audio_level,
            rtp,
            ..
        } = packet;
        let times = (
            packet.presentation_time,
            packet.ingress_time,
            packet.duration,
        );
        format!(
            "{format} {origin} {kind:?} {flags} {layer:?} {audio_level:?} {times:?} {rtp:?} {decode} {capture:?} {entries:?} {:?}",
            &*packet.bytes
        )
    }

    proptest! {
        #[test]
        fn packets_arrive_as_they_were_sent(packets in vec(packet(), 0..5)) {
            let encoded = postcard::to_stdvec(&Burst::of(&packets)).unwrap();
            let burst: Burst = postcard::from_bytes(&encoded).unwrap();
            let payload: Vec<u8> = packets.iter().flat_map(|packet| packet.bytes.to_vec()).collect();
            let mut rest = payload.as_slice();
            let came = burst.packets(|length| {
                let (bytes, behind) = rest.split_at_checked(length)?;
                rest = behind;
                Some(Bytes::copy_from(bytes))
            });
            let words = |packets: &[Packet]| packets.iter().map(in_words).collect::<Vec<_>>();
            prop_assert_eq!(words(&came.unwrap()), words(&packets));
        }

        #[test]
        fn any_bytes_are_packets_with_parts_inside_or_an_error(bytes in vec(any::<u8>(), 0..300)) {
            let Ok(burst) = postcard::from_bytes::<Burst>(&bytes) else { return Ok(()) };
            let take = |length: usize| (length < 2000).then(|| Bytes::copy_from(&vec![0; length]));
            for packet in burst.packets(take).unwrap_or_default() {
                let end = packet.bytes.len() - usize::from(packet.rtp.padding);
                prop_assert!(usize::from(packet.rtp.payload_offset) <= end);
                for extension in packet.rtp.extensions.iter() {
                    let end = usize::from(extension.offset) + usize::from(extension.length);
                    prop_assert!(end <= packet.bytes.len());
                }
            }
        }
    }

    #[test]
    fn what_lies_outside_of_a_packet_is_refused() {
        let mut packet = Packet {
            bytes: vec![0; 20].into(),
            ..Packet::default()
        };
        packet.rtp.payload_offset = 12;
        let came = |packet: &Packet, length: usize| {
            Burst::of(std::slice::from_ref(packet))
                .packets(|_| Some(Bytes::copy_from(&vec![0; length])))
                .map(|packets| packets.len())
        };
        assert_eq!(came(&packet, 20), Ok(1));
        assert_eq!(came(&packet, 11), Err(Malformed::Rtp));
        packet.rtp.padding = 9;
        assert_eq!(came(&packet, 20), Err(Malformed::Rtp));
        packet.rtp.padding = 0;
        packet.rtp.extensions.push(Extension {
            kind: 1,
            length: 1,
            offset: 12,
        });
        assert_eq!(came(&packet, 20), Err(Malformed::Rtp));
        let many = Burst::of(&vec![Packet::default(); BURST + 1]);
        assert_eq!(
            many.packets(|_| Some(Bytes::default())).err(),
            Some(Malformed::Burst)
        );
    }
}
