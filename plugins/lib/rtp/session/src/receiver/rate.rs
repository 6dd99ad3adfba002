//! How much a received stream sends.

use std::time::{Duration, Instant};

/// A stream that is silent for this long is not being sent. The longest pause of one that is: a screen
/// that does not change is still shown once a second by browsers.
const SILENCE: Duration = Duration::from_millis(1500);
/// The same where other encodings of the picture go on: one that its sender has turned off shows within
/// this time…
const LEFT_BEHIND: Duration = Duration::from_millis(230);
/// …and so many of their frames, unless its own frames come at longer intervals than this share of the time.
const FRAMES_BEHIND: u32 = 6;
const LONGEST_INTERVAL: f64 = 0.4;
/// After a keyframe encoders leave frames out to keep to their bitrate, and not of all encodings alike: one of
/// 100 kB is more than the 900 kbit of a second. A silence that begins so soon behind one takes longer to be a sign.
const AFTER_KEYFRAME: Duration = Duration::from_secs(1);
const LEFT_BEHIND_THEN: Duration = Duration::from_millis(1400);
/// Weight of the latest measurement in a stream's bitrate: with one each half second, a change is seen
/// after a second, and a single keyframe does not look like one.
const WEIGHT: f64 = 0.5;
/// A shorter interval measures the frames in it rather than the rate.
const SHORTEST_INTERVAL: f64 = 0.2;

/// Bitrate, frame rate and layers of one stream, measured in intervals.
#[derive(Debug, Default)]
pub(super) struct StreamRate {
    bytes: usize,
    /// Of them, those of keyframes.
    keyframe_bytes: usize,
    frames: u32,
    /// Frames of other encodings since the latest packet.
    frames_behind: u32,
    /// When the latest packet of a keyframe came.
    keyframe: Option<Instant>,
    since: Option<Instant>,
    latest: Option<Instant>,
    bits_per_second: f64,
    /// Without keyframes, 0 before there was anything else.
    between_keyframes: f64,
    frames_per_second: f64,
    /// Temporal layers seen.
    pub(super) layers: u8,
}

impl StreamRate {
    #[inline]
    pub(super) fn on_packet(
        &mut self,
        now: Instant,
        length: usize,
        ends_frame: bool,
        of_keyframe: bool,
    ) {
        self.since.get_or_insert(now);
        self.latest = Some(now);
        self.frames_behind = 0;
        self.bytes += length;
        if of_keyframe {
            self.keyframe = Some(now);
            self.keyframe_bytes += length;
        }
        self.frames += u32::from(ends_frame);
    }

    /// A frame of another encoding of the same picture ended; `true` when this one counts as turned off
    /// from now on.
    pub(super) fn on_other_frame(&mut self, now: Instant) -> bool {
        let Some(latest) = self.latest else {
            return false;
        };
        self.frames_behind = self.frames_behind.saturating_add(1);
        let silence = now.saturating_duration_since(latest);
        let interval = 1.0 / self.frames_per_second.max(0.1);
        let longest = match self.keyframe {
            Some(at) if latest.saturating_duration_since(at) < AFTER_KEYFRAME => LEFT_BEHIND_THEN,
            _ => LEFT_BEHIND,
        };
        let is_off = silence >= longest
            && self.frames_behind >= FRAMES_BEHIND
            && interval <= silence.as_secs_f64() * LONGEST_INTERVAL;
        if is_off {
            self.latest = None;
        }
        is_off
    }

    /// Whether something came lately.
    pub(super) fn is_active(&self, now: Instant) -> bool {
        self.latest
            .is_some_and(|latest| now.saturating_duration_since(latest) < SILENCE)
    }

