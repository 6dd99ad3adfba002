//! Statistics of a received stream, and the report blocks made of them (RFC 3550 §6.4, A.3, A.8).

use std::time::{Duration, Instant};

use crate::header::RtpHeader;
use crate::ntp;
use crate::rtcp::{ReportBlock, SenderInfo};
use crate::sequence::SequenceExtender;

/// A jump of this many packets is a restart of the sender rather than a loss.
const MAX_DROPOUT: u64 = 3000;

/// Statistics of one received stream.
#[derive(Debug, Clone)]
pub struct ReceiverStatistics {
    ssrc: u32,
    clock_rate: u32,
    sequence: SequenceExtender,
    first: Option<u64>,
    packets: u64,
    payload_bytes: u64,
    /// 16 times the jitter in timestamp units, so that the filter keeps its precision.
    jitter_times_16: u64,
    previous: Option<(Instant, u32)>,
    expected_at_report: u64,
    received_at_report: u64,
    received_since_restart: u64,
    fraction_lost: u8,
    sender_report: Option<(Instant, u32)>,
}

impl ReceiverStatistics {
    /// For the stream `ssrc` with `clock_rate` timestamp units per second.
    #[must_use]
    pub fn new(ssrc: u32, clock_rate: u32) -> Self {
        Self {
            ssrc,
            clock_rate: clock_rate.max(1),
            sequence: SequenceExtender::default(),
            first: None,
            packets: 0,
            payload_bytes: 0,
            jitter_times_16: 0,
            previous: None,
            expected_at_report: 0,
            received_at_report: 0,
            received_since_restart: 0,
            fraction_lost: 0,
            sender_report: None,
        }
    }

