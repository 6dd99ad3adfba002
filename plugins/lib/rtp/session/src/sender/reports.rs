//! What a peer says about the stream that it is sent, and what it is told of it.

use std::time::{Duration, Instant, SystemTime};

use rivero_plugin_api::Upstream;
use rivero_rtp::rtcp::{CompoundBuilder, ReportBlock};

use super::Sender;
use crate::clock::Now;

impl Sender {
    /// A report of the peer about this stream.
    pub(crate) fn on_report_block(&mut self, now: Instant, block: &ReportBlock) {
        self.statistics.receiver_report(now, block);
        if let Some(mid) = &mut self.negotiated.mid {
            mid.on_report(self.rewriter.extended(self.rewriter.latest()));
        }
        if block.fraction_lost > 0 {
            let fraction = f32::from(block.fraction_lost) / 256.0;
            self.feed.upstream(Upstream::Loss { fraction });
        }
    }

    /// The peer tells its estimate of the path (REMB), bit/s. Gives the loss that it last reported.
    pub(crate) fn on_receiver_estimate(&mut self, bits_per_second: u64) -> u8 {
        self.feedback.remb = bits_per_second;
        let remote = self.statistics.remote();
        remote.map_or(0, |block| block.fraction_lost)
    }

    /// The peer needs a keyframe, as a picture loss indication or a full intra request says.
    pub(crate) fn keyframe_requested(&mut self, full_intra: bool) {
        if full_intra {
            self.feedback.fir += 1;
        } else {
            self.feedback.pli += 1;
        }
        self.feed.upstream(Upstream::KeyframeRequest);
    }

    /// Tells the source what the path to the peer carries, bit/s, `u64::MAX` when nothing limits it,
    /// if that has changed by more than a little.
    pub(crate) fn limit_source(&mut self, bits_per_second: u64) {
        if let Some(bits_per_second) = self.limit.update(bits_per_second) {
            self.feed
                .upstream(Upstream::BandwidthEstimate { bits_per_second });
        }
    }

    /// Adds a sender report once something was sent (RFC 3550 §6.4.1).
    pub(crate) fn report(
        &mut self,
        now: Now,
        blocks: &[ReportBlock],
        compound: &mut CompoundBuilder,
    ) -> bool {
        self.sending.temporal_layer = std::mem::take(&mut self.sending.latest_temporal_layer);
        let Some(info) = self.statistics.report(now.instant, self.wall_clock(now)) else {
            return false;
        };
        compound
            .sender_report(self.ssrc, &info, blocks)
            .cname(self.ssrc, &self.cname);
        true
    }

    fn wall_clock(&self, now: Now) -> SystemTime {
        self.epoch.wall + Duration::from_nanos(u64::try_from(now.pipeline).unwrap_or(0))
    }
}
