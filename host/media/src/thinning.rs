//! Leaving frames of a single encoding out, so that a weak path carries the rest.
//!
//! What no other frame depends on is left out first; where that is not enough everything is, up to
//! a keyframe that the path can take. What passes can always be decoded.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use rivero_plugin_api::Packet;

/// Of the path's estimate, what is sent at most: headers and sound want some of it.
const SHARE: f64 = 0.95;
/// Bytes that encryption and lower layers add to a packet.
const OVERHEAD: usize = 16;
/// What may be saved up, and what may be sent ahead of the path before everything is left out.
const DEPTH: Duration = Duration::from_millis(500);
/// A keyframe costs all viewers, so it is asked for on behalf of a weak one only when none came
/// for this long.
const KEYFRAME_INTERVAL: Duration = Duration::from_secs(3);

/// Of all consumers since the server started.
///
/// Relaxed accesses are enough: it is shown and decides nothing.
static FRAMES_LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// Frames of shared encodings that weak viewers were not sent.
pub(crate) fn frames_left_out() -> u64 {
    FRAMES_LEFT_OUT.load(Relaxed)
}

/// One consumer's frames: which of them pass.
#[derive(Debug, Default)]
pub(crate) struct Thinner {
    /// Bits that may be sent now; below 0 they were sent ahead.
    credit: f64,
    /// When `credit` was right, ns.
    at: Option<i64>,
    /// The latest two frames, the later one first: packets may change places.
    frames: [Option<Frame>; 2],
    keyframe: Option<Keyframe>,
    /// Nothing passes before a keyframe.
    cut: bool,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    timestamp: u32,
    keyframe: bool,
    passes: bool,
}

/// The latest one.
#[derive(Debug, Clone, Copy)]
struct Keyframe {
    /// ns.
    at: i64,
    bits: f64,
}

impl Thinner {
    /// Whether a packet passes, where the path carries `rate` bit/s (`u64::MAX`: all). Packets of
    /// a frame share its RTP timestamp. `now`: ns, of the same clock each time.
    pub(crate) fn passes(&mut self, now: i64, packet: &Packet, rate: u64) -> bool {
        self.refill(now, rate);
        #[allow(clippy::cast_precision_loss)]
        let bits = ((packet.bytes.len() + OVERHEAD) * 8) as f64;
        let timestamp = packet.rtp.timestamp;
        let mut known = self.frames.iter().flatten();
        let known = known.find(|frame| frame.timestamp == timestamp).copied();
        // The first packet of a keyframe may come after others of it.
        let frame = match known.filter(|frame| frame.keyframe || !packet.is_keyframe()) {
            Some(frame) => frame,
            None => self.begin_frame(now, packet, rate),
        };
        if frame.keyframe
            && let Some(keyframe) = &mut self.keyframe
        {
            keyframe.bits += bits;
        }
        if frame.passes {
            self.credit -= bits;
        }
        frame.passes
    }

    fn begin_frame(&mut self, now: i64, packet: &Packet, rate: u64) -> Frame {
        let keyframe = packet.is_keyframe();
        if keyframe {
            self.keyframe = Some(Keyframe { at: now, bits: 0.0 });
        }
        let frame = Frame {
            timestamp: packet.rtp.timestamp,
            keyframe,
            passes: self.decide(packet, rate),
        };
        FRAMES_LEFT_OUT.fetch_add(u64::from(!frame.passes), Relaxed);
        let [latest, _] = self.frames;
        self.frames = [Some(frame), latest];
        frame
    }

    /// The bucket fills at the rate that the path carries.
    fn refill(&mut self, now: i64, rate: u64) {
        let depth = depth(rate);
        let Some(at) = self.at.replace(now) else {
            self.credit = depth;
            return;
        };
        let nanoseconds = now.saturating_sub(at).max(0);
        #[allow(clippy::cast_precision_loss)]
        let earned = bits_per_second(rate) * (nanoseconds as f64 / 1e9);
        self.credit = (self.credit + earned).min(depth);
    }

    /// Whether a frame passes of which this is the first packet.
    fn decide(&mut self, packet: &Packet, rate: u64) -> bool {
        if packet.is_keyframe() {
            self.cut = self.credit < 0.0;
            return !self.cut;
        }
        if self.cut {
            return false;
        }
        if packet.flags & Packet::DISCARDABLE != 0 {
            return self.credit >= 0.0;
        }
        self.cut = self.credit < -depth(rate);
        !self.cut
    }

    /// Nothing passes before a keyframe.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    /// A keyframe would pass now, and there was none for a while.
    pub(crate) fn wants_keyframe(&self, rate: u64) -> bool {
        let (Some(now), true) = (self.at, self.cut) else {
            return false;
        };
        let Some(keyframe) = self.keyframe else {
            return self.credit >= 0.0;
        };
        let interval = i64::try_from(KEYFRAME_INTERVAL.as_nanos()).unwrap_or(i64::MAX);
        let rested = rate == u64::MAX || now.saturating_sub(keyframe.at) >= interval;
        rested && self.credit >= keyframe.bits.min(depth(rate))
    }
}

fn bits_per_second(rate: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    let rate = rate as f64;
    rate * SHARE
}

