//! Digits that are sent to a peer, in place of its sound: those that a client dials, and those that somebody dials whom the
//! peer hears.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{Digit, LOST, Name, event};

/// Between two packets of an event (RFC 4733 §2.5.1.2).
const INTERVAL: Duration = Duration::from_millis(50);
/// The end is sent so many times, in case it gets lost (RFC 4733 §2.5.1.4).
const ENDS: u8 = 3;
/// Digits that wait at most.
const MAX_WAITING: usize = 64;
/// −10 dBm0, in the middle of what telephones send (RFC 4733 §2.3.4).
const VOLUME: u8 = 10;
/// Of a digit that somebody holds: as long as can be said without a second event (RFC 4733 §2.5.1.3), at 8 kHz. There is no
/// sound meanwhile.
const LONGEST: Duration = Duration::from_secs(8);
/// What is told of one at least: some phones begin with 0, which means something else (RFC 4733 §2.3.5).
const SHORTEST: Duration = Duration::from_millis(10);

/// One packet of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventPacket {
    pub(crate) payload: [u8; 4],
    /// The first of its event.
    pub(crate) begins: bool,
    /// Since the beginning of all digits, by the clock of the stream: one for all packets of an event.
    pub(crate) timestamp: u32,
}

/// What is heard of a digit that somebody dials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) name: Name,
    pub(super) event: u8,
    /// Until now.
    pub(super) duration: Duration,
    pub(super) has_ended: bool,
}

/// A digit to send.
#[derive(Debug, Clone, Copy)]
struct Tone {
    event: u8,
    /// `None` while somebody holds it.
    length: Option<Duration>,
    /// Silence behind it.
    gap: Duration,
    held: Option<Held>,
}

/// A digit that is sent while it is heard.
#[derive(Debug, Clone, Copy)]
struct Held {
    name: Name,
    duration: Duration,
    latest: Instant,
}

impl Tone {
    /// It goes on, or ends.
    fn hear(&mut self, now: Instant, heard: Heard) {
        if let Some(held) = &mut self.held {
            held.duration = held.duration.max(heard.duration);
            held.latest = now;
        }
        if heard.has_ended {
            self.end();
        }
    }

    /// Nothing more is heard of it.
    fn end(&mut self) {
        let heard = self.held.map(|held| held.duration);
        self.length = self.length.or(heard);
    }

