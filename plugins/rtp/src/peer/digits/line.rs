//! The digits of a link, in both directions.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rivero_plugin_api::{Bytes, MediaKind, Packet, Rtp};
use rivero_rtp::{ExtensionBlock, OutgoingHeader, RtpHeader};
use rivero_rtp_session::{Datagrams, SentFormat};

use super::{Digit, DigitReceiver, DigitSender, relay};

/// Digits that wait to be told at most; nobody dials faster than they are.
const MAX_HEARD: usize = 64;
/// The source of packets with digits, by which the peer's stream tells them from its sound.
const ORIGIN: u32 = u32::MAX;

/// What was negotiated about digits.
#[derive(Debug, Clone, Default)]
pub(crate) struct DigitFormats {
    /// Payload types under which they come, with their clock rates.
    pub(crate) received: Vec<(u8, u32)>,
    /// As what they are sent; `None` where the peer takes none.
    pub(crate) sent: Option<SentFormat>,
    /// The number of the format of what goes from one peer to another.
    pub(crate) relayed: u32,
}

/// See the head of this file.
#[derive(Default)]
pub(in crate::peer) struct DigitLine {
    formats: DigitFormats,
    receiver: DigitReceiver,
    sender: DigitSender,
    sequence: u16,
    heard: Vec<Digit>,
    /// Protected packets that wait to be sent.
    pub(in crate::peer) outbox: VecDeque<Vec<u8>>,
}

/// The datagrams of a digit.
pub(in crate::peer) struct Queue<'a>(pub(in crate::peer) &'a mut VecDeque<Vec<u8>>);

impl Datagrams for Queue<'_> {
    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        let mut datagram = Vec::new();
        if write(&mut datagram) {
            self.0.push_back(datagram);
        }
    }
}

impl DigitLine {
    pub(in crate::peer) fn set_formats(&mut self, formats: DigitFormats) {
        self.formats = formats;
    }

    /// Takes a packet of the peer if it is one of a digit; `false` for any other.
    #[inline]
    pub(in crate::peer) fn on_rtp(
        &mut self,
        now: Instant,
        header: &RtpHeader,
        packet: &[u8],
    ) -> bool {
        let Some(clock_rate) = self.clock_rate(header) else {
            return false;
        };
        let payload = header.payload(packet).unwrap_or_default();
        let name = (header.ssrc, header.timestamp);
        let digit = self.receiver.on_packet(now, name, clock_rate, payload);
        self.note(digit);
        true
    }

    /// The clock rate of packets of digits; `None` for other packets.
    #[inline]
    fn clock_rate(&self, header: &RtpHeader) -> Option<u32> {
        let mut types = self.formats.received.iter();
        let known = types.find(|(payload_type, _)| *payload_type == header.payload_type);
        known.map(|(_, clock_rate)| *clock_rate)
    }

    /// What those who hear the peer get of a packet of a digit.
    pub(in crate::peer) fn passed_on(&self, header: &RtpHeader, packet: &[u8]) -> Option<Packet> {
        let payload = header.payload(packet).unwrap_or_default();
        let clock_rate = self.clock_rate(header)?;
        relay::packet(header, payload, clock_rate, self.formats.relayed)
    }

    /// Takes such a packet of somebody whom the peer hears.
    pub(in crate::peer) fn relay(&mut self, now: Instant, event: &Packet) {
        if self.formats.sent.is_some()
            && let Some(heard) = relay::heard(event)
        {
            self.sender.relay(now, heard);
        }
    }

    fn note(&mut self, digit: Option<Digit>) {
        if self.heard.len() < MAX_HEARD {
            self.heard.extend(digit);
        }
    }

    /// The digits that have ended.
    pub(in crate::peer) fn take_heard(&mut self) -> Vec<Digit> {
        std::mem::take(&mut self.heard)
    }

    /// Queues digits; `false` when too many wait, or the peer takes none.
    pub(in crate::peer) fn send(&mut self, now: Instant, digits: &[Digit], gap: Duration) -> bool {
        self.formats.sent.is_some() && self.sender.push(now, digits, gap)
    }

    /// Sound has to wait.
    #[inline]
    pub(in crate::peer) fn is_busy(&self) -> bool {
        self.sender.is_busy()
    }

    pub(in crate::peer) fn poll_timeout(&self) -> Option<Instant> {
        let due = [self.sender.poll_timeout(), self.receiver.poll_timeout()];
        due.into_iter().flatten().min()
    }

    /// Does what is due for what is heard.
    pub(in crate::peer) fn on_timeout(&mut self, now: Instant) {
        let digit = self.receiver.on_timeout(now);
        self.note(digit);
    }

    /// The packet that is due, as one of a source of its own.
    pub(in crate::peer) fn poll_packet(&mut self, now: Instant) -> Option<Packet> {
        let format = self.formats.sent?;
        let event = self.sender.poll_packet(now, format.clock_rate)?;
        self.sequence = self.sequence.wrapping_add(1);
        let extensions = ExtensionBlock::default();
        let header = OutgoingHeader {
            marker: event.begins,
            payload_type: format.payload_type,
            sequence: self.sequence,
            timestamp: event.timestamp,
            ssrc: ORIGIN,
            extensions: &extensions,
            padding: 0,
        };
        let mut bytes = Vec::new();
        header.write_to(&mut bytes);
        let payload_offset = u16::try_from(bytes.len()).unwrap_or(0);
        bytes.extend_from_slice(&event.payload);
        Some(Packet {
            bytes: Bytes::copy_from(&bytes),
            format: format.format,
            origin: ORIGIN,
            kind: MediaKind::Audio,
            flags: Packet::KEYFRAME,
            layer: rivero_plugin_api::Layer::default(),
            presentation_time: 0,
            ingress_time: 0,
            duration: 0,
            rtp: Rtp {
                timestamp: event.timestamp,
                ssrc: ORIGIN,
                sequence: self.sequence,
                marker: event.begins,
                payload_offset,
                ..Rtp::default()
            },
            ..Packet::default()
        })
    }
}
