//! What we tell the peer in RTCP: reports, requests, estimates.

use std::time::Instant;

use rivero_rtp::rtcp::ReportBlock;

use super::{Transport, moment};
use crate::{peer::Transmit, track::Outbound};

impl Transport {
    /// A consumer of what this peer sends needs a keyframe.
    pub(crate) fn request_keyframe(&mut self, track: usize) {
        let sender = self.feedback_ssrc();
        self.compound.clear();
        let track = self.tracks.get_mut(track);
        if let Some(inbound) = track.and_then(|track| track.inbound.as_mut()) {
            inbound.request_keyframe(Instant::now(), sender, &mut self.compound);
        }
        self.send_compound();
    }

    /// What the consumers of what this peer sends can take, bit/s; `u64::MAX`
    /// when nothing limits them.
    pub(crate) fn limit_bitrate(&mut self, bits_per_second: u64) {
        let former = self.viewers_limit.replace(bits_per_second);
        if former.is_none_or(|former| bits_per_second < former) && bits_per_second != u64::MAX {
            // Less must be said at once; more can wait for the next report.
            self.compound.clear();
            self.add_estimate(Instant::now());
            self.send_compound();
        }
    }

    pub(super) fn ask_for_lost(&mut self, now: Instant) {
        let sender = self.feedback_ssrc();
        self.compound.clear();
        for inbound in self
            .tracks
            .iter_mut()
            .filter_map(|track| track.inbound.as_mut())
        {
            inbound.ask_for_lost(now, sender, &mut self.compound);
        }
        self.send_compound();
    }

    /// The regular reports: ours about what we send and what we receive.
    pub(super) fn report_media(&mut self, now: Instant) {
        let moment = moment(now);
        self.measure_bandwidth(now);
        let mut blocks: Vec<ReportBlock> = Vec::new();
        for inbound in self
            .tracks
            .iter_mut()
            .filter_map(|track| track.inbound.as_mut())
        {
            inbound.report(now, &mut blocks);
        }
        self.compound.clear();
        let mut rest = blocks.as_slice();
        for outbound in self
            .tracks
            .iter_mut()
            .filter_map(|track| track.outbound.as_mut())
        {
            if outbound.report(moment, rest, &mut self.compound) {
                rest = &[];
            }
        }
        if !rest.is_empty() {
            let sender = self.feedback_ssrc();
            self.compound.receiver_report(sender, rest);
            let mut outbounds = self
                .tracks
                .iter()
                .filter_map(|track| track.outbound.as_ref());
            if let Some(cname) = outbounds.next().map(Outbound::cname) {
                self.compound.cname(sender, cname);
            }
        }
        self.add_estimate(now);
        self.send_compound();
    }

    /// What the peer may send: our own estimate, lowered to what the viewers can take.
    fn add_estimate(&mut self, now: Instant) {
        let sender = self.feedback_ssrc();
        let limit = self.viewers_limit;
        for inbound in self
            .tracks
            .iter_mut()
            .filter_map(|track| track.inbound.as_mut())
        {
            inbound.add_estimate(now, sender, limit, &mut self.compound);
        }
    }

    pub(super) fn feedback_ssrc(&self) -> u32 {
        let mut outbounds = self
            .tracks
            .iter()
            .filter_map(|track| track.outbound.as_ref());
        outbounds.next().map_or(self.feedback_ssrc, Outbound::ssrc)
    }

    pub(super) fn send_compound(&mut self) {
        if self.compound.is_empty() {
            return;
        }
        let Some(path) = self.peer.path() else { return };
        self.protected.clear();
        if self
            .peer
            .protect_rtcp(self.compound.as_bytes(), &mut self.protected)
            .is_ok()
        {
            self.queued
                .push_back(Transmit::new(path, self.protected.clone()));
        }
    }
}