    /// Ends an interval of measurement.
    pub(super) fn measure(&mut self, now: Instant) {
        let Some(since) = self.since else { return };
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        if seconds < SHORTEST_INTERVAL {
            return;
        }
        let smooth = |known: f64, measured: f64| {
            if known == 0.0 {
                measured
            } else {
                known + WEIGHT * (measured - known)
            }
        };
        #[allow(clippy::cast_precision_loss)]
        let rate = |bytes: usize| bytes as f64 * 8.0 / seconds;
        self.bits_per_second = smooth(self.bits_per_second, rate(self.bytes));
        let others = self.bytes - self.keyframe_bytes;
        if others > 0 || self.keyframe_bytes == 0 {
            self.between_keyframes = smooth(self.between_keyframes, rate(others));
        }
        let frames = f64::from(self.frames) / seconds;
        self.frames_per_second = smooth(self.frames_per_second, frames);
        (self.bytes, self.keyframe_bytes, self.frames) = (0, 0, 0);
        self.since = Some(now);
        if !self.is_active(now) {
            *self = Self {
                layers: self.layers,
                ..Self::default()
            };
        }
    }

    /// Bit/s, 0 for a stream that is not being sent, at least 1 for one that is.
    pub(super) fn bits_per_second(&self, now: Instant) -> u64 {
        self.while_active(now, self.bits_per_second)
    }

    /// The same without keyframes, for choosing between streams: a choice may cause a keyframe,
    /// which must not count against it. Of a stream that has nothing else, with them.
    pub(super) fn between_keyframes(&self, now: Instant) -> u64 {
        let has_others = self.between_keyframes > 0.0;
        self.while_active(
            now,
            if has_others {
                self.between_keyframes
            } else {
                self.bits_per_second
            },
        )
    }

    fn while_active(&self, now: Instant, bits_per_second: f64) -> u64 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let measured = bits_per_second as u64;
        if self.is_active(now) {
            measured.max(1)
        } else {
            0
        }
    }

    pub(super) fn frames_per_second(&self) -> f64 {
        self.frames_per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_that_others_leave_behind_is_off() {
        let (mut rate, begin) = (StreamRate::default(), Instant::now());
        let at = |frame: u32| begin + Duration::from_millis(33) * frame;
        let fast = |rate: &mut StreamRate, from: u32| {
            for frame in from..from + 30 {
                rate.on_packet(at(frame), 1000, true, false);
                assert!(!rate.on_other_frame(at(frame)));
            }
            rate.measure(at(from + 30));
        };
        fast(&mut rate, 0);
        let off = (30..60).find(|frame| rate.on_other_frame(at(*frame)));
        assert!(
            off.is_some_and(|frame| (35..38).contains(&frame)),
            "{off:?}"
        );
        assert!(!rate.is_active(at(38)) && rate.bits_per_second(at(38)) == 0);
        fast(&mut rate, 60);
        assert!(rate.bits_per_second(at(90)) > 0, "it is on again");
        // Frames that an encoder leaves out after a keyframe are no sign of it.
        rate.on_packet(at(90), 9000, true, true);
        assert!((90..132).all(|frame| !rate.on_other_frame(at(frame))));
        assert!((132..135).any(|frame| rate.on_other_frame(at(frame))));
        // Five frames a second beside thirty are no reason.
        let mut slow = StreamRate::default();
        for frame in 0..120 {
            if frame % 6 == 0 {
                slow.on_packet(at(frame), 1000, true, false);
            }
            if frame % 15 == 0 {
                slow.measure(at(frame));
            }
            assert!(!slow.on_other_frame(at(frame)), "{frame}");
        }
    }

    #[test]
    fn keyframes_do_not_count_where_streams_are_compared() {
        let (mut rate, begin) = (StreamRate::default(), Instant::now());
        let half = Duration::from_millis(500);
        for interval in 1..=4u32 {
            let now = begin + half * interval;
            let is_screen = interval != 2;
            // 20 kbit/s, once a keyframe of 200 kB.
            rate.on_packet(
                now - half,
                if is_screen { 1250 } else { 200_000 },
                true,
                !is_screen,
            );
            rate.measure(now);
            let compared = rate.between_keyframes(now);
            assert_eq!(compared, 20_000, "interval {interval}");
        }
        assert!(rate.bits_per_second(begin + half * 4) > 100_000);
        let mut pictures = StreamRate::default();
        pictures.on_packet(begin, 50_000, true, true);
        pictures.measure(begin + half);
        assert_eq!(
            pictures.between_keyframes(begin + half),
            800_000,
            "keyframes alone"
        );
    }
}
