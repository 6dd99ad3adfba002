//! The digits of a link, in both directions.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rivero_plugin_api::{Bytes, MediaKind, Packet, Rtp};
use rivero_rtp::{ExtensionBlock, OutgoingHeader, RtpHeader};

use super::{Digit, DigitReceiver, DigitSender, relay};
use crate::SentFormat;

/// Digits that wait to be told at most; nobody dials faster than they are.
const MAX_HEARD: usize = 64;
/// The source of packets with digits, by which the peer's stream tells them from its sound.
const ORIGIN: u32 = u32::MAX;

/// What was negotiated about digits.
#[derive(Debug, Clone, Default)]
pub struct DigitFormats {
    /// Payload types under which they come, with their clock rates.
    pub received: Vec<(u8, u32)>,
    /// As what they are sent, for each clock rate of the sound that they interrupt: that of the sound which is sent by
    /// preference first. Empty where the peer takes none.
    pub sent: Vec<SentFormat>,
    /// The number of the format of what goes from one peer to another.
    pub relayed: u32,
}

impl DigitFormats {
    /// Whether there are none in either direction.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.received.is_empty() && self.sent.is_empty()
    }

    /// By what a pad says that it takes digits; `None` where the peer does not.
    #[must_use]
    pub fn accepted(&self) -> Option<u32> {
        (!self.sent.is_empty()).then_some(self.relayed)
    }

    /// The same with those of another section, by which media goes in the other direction.
    pub fn extend(&mut self, other: Self) {
        self.received.extend(other.received);
        self.sent.extend(other.sent);
    }

    /// As what they are sent beside sound of a clock rate, which theirs has to be (RFC 4733 §2.1); of any where none has
    /// been sent yet.
    fn beside(&self, clock_rate: Option<u32>) -> Option<&SentFormat> {
        let mut sent = self.sent.iter();
        sent.find(|format| clock_rate.is_none_or(|rate| rate == format.clock_rate))
    }
}

/// See the head of this file.
#[derive(Default)]
pub(crate) struct DigitLine {
    formats: DigitFormats,
    receiver: DigitReceiver,
    sender: DigitSender,
    sequence: u16,
    heard: VecDeque<Digit>,
}

impl DigitLine {
    pub(crate) fn set_formats(&mut self, formats: DigitFormats) {
        if formats.sent.is_empty() {
            self.sender.clear();
        }
        self.formats = formats;
    }

    /// Takes a packet of the peer if it is one of a digit; `false` for any other.
    #[inline]
    pub(crate) fn on_rtp(&mut self, now: Instant, header: &RtpHeader, packet: &[u8]) -> bool {
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
    pub(crate) fn passed_on(&self, header: &RtpHeader, packet: &[u8]) -> Option<Packet> {
        let payload = header.payload(packet).unwrap_or_default();
        let clock_rate = self.clock_rate(header)?;
        relay::packet(header, payload, clock_rate, self.formats.relayed)
    }

    /// Takes such a packet of somebody whom the peer hears, beside sound of this clock rate.
    pub(crate) fn relay(&mut self, now: Instant, clock_rate: Option<u32>, event: &Packet) {
        if self.formats.beside(clock_rate).is_some()
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

    /// The next digit that has ended.
    pub(crate) fn poll_heard(&mut self) -> Option<Digit> {
        self.heard.pop_front()
    }

    /// Queues digits beside sound of this clock rate; `false` when too many wait, or the peer takes none.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        clock_rate: Option<u32>,
        digits: &[Digit],
        gap: Duration,
    ) -> bool {
        self.formats.beside(clock_rate).is_some() && self.sender.push(now, digits, gap)
    }

    /// Sound has to wait.
    #[inline]
    pub(crate) fn is_busy(&self) -> bool {
        self.sender.is_busy()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let due = [self.sender.poll_timeout(), self.receiver.poll_timeout()];
        due.into_iter().flatten().min()
    }

    /// Does what is due for what is heard.
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        let digit = self.receiver.on_timeout(now);
        self.note(digit);
    }

    /// The packet that is due, as one of a source of its own, and as what it is sent beside sound of this clock rate.
    pub(crate) fn poll_packet(
        &mut self,
        now: Instant,
        clock_rate: Option<u32>,
    ) -> Option<(SentFormat, Packet)> {
        let format = self.formats.beside(clock_rate);
        // What waits has to end all the same where the sound has become another one meanwhile.
        let format = *format.or(self.formats.sent.first())?;
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
        let packet = Packet {
            bytes: Bytes::copy_from(&bytes),
            format: format.format,
            origin: ORIGIN,
            kind: MediaKind::Audio,
            flags: Packet::KEYFRAME,
            rtp: Rtp {
                timestamp: event.timestamp,
                ssrc: ORIGIN,
                sequence: self.sequence,
                marker: event.begins,
                payload_offset,
                ..Rtp::default()
            },
            ..Packet::default()
        };
        Some((format, packet))
    }
}
