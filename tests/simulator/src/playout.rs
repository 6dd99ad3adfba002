//! What a viewer sees and hears of what arrives.

use std::{collections::BTreeMap, time::Duration};

use rivero_plugin_api::{MediaKind, Packet};

use crate::payload::{self, FramePart};

/// Without a first picture for so long a keyframe is asked for, unless one is coming; once there was one,
/// after a longer time. Both as libwebrtc's receivers have it (`video_receive_stream2.cc`). Losses inside
/// a stream are the session's own business; these are for a beginning that was lost.
const PATIENCE_FOR_FIRST: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(3);

/// A frame of which something came.
#[derive(Debug)]
struct Assembly {
    missing: u16,
    keyframe: bool,
}

/// Shows a frame as soon as it is complete and what it refers to was shown; a complete keyframe at once,
/// whatever is missing before it. Without a jitter buffer: a freeze is what the path and the repair of
/// losses make of it, not what a buffer adds.
#[derive(Debug, Default)]
pub(crate) struct Playout {
    frames: BTreeMap<u32, Assembly>,
    /// The latest frame that was shown, and when.
    shown: Option<(u32, Duration)>,
    first_shown: Option<Duration>,
    longest_freeze: Duration,
    /// When the first packet of video came, and the latest one of a keyframe.
    began: Option<Duration>,
    keyframe_part: Option<Duration>,
    keyframe_requested: Option<Duration>,
    /// Nothing was to be shown before: the camera was off.
    resumed: Duration,
    /// Packets of sound.
    pub(crate) sounds: u64,
    /// How much later than it was captured sound is presented, and video, ns.
    lateness: [Option<i64>; 2],
    worst_skew: u64,
}

impl Playout {
    /// A packet came. `settled`: from when on the times of sound and of pictures are compared; before, the
    /// reports that tie them together cannot have come.
    pub(crate) fn on_packet(&mut self, now: Duration, settled: bool, packet: &Packet) {
        let payload = packet.payload();
        let captured = if packet.kind == MediaKind::Audio {
            self.sounds += 1;
            payload::sound_captured(payload)
        } else {
            let part = FramePart::parse(payload);
            if let Some(part) = part {
                self.on_part(now, part);
            }
            part.map(|part| part.captured)
        };
        let captured = captured.and_then(|time| i64::try_from(time.as_nanos()).ok());
        let [sound, video] = &mut self.lateness;
        let lateness = if packet.kind == MediaKind::Audio {
            sound
        } else {
            video
        };
        *lateness = captured.map(|captured| packet.presentation_time - captured);
        if settled && let [Some(sound), Some(video)] = self.lateness {
            self.worst_skew = self.worst_skew.max(sound.abs_diff(video));
        }
    }

    fn on_part(&mut self, now: Duration, part: FramePart) {
        self.began.get_or_insert(now);
        if part.keyframe {
            self.keyframe_part = Some(now);
        }
        if self.shown.is_some_and(|(latest, _)| part.frame <= latest) {
            return;
        }
        let assembly = self.frames.entry(part.frame).or_insert(Assembly {
            missing: part.parts,
            keyframe: part.keyframe,
        });
        assembly.missing = assembly.missing.saturating_sub(1);
        while let Some(next) = self.next_to_show() {
            self.show(now, next);
        }
    }

    fn next_to_show(&self) -> Option<u32> {
        let following = self.shown.map(|(latest, _)| latest + 1);
        let can_show = |(frame, assembly): (&u32, &Assembly)| {
            let refers = assembly.keyframe || Some(*frame) == following;
            (refers && assembly.missing == 0).then_some(*frame)
        };
        self.frames.iter().find_map(can_show)
    }

    fn show(&mut self, now: Duration, frame: u32) {
        self.end_gap(now);
        self.first_shown.get_or_insert(now);
        self.shown = Some((frame, now));
        self.frames = self.frames.split_off(&(frame + 1));
    }

