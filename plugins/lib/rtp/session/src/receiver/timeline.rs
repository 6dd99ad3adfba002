//! Presentation times of a received stream on the pipeline clock.
//!
//! Before the first sender reports a packet's time is that of the first arrival
//! plus what its timestamp says. Reports then tie all streams of one sender to
//! its wall clock (RFC 3550 §6.4.1), and thereby to each other; the difference
//! is slewed in, never jumped. Only reports that are plausible count
//! (`reports.rs`): a stream whose reports are not keeps the times it has.

use super::reports::{Series, StreamReports};

/// A packet whose time is further than this from its arrival begins anew, ns. No network holds a packet
/// up for as long: the sender's timestamps have jumped.
const LARGEST_DEVIATION: i64 = 5_000_000_000;
/// Largest change of the correction, as a part of the time that passed: 1/50. Media that plays 2 % too
/// fast or too slowly is not noticed; a jump is heard.
const SLEW: i64 = 50;
/// What a correction by the wall clock may differ from one by the arrival of reports alone, ns: a report
/// is held up on its way, and the least delay of 16 is taken. What differs more is not of one clock.
const LARGEST_DISAGREEMENT: i64 = 250_000_000;

/// The wall clock of a sender, shared by its streams.
#[derive(Debug, Default)]
pub(crate) struct SenderClock {
    /// Pipeline time less sender's time, ns, at the latest reports.
    offsets: Series,
}

impl SenderClock {
    /// A report that says `ntp` (32.32 fixed point seconds) arrived at `arrival` ns.
    pub(crate) fn on_sender_report(&mut self, arrival: i64, ntp: u64) {
        let offset = arrival.saturating_sub(nanoseconds(ntp));
        self.offsets.push(arrival, offset);
    }

