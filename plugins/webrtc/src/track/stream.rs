//! One received stream of a track.

use std::time::{Duration, Instant};

use rivero_plugin_api::Layer;
use rivero_rtp::{
    codec::{PayloadInfo, VideoCodec},
    nack::NackGenerator,
    receiver::ReceiverStatistics,
    rewriter::StreamRewriter,
    window::ReceivedWindow,
};

use super::{keyframe::AwaitedKeyframe, timeline::Timeline};

/// A stream that is silent for this long is not being sent.
const SILENCE: Duration = Duration::from_millis(1500);
/// Weight of the latest measurement in a stream's bitrate.
const WEIGHT: f64 = 0.5;

pub(super) struct Stream {
    pub(super) ssrc: u32,
    /// What consumers know it by: a stream that comes back has new numbers, and must not be
    /// taken for the one before.
    pub(super) name: u32,
    /// The stream of its retransmissions, once one came.
    pub(super) rtx_ssrc: Option<u32>,
    /// Index into the encodings of the track.
    pub(super) encoding: u8,
    pub(super) statistics: ReceiverStatistics,
    pub(super) nack: NackGenerator,
    pub(super) keyframe: AwaitedKeyframe,
    pub(super) window: ReceivedWindow,
    pub(super) timeline: Timeline,
    /// Numbers without the gaps that padding leaves.
    pub(super) numbers: StreamRewriter,
    pub(super) counters: StreamCounters,
    pub(super) rate: Rate,
    frames: LayeredFrames,
    clock_rate: u32,
}

/// Frames of a coding whose packets say their temporal layer, but not where a receiver of lower
/// ones may go up. In the structures that senders use (AV1 specification §6.7.5, L1T2 and L1T3) no
/// frame depends on one before the latest of the base layer: so it may go up with the first frame
/// of a layer after that, as long as it misses none between.
#[derive(Debug, Default)]
struct LayeredFrames {
    /// Timestamp and temporal layer of the latest frame.
    latest: (u32, u8),
    /// The lowest layer above the base since the latest frame of the base layer.
    lowest: u8,
}

impl LayeredFrames {
    /// The layer of a packet, which only the first one of a frame says, and whether its frame is
    /// one to go up with.
    fn packet(&mut self, timestamp: u32, temporal: u8) -> (u8, bool) {
        let (latest, layer) = self.latest;
        if timestamp == latest {
            let temporal = temporal.max(layer);
            self.latest = (timestamp, temporal);
            return (temporal, false);
        }
        self.latest = (timestamp, temporal);
        let lowest = self.lowest;
        self.lowest = if temporal == 0 {
            u8::MAX
        } else {
            lowest.min(temporal)
        };
        (temporal, temporal > 0 && temporal < lowest)
    }
}

/// Feedback that we sent about a stream.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct StreamCounters {
    pub(crate) nack: u64,
    pub(crate) pli: u64,
    pub(crate) fir: u64,
    /// Bit/s, the last one told.
    pub(crate) remb: u64,
    /// Packets that came as retransmissions.
    pub(crate) repaired: u64,
}

/// Counters of a received stream.
#[derive(Debug, Clone)]
pub(crate) struct StreamSnapshot {
    pub(crate) ssrc: u32,
    pub(crate) rid: String,
    pub(crate) payload_type: u8,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) jitter: Duration,
    pub(crate) lost: i32,
    pub(crate) fraction_lost: u8,
    pub(crate) bitrate: u64,
    /// Frames a second, of video.
    pub(crate) frame_rate: f64,
    pub(crate) temporal_layers: u8,
    pub(crate) counters: StreamCounters,
}

impl Stream {
    pub(super) fn new(ssrc: u32, encoding: u8, clock_rate: u32) -> Self {
        Self {
            ssrc,
            name: rand::random(),
            rtx_ssrc: None,
            encoding,
            statistics: ReceiverStatistics::new(ssrc, clock_rate),
            nack: NackGenerator::default(),
            keyframe: AwaitedKeyframe::default(),
            window: ReceivedWindow::default(),
            timeline: Timeline::new(clock_rate),
            numbers: StreamRewriter::new(clock_rate, 0, 0),
            counters: StreamCounters::default(),
            rate: Rate::default(),
            frames: LayeredFrames::default(),
            clock_rate,
        }
    }

