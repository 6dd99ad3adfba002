//! What was sent under each transport-wide sequence number, and when.

use std::time::{Duration, Instant};

use rivero_rtp::{
    arrivals::reference_time,
    rtcp::TransportFeedback,
    sequence::{SequenceExtender, low_bits},
};

/// Packets that are remembered at first: 1 s at about 10 Mbit/s…
const LENGTH: u64 = 1024;
/// …and at most: as long at 160 Mbit/s.
const LONGEST: u64 = 16_384;
/// What was sent in this time is not forgotten: feedback takes a round trip, and what it waits for.
const HORIZON: u64 = 1_000_000;
/// The reference time has 24 bits of 64 ms.
const REFERENCE_CYCLE: u32 = 1 << 24;
/// IP and UDP headers, which the path carries as well.
const OVERHEAD: usize = 28;

/// What became of one packet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Report {
    /// On our clock.
    pub(crate) sent: Duration,
    /// On the peer's clock; `None` for a lost one.
    pub(crate) arrival: Option<Duration>,
    /// Bytes, with IP and UDP headers.
    pub(crate) length: usize,
    /// The probe that it was part of, 0 for none.
    pub(crate) cluster: u8,
    /// It was reported lost before.
    pub(crate) again: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    /// The extended number, 0 for a free place.
    number: u64,
    /// µs since the origin.
    at: u64,
    length: u16,
    cluster: u8,
    reported_lost: bool,
}

/// The latest packets of a transport.
pub(crate) struct SentHistory {
    origin: Instant,
    ring: Vec<Sent>,
    /// The number of the latest packet. Begins above 0, so that a free place is none.
    latest: u64,
    /// The highest number that was reported, 0 before the first.
    reported: u64,
    references: Reference,
}

impl SentHistory {
    pub(crate) fn new(origin: Instant) -> Self {
        Self {
            origin,
            ring: Vec::new(),
            latest: LENGTH,
            reported: 0,
            references: Reference::default(),
        }
    }

    #[inline]
    pub(crate) fn next_number(&mut self) -> u16 {
        self.latest += 1;
        low_bits(self.latest)
    }

    #[inline]
    pub(crate) fn sent(&mut self, now: Instant, length: usize, cluster: u8) {
        if self.ring.is_empty() {
            self.ring
                .resize(usize::try_from(LENGTH).unwrap_or(0), Sent::default());
        }
        let since = now.saturating_duration_since(self.origin);
        let sent = Sent {
            number: self.latest,
            at: since.as_secs() * 1_000_000 + u64::from(since.subsec_micros()),
            length: u16::try_from(length + OVERHEAD).unwrap_or(u16::MAX),
            cluster,
            reported_lost: false,
        };
        self.grow(sent.at);
        if let Some(place) = self.place(self.latest) {
            *place = sent;
        }
    }

    pub(crate) fn forget(&mut self, number: u16) {
        let number = self.extended(number);
        if let Some(place) = self.place(number) {
            *place = Sent::default();
        }
    }

    fn place(&mut self, number: u64) -> Option<&mut Sent> {
        let length = u64::try_from(self.ring.len()).ok()?;
        let place = number.checked_rem(length)?;
        self.ring.get_mut(usize::try_from(place).ok()?)
    }

    /// Makes room for the latest number where it would take the place of a packet that the peer may still
    /// report, sent `now` or little before.
    fn grow(&mut self, now: u64) {
        let number = self.latest;
        let length = self.ring.len();
        let is_young = |sent: &mut Sent| sent.number != 0 && now.saturating_sub(sent.at) < HORIZON;
        let is_full = u64::try_from(length).is_ok_and(|length| length >= LONGEST);
        if is_full || !self.place(number).is_some_and(is_young) {
            return;
        }
        let former = std::mem::replace(&mut self.ring, vec![Sent::default(); length * 2]);
        for sent in former {
            if let Some(place) = self.place(sent.number).filter(|_| sent.number != 0) {
                *place = sent;
            }
        }
    }