    /// The offset with the least delay on the way. `None` where the clock stands still, jumps or runs at
    /// another speed than ours.
    fn offset(&self) -> Option<i64> {
        self.offsets.is_level().then(|| self.offsets.least())?
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
    reports: StreamReports,
    /// Sender's time less plain time at the latest report, ns.
    sender_time: i64,
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
            reports: StreamReports::default(),
            sender_time: 0,
            correction: 0,
            corrected_at: 0,
        }
    }

    /// A sender report of this stream, which arrived at `arrival` ns. Ignored before its first packet.
    pub(crate) fn on_sender_report(&mut self, arrival: i64, ntp: u64, timestamp: u32) {
        if self.base.is_some() {
            let plain = self.plain(self.extend(timestamp));
            self.sender_time = nanoseconds(ntp).saturating_sub(plain);
            self.reports
                .on_report(arrival, arrival.saturating_sub(plain));
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
        self.base.get_or_insert((extended, arrival));
        self.latest = self.latest.max(extended);
        let plain = self.plain(extended);
        self.reports.on_media(arrival.saturating_sub(plain));
        self.slew(arrival, clock);
        let time = plain + self.correction;
        if (time - arrival).abs() <= LARGEST_DEVIATION {
            return time;
        }
        *self = Self::new(u32::try_from(self.clock_rate).unwrap_or(1));
        self.latest = i64::from(timestamp);
        self.base = Some((self.latest, arrival));
        arrival
    }

    /// The time that follows from the first arrival and the timestamp alone, ns.
    fn plain(&self, extended: i64) -> i64 {
        let (base, begin) = self.base.unwrap_or_default();
        begin.saturating_add(self.duration(extended - base))
    }

    fn slew(&mut self, arrival: i64, clock: &SenderClock) {
        let passed = (arrival - self.corrected_at).clamp(0, 1_000_000_000);
        self.corrected_at = arrival;
        let Some(wanted) = self.wanted(clock) else {
            return;
        };
        let step = passed / SLEW;
        self.correction += wanted.saturating_sub(self.correction).clamp(-step, step);
    }

    /// The correction that the reports ask for. By the sender's wall clock where there is one, since
    /// then it does not matter when a report was sent and how long it took.
    fn wanted(&self, clock: &SenderClock) -> Option<i64> {
        let by_arrival = self.reports.lag()?;
        let by_clock = clock
            .offset()
            .map(|offset| offset.saturating_add(self.sender_time))
            .filter(|by_clock| {
                by_clock.abs_diff(by_arrival) <= LARGEST_DISAGREEMENT.unsigned_abs()
            });
        Some(by_clock.unwrap_or(by_arrival))
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
        for tick in 0..600i64 {
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
                let arrival = captured + 10 * MS;
                audio.on_sender_report(arrival, ntp(captured), (tick * 960) as u32);
                video.on_sender_report(arrival, ntp(captured), (tick * 1800) as u32);
            }
        }
        assert!(
            (audio_time - video_time).abs() < MS,
            "{audio_time} {video_time}"
        );
    }

    /// What is wrong with the reports of a stream: (NTP time, timestamp in ns) that are told at a time.
    type Told = fn(i64) -> (i64, i64);

    /// How far apart sound and pictures that were captured together are presented at the worst, ms, after
    /// the 10th second, and how far the last sound is from its arrival. Pictures take
    /// 100 ms longer to arrive. `jitter`: what reports wait for on their way, at most.
    fn skew(sound: Told, pictures: Told, jitter: i64, interval: i64) -> (i64, i64) {
        let mut clock = SenderClock::default();
        let (mut audio, mut video) = (Timeline::new(48_000), Timeline::new(90_000));
        let (mut worst, mut late) = (0, 0);
        let units = |time: i64, rate: i64| (time / 1000 * rate / 1_000_000) as u32;
        // Ten minutes for some, and for others two.
        let ticks = if interval == 1000 { 30_000 } else { 6_000 };
        for tick in 0..ticks {
            let captured = tick * 20 * MS;
            let heard = audio.presentation(captured, units(captured, 48_000), &clock);
            let seen = video.presentation(captured + 100 * MS, units(captured, 90_000), &clock);
            if captured > 10_000 * MS {
                worst = worst.max((heard - seen).abs() / MS);
                late = late.max((heard - captured).abs() / MS);
            }
            if tick % (interval / 20) == 0 && tick > 0 {
                let held = tick * 7919 % (jitter + 1) * MS;
                for (line, rate, told) in
                    [(&mut audio, 48_000, sound), (&mut video, 90_000, pictures)]
                {
                    let (wall, time) = told(captured);
                    let arrival = captured + 10 * MS + held;
                    clock.on_sender_report(arrival, ntp(wall.max(0)));
                    line.on_sender_report(arrival, ntp(wall.max(0)), units(time, rate));
                }
            }
        }
        (worst, late)
    }

    const SECOND: i64 = 1000 * MS;
    /// The wall clock of a sender that tells the truth.
    const WALL: i64 = 1_700_000_000 * SECOND / 1000;

    #[test]
    fn right_reports_bring_sound_and_pictures_together() {
        for (jitter, interval) in [(0, 500), (30, 500), (80, 1000), (30, 5000)] {
            let right: Told = |t| (WALL + t, t);
            let (skew, late) = skew(right, right, jitter, interval);
            assert!(
                skew <= 5 && late <= 120,
                "{jitter} {interval}: {skew} {late}"
            );
        }
    }

    /// Where the reports say nothing, the 100 ms stay that pictures take longer; nothing may make them more.
    #[test]
    fn wrong_reports_do_not_bend_time() {
        let right: Told = |t| (WALL + t, t);
        let wrong: [(&str, Told); 10] = [
            ("RTP at double speed", |t| (WALL + t, 2 * t)),
            ("RTP at half speed", |t| (WALL + t, t / 2)),
            ("RTP 10 % too fast", |t| (WALL + t, t + t / 10)),
            ("RTP 0", |t| (WALL + t, 0)),
            ("RTP constant", |t| (WALL + t, 5 * SECOND)),
            ("RTP 2 s late", |t| (WALL + t, t - 2 * SECOND)),
            ("RTP 3 s early", |t| (WALL + t, t + 3 * SECOND)),
            ("RTP that jumps by 1.7 s", |t| {
                (
                    WALL + t,
                    if t / SECOND % 20 < 10 {
                        t
                    } else {
                        t + 17 * SECOND / 10
                    },
                )
            }),
            ("RTP at random", |t| (WALL + t, t / MS % 7919 * 13 * MS)),
            ("both 0", |_| (0, 0)),
        ];
        for (name, told) in wrong {
            for (sound, pictures) in [(told, told), (told, right), (right, told)] {
                for interval in [500, 1000, 5000] {
                    let (skew, late) = skew(sound, pictures, 20, interval);
                    assert!(skew <= 140, "{name}, {interval}: {skew} ms apart");
                    assert!(late <= 140, "{name}, {interval}: {late} ms late");
                }
            }
        }
    }

    #[test]
    fn a_wrong_wall_clock_does_not_keep_sound_and_pictures_apart() {
        let wrong: [(&str, Told); 6] = [
            ("0", |t| (0, t)),
            ("constant", |t| (WALL, t)),
            ("double speed", |t| (WALL + 2 * t, t)),
            ("stands still at times", |t| {
                (WALL + t / (10 * SECOND) * 10 * SECOND, t)
            }),
            ("jumps by 1.7 s and back", |t| {
                let jumped = t / SECOND % 16 >= 8;
                (WALL + t + if jumped { 17 * SECOND / 10 } else { 0 }, t)
            }),
            ("jumps by an hour", |t| {
                (
                    WALL + t + if t > 60 * SECOND { 3600 * SECOND } else { 0 },
                    t,
                )
            }),
        ];
        for (name, told) in wrong {
            for interval in [500, 1000, 5000] {
                let (skew, late) = skew(told, told, 20, interval);
                let limit = if interval > 1000 { 110 } else { 40 };
                assert!(skew <= limit, "{name}, {interval}: {skew} ms apart");
                assert!(late <= 140, "{name}, {interval}: {late} ms late");
            }
        }
    }

    #[test]
    fn a_new_origin_of_timestamps_begins_anew() {
        let (mut line, clock) = (Timeline::new(90_000), SenderClock::default());
        line.presentation(0, 1000, &clock);
        assert_eq!(line.presentation(20 * MS, 2_000_000_000, &clock), 20 * MS);
        assert_eq!(line.presentation(40 * MS, 2_000_001_800, &clock), 40 * MS);
    }
}
