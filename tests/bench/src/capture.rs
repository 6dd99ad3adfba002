//! What a browser sent, packet by packet: sizes and times, and where frames end, without pictures.

use std::{sync::OnceLock, time::Duration};

use clap::ValueEnum;

use crate::traffic::{Codec, Planned};

/// Recordings of Chromium, made with `captures/record.mjs`.
const CHROMIUM_VP8: &str = include_str!("../captures/chromium-vp8.csv");
const CHROMIUM_H264: &str = include_str!("../captures/chromium-h264.csv");

/// The recordings there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Recorded {
    /// VP8, 640x480
    Vp8,
    /// H264, 640x480
    H264,
}

/// A recording that is played again and again.
#[derive(Debug)]
pub(crate) struct Capture {
    pub(crate) codec: Codec,
    packets: Vec<Planned>,
    /// From the first packet to that of the next round.
    duration: Duration,
    frames: u32,
}

impl Recorded {
    /// The recording.
    pub(crate) fn load(self) -> &'static Capture {
        static VP8: OnceLock<Capture> = OnceLock::new();
        static H264: OnceLock<Capture> = OnceLock::new();
        match self {
            Self::Vp8 => VP8.get_or_init(|| Capture::parse(Codec::Vp8, CHROMIUM_VP8)),
            Self::H264 => H264.get_or_init(|| Capture::parse(Codec::H264, CHROMIUM_H264)),
        }
    }
}

impl Capture {
    /// Lines of microseconds since the first packet, bytes of payload, and the marker bit.
    fn parse(codec: Codec, text: &str) -> Self {
        let (mut packets, mut frame, mut position) = (Vec::new(), 0, 0);
        for line in text.lines() {
            let mut fields = line.split(',').map(str::parse::<u64>);
            let (Some(Ok(due)), Some(Ok(payload)), Some(Ok(marker))) =
                (fields.next(), fields.next(), fields.next())
            else {
                // The heading.
                continue;
            };
            let last = marker == 1;
            packets.push(Planned {
                due: Duration::from_micros(due),
                payload: usize::try_from(payload).unwrap_or(0),
                frame,
                position,
                last,
            });
            (frame, position) = if last {
                (frame + 1, 0)
            } else {
                (frame, position + 1)
            };
        }
        // A whole frame is the last one, and the next round begins one interval after it began.
        let first_of_last = packets.iter().rev().find(|packet| packet.position == 0);
        let end = first_of_last.map_or(Duration::ZERO, |packet| packet.due);
        let interval = end / frame.saturating_sub(1).max(1);
        Self {
            codec,
            packets,
            duration: end + interval,
            frames: frame,
        }
    }

    /// The packet number `index`.
    pub(crate) fn packet(&self, index: u64) -> Planned {
        let count = self.packets.len().max(1) as u64;
        let round = u32::try_from(index / count).unwrap_or(u32::MAX);
        let position = usize::try_from(index % count).unwrap_or(0);
        let nothing = Planned {
            due: Duration::ZERO,
            payload: 0,
            frame: 0,
            position: 0,
            last: true,
        };
        let packet = self.packets.get(position).copied().unwrap_or(nothing);
        Planned {
            due: self.duration * round + packet.due,
            frame: self.frames * round + packet.frame,
            ..packet
        }
    }

    /// Frames per second, about.
    pub(crate) fn frame_rate(&self) -> u32 {
        let milliseconds = u32::try_from(self.duration.as_millis()).unwrap_or(u32::MAX);
        (self.frames * 1000 / milliseconds.max(1)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_goes_round() {
        let capture = Capture::parse(
            Codec::Vp8,
            "us,payload,marker\n0,900,0\n20,901,1\n40000,7,1\n",
        );
        let of = |index| {
            let packet = capture.packet(index);
            (
                packet.due.as_millis(),
                packet.frame,
                packet.position,
                packet.last,
            )
        };
        assert_eq!(of(0), (0, 0, 0, false));
        assert_eq!(of(1), (0, 0, 1, true));
        assert_eq!(of(2), (40, 1, 0, true));
        assert_eq!(of(3), (80, 2, 0, false));
        assert_eq!(capture.packet(4).payload, 901);
        assert_eq!(capture.frame_rate(), 25);
    }

    #[test]
    fn the_recordings_are_those_of_a_camera() {
        for recorded in [Recorded::Vp8, Recorded::H264] {
            let capture = recorded.load();
            assert!((12..=60).contains(&capture.frame_rate()), "{recorded:?}");
            let per_frame = capture.packets.len() / capture.frames as usize;
            assert!((4..=9).contains(&per_frame), "{recorded:?}: {per_frame}");
            assert!(capture.packets.iter().all(|packet| packet.payload < 1300));
        }
    }
}