    /// The latest number with these low bits.
    fn extended(&self, number: u16) -> u64 {
        let age = low_bits(self.latest).wrapping_sub(number);
        // Of one that was never sent there is none: no number that a place has.
        self.latest.wrapping_sub(u64::from(age))
    }

    /// Adds to `reports` what the peer says, in the order of sending. Each packet is reported as
    /// arrived at most once, and as lost at most once, however often the peer's reports overlap; one that
    /// was reported lost may have come late.
    ///
    /// `false` where feedback before this was lost: there are packets between that nothing is known of.
    pub(crate) fn reported(
        &mut self,
        feedback: &TransportFeedback<'_>,
        reports: &mut Vec<Report>,
    ) -> bool {
        let (mut follows, mut is_first) = (true, true);
        let mut at = self.references.extend(feedback.reference_time);
        for (number, delta) in feedback.statuses() {
            let arrival = delta.map(|delta| {
                at += i64::from(delta) * 250;
                Duration::from_micros(u64::try_from(at).unwrap_or(0))
            });
            let number = self.extended(number);
            if std::mem::take(&mut is_first) {
                follows = self.reported == 0 || number <= self.reported + 1;
            }
            self.reported = self.reported.max(number.min(self.latest));
            let Some(sent) = self.place(number).filter(|sent| sent.number == number) else {
                continue;
            };
            if arrival.is_none() && sent.reported_lost {
                continue;
            }
            reports.push(Report {
                sent: Duration::from_micros(sent.at),
                arrival,
                length: usize::from(sent.length),
                cluster: sent.cluster,
                again: sent.reported_lost,
            });
            if arrival.is_some() {
                *sent = Sent::default();
            } else {
                sent.reported_lost = true;
            }
        }
        follows
    }
}

/// Reference times beyond their 24 bits.
#[derive(Default)]
struct Reference {
    /// The upper 16 bits wrap like a sequence number.
    upper: SequenceExtender,
}

