//! What a receiver asks its peer for in RTCP: lost packets, keyframes, a bitrate; and what it reports.

use std::time::{Duration, Instant};

use rivero_plugin_api::MediaKind;
use rivero_rtp::{
    nack::NackOutcome,
    rtcp::{CompoundBuilder, ReportBlock},
};

use super::Receiver;

impl Receiver {
    /// A consumer needs a keyframe: adds what asks the peer for one of every encoding that it sends.
    pub(crate) fn keyframe_requested(
        &mut self,
        now: Instant,
        sender: u32,
        compound: &mut CompoundBuilder,
    ) {
        let is_single = self.negotiated.described.count() == 1;
        self.streams.keyframe_requested(now, is_single);
        self.request_keyframes(now, sender, compound);
    }

    /// Adds what asks for the keyframes that are due. A picture loss indication where the peer takes
    /// them: a full intra request is meant for those who join (RFC 5104 §3.5.1), and libwebrtc
    /// treats both alike. Where that brings nothing both are sent.
    fn request_keyframes(&mut self, now: Instant, sender: u32, compound: &mut CompoundBuilder) {
        let mut formats = self.negotiated.formats.iter();
        let format = formats
            .find(|format| Some(format.format) == self.outlet.format())
            .or(self.negotiated.formats.first());
        let Some(format) = format else {
            return;
        };
        for stream in self.streams.iter_mut() {
            let Some(request) = stream.keyframe.poll(now) else {
                continue;
            };
            self.keyframe_missing |= request.is_missing && stream.rate.is_active(now);
            if format.pli {
                stream.counters.pli += 1;
                compound.picture_loss(sender, stream.ssrc);
            }
            if format.fir && (request.full_intra || !format.pli) {
                stream.counters.fir += 1;
                self.fir_command = self.fir_command.wrapping_add(1);
                compound.full_intra_request(sender, stream.ssrc, self.fir_command);
            }
        }
    }

    /// Whether a keyframe that is asked for has not come for some seconds, although media does. Told once.
    pub(crate) fn take_keyframe_missing(&mut self) -> bool {
        std::mem::take(&mut self.keyframe_missing)
    }

    /// When [`request_lost`](Self::request_lost) has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.streams.poll_timeout()
    }

    /// Adds what asks for lost packets, and for a keyframe when they will not come.
    pub(crate) fn request_lost(
        &mut self,
        now: Instant,
        sender: u32,
        compound: &mut CompoundBuilder,
    ) {
        for stream in self.streams.iter_mut() {
            if stream.nack.poll_timeout().is_none_or(|due| due > now) {
                continue;
            }
            let outcome = stream.nack.poll(now, &mut self.lost);
            if !self.lost.is_empty() {
                stream.counters.nack += 1;
                compound.nack(sender, stream.ssrc, &self.lost);
                self.estimator.lost(self.lost.len() as u64);
            }
            // Sound goes on after a hole; pictures do not.
            if outcome == NackOutcome::Lost && self.kind == MediaKind::Video {
                stream.keyframe.keyframe_needed(now);
            }
        }
        self.request_keyframes(now, sender, compound);
    }

    /// The round-trip time to the peer, which paces repeated requests.
    pub(crate) fn set_round_trip(&mut self, round_trip: Duration) {
        self.streams
            .iter_mut()
            .for_each(|stream| stream.nack.set_round_trip(round_trip));
    }

    /// Adds a report block for each stream (RFC 3550 §6.4.1).
    pub(crate) fn report(&mut self, now: Instant, blocks: &mut Vec<ReportBlock>) {
        blocks.extend(
            self.streams
                .iter_mut()
                .filter_map(|stream| stream.statistics.report(now)),
        );
    }

    /// Adds what the peer may send (REMB), bit/s, at most `limit`.
    pub(crate) fn add_estimate(
        &mut self,
        now: Instant,
        sender: u32,
        limit: Option<u64>,
        compound: &mut CompoundBuilder,
    ) {
        if self.kind != MediaKind::Video
            || !self.negotiated.formats.iter().any(|format| format.remb)
        {
            return;
        }
        if let Some(limit) = limit {
            self.estimator.set_limit(now, 0, limit);
        }
        // A peer that gets our arrival times knows its path better than we do.
        let bitrate = if self.wants_transport_feedback() {
            self.estimator.poll_limits(now)
        } else {
            self.estimator.poll(now)
        };
        let Some(bitrate) = bitrate else {
            return;
        };
        let sources: Vec<u32> = self.streams.iter().map(|stream| stream.ssrc).collect();
        self.streams
            .iter_mut()
            .for_each(|stream| stream.counters.remb = bitrate);
        compound.receiver_estimated_bitrate(sender, bitrate, &sources);
    }
}
