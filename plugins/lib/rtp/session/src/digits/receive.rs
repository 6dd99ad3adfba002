//! Which digits a peer sends.

use std::time::Instant;

use super::{Digit, LOST, Name, character};

#[derive(Debug, Clone, Copy)]
struct Current {
    event: u8,
    /// In units of the clock, as far as it has been told.
    duration: u16,
    clock_rate: u32,
    latest: Instant,
}

/// Makes one digit of the packets of an event.
#[derive(Debug, Default)]
pub(crate) struct DigitReceiver {
    /// The latest event, told or not.
    name: Option<Name>,
    /// While it goes on.
    current: Option<Current>,
}

impl DigitReceiver {
    /// Takes an event's packet. Gives the digit that has ended: this one, or the one before, of which the end
    /// was lost.
    pub(crate) fn on_packet(
        &mut self,
        now: Instant,
        (ssrc, timestamp): (u32, u32),
        clock_rate: u32,
        payload: &[u8],
    ) -> Option<Digit> {
        let [event, flags, high, low, ..] = *payload else {
            return None;
        };
        let name = Name {
            origin: 0,
            ssrc,
            timestamp,
        };
        let before = match self.name {
            Some(known) if known == name => None,
            // One that is late on its way is told already.
            Some(known) if name.is_before(known) => return None,
            _ => {
                self.name = Some(name);
                let before = self.current.take();
                self.current = Some(Current {
                    event,
                    duration: 0,
                    clock_rate,
                    latest: now,
                });
                before
            }
        };
        let Some(current) = &mut self.current else {
            return None;
        };
        current.duration = current.duration.max(u16::from_be_bytes([high, low]));
        current.latest = now;
        let has_ended = flags & 0x80 != 0;
        let ended = self.current.take_if(|_| has_ended && before.is_none());
        before.or(ended).and_then(digit)
    }

    /// The digit whose end has been lost.
    pub(crate) fn on_timeout(&mut self, now: Instant) -> Option<Digit> {
        let lost = |current: &mut Current| current.latest + LOST <= now;
        self.current.take_if(lost).and_then(digit)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.current.map(|current| current.latest + LOST)
    }
}

fn digit(current: Current) -> Option<Digit> {
    let rate = (current.clock_rate / 1000).max(1);
    Some(Digit {
        character: character(current.event)?,
        milliseconds: u32::from(current.duration) / rate,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RATE: u32 = 8000;

    struct Phone {
        receiver: DigitReceiver,
        now: Instant,
        heard: Vec<(char, u32)>,
    }

    impl Phone {
        fn new() -> Self {
            Self {
                receiver: DigitReceiver::default(),
                now: Instant::now(),
                heard: Vec::new(),
            }
        }

        fn packet(&mut self, timestamp: u32, event: u8, duration: u16, end: bool) {
            self.now += Duration::from_millis(20);
            let [high, low] = duration.to_be_bytes();
            let payload = [event, u8::from(end) << 7 | 10, high, low];
            let heard = self
                .receiver
                .on_packet(self.now, (1, timestamp), RATE, &payload);
            self.note(heard);
        }

        fn wait(&mut self, milliseconds: u64) {
            self.now += Duration::from_millis(milliseconds);
            let heard = self.receiver.on_timeout(self.now);
            self.note(heard);
        }

        fn note(&mut self, heard: Option<Digit>) {
            self.heard
                .extend(heard.map(|digit| (digit.character, digit.milliseconds)));
        }
    }

    #[test]
    fn one_digit_for_each_timestamp_however_often_its_end_comes() {
        let mut phone = Phone::new();
        for duration in [160, 320, 1696] {
            phone.packet(5000, 5, duration, false);
        }
        for _ in 0..3 {
            phone.packet(5000, 5, 1696, true);
        }
        phone.packet(9000, 5, 320, true);
        phone.packet(5000, 5, 1696, true);
        assert_eq!(phone.heard, [('5', 212), ('5', 40)]);
        phone.wait(10_000);
        assert_eq!(phone.receiver.poll_timeout(), None);
        assert_eq!(phone.heard.len(), 2);
    }

    #[test]
    fn a_digit_whose_ends_are_lost_ends_by_the_next_one_or_by_the_clock() {
        let mut phone = Phone::new();
        phone.packet(u32::MAX - 100, 11, 320, false);
        phone.packet(100, 10, 160, false);
        assert_eq!(phone.heard, [('#', 40)]);
        phone.packet(100, 10, 480, false);
        phone.wait(200);
        assert_eq!(phone.heard.len(), 1);
        phone.wait(51);
        assert_eq!(phone.heard, [('#', 40), ('*', 60)]);
    }

    #[test]
    fn what_is_no_digit_is_none() {
        let mut phone = Phone::new();
        phone.packet(1, 16, 160, true);
        phone.packet(2, 255, 160, true);
        let heard = phone
            .receiver
            .on_packet(phone.now, (1, 3), RATE, &[1, 0x80]);
        assert!(heard.is_none() && phone.heard.is_empty());
        phone.packet(4, 15, 160, true);
        assert_eq!(phone.heard, [('D', 20)]);
    }
}