    /// The packets to come have `clock_rate` timestamp units a second. Where that differs from
    /// before, their times begin anew, for consumers too.
    #[inline]
    pub(super) fn set_clock_rate(&mut self, clock_rate: u32) {
        if self.clock_rate != clock_rate {
            self.clock_rate = clock_rate;
            self.name = rand::random();
            self.statistics.set_clock_rate(clock_rate);
            self.timeline = Timeline::new(clock_rate);
        }
    }

    /// The layer of a packet, and whether a receiver of lower ones may go up to it here.
    pub(super) fn layer(
        &mut self,
        codec: Option<VideoCodec>,
        timestamp: u32,
        info: PayloadInfo,
    ) -> (Layer, bool) {
        let (temporal, sync) = match codec {
            Some(VideoCodec::Av1) => self.frames.packet(timestamp, info.temporal_layer),
            _ => (info.temporal_layer, info.layer_sync),
        };
        self.rate.layers = self.rate.layers.max(temporal.saturating_add(1));
        let layer = Layer {
            encoding: self.encoding,
            spatial: info.spatial_layer,
            temporal,
        };
        (layer, sync)
    }
}

/// How much a stream sends.
#[derive(Debug, Default)]
pub(super) struct Rate {
    bytes: usize,
    /// Of them, those of keyframes.
    keyframe_bytes: usize,
    frames: u32,
    since: Option<Instant>,
    latest: Option<Instant>,
    bits_per_second: f64,
    /// Without keyframes, 0 before there was anything else.
    between_keyframes: f64,
    frames_per_second: f64,
    /// Temporal layers seen.
    pub(super) layers: u8,
}

impl Rate {
    #[inline]
    pub(super) fn received(
        &mut self,
        now: Instant,
        length: usize,
        ends_frame: bool,
        of_keyframe: bool,
    ) {
        self.since.get_or_insert(now);
        self.latest = Some(now);
        self.bytes += length;
        if of_keyframe {
            self.keyframe_bytes += length;
        }
        self.frames += u32::from(ends_frame);
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
        if seconds < 0.2 {
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
    use crate::track::SenderClock;

    #[test]
    fn keyframes_do_not_count_where_streams_are_compared() {
        let (mut rate, begin) = (Rate::default(), Instant::now());
        let half = Duration::from_millis(500);
        for interval in 1..=4u32 {
            let now = begin + half * interval;
            let is_screen = interval != 2;
            // 20 kbit/s, once a keyframe of 200 kB.
            rate.received(
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
        let mut pictures = Rate::default();
        pictures.received(begin, 50_000, true, true);
        pictures.measure(begin + half);
        assert_eq!(
            pictures.between_keyframes(begin + half),
            800_000,
            "keyframes alone"
        );
    }

    #[test]
    fn times_go_on_with_another_clock_rate() {
        let mut stream = Stream::new(1, 0, 48_000);
        let clock = SenderClock::default();
        let name = stream.name;
        // A packet each 20 ms, of Opus for 10 s and of PCMU then.
        for packet in 0..1500i64 {
            let (clock_rate, step) = if packet < 500 {
                (48_000, 960)
            } else {
                (8000, 160)
            };
            stream.set_clock_rate(clock_rate);
            let arrival = packet * 20_000_000;
            let timestamp = u32::try_from(packet * step).unwrap();
            let time = stream.timeline.presentation(arrival, timestamp, &clock);
            assert!((time - arrival).abs() < 1_000_000, "{packet}: {time}");
            assert_eq!(stream.name == name, packet < 500);
        }
    }

    #[test]
    fn av1_goes_up_with_the_first_frame_of_a_layer_after_the_base() {
        let mut frames = LayeredFrames::default();
        let syncs: Vec<bool> = [1, 0, 2, 1, 2, 0, 2, 1, 2, 0, 1, 2, 1]
            .into_iter()
            .zip(1u32..)
            .map(|(temporal, number)| frames.packet(number, temporal).1)
            .collect();
        let wanted = [2, 3, 6, 7, 10];
        for (number, sync) in syncs.into_iter().enumerate() {
            assert_eq!(sync, wanted.contains(&number), "frame {number}");
        }
    }

    #[test]
    fn later_packets_of_a_frame_have_its_layer() {
        let mut frames = LayeredFrames::default();
        assert_eq!(frames.packet(1, 0), (0, false));
        assert_eq!(frames.packet(2, 2), (2, true));
        assert_eq!(frames.packet(2, 0), (2, false));
        assert_eq!(frames.packet(3, 1), (1, true));
    }
}
