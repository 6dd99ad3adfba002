//! What converted pictures are worth, and how a bitrate gets there.
//!
//! Pure: pictures and estimates in, bit/s out. A picture of a size and rate has a bitrate from which on
//! more bits are hardly seen. A recording has it at once. A viewer's path is tried first, as with media
//! that is forwarded: it begins low and doubles, until the path shows its limit.

use rivero_plugin_api::{FrameRate, Packet};

use crate::format::Formats;

/// Bit/s of pictures whose size is not known, where nobody limits them: what Kurento's encoders have.
const UNKNOWN: u64 = 300_000;
/// Bits of a second, for each pixel of one picture a second: small pictures have more detail in each.
const SMALL: f64 = 0.10;
/// Of the pixels beyond those of a small picture.
const LARGE: f64 = 0.08;
/// Pixels of a small picture, 640 x 360.
const SMALL_PIXELS: f64 = 230_400.0;
/// Pictures a second as long as they have not been counted.
const USUAL_RATE: f64 = 30.0;
/// Bit/s that any picture gets, and the most that it is worth.
const BOUNDS: (f64, f64) = (100_000.0, 20_000_000.0);
/// The part by which what is wanted has to change before an encoder is told: the rate is measured anew
/// with each picture.
const CHANGE: u64 = 8;

/// Bit/s with which a path of unknown capacity is tried: little enough for a bad mobile network.
const FIRST: u64 = 400_000;
/// After this long, ns, without a limit it is tried with twice as much. In this time a peer has reported
/// several times, and a queue that builds up has been noticed.
const DOUBLING: i64 = 1_200_000_000;

/// What decides beside the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bit/s that somebody has set.
    pub(super) fixed: Option<u64>,
    /// Bit/s that the weakest path carries, `u64::MAX` while nothing limits.
    pub(super) estimate: u64,
}

/// The bitrate of one encoder in the course of time.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// The paths to the consumers are tried: these have a network between.
    ramps: bool,
    /// Pictures a second that are encoded at most.
    most: Option<f64>,
    /// A size that is encoded whatever comes, pixels.
    fixed: Option<f64>,
    /// Number of the latest picture's format, and its pixels.
    picture: (u32, Option<f64>),
    rate: FrameRate,
    /// When the latest picture came in, ns.
    now: i64,
    /// Bit/s that it is worth.
    worth: Option<u64>,
    ramp: Option<Ramp>,
}

/// How far a path has been tried.
#[derive(Clone, Copy, Debug)]
struct Ramp {
    /// Bit/s.
    level: u64,
    /// Since when, ns.
    since: i64,
}

impl Course {
    /// `most`: pictures a second that are encoded at most.
    pub(super) fn new(ramps: bool, size: Option<(u32, u32)>, most: Option<f64>) -> Self {
        let fixed = size.map(|(width, height)| f64::from(width) * f64::from(height));
        Self {
            ramps,
            most,
            fixed,
            ..Self::default()
        }
    }

    pub(super) fn on_picture(&mut self, packet: &Packet, formats: &Formats) {
        if self.picture.0 != packet.format {
            self.picture = (packet.format, pixels(formats, packet.format));
        }
        self.step(packet.ingress_time, packet.presentation_time);
    }

    fn step(&mut self, now: i64, presented: i64) {
        self.now = now;
        let rate = self.rate.step(presented).unwrap_or(USUAL_RATE);
        let rate = self.most.map_or(rate, |most| rate.min(most));
        let pixels = self.fixed.or(self.picture.1);
        let Some(new) = pixels.map(|pixels| worth(pixels, rate)) else {
            self.worth = None;
            return;
        };
        let old = self.worth.unwrap_or(0);
        if old.abs_diff(new) > old / CHANGE {
            self.worth = Some(new);
        }
    }

    /// Bit/s to be asked for, and what would be if no path limited it.
    pub(super) fn target(&mut self, limits: Limits) -> (u64, u64) {
        if let Some(fixed) = limits.fixed {
            return (fixed.min(limits.estimate), fixed);
        }
        let worth = match self.worth {
            Some(worth) => worth,
            None if limits.estimate == u64::MAX => UNKNOWN,
            None => limits.estimate,
        };
        if !self.ramps {
            return (worth.min(limits.estimate), worth);
        }
        let now = self.now;
        let ramp = self.ramp.get_or_insert(Ramp {
            level: FIRST,
            since: now,
        });
        (ramp.step(now, limits.estimate, worth), worth)
    }
}

impl Ramp {
    fn step(&mut self, now: i64, estimate: u64, worth: u64) -> u64 {
        if estimate != u64::MAX {
            // Should the limit go, the path is known this far.
            (self.level, self.since) = (estimate.max(FIRST), now);
            return estimate.min(worth);
        }
        if now - self.since >= DOUBLING {
            (self.level, self.since) = (self.level.saturating_mul(2).min(worth.max(FIRST)), now);
        }
        self.level.min(worth)
    }
}