    fn end_gap(&mut self, now: Duration) {
        if let Some((_, latest)) = self.shown {
            let gap = now.saturating_sub(latest.max(self.resumed));
            self.longest_freeze = self.longest_freeze.max(gap);
        }
    }

    /// Whether to ask for a keyframe now; it counts as asked for then.
    pub(crate) fn needs_keyframe(&mut self, now: Duration) -> bool {
        let (since, patience) = match (self.shown, self.began) {
            (Some((_, latest)), _) => (latest.max(self.resumed), PATIENCE),
            (None, Some(began)) => (began, PATIENCE_FOR_FIRST),
            (None, None) => return false,
        };
        let within = |time: Option<Duration>, length| time.is_some_and(|time| now < time + length);
        let needs = now >= since + patience
            && !within(self.keyframe_part, PATIENCE_FOR_FIRST)
            && !within(self.keyframe_requested, patience);
        if needs {
            self.keyframe_requested = Some(now);
        }
        needs
    }

    /// The camera is off. Called before it is on again.
    pub(crate) fn on_pause(&mut self, now: Duration) {
        self.resumed = now;
    }

    /// Nothing comes any more.
    pub(crate) fn end(&mut self, now: Duration) {
        self.end_gap(now);
    }

    /// The number of the frame that was shown last.
    pub(crate) fn latest_shown(&self) -> Option<u32> {
        self.shown.map(|(frame, _)| frame)
    }

    /// When the first frame was shown.
    pub(crate) fn first_shown(&self) -> Option<Duration> {
        self.first_shown
    }

    /// The longest time between two frames that were shown.
    pub(crate) fn longest_freeze(&self) -> Duration {
        self.longest_freeze
    }

    /// How far apart sound and pictures were presented that were captured together, at the worst.
    pub(crate) fn worst_skew(&self) -> Duration {
        Duration::from_nanos(self.worst_skew)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn part(frame: u32, parts: u16, keyframe: bool) -> FramePart {
        FramePart {
            frame,
            parts,
            keyframe,
            captured: Duration::ZERO,
        }
    }

    #[test]
    fn a_hole_freezes_until_it_is_filled() {
        let mut playout = Playout::default();
        playout.on_part(10 * MS, part(0, 2, true));
        assert_eq!(playout.first_shown(), None);
        playout.on_part(20 * MS, part(0, 2, true));
        playout.on_part(50 * MS, part(2, 1, false));
        playout.on_part(90 * MS, part(1, 1, false));
        assert_eq!(playout.first_shown(), Some(20 * MS));
        assert_eq!(playout.shown, Some((2, 90 * MS)));
        playout.end(100 * MS);
        assert_eq!(playout.longest_freeze(), 70 * MS);
    }

    #[test]
    fn a_beginning_that_was_lost_is_asked_for() {
        let mut playout = Playout::default();
        assert!(!playout.needs_keyframe(1000 * MS), "nothing has begun");
        playout.on_part(1000 * MS, part(0, 2, true));
        assert!(!playout.needs_keyframe(1190 * MS), "it is coming");
        assert!(playout.needs_keyframe(1200 * MS) && !playout.needs_keyframe(1300 * MS));
        assert!(playout.needs_keyframe(1400 * MS));
        playout.on_part(1500 * MS, part(1, 1, true));
        assert!(!playout.needs_keyframe(4400 * MS) && playout.needs_keyframe(4500 * MS));
    }

    #[test]
    fn a_keyframe_ends_a_freeze_and_a_pause_is_none() {
        let mut playout = Playout::default();
        playout.on_part(MS, part(0, 1, true));
        playout.on_part(40 * MS, part(3, 1, false));
        playout.on_part(60 * MS, part(4, 1, true));
        assert_eq!(playout.shown, Some((4, 60 * MS)));
        playout.on_pause(1000 * MS);
        playout.on_part(1010 * MS, part(5, 1, false));
        assert_eq!(playout.longest_freeze(), 59 * MS);
    }
}
