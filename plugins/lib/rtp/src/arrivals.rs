//! When the packets of a transport arrived, for its sender's congestion control
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01), receive side.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    rtcp::CompoundBuilder,
    sequence::{SequenceExtender, low_bits},
};

/// Between the first packet that was not reported and the report.
const INTERVAL: Duration = Duration::from_millis(100);
/// Packets that are remembered, so that late ones can be reported with their neighbours.
const REMEMBERED: usize = 1024;
/// Packets of one message, which has to fit into a datagram.
const MAX_PACKETS: usize = 300;
/// A unit of the reference time, and how many of the deltas' units it has.
const REFERENCE: Duration = Duration::from_millis(64);
const DELTAS_PER_REFERENCE: i64 = 256;
/// µs of one unit of the deltas.
const DELTA_MICROSECONDS: u128 = 250;

/// Arrival times by transport-wide sequence number.
#[derive(Debug, Clone)]
pub struct TransportArrivals {
    origin: Instant,
    sequence: SequenceExtender,
    /// In units of the deltas since the origin, for the numbers from `first` on.
    arrivals: VecDeque<Option<i64>>,
    first: u64,
    /// The first number of the next report.
    next: u64,
    due: Option<Instant>,
    count: u8,
    deltas: Vec<Option<i16>>,
}

impl TransportArrivals {
    /// Times are told relative to `origin`.
    #[must_use]
    pub fn new(origin: Instant) -> Self {
        Self {
            origin,
            sequence: SequenceExtender::default(),
            arrivals: VecDeque::new(),
            first: 0,
            next: 0,
            due: None,
            count: 0,
            deltas: Vec::new(),
        }
    }

    /// Notes that the packet with this transport-wide sequence number arrived.
    pub fn received(&mut self, now: Instant, sequence: u16) {
        let begins = self.sequence.highest().is_none();
        let number = self.sequence.extend(sequence);
        let gap = number.saturating_sub(self.first) as usize >= 2 * REMEMBERED;
        if begins || gap {
            self.arrivals.clear();
            (self.first, self.next) = (number, number);
        }
        let Some(place) = number.checked_sub(self.first) else {
            return;
        };
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        if self.arrivals.len() <= place {
            self.arrivals.resize(place + 1, None);
        }
        let since = now.saturating_duration_since(self.origin).as_micros() / DELTA_MICROSECONDS;
        if let Some(arrival @ None) = self.arrivals.get_mut(place) {
            *arrival = i64::try_from(since).ok();
            self.next = self.next.min(number);
            self.due.get_or_insert(now + INTERVAL);
        }
        while self.arrivals.len() > REMEMBERED {
            self.arrivals.pop_front();
            self.first += 1;
        }
        self.next = self.next.max(self.first);
    }

    /// When [`Self::report`] has something to say.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Adds what arrived since the last report, if one is due. `sender` reports about the
    /// transport that `media`, one of its streams, uses.
    pub fn report(
        &mut self,
        now: Instant,
        sender: u32,
        media: u32,
        compound: &mut CompoundBuilder,
    ) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        self.due = None;
        while self.add_message(sender, media, compound) {}
    }

    /// One message, of packets whose arrivals are close enough to each other to be expressed.
    fn add_message(&mut self, sender: u32, media: u32, compound: &mut CompoundBuilder) -> bool {
        let start = usize::try_from(self.next - self.first).unwrap_or(usize::MAX);
        let unreported = || self.arrivals.iter().skip(start);
        let Some(first) = unreported().flatten().next().copied() else {
            return false;
        };
        let reference = first.div_euclid(DELTAS_PER_REFERENCE);
        let mut previous = reference * DELTAS_PER_REFERENCE;
        self.deltas.clear();
        for arrival in self.arrivals.iter().skip(start).take(MAX_PACKETS) {
            let delta = match arrival {
                None => None,
                Some(arrival) => match i16::try_from(arrival - previous) {
                    Ok(delta) => {
                        previous = *arrival;
                        Some(delta)
                    }
                    Err(_) => break,
                },
            };
            self.deltas.push(delta);
        }
        compound.transport_feedback(
            (sender, media),
            low_bits(self.next),
            u32::try_from(reference & 0xff_ffff).unwrap_or(0),
            self.count,
            &self.deltas,
        );
        self.count = self.count.wrapping_add(1);
        self.next += self.deltas.len() as u64;
        true
    }
}

/// The reference time of a message as a duration on the receiver's clock.
#[must_use]
pub fn reference_time(units: u32) -> Duration {
    REFERENCE * units
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{RtcpPacket, packets};

    /// Arrival times in ms that the reports tell, by number.
    fn told(bytes: &[u8]) -> Vec<(u16, Option<u64>)> {
        let mut told = Vec::new();
        for packet in packets(bytes) {
            let RtcpPacket::TransportFeedback(feedback) = packet else {
                panic!("{packet:?}");
            };
            let mut at = reference_time(feedback.reference_time).as_micros() as i64;
            for (sequence, delta) in feedback.statuses() {
                let arrival = delta.map(|delta| {
                    at += i64::from(delta) * 250;
                    at as u64 / 1000
                });
                told.push((sequence, arrival));
            }
        }
        told
    }

    fn report(arrivals: &mut TransportArrivals, now: Instant) -> Vec<(u16, Option<u64>)> {
        let mut compound = CompoundBuilder::default();
        arrivals.report(now, 1, 2, &mut compound);
        told(compound.as_bytes())
    }

    #[test]
    fn what_came_and_what_did_not_is_told_once() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut arrivals = TransportArrivals::new(begin);
        for (sequence, ms) in [(65_534, 1000), (65_535, 1003), (2, 1010), (1, 1012)] {
            arrivals.received(at(ms), sequence);
        }
        assert_eq!(arrivals.poll_timeout(), Some(at(1100)));
        assert!(report(&mut arrivals, at(1099)).is_empty());
        let expected = [
            (65_534, Some(1000)),
            (65_535, Some(1003)),
            (0, None),
            (1, Some(1012)),
            (2, Some(1010)),
        ];
        assert_eq!(report(&mut arrivals, at(1100)), expected);
        assert_eq!(arrivals.poll_timeout(), None);
        arrivals.received(at(1110), 1);
        assert_eq!(arrivals.poll_timeout(), None, "a repetition");
    }

    #[test]
    fn a_late_packet_is_told_with_its_neighbours() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut arrivals = TransportArrivals::new(begin);
        arrivals.received(at(0), 10);
        arrivals.received(at(1), 12);
        assert_eq!(report(&mut arrivals, at(100)).len(), 3);
        arrivals.received(at(110), 11);
        let expected = [(11, Some(110)), (12, Some(1))];
        assert_eq!(report(&mut arrivals, at(210)), expected);
    }

    #[test]
    fn long_silence_and_many_packets_take_several_messages() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut arrivals = TransportArrivals::new(begin);
        arrivals.received(at(0), 0);
        for number in 1..1000 {
            arrivals.received(at(20_000 + u64::from(number)), number);
        }
        let told = report(&mut arrivals, at(30_000));
        assert_eq!(told.len(), 1000);
        assert_eq!(told[0], (0, Some(0)));
        assert_eq!(told[999], (999, Some(20_999)));
        arrivals.received(at(31_000), 30_000);
        assert_eq!(report(&mut arrivals, at(32_000)), [(30_000, Some(31_000))]);
        assert!(arrivals.arrivals.len() <= REMEMBERED);
    }
}