    fn look(&mut self, now: Instant) {
        if self.held.is_some_and(|held| held.latest + LOST <= now) {
            self.end();
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Current {
    tone: Tone,
    begin: Instant,
    sent: u32,
    ends: u8,
}

impl Current {
    /// Until when it is to be sent.
    fn length(&self) -> Duration {
        match (self.tone.length, self.tone.held) {
            (Some(length), None) => length,
            (length, _) => length.unwrap_or(LONGEST).clamp(SHORTEST, LONGEST),
        }
    }

    /// What can be told of it: of one that is held no more than was heard, or its end might have to take something back.
    fn known(&self) -> Duration {
        let heard = self.tone.held.map(|held| held.duration.max(SHORTEST));
        heard.map_or(self.length(), |heard| heard.min(self.length()))
    }
}

/// Sends digits one after the other.
#[derive(Debug, Default)]
pub(crate) struct DigitSender {
    waiting: VecDeque<Tone>,
    current: Option<Current>,
    /// The latest digit that was heard, sent or not.
    latest: Option<Name>,
    /// When the next packet is due.
    next: Option<Instant>,
    origin: Option<Instant>,
}

impl DigitSender {
    /// Queues digits, each with this gap behind; `false` when too many wait.
    pub(crate) fn push(&mut self, now: Instant, digits: &[Digit], gap: Duration) -> bool {
        if self.waiting.len() + digits.len() > MAX_WAITING {
            return false;
        }
        let tones = digits.iter().map(|digit| Tone {
            event: event(digit.character).unwrap_or(0),
            length: Some(Duration::from_millis(u64::from(digit.milliseconds))),
            gap,
            held: None,
        });
        self.waiting.extend(tones);
        self.begin(now);
        true
    }

    /// A digit that somebody dials begins, goes on or ends. What comes late of an earlier one is left out, and so is a digit
    /// that finds too many waiting.
    pub(super) fn relay(&mut self, now: Instant, heard: Heard) {
        if self.latest == Some(heard.name) {
            let named = |tone: &&mut Tone| tone.held.is_some_and(|held| held.name == heard.name);
            if let Some(tone) = self.held().find(named) {
                tone.hear(now, heard);
            }
            return;
        }
        let is_late = self
            .latest
            .is_some_and(|latest| heard.name.is_before(latest));
        if is_late || self.waiting.len() >= MAX_WAITING {
            return;
        }
        // Another one of the same phone: the end of the one before was lost.
        let phone = |name: Name| (name.origin, name.ssrc);
        let of_phone = |tone: &&mut Tone| {
            tone.held
                .is_some_and(|held| phone(held.name) == phone(heard.name))
        };
        self.held().filter(of_phone).for_each(Tone::end);
        self.latest = Some(heard.name);
        let mut tone = Tone {
            event: heard.event,
            length: None,
            gap: Duration::ZERO,
            held: Some(Held {
                name: heard.name,
                duration: heard.duration,
                latest: now,
            }),
        };
        tone.hear(now, heard);
        self.waiting.push_back(tone);
        self.begin(now);
    }

    /// The digits that may still be held.
    fn held(&mut self) -> impl Iterator<Item = &mut Tone> {
        let current = self.current.as_mut().map(|current| &mut current.tone);
        current.into_iter().chain(&mut self.waiting)
    }

    /// The peer takes no digits any more: sound need not wait for them.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        (self.current, self.next) = (None, None);
    }

    fn begin(&mut self, now: Instant) {
        self.next.get_or_insert(now);
        self.origin.get_or_insert(now);
    }

    /// Sound has to wait.
    #[inline]
    pub(crate) fn is_busy(&self) -> bool {
        self.next.is_some()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    /// The packet that is due.
    pub(crate) fn poll_packet(&mut self, now: Instant, clock_rate: u32) -> Option<EventPacket> {
        let due = self.next.filter(|due| *due <= now)?;
        if self.current.is_none() {
            let Some(tone) = self.waiting.pop_front() else {
                self.next = None;
                return None;
            };
            self.current = Some(Current {
                tone,
                begin: due,
                sent: 0,
                ends: 0,
            });
        }
        let current = self.current.as_mut()?;
        current.tone.look(now);
        let length = current.length();
        // Of what has passed by now; the first packet tells of what comes before the next one.
        let passed = INTERVAL * (current.sent + 1);
        let is_end = current.ends > 0 || passed >= length;
        let duration = units(passed.min(current.known()), clock_rate).min(u32::from(u16::MAX));
        let [.., high, low] = duration.to_be_bytes();
        let begin = current.begin.saturating_duration_since(self.origin?);
        let packet = EventPacket {
            payload: [
                current.tone.event,
                u8::from(is_end) << 7 | VOLUME,
                high,
                low,
            ],
            begins: current.sent == 0 && current.ends == 0,
            timestamp: units(begin, clock_rate),
        };
        if is_end {
            current.ends += 1;
            self.next = Some(now);
            if current.ends >= ENDS {
                let end = current.begin + length;
                self.next = Some(end.max(now) + current.tone.gap);
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

    fn heard(timestamp: u32, event: u8, milliseconds: u64, has_ended: bool) -> Heard {
        Heard {
            name: Name {
                origin: 3,
                ssrc: 7,
                timestamp,
            },
            event,
            duration: Duration::from_millis(milliseconds),
            has_ended,
        }
    }

    /// What is sent while digits are heard, each at its time in ms: event, end, duration in ms and timestamp.
    fn relayed(all: &[(u64, Heard)]) -> Vec<(u8, bool, u16, u32)> {
        let (mut sender, begin) = (DigitSender::default(), Instant::now());
        let mut packets = Vec::new();
        for ms in 0..20_000 {
            let now = begin + Duration::from_millis(ms);
            for (_, heard) in all.iter().filter(|(at, _)| *at == ms) {
                sender.relay(now, *heard);
            }
            while let Some(packet) = sender.poll_packet(now, 8000) {
                let [event, flags, high, low] = packet.payload;
                let duration = u16::from_be_bytes([high, low]) / 8;
                packets.push((event, flags >> 7 == 1, duration, packet.timestamp));
            }
        }
        assert!(!sender.is_busy());
        packets
    }

    /// The digits of such packets: event and length in ms.
    fn lengths(packets: &[(u8, bool, u16, u32)]) -> Vec<(u8, u16)> {
        let mut digits: Vec<(u8, u16, u32)> = Vec::new();
        for (event, is_end, duration, timestamp) in packets {
            if *is_end && digits.last().is_none_or(|last| last.2 != *timestamp) {
                digits.push((*event, *duration, *timestamp));
            }
        }
        digits
            .into_iter()
            .map(|(event, length, _)| (event, length))
            .collect()
    }

    /// Field report 14.
    #[test]
    fn a_digit_that_is_heard_is_sent_while_it_is_held_and_ends_with_it() {
        let mut all: Vec<_> = (0..4)
            .map(|step| (step * 50, heard(4000, 5, step * 50 + 50, false)))
            .collect();
        all.extend([220; 3].map(|at| (at, heard(4000, 5, 220, true))));
        // The same digit once more, of which only an end comes; then what was late on its way.
        all.push((400, heard(8000, 5, 60, true)));
        all.push((500, heard(4000, 5, 220, true)));
        let packets = relayed(&all);
        assert_eq!(lengths(&packets), [(5, 220), (5, 60)]);
        let first: Vec<_> = packets.iter().filter(|packet| packet.3 == 0).collect();
        assert_eq!(first.len(), 5 + usize::from(ENDS));
        assert!(first.is_sorted_by_key(|packet| packet.2));
    }

    #[test]
    fn a_digit_whose_end_is_lost_ends_by_the_next_one_or_by_the_clock() {
        let all = [
            (0, heard(100, 1, 50, false)),
            (50, heard(100, 1, 100, false)),
            (120, heard(2000, 2, 50, false)),
        ];
        assert_eq!(lengths(&relayed(&all)), [(1, 100), (2, 50)]);
    }

    #[test]
    fn a_digit_that_is_held_for_ever_lets_sound_through_in_the_end() {
        let held: Vec<_> = (0..300)
            .map(|step| (step * 50, heard(100, 9, step * 50, false)))
            .collect();
        assert_eq!(lengths(&relayed(&held)), [(9, 7950)]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut sender, now) = (DigitSender::default(), Instant::now());
        for number in 0..1000 {
            sender.relay(now, heard(number * 1000, 1, 1000, false));
        }
        assert_eq!(sender.waiting.len(), MAX_WAITING);

        let (mut sender, now) = (DigitSender::default(), Instant::now());
        assert!(sender.push(now, &digits(&"1".repeat(60)), Duration::ZERO));
        assert!(!sender.push(now, &digits("12345"), Duration::ZERO));
        assert!(sender.push(now, &digits("1234"), Duration::ZERO));
    }
}
