//! Presentation times of a received stream on the pipeline clock.
//!
//! Before the first sender report a packet's time is that of the first arrival
//! plus what its timestamp says. Reports then tie all streams of one sender to
//! its wall clock (RFC 3550 §6.4.1), and thereby to each other; the difference
//! is slewed in, never jumped.

/// Reports whose smallest delay counts: of each stream a report comes every half second to five seconds,
/// and one of eight was not held up on the way.
const WINDOW: usize = 8;
/// A packet whose time is further than this from its arrival begins anew, ns. No network holds a packet
/// up for as long: the sender's timestamps have jumped.
const LARGEST_DEVIATION: i64 = 5_000_000_000;
/// Largest change of the correction, as a part of the time that passed: 1/50. Media that plays 2 % too
/// fast or too slowly is not noticed; a jump is heard.
const SLEW: i64 = 50;

/// The clock of a sender, shared by its streams.
#[derive(Debug, Default)]
pub(crate) struct SenderClock {
    /// Pipeline time less sender's time, ns, at the latest reports.
    offsets: Vec<i64>,
}

impl SenderClock {
    /// A report that says `ntp` (32.32 fixed point seconds) arrived at `arrival` ns.
    pub(crate) fn on_sender_report(&mut self, arrival: i64, ntp: u64) {
        if self.offsets.len() >= WINDOW {
            self.offsets.remove(0);
        }
        self.offsets.push(arrival.saturating_sub(nanoseconds(ntp)));
    }

    /// The offset with the least delay on the way.
    fn offset(&self) -> Option<i64> {
        self.offsets.iter().copied().min()
    }
}

/// NTP time in ns; wraps with the NTP era, which no session outlives.
fn nanoseconds(ntp: u64) -> i64 {
    let seconds = i64::try_from(ntp >> 32).unwrap_or(0);
    let fraction = i64::try_from(((ntp & 0xffff_ffff) * 1_000_000_000) >> 32).unwrap_or(0);
    seconds * 1_000_000_000 + fraction
}

/// The times of one stream.
#[derive(Debug)]
pub(crate) struct Timeline {
    clock_rate: i64,
    /// Extended timestamp and arrival of the packet that times count from.
    base: Option<(i64, i64)>,
    latest: i64,
    /// Extended timestamp and sender's time, ns, of the last report.
    report: Option<(i64, i64)>,
    correction: i64,
    corrected_at: i64,
}

impl Timeline {
    /// For a stream with `clock_rate` timestamp units a second.
    pub(crate) fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate: i64::from(clock_rate.max(1)),
            base: None,
            latest: 0,
            report: None,
            correction: 0,
            corrected_at: 0,
        }
    }

    /// A sender report of this stream. Ignored before its first packet.
    pub(crate) fn on_sender_report(&mut self, ntp: u64, timestamp: u32) {
        if self.base.is_some() {
            self.report = Some((self.extend(timestamp), nanoseconds(ntp)));
        }
    }

    /// When a packet that arrived at `arrival` is to be presented, ns.
    pub(crate) fn presentation(
        &mut self,
        arrival: i64,
        timestamp: u32,
        clock: &SenderClock,
    ) -> i64 {
        let extended = self.extend(timestamp);
        let (base, begin) = *self.base.get_or_insert((extended, arrival));
        self.latest = self.latest.max(extended);
        let plain = begin + self.duration(extended - base);
        self.slew(plain, extended, arrival, clock);
        let time = plain + self.correction;
        if (time - arrival).abs() <= LARGEST_DEVIATION {
            return time;
        }
        *self = Self::new(u32::try_from(self.clock_rate).unwrap_or(1));
        self.latest = i64::from(timestamp);
        self.base = Some((self.latest, arrival));
        arrival
    }

    fn slew(&mut self, plain: i64, extended: i64, arrival: i64, clock: &SenderClock) {
        let passed = (arrival - self.corrected_at).clamp(0, 1_000_000_000);
        self.corrected_at = arrival;
        let (Some((timestamp, time)), Some(offset)) = (self.report, clock.offset()) else {
            return;
        };
        let wanted = time + self.duration(extended - timestamp) + offset - plain;
        let step = passed / SLEW;
        self.correction += (wanted - self.correction).clamp(-step, step);
    }

    fn extend(&self, timestamp: u32) -> i64 {
        if self.base.is_none() {
            return i64::from(timestamp);
        }
        #[allow(
            clippy::cast_possible_truncation,
            reason = "the lower half is what is compared"
        )]
        let difference = timestamp.wrapping_sub(self.latest as u32).cast_signed();
        self.latest + i64::from(difference)
    }

    fn duration(&self, units: i64) -> i64 {
        let nanoseconds = i128::from(units) * 1_000_000_000 / i128::from(self.clock_rate);
        i64::try_from(nanoseconds).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn ntp(ns: i64) -> u64 {
        let ns = ns as u64;
        ((ns / 1_000_000_000) << 32) | (((ns % 1_000_000_000) << 32) / 1_000_000_000)
    }

    #[test]
    fn before_reports_time_runs_from_the_first_arrival() {
        let (mut line, clock) = (Timeline::new(90_000), SenderClock::default());
        assert_eq!(
            line.presentation(500 * MS, u32::MAX - 89_999, &clock),
            500 * MS
        );
        // Late on the network, but a second on by its timestamp, across the wrap.
        assert_eq!(line.presentation(1_530 * MS, 0, &clock), 1_500 * MS);
    }

    #[test]
    fn reports_bring_two_streams_together_without_a_jump() {
        let mut clock = SenderClock::default();
        let (mut audio, mut video) = (Timeline::new(48_000), Timeline::new(90_000));
        // Captured at the same moment; the video arrived 100 ms later.
        let (mut audio_time, mut video_time) = (0, 0);
        for tick in 0..500i64 {
            let captured = tick * 20 * MS;
            audio_time = audio.presentation(captured, (tick * 960) as u32, &clock);
            let before = video_time;
            video_time = video.presentation(captured + 100 * MS, (tick * 1800) as u32, &clock);
            if tick > 0 {
                assert!(
                    (video_time - before - 20 * MS).abs() < MS,
                    "a jump at {tick}"
                );
            }
            if tick % 50 == 0 {
                clock.on_sender_report(captured + 10 * MS, ntp(captured));
                audio.on_sender_report(ntp(captured), (tick * 960) as u32);
                video.on_sender_report(ntp(captured), (tick * 1800) as u32);
            }
        }
        assert!(
            (audio_time - video_time).abs() < MS,
            "{audio_time} {video_time}"
        );
    }

    #[test]
    fn a_new_origin_of_timestamps_begins_anew() {
        let (mut line, clock) = (Timeline::new(90_000), SenderClock::default());
        line.presentation(0, 1000, &clock);
        assert_eq!(line.presentation(20 * MS, 2_000_000_000, &clock), 20 * MS);
        assert_eq!(line.presentation(40 * MS, 2_000_001_800, &clock), 40 * MS);
    }
}