    /// Sets the timestamp units per second of the packets to come, see RFC 7160. Jitter, which is
    /// counted in them, begins anew when they differ.
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        let clock_rate = clock_rate.max(1);
        if std::mem::replace(&mut self.clock_rate, clock_rate) != clock_rate {
            self.jitter_times_16 = 0;
            self.previous = None;
        }
    }

    /// Counts a packet; returns its extended sequence number.
    pub fn received(&mut self, now: Instant, header: &RtpHeader, payload_len: usize) -> u64 {
        let highest = self.sequence.highest();
        let extended = self.sequence.peek(header.sequence);
        let extended = if highest.is_some_and(|h| extended.abs_diff(h) > MAX_DROPOUT) {
            self.restart();
            self.sequence.restart(header.sequence)
        } else {
            self.sequence.extend(header.sequence)
        };
        self.first = Some(self.first.map_or(extended, |first| first.min(extended)));
        self.packets += 1;
        self.received_since_restart += 1;
        self.payload_bytes += payload_len as u64;
        self.update_jitter(now, header.timestamp);
        extended
    }

    fn restart(&mut self) {
        self.first = None;
        self.previous = None;
        self.expected_at_report = 0;
        self.received_at_report = 0;
        self.received_since_restart = 0;
    }

    /// RFC 3550 A.8. Packets of one frame share a timestamp and only the first of them counts,
    /// or the time that a sender takes to put a frame on the wire would look like jitter.
    fn update_jitter(&mut self, now: Instant, timestamp: u32) {
        let Some((arrival, previous)) = self.previous else {
            self.previous = Some((now, timestamp));
            return;
        };
        if previous == timestamp {
            return;
        }
        self.previous = Some((now, timestamp));
        let elapsed = now.saturating_duration_since(arrival);
        let elapsed_units =
            i64::try_from(elapsed.as_nanos() * u128::from(self.clock_rate) / 1_000_000_000)
                .unwrap_or(i64::MAX);
        let media_units = i64::from(timestamp.wrapping_sub(previous).cast_signed());
        let deviation = elapsed_units.saturating_sub(media_units).unsigned_abs();
        // A pause or a switch of the source's clock is no jitter.
        if deviation > u64::from(self.clock_rate) * 10 {
            return;
        }
        self.jitter_times_16 += deviation;
        self.jitter_times_16 -= (self.jitter_times_16 - deviation + 8) / 16;
    }

    /// Remembers an SR of the stream for [`ReportBlock::last_sender_report`].
    pub fn sender_report(&mut self, now: Instant, info: &SenderInfo) {
        self.sender_report = Some((now, ntp::middle_bits(info.ntp)));
    }

    /// Makes the report block for the time since the previous one; `None` before any packet.
    pub fn report(&mut self, now: Instant) -> Option<ReportBlock> {
        let highest = self.sequence.highest()?;
        let expected = self.expected();
        let expected_now = expected - self.expected_at_report;
        let received_now = self.received_since_restart - self.received_at_report;
        let lost_now = expected_now.saturating_sub(received_now);
        self.expected_at_report = expected;
        self.received_at_report = self.received_since_restart;
        self.fraction_lost = (lost_now * 256)
            .checked_div(expected_now)
            .map_or(0, |fraction| u8::try_from(fraction).unwrap_or(u8::MAX));
        let (last_sender_report, delay) = match self.sender_report {
            Some((arrival, middle)) => (
                middle,
                ntp::to_short(now.saturating_duration_since(arrival)),
            ),
            None => (0, 0),
        };
        Some(ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: self.fraction_lost,
            cumulative_lost: self.cumulative_lost(),
            // Counting began with one wrap too many.
            highest_sequence: u32::try_from((highest - 65_536.min(highest)) & 0xffff_ffff)
                .unwrap_or(0),
            jitter: self.jitter(),
            last_sender_report,
            delay_since_last_sender_report: delay,
        })
    }

    fn expected(&self) -> u64 {
        match (self.first, self.sequence.highest()) {
            (Some(first), Some(highest)) => highest - first.min(highest) + 1,
            _ => 0,
        }
    }

    /// Packets expected less packets received; negative with duplicates.
    #[must_use]
    pub fn cumulative_lost(&self) -> i32 {
        let expected = i64::try_from(self.expected()).unwrap_or(i64::MAX);
        let received = i64::try_from(self.received_since_restart).unwrap_or(i64::MAX);
        i32::try_from((expected - received).clamp(-0x80_0000, 0x7f_ffff)).unwrap_or(0)
    }

    /// Share lost in the last reported interval, in 1/256.
    #[must_use]
    pub fn fraction_lost(&self) -> u8 {
        self.fraction_lost
    }

    /// Packets received.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Payload bytes received.
    #[must_use]
    pub fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }

    /// Interarrival jitter in timestamp units.
    #[must_use]
    pub fn jitter(&self) -> u32 {
        u32::try_from(self.jitter_times_16 / 16).unwrap_or(u32::MAX)
    }

    /// Interarrival jitter.
    #[must_use]
    pub fn jitter_duration(&self) -> Duration {
        Duration::from_secs_f64(f64::from(self.jitter()) / f64::from(self.clock_rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence: u16, timestamp: u32) -> RtpHeader {
        let mut bytes = vec![0x80, 96];
        bytes.extend_from_slice(&sequence.to_be_bytes());
        bytes.extend_from_slice(&timestamp.to_be_bytes());
        bytes.extend_from_slice(&[0, 0, 0, 1]);
        RtpHeader::parse(&bytes).unwrap()
    }

    #[test]
    fn losses_are_counted_per_interval_and_in_all() {
        let now = Instant::now();
        let mut statistics = ReceiverStatistics::new(1, 90_000);
        assert_eq!(statistics.report(now), None);
        for sequence in (65_500u16..=65_535).chain(0..64) {
            if sequence % 4 != 0 {
                statistics.received(now, &header(sequence, 0), 100);
            }
        }
        let report = statistics.report(now).unwrap();
        // The very first packet was lost unnoticed.
        assert_eq!(report.cumulative_lost, 24);
        assert_eq!(report.fraction_lost, (24 * 256 / 99) as u8);
        assert_eq!(report.highest_sequence, 65_536 + 63);
        statistics.received(now, &header(64, 0), 100);
        let report = statistics.report(now).unwrap();
        assert_eq!((report.cumulative_lost, report.fraction_lost), (24, 0));
        for _ in 0..30 {
            statistics.received(now, &header(64, 0), 100);
        }
        assert_eq!(statistics.report(now).unwrap().cumulative_lost, -6);
        assert_eq!(statistics.packets(), 75 + 31);
        assert_eq!(statistics.payload_bytes(), 106 * 100);
    }

    #[test]
    fn a_restart_of_the_sender_is_no_loss() {
        let now = Instant::now();
        let mut statistics = ReceiverStatistics::new(1, 90_000);
        statistics.received(now, &header(10, 0), 1);
        statistics.received(now, &header(40_000, 0), 1);
        statistics.received(now, &header(40_001, 0), 1);
        let report = statistics.report(now).unwrap();
        assert_eq!((report.cumulative_lost, report.fraction_lost), (0, 0));
    }

    #[test]
    fn jitter_converges_to_the_deviation() {
        let begin = Instant::now();
        let mut statistics = ReceiverStatistics::new(1, 90_000);
        for frame in 0..1000u32 {
            let late = Duration::from_millis(if frame % 2 == 0 { 0 } else { 10 });
            let arrival = begin + Duration::from_millis(33) * frame + late;
            statistics.received(arrival, &header(2 * frame as u16, frame * 2970), 1);
            let rest = arrival + Duration::from_millis(5);
            statistics.received(rest, &header(2 * frame as u16 + 1, frame * 2970), 1);
        }
        let jitter = statistics.jitter_duration().as_secs_f64();
        assert!((0.0095..0.0105).contains(&jitter), "{jitter}");
        let steady = statistics.jitter();
        statistics.received(begin + Duration::from_secs(3600), &header(2000, 0), 1);
        assert_eq!(statistics.jitter(), steady);
    }

    #[test]
    fn another_clock_rate_is_no_jitter() {
        let begin = Instant::now();
        let mut statistics = ReceiverStatistics::new(1, 48_000);
        for packet in 0..100u16 {
            let (clock_rate, step) = if packet < 50 {
                (48_000, 960)
            } else {
                (8000, 160)
            };
            statistics.set_clock_rate(clock_rate);
            let arrival = begin + Duration::from_millis(20) * u32::from(packet);
            statistics.received(arrival, &header(packet, u32::from(packet) * step), 10);
        }
        assert_eq!((statistics.jitter(), statistics.packets()), (0, 100));
        assert_eq!(statistics.cumulative_lost(), 0);
    }

    #[test]
    fn sender_reports_are_echoed() {
        let now = Instant::now();
        let mut statistics = ReceiverStatistics::new(1, 8000);
        statistics.received(now, &header(1, 0), 1);
        let info = SenderInfo {
            ntp: 0x1111_2222_3333_4444,
            rtp_timestamp: 0,
            packet_count: 0,
            octet_count: 0,
        };
        statistics.sender_report(now, &info);
        let report = statistics.report(now + Duration::from_millis(500)).unwrap();
        assert_eq!(report.last_sender_report, 0x2222_3333);
        assert_eq!(report.delay_since_last_sender_report, 0x8000);
    }
}
