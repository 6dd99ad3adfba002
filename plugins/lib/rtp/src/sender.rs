//! Statistics of a sent stream: sender reports, and what receivers report back (RFC 3550 §6.4).

use std::time::{Duration, Instant, SystemTime};

use crate::ntp;
use crate::rtcp::{ReportBlock, SenderInfo};

/// Longest round-trip time that is believed.
const MAX_ROUND_TRIP: Duration = Duration::from_secs(60);

/// SRs that may be answered: with two a second, round trips of up to 4 s.
const REPORTS: usize = 8;

/// Statistics of one sent stream.
#[derive(Debug, Clone)]
pub struct SenderStatistics {
    clock_rate: u32,
    packets: u64,
    payload_bytes: u64,
    /// The last packet's time and timestamp, from which later moments are extrapolated.
    last_packet: Option<(Instant, u32)>,
    /// When the latest SRs were sent, and the middle bits of their wall clocks, in turn. Where the way
    /// there takes longer than the time between two of them, a receiver answers one before the latest.
    reports: [Option<(Instant, u32)>; REPORTS],
    next_report: usize,
    round_trip: Option<Duration>,
    remote: Option<ReportBlock>,
}

impl SenderStatistics {
    /// For a stream with `clock_rate` timestamp units per second.
    #[must_use]
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate: clock_rate.max(1),
            packets: 0,
            payload_bytes: 0,
            last_packet: None,
            reports: [None; REPORTS],
            next_report: 0,
            round_trip: None,
            remote: None,
        }
    }

    /// Sets the timestamp units per second of the packets to come, see RFC 7160.
    #[inline]
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        self.clock_rate = clock_rate.max(1);
    }

    /// Counts a packet with the outgoing `timestamp`. Retransmissions count as well.
    #[inline]
    pub fn sent(&mut self, now: Instant, timestamp: u32, payload_len: usize) {
        self.packets += 1;
        self.payload_bytes += payload_len as u64;
        let is_newer = self
            .last_packet
            .is_none_or(|(_, last)| timestamp.wrapping_sub(last).cast_signed() >= 0);
        if is_newer && self.last_packet.is_none_or(|(_, last)| last != timestamp) {
            self.last_packet = Some((now, timestamp));
        }
    }

    /// The sender information for an SR sent `now`, which `wall_clock` names; `None` before the
    /// first packet.
    pub fn report(&mut self, now: Instant, wall_clock: SystemTime) -> Option<SenderInfo> {
        let (at, timestamp) = self.last_packet?;
        let elapsed = now.saturating_duration_since(at).as_nanos();
        let units = elapsed * u128::from(self.clock_rate) / 1_000_000_000;
        let ntp = ntp::to_ntp(wall_clock);
        if let Some(place) = self.reports.get_mut(self.next_report) {
            *place = Some((now, ntp::middle_bits(ntp)));
        }
        self.next_report = (self.next_report + 1) % REPORTS;
        Some(SenderInfo {
            ntp,
            rtp_timestamp: timestamp.wrapping_add(low_32(units)),
            packet_count: low_32(u128::from(self.packets)),
            octet_count: low_32(u128::from(self.payload_bytes)),
        })
    }

    /// Takes what a receiver reports about this stream.
    pub fn receiver_report(&mut self, now: Instant, block: &ReportBlock) {
        self.remote = Some(*block);
        let answered = block.last_sender_report;
        let mut reports = self.reports.iter().flatten();
        let report = reports.find(|(_, middle)| answered != 0 && answered == *middle);
        let Some((sent, _)) = report.copied() else {
            return;
        };
        let held = ntp::from_short(block.delay_since_last_sender_report);
        let round_trip = now.saturating_duration_since(sent).checked_sub(held);
        self.round_trip = round_trip
            .filter(|round_trip| *round_trip <= MAX_ROUND_TRIP)
            .or(self.round_trip);
    }

    /// The latest round-trip time, known after the first answered SR.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// The latest report about this stream.
    #[must_use]
    pub fn remote(&self) -> Option<&ReportBlock> {
        self.remote.as_ref()
    }

    /// Packets sent.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Payload bytes sent.
    #[must_use]
    pub fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }
}

/// Counters and timestamps wrap on the wire.
#[allow(clippy::cast_possible_truncation)]
fn low_32(value: u128) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_extrapolate_the_timestamp() {
        let begin = Instant::now();
        let mut statistics = SenderStatistics::new(90_000);
        assert_eq!(statistics.report(begin, SystemTime::UNIX_EPOCH), None);
        statistics.sent(begin, u32::MAX - 10, 1000);
        statistics.sent(begin + Duration::from_millis(5), u32::MAX - 10, 500);
        let later = begin + Duration::from_secs(1);
        let info = statistics.report(later, SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(info.rtp_timestamp, (u32::MAX - 10).wrapping_add(90_000));
        assert_eq!((info.packet_count, info.octet_count), (2, 1500));
    }

    #[test]
    fn reports_count_in_the_units_of_the_latest_packet() {
        let begin = Instant::now();
        let mut statistics = SenderStatistics::new(48_000);
        for (clock_rate, timestamp) in [(48_000, 100), (8000, 200)] {
            statistics.set_clock_rate(clock_rate);
            statistics.sent(begin, timestamp, 160);
            let later = begin + Duration::from_millis(250);
            let info = statistics.report(later, SystemTime::UNIX_EPOCH).unwrap();
            assert_eq!(info.rtp_timestamp, timestamp + clock_rate / 4);
        }
    }

    #[test]
    fn the_round_trip_is_what_the_receiver_did_not_hold() {
        let begin = Instant::now();
        let mut statistics = SenderStatistics::new(8000);
        statistics.sent(begin, 0, 1);
        let wall_clock = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let info = statistics.report(begin, wall_clock).unwrap();
        let mut block = ReportBlock {
            last_sender_report: ntp::middle_bits(info.ntp),
            delay_since_last_sender_report: ntp::to_short(Duration::from_millis(400)),
            ..ReportBlock::default()
        };
        let arrival = begin + Duration::from_millis(450);
        statistics.receiver_report(arrival, &block);
        let round_trip = statistics.round_trip().unwrap();
        assert!(
            (49..=51).contains(&round_trip.as_millis()),
            "{round_trip:?}"
        );

        block.delay_since_last_sender_report = ntp::to_short(Duration::from_secs(9));
        statistics.receiver_report(arrival, &block);
        block.last_sender_report ^= 1;
        statistics.receiver_report(arrival + Duration::from_secs(2), &block);
        assert_eq!(
            statistics.round_trip(),
            Some(round_trip),
            "impossible ones are ignored"
        );
    }
}
