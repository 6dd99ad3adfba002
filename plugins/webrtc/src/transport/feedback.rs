//! What the peer's RTCP says.

use std::time::{Duration, Instant};

use rivero_rtp::rtcp::{self, ReportBlock, RtcpPacket};

use super::{Transport, moment};
use crate::{peer::Transmit, track::Outbound};

impl Transport {
    /// Takes a plain compound packet.
    pub(super) fn feedback(&mut self, now: Instant, compound: &[u8]) {
        let arrival = moment(now).pipeline;
        for packet in rtcp::packets(compound) {
            match packet {
                RtcpPacket::SenderReport {
                    ssrc,
                    info,
                    reports,
                } => {
                    self.clock.report(arrival, info.ntp);
                    for track in &mut self.tracks {
                        if let Some(inbound) = &mut track.inbound {
                            inbound.sender_report(now, ssrc, &info);
                        }
                    }
                    reports.for_each(|block| self.reported(now, &block));
                }
                RtcpPacket::ReceiverReport { reports, .. } => {
                    reports.for_each(|block| self.reported(now, &block));
                }
                RtcpPacket::Nack { media_ssrc, lost } => self.send_again(now, media_ssrc, lost),
                RtcpPacket::PictureLoss { media_ssrc } => {
                    self.with_outbound(media_ssrc, |outbound| outbound.keyframe_wanted(false));
                }
                RtcpPacket::FullIntraRequest { entries } => entries.for_each(|(ssrc, _)| {
                    self.with_outbound(ssrc, |outbound| outbound.keyframe_wanted(true));
                }),
                RtcpPacket::ReceiverEstimatedBitrate { bitrate, .. } => {
                    self.estimated(now, bitrate)
                }
                RtcpPacket::TransportFeedback(feedback) => self.arrived(now, &feedback),
                RtcpPacket::Goodbye { sources } => sources.for_each(|ssrc| self.left(ssrc)),
                _ => {}
            }
        }
    }

    fn with_outbound(&mut self, ssrc: u32, action: impl FnOnce(&mut Outbound)) {
        let outbounds = self
            .tracks
            .iter_mut()
            .filter_map(|track| track.outbound.as_mut());
        if let Some(outbound) = { outbounds }.find(|outbound| outbound.ssrc() == ssrc) {
            action(outbound);
        }
    }

    fn reported(&mut self, now: Instant, block: &ReportBlock) {
        self.with_outbound(block.ssrc, |outbound| outbound.reported(now, block));
        if let Some(round_trip) = self.round_trip() {
            for inbound in self
                .tracks
                .iter_mut()
                .filter_map(|track| track.inbound.as_mut())
            {
                inbound.set_round_trip(round_trip);
            }
        }
    }

    fn left(&mut self, ssrc: u32) {
        let mut inbounds = self
            .tracks
            .iter_mut()
            .filter_map(|track| track.inbound.as_mut());
        if inbounds.any(|inbound| inbound.left(ssrc)) && std::mem::take(&mut self.media_active) {
            self.observer.media_active(false);
        }
    }

    fn send_again(&mut self, now: Instant, ssrc: u32, lost: rtcp::LostSequences<'_>) {
        let pacer = self.pacer.as_ref();
        let held = pacer.map_or(Duration::ZERO, |pacer| pacer.longest_wait());
        let mut outbounds = (0u8..).zip(&mut self.tracks).filter_map(|(number, track)| {
            let outbound = track.outbound.as_mut()?;
            (outbound.ssrc() == ssrc).then_some((number, outbound))
        });
        let Some((track, outbound)) = outbounds.next() else {
            return;
        };
        let missing = outbound.missing(moment(now), lost, held);
        if self.is_paced(track) {
            self.send_again_paced(now, track, missing);
            return;
        }
        let Some(path) = self.peer.path() else { return };
        let tracks = self.tracks.get_mut(usize::from(track));
        let Some(outbound) = tracks.and_then(|track| track.outbound.as_mut()) else {
            return;
        };
        for (number, packet) in missing {
            self.protected.clear();
            let congestion = self.congestion.as_deref_mut();
            let (peer, out) = (&mut self.peer, &mut self.protected);
            if outbound.write_again(now, peer, congestion, number, &packet, out) {
                self.queued
                    .push_back(Transmit::new(path, self.protected.clone()));
            }
        }
    }
}
