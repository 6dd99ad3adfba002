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

use super::timeline::Timeline;

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
    pub(super) window: ReceivedWindow,
    pub(super) timeline: Timeline,
    /// Numbers without the gaps that padding leaves.
    pub(super) numbers: StreamRewriter,
    pub(super) counters: StreamCounters,
    pub(super) rate: Rate,
    /// Timestamp and temporal layer of the latest frame.
    frame: (u32, u8),
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
            window: ReceivedWindow::default(),
            timeline: Timeline::new(clock_rate),
            numbers: StreamRewriter::new(clock_rate, 0, 0),
            counters: StreamCounters::default(),
            rate: Rate::default(),
            frame: (0, 0),
        }
    }

    /// The layer of a packet. AV1 says it on the first packet of a frame alone.
    pub(super) fn layer(
        &mut self,
        codec: Option<VideoCodec>,
        timestamp: u32,
        info: PayloadInfo,
    ) -> Layer {
        let mut temporal = info.temporal_layer;
        if codec == Some(VideoCodec::Av1) {
            let (latest, layer) = self.frame;
            if timestamp == latest {
                temporal = temporal.max(layer);
            }
            self.frame = (timestamp, temporal);
        }
        self.rate.layers = self.rate.layers.max(temporal.saturating_add(1));
        Layer {
            encoding: self.encoding,
            spatial: info.spatial_layer,
            temporal,
        }
    }
}

/// How much a stream sends.
#[derive(Debug, Default)]
pub(super) struct Rate {
    bytes: usize,
    frames: u32,
    since: Option<Instant>,
    latest: Option<Instant>,
    bits_per_second: f64,
    frames_per_second: f64,
    /// Temporal layers seen.
    pub(super) layers: u8,
}

impl Rate {
    #[inline]
    pub(super) fn received(&mut self, now: Instant, length: usize, ends_frame: bool) {
        self.since.get_or_insert(now);
        self.latest = Some(now);
        self.bytes += length;
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
        #[allow(clippy::cast_precision_loss)]
        let bits = self.bytes as f64 * 8.0;
        let smooth = |known: f64, measured: f64| {
            if known == 0.0 {
                measured
            } else {
                known + WEIGHT * (measured - known)
            }
        };
        self.bits_per_second = smooth(self.bits_per_second, bits / seconds);
        let frames = f64::from(self.frames) / seconds;
        self.frames_per_second = smooth(self.frames_per_second, frames);
        (self.bytes, self.frames, self.since) = (0, 0, Some(now));
        if !self.is_active(now) {
            *self = Self {
                layers: self.layers,
                ..Self::default()
            };
        }
    }

    /// Bit/s, 0 for a stream that is not being sent, at least 1 for one that is.
    pub(super) fn bits_per_second(&self, now: Instant) -> u64 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let measured = self.bits_per_second as u64;
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