fn depth(rate: u64) -> f64 {
    bits_per_second(rate) * DEPTH.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use rivero_plugin_api::{Bytes, Layer, MediaKind, Rtp};

    use super::*;

    const MS: i64 = 1_000_000;

    /// A camera of 25 pictures and 1 Mbit a second, whose keyframes are five times as large as its
    /// other frames, and one viewer.
    struct Scene {
        thinner: Thinner,
        rate: u64,
        now: i64,
        number: u32,
        /// Whether each frame passed, and whether it was a keyframe.
        frames: Vec<(bool, bool)>,
        bits: u64,
        flags: fn(u32) -> u8,
    }

    impl Scene {
        fn new(rate: u64) -> Self {
            Self {
                thinner: Thinner::default(),
                rate,
                now: 1,
                number: 0,
                frames: Vec::new(),
                bits: 0,
                flags: |_| 0,
            }
        }

        fn packet(&self, keyframe: bool) -> Packet {
            let flags = if keyframe {
                Packet::KEYFRAME
            } else {
                (self.flags)(self.number)
            };
            Packet {
                bytes: Bytes::from(vec![0; 1000]),
                format: 1,
                origin: 1,
                kind: MediaKind::Video,
                flags,
                layer: Layer::default(),
                presentation_time: 0,
                ingress_time: self.now,
                duration: 0,
                rtp: Rtp {
                    timestamp: self.number * 3600,
                    ..Rtp::default()
                },
                ..Packet::default()
            }
        }

        fn frame(&mut self, keyframe: bool) {
            self.now += 40 * MS;
            self.number += 1;
            let packets = if keyframe { 25 } else { 5 };
            let mut passed = Vec::new();
            for number in 0..packets {
                let packet = self.packet(keyframe && number == 0);
                passed.push(self.thinner.passes(self.now, &packet, self.rate));
            }
            assert!(passed.iter().all(|one| *one == passed[0]), "whole frames");
            self.bits += if passed[0] { packets * 8000 } else { 0 };
            self.frames.push((passed[0], keyframe));
        }

        /// The camera sends a keyframe when it is asked for one.
        fn run(&mut self, seconds: u32) {
            for _ in 0..seconds * 25 {
                let wanted = self.thinner.wants_keyframe(self.rate);
                self.frame(wanted);
            }
        }

        fn passed(&self) -> usize {
            self.frames.iter().filter(|(passed, _)| *passed).count()
        }

        /// After something was left out only a keyframe is a beginning.
        fn assert_decodable(&self) {
            let mut whole = false;
            for (number, (passed, keyframe)) in self.frames.iter().enumerate() {
                let needed = *keyframe || (self.flags)(number as u32 + 1) == 0;
                assert!(!passed || whole || *keyframe, "frame {number}");
                whole = if needed {
                    *passed && (whole || *keyframe)
                } else {
                    whole
                };
            }
        }
    }

    #[test]
    fn a_path_that_carries_everything_gets_it() {
        for rate in [u64::MAX, 1_400_000] {
            let mut scene = Scene::new(rate);
            scene.frame(true);
            scene.run(20);
            assert_eq!(scene.passed(), scene.frames.len());
        }
    }

    #[test]
    fn a_weak_path_gets_no_more_than_it_carries_and_nothing_that_cannot_be_decoded() {
        let mut scene = Scene::new(300_000);
        scene.frame(true);
        scene.run(60);
        scene.assert_decodable();
        // What may be sent ahead, once.
        assert!(scene.bits <= 300_000 * 60 + 400_000, "{}", scene.bits);
        assert!(scene.passed() > 60, "{}", scene.passed());
        let keyframes = scene
            .frames
            .iter()
            .filter(|(_, keyframe)| *keyframe)
            .count();
        assert!((10..=21).contains(&keyframes), "{keyframes}");
    }

    #[test]
    fn what_nothing_depends_on_is_left_out_first() {
        let mut scene = Scene::new(700_000);
        scene.flags = |number| {
            if number.is_multiple_of(2) {
                Packet::DISCARDABLE
            } else {
                0
            }
        };
        scene.frame(true);
        scene.run(30);
        scene.assert_decodable();
        let lost = scene
            .frames
            .iter()
            .enumerate()
            .filter(|(_, (passed, _))| !passed);
        assert!(
            lost.clone()
                .all(|(number, _)| (number + 1).is_multiple_of(2))
                && lost.count() > 100,
            "only every other frame may be left out"
        );
    }

    #[test]
    fn a_path_that_recovers_gets_everything_from_a_keyframe_on_at_once() {
        let mut scene = Scene::new(100_000);
        scene.frame(true);
        scene.run(5);
        assert!(scene.thinner.is_cut());
        scene.rate = u64::MAX;
        let before = scene.frames.len();
        scene.run(2);
        scene.assert_decodable();
        let passed = scene.frames[before..].iter().filter(|(passed, _)| *passed);
        assert!(passed.count() >= 48);
    }

    #[test]
    fn a_late_packet_shares_the_fate_of_its_frame() {
        let mut thinner = Thinner::default();
        let mut scene = Scene::new(0);
        scene.number = 1;
        let first = scene.packet(true);
        assert!(thinner.passes(1, &first, 1_000_000));
        scene.number = 2;
        let second = scene.packet(false);
        assert!(thinner.passes(2, &second, 1_000_000));
        thinner.cut = true;
        scene.number = 3;
        assert!(!thinner.passes(3, &scene.packet(false), 1_000_000));
        assert!(thinner.passes(4, &second, 1_000_000));
    }
}