/// Bit/s that pictures of so many pixels are worth.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn worth(pixels: f64, rate: f64) -> u64 {
    let small = pixels.min(SMALL_PIXELS);
    let bits = (small * SMALL + (pixels - small) * LARGE) * rate;
    bits.clamp(BOUNDS.0, BOUNDS.1) as u64
}

/// Pixels of a raw picture, from its format.
fn pixels(formats: &Formats, format: u32) -> Option<f64> {
    let format = formats.get(format)?;
    let side = |name: &str| {
        let found = format.parameters.iter().find(|(known, _)| known == name);
        found.and_then(|(_, value)| value.parse::<u32>().ok())
    };
    let (width, height) = (side("width")?, side("height")?);
    Some(f64::from(width) * f64::from(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const FREE: Limits = Limits {
        fixed: None,
        estimate: u64::MAX,
    };

    fn course(ramps: bool) -> Course {
        Course {
            picture: (1, Some(1280.0 * 720.0)),
            ..Course::new(ramps, None, None)
        }
    }

    fn limited(estimate: u64) -> Limits {
        Limits { estimate, ..FREE }
    }

    /// Targets at the end of each second of 720p at `rate` pictures a second.
    fn seconds(course: &mut Course, from: i64, count: i64, rate: i64, limits: Limits) -> Vec<u64> {
        let second = |second: i64| {
            let mut target = 0;
            for number in 0..rate {
                let time = second * SECOND + number * SECOND / rate;
                course.step(time, time);
                target = course.target(limits).0;
            }
            target
        };
        (from..from + count).map(second).collect()
    }

    #[test]
    fn the_picture_decides_where_nobody_limits() {
        for (width, height, rate, bounds) in [
            (1280, 720, 30.0, 2_000_000..2_800_000),
            (1280, 720, 15.0, 1_000_000..1_400_000),
            (640, 360, 30.0, 500_000..700_000),
            (1920, 1080, 30.0, 4_000_000..6_000_000),
            (160, 120, 5.0, 100_000..100_001),
            (7680, 4320, 60.0, 20_000_000..20_000_001),
        ] {
            let worth = worth(f64::from(width * height), rate);
            assert!(
                bounds.contains(&worth),
                "{width} x {height} {rate}: {worth}"
            );
        }
    }

    #[test]
    fn a_recording_has_its_bitrate_at_once_and_a_viewer_within_seconds() {
        let mut recording = course(false);
        let targets = seconds(&mut recording, 0, 3, 30, FREE);
        assert!(
            targets.iter().all(|target| *target > 2_000_000),
            "{targets:?}"
        );
        let mut viewer = course(true);
        viewer.step(0, 0);
        assert_eq!(viewer.target(FREE).0, FIRST);
        let targets = seconds(&mut viewer, 0, 8, 30, FREE);
        assert!(targets.is_sorted() && targets[0] < 600_000, "{targets:?}");
        assert!(targets[7] > 2_000_000, "{targets:?}");
    }

    #[test]
    fn a_limit_holds_and_the_ramp_goes_on_from_it() {
        let mut viewer = course(true);
        assert_eq!(seconds(&mut viewer, 0, 4, 30, limited(700_000))[3], 700_000);
        let free = seconds(&mut viewer, 4, 5, 30, FREE);
        assert!(free[0] <= 1_400_000 && free[4] > 2_000_000, "{free:?}");
        let rich = seconds(&mut viewer, 9, 1, 30, limited(50_000_000));
        assert!(rich[0] < 3_000_000, "more is not seen");
    }

    #[test]
    fn the_rate_is_followed_but_not_its_trembling() {
        let mut recording = course(false);
        let fast = seconds(&mut recording, 0, 4, 30, FREE);
        assert!(fast.iter().all(|target| *target == fast[0]), "{fast:?}");
        let slow = seconds(&mut recording, 4, 4, 10, FREE)[3];
        assert!(slow < fast[0] / 2, "{slow}");
    }

    #[test]
    fn what_is_set_is_neither_ramped_nor_measured() {
        let mut viewer = course(true);
        let fixed = Limits {
            fixed: Some(4_000_000),
            ..FREE
        };
        assert_eq!(viewer.target(fixed), (4_000_000, 4_000_000));
        let narrow = Limits {
            estimate: 900_000,
            ..fixed
        };
        assert_eq!(viewer.target(narrow), (900_000, 4_000_000));
    }

    #[test]
    fn forced_sizes_and_rates_count() {
        let mut small = Course::new(false, Some((640, 360)), Some(10.0));
        small.picture = (1, Some(1280.0 * 720.0));
        assert!(seconds(&mut small, 0, 2, 30, FREE)[1] < 300_000);
    }
}
