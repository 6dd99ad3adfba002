//! What was sent under each transport-wide sequence number, and when.

use std::time::{Duration, Instant};

use rivero_rtp::{
    arrivals::reference_time,
    rtcp::TransportFeedback,
    sequence::{SequenceExtender, low_bits},
};

/// How long packets are remembered at least: feedback comes after a round trip and the peer's interval,
/// and again after that where it was lost.
const KEPT: Duration = Duration::from_secs(2);
/// Packets that are remembered at first, and at most: [`KEPT`] at 80 Mbit/s, 256 KiB. Both are powers of two,
/// so that the places of two rings agree.
const FIRST_LENGTH: usize = 64;
const MAX_LENGTH: usize = 16_384;
/// What comes before the number of the first packet, so that a free place is none.
const FIRST_NUMBER: u64 = 1 << 16;
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

/// 16 bytes: there is one of these for each packet of each viewer.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    /// µs since the origin.
    at: u64,
    /// The lower bits of the extended number: one that returns after 2^32 packets is no longer there.
    number: u32,
    /// 0 for a free place.
    length: u16,
    cluster: u8,
    reported_lost: bool,
}

/// The latest packets of a transport.
pub(crate) struct SentHistory {
    origin: Instant,
    /// Grows to what is sent in [`KEPT`].
    ring: Vec<Sent>,
    /// The extended number of the latest packet.
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
            latest: FIRST_NUMBER,
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
        let since = now.saturating_duration_since(self.origin);
        let at = since.as_secs() * 1_000_000 + u64::from(since.subsec_micros());
        let kept_since = at.saturating_sub(KEPT.as_secs() * 1_000_000);
        let oldest = self.place(self.latest);
        if oldest.is_none_or(|oldest| oldest.length > 0 && oldest.at >= kept_since) {
            self.grow();
        }
        let number = number_of(self.latest);
        if let Some(place) = self.place(self.latest) {
            *place = Sent {
                at,
                number,
                length: u16::try_from(length + OVERHEAD).unwrap_or(u16::MAX),
                cluster,
                reported_lost: false,
            };
        }
    }

    /// Makes room for twice as many packets, if that is not too many.
    #[cold]
    fn grow(&mut self) {
        let length = (self.ring.len() * 2).clamp(FIRST_LENGTH, MAX_LENGTH);
        if length == self.ring.len() {
            return;
        }
        let ring = std::mem::replace(&mut self.ring, vec![Sent::default(); length]);
        for sent in ring {
            if let Some(place) = self.place(u64::from(sent.number)) {
                *place = sent;
            }
        }
    }

    pub(crate) fn forget(&mut self, number: u16) {
        let number = self.extended(number);
        if let Some(sent) = self.known(number) {
            *sent = Sent::default();
        }
    }

    /// Where a packet with this extended number is, or would be.
    #[inline]
    fn place(&mut self, number: u64) -> Option<&mut Sent> {
        let mask = self.ring.len().wrapping_sub(1);
        let number = usize::try_from(number).unwrap_or(0);
        self.ring.get_mut(number & mask)
    }

    /// The packet with this extended number, as long as it is remembered.
    fn known(&mut self, number: u64) -> Option<&mut Sent> {
        let is_it = |sent: &&mut Sent| sent.length > 0 && sent.number == number_of(number);
        self.place(number).filter(is_it)
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
            let Some(sent) = self.known(number) else {
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

/// How a place names its packet.
#[expect(clippy::cast_possible_truncation, reason = "the lower bits are meant")]
fn number_of(extended: u64) -> u32 {
    extended as u32
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

    /// How many packets of the last two seconds are known when feedback about them comes, so many having
    /// been sent in each of six seconds, and how many places there are.
    fn remembered(per_second: u32) -> (usize, usize) {
        let origin = Instant::now();
        let (mut history, mut arrivals) =
            (SentHistory::new(origin), TransportArrivals::new(origin));
        let (step, packets) = (Duration::from_secs(1) / per_second, per_second * 6);
        let mut feedback = Vec::new();
        for n in 0..packets {
            let number = history.next_number();
            history.sent(origin + step * n, 100, 0);
            if n >= packets - 2 * per_second {
                arrivals.received(origin + step * n, number);
                let mut compound = CompoundBuilder::default();
                arrivals.report(origin + step * n, 1, 2, &mut compound);
                feedback.push(compound.as_bytes().to_vec());
            }
        }
        let mut reports = feedback
            .iter()
            .map(|bytes| reports(&mut history, bytes).len());
        (reports.by_ref().sum(), history.ring.len())
    }

    #[test]
    fn the_packets_of_two_seconds_are_remembered_at_any_rate_and_not_many_more() {
        for (per_second, places) in [(50, 128), (1_000, 2_048), (8_000, 16_384)] {
            let (known, length) = remembered(per_second);
            // What came last has not been reported yet.
            let reported = usize::try_from(per_second * 2 * 95 / 100).unwrap();
            assert!(known >= reported && length == places, "{known} of {length}");
        }
        assert_eq!(remembered(20_000).1, MAX_LENGTH);
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