impl Reference {
    /// In µs.
    fn extend(&mut self, units: u32) -> i64 {
        let upper = u16::try_from((units % REFERENCE_CYCLE) >> 8).unwrap_or(0);
        let cycles = self.upper.extend(upper);
        let upper = reference_time(1 << 8).as_micros() * u128::from(cycles);
        let lower = reference_time(units & 0xff).as_micros();
        i64::try_from(upper + lower).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use rivero_rtp::{
        arrivals::TransportArrivals,
        rtcp::{CompoundBuilder, RtcpPacket, packets},
    };

    use super::*;

    fn reports(history: &mut SentHistory, bytes: &[u8]) -> Vec<Report> {
        let mut reports = Vec::new();
        for packet in packets(bytes) {
            if let RtcpPacket::TransportFeedback(feedback) = packet {
                history.reported(&feedback, &mut reports);
            }
        }
        reports
    }

    #[test]
    fn feedback_is_joined_with_what_was_sent() {
        let origin = Instant::now();
        let at = |ms| origin + Duration::from_millis(ms);
        let mut history = SentHistory::new(origin);
        let mut arrivals = TransportArrivals::new(origin);
        let (mut lost, mut delays) = (0, Vec::new());
        for n in 0..70_000u64 {
            let number = history.next_number();
            history.sent(at(n), 972, u8::try_from(n % 2).unwrap());
            if n % 10 != 3 {
                arrivals.received(at(n + 40), number);
            }
            let mut compound = CompoundBuilder::default();
            arrivals.report(at(n + 40), 1, 2, &mut compound);
            for report in reports(&mut history, compound.as_bytes()) {
                let number = report.sent.as_millis() as u64;
                assert_eq!(report.arrival.is_none(), number % 10 == 3);
                assert_eq!(report.length, 1000);
                assert_eq!(u64::from(report.cluster), number % 2);
                match report.arrival {
                    Some(arrival) => {
                        delays.push(arrival.as_micros() as i64 - report.sent.as_micros() as i64)
                    }
                    None => lost += 1,
                }
            }
        }
        // All but what the last report did not say yet.
        assert!((6_990..=7_000).contains(&lost), "{lost}");
        assert!(
            (62_900..=63_000).contains(&delays.len()),
            "{}",
            delays.len()
        );
        // The clocks differ, but always by the same; arrivals are told in steps of 250 µs.
        let first = delays[0];
        assert!(delays.iter().all(|delay| (delay - first).abs() <= 250));
    }

    #[test]
    fn arrival_times_go_on_when_their_reference_wraps() {
        let mut reference = Reference::default();
        let before = reference.extend(REFERENCE_CYCLE - 1);
        assert_eq!(reference.extend(0) - before, 64_000);
        assert_eq!(reference.extend(REFERENCE_CYCLE - 1), before);
    }

    #[test]
    fn a_packet_sent_again_is_not_judged() {
        let origin = Instant::now();
        let mut history = SentHistory::new(origin);
        let mut arrivals = TransportArrivals::new(origin);
        let numbers = [(); 3].map(|()| {
            let number = history.next_number();
            history.sent(origin, 100, 0);
            arrivals.received(origin, number);
            number
        });
        history.forget(numbers[1]);
        let mut compound = CompoundBuilder::default();
        arrivals.report(origin + Duration::from_secs(1), 1, 2, &mut compound);
        assert_eq!(reports(&mut history, compound.as_bytes()).len(), 2);
        assert!(
            reports(&mut history, compound.as_bytes()).is_empty(),
            "told twice"
        );
    }

    #[test]
    fn numbers_that_were_never_sent_are_no_reports() {
        let origin = Instant::now();
        let mut history = SentHistory::new(origin);
        let mut arrivals = TransportArrivals::new(origin);
        let number = history.next_number();
        history.sent(origin, 100, 0);
        for ahead in [1, 2, 700] {
            arrivals.received(origin, number.wrapping_add(ahead));
        }
        history.forget(number.wrapping_add(9));
        let mut compound = CompoundBuilder::default();
        arrivals.report(origin + Duration::from_secs(1), 1, 2, &mut compound);
        assert!(!compound.is_empty());
        assert!(reports(&mut history, compound.as_bytes()).is_empty());
    }

    #[test]
    fn a_fast_path_is_remembered_for_as_long_as_a_slow_one() {
        let origin = Instant::now();
        let mut history = SentHistory::new(origin);
        let mut arrivals = TransportArrivals::new(origin);
        // 5,000 packets in a second, of which the peer tells half a second later.
        let number = history.next_number();
        history.sent(origin, 1000, 0);
        arrivals.received(origin, number);
        for n in 1..2500u64 {
            history.next_number();
            history.sent(origin + Duration::from_micros(200 * n), 1000, 0);
        }
        let mut compound = CompoundBuilder::default();
        arrivals.report(origin + Duration::from_millis(500), 1, 2, &mut compound);
        assert_eq!(reports(&mut history, compound.as_bytes()).len(), 1);
        for n in 0..100_000u64 {
            history.next_number();
            history.sent(origin + Duration::from_micros(n), 1000, 0);
        }
        assert_eq!(history.ring.len() as u64, LONGEST);
    }

    #[test]
    fn a_loss_is_told_once_however_often_it_is_reported() {
        let origin = Instant::now();
        let mut history = SentHistory::new(origin);
        let numbers = [(); 3].map(|()| {
            let number = history.next_number();
            history.sent(origin, 1000, 0);
            number
        });
        let told = |history: &mut SentHistory, received: &[u16]| {
            let mut arrivals = TransportArrivals::new(origin);
            received
                .iter()
                .for_each(|number| arrivals.received(origin, *number));
            let mut compound = CompoundBuilder::default();
            arrivals.report(origin + Duration::from_secs(1), 1, 2, &mut compound);
            let reports = reports(history, compound.as_bytes());
            let told = reports.iter().map(|one| (one.arrival.is_some(), one.again));
            told.collect::<Vec<_>>()
        };
        let [first, second, third] = numbers;
        let (arrived, lost) = ((true, false), (false, false));
        let once = told(&mut history, &[first, third]);
        assert_eq!(once, [arrived, lost, arrived]);
        assert!(told(&mut history, &[first, third]).is_empty());
        assert_eq!(told(&mut history, &[second]), [(true, true)]);
    }
}
