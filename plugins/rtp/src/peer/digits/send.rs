//! Digits that are sent to a peer, in place of its sound.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{Digit, event};

/// Between two packets of an event (RFC 4733 §2.5.1.2).
const INTERVAL: Duration = Duration::from_millis(50);
/// The end is sent so many times, in case it gets lost (RFC 4733 §2.5.1.4).
const ENDS: u8 = 3;
/// Digits that wait at most.
const MAX_WAITING: usize = 64;
/// −10 dBm0, in the middle of what telephones send (RFC 4733 §2.3.4).
const VOLUME: u8 = 10;

/// One packet of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::peer) struct EventPacket {
    pub(in crate::peer) payload: [u8; 4],
    /// The first of its event.
    pub(in crate::peer) begins: bool,
    /// Since the beginning of all digits, by the clock of the stream: one for all packets of an event.
    pub(in crate::peer) timestamp: u32,
}

#[derive(Debug, Clone, Copy)]
struct Current {
    event: u8,
    begin: Instant,
    length: Duration,
    sent: u32,
    ends: u8,
}

/// Sends digits one after the other.
#[derive(Debug, Default)]
pub(in crate::peer) struct DigitSender {
    waiting: VecDeque<Digit>,
    gap: Duration,
    current: Option<Current>,
    /// When the next packet is due.
    next: Option<Instant>,
    origin: Option<Instant>,
}

impl DigitSender {
    /// Queues digits, each with this gap behind; `false` when too many wait.
    pub(in crate::peer) fn push(&mut self, now: Instant, digits: &[Digit], gap: Duration) -> bool {
        if self.waiting.len() + digits.len() > MAX_WAITING {
            return false;
        }
        self.gap = gap;
        self.waiting.extend(digits);
        self.next.get_or_insert(now);
        self.origin.get_or_insert(now);
        true
    }

    /// Sound has to wait.
    #[inline]
    pub(in crate::peer) fn is_busy(&self) -> bool {
        self.next.is_some()
    }

    pub(in crate::peer) fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    /// The packet that is due.
    pub(in crate::peer) fn poll_packet(
        &mut self,
        now: Instant,
        clock_rate: u32,
    ) -> Option<EventPacket> {
        let due = self.next.filter(|due| *due <= now)?;
        if self.current.is_none() {
            let Some(digit) = self.waiting.pop_front() else {
                self.next = None;
                return None;
            };
            self.current = Some(Current {
                event: event(digit.character).unwrap_or(0),
                begin: due,
                length: Duration::from_millis(u64::from(digit.milliseconds)),
                sent: 0,
                ends: 0,
            });
        }
        let current = self.current.as_mut()?;
        // Of what has passed by now; the first packet tells of what comes before the next one.
        let passed = INTERVAL * (current.sent + 1);
        let is_end = passed >= current.length;
        let duration = units(passed.min(current.length), clock_rate).min(u32::from(u16::MAX));
        let [.., high, low] = duration.to_be_bytes();
        let begin = current.begin.saturating_duration_since(self.origin?);
        let packet = EventPacket {
            payload: [current.event, u8::from(is_end) << 7 | VOLUME, high, low],
            begins: current.sent == 0 && current.ends == 0,
            timestamp: units(begin, clock_rate),
        };
        if is_end {
            current.ends += 1;
            self.next = Some(now);
            if current.ends >= ENDS {
                let end = current.begin + current.length;
                self.next = Some(end.max(now) + self.gap);
                self.current = None;
            }
        } else {
            current.sent += 1;
            self.next = Some(due + INTERVAL);
        }
        Some(packet)
    }
}

/// A time in units of the clock. Events of more than 65,535 of them would have to be split (RFC 4733
/// §2.5.1.3): 5 s are less at 8 kHz, and at 48 kHz they are told as shorter.
fn units(time: Duration, clock_rate: u32) -> u32 {
    let units = time.as_micros() * u128::from(clock_rate) / 1_000_000;
    #[allow(clippy::cast_possible_truncation, reason = "timestamps wrap")]
    let units = units as u32;
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<Digit> {
        let digit = |character| Digit {
            character,
            milliseconds: 100,
        };
        text.chars().map(digit).collect()
    }

    #[test]
    fn each_digit_has_one_timestamp_and_three_ends() {
        let (mut sender, begin) = (DigitSender::default(), Instant::now());
        assert!(sender.push(begin, &digits("1#"), Duration::from_millis(60)));
        let mut packets = Vec::new();
        while let Some(due) = sender.poll_timeout() {
            assert!(sender.is_busy());
            packets.extend(sender.poll_packet(due, 8000));
        }
        let shown: Vec<_> = packets
            .iter()
            .map(|packet| {
                let [event, flags, high, low] = packet.payload;
                let duration = u16::from_be_bytes([high, low]);
                (event, flags >> 7, duration, packet.timestamp, packet.begins)
            })
            .collect();
        let second = 160 * 8;
        assert_eq!(
            shown,
            [
                (1, 0, 400, 0, true),
                (1, 1, 800, 0, false),
                (1, 1, 800, 0, false),
                (1, 1, 800, 0, false),
                (11, 0, 400, second, true),
                (11, 1, 800, second, false),
                (11, 1, 800, second, false),
                (11, 1, 800, second, false),
            ]
        );
        assert!(!sender.is_busy());
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut sender, now) = (DigitSender::default(), Instant::now());
        assert!(sender.push(now, &digits(&"1".repeat(60)), Duration::ZERO));
        assert!(!sender.push(now, &digits("12345"), Duration::ZERO));
        assert!(sender.push(now, &digits("1234"), Duration::ZERO));
    }
}
