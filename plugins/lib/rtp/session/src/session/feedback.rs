//! What the peer's RTCP says.

use std::time::{Duration, Instant};

use rivero_rtp::rtcp::{self, ReportBlock, RtcpPacket};

use super::Session;
use crate::{Sender, clock::Now, protect::Protect};

impl Session {
    /// Takes a plain compound packet of the peer.
    pub fn on_rtcp<P: Protect>(&mut self, now: Instant, compound: &[u8], protect: &mut P) {
        let at = self.clock.at(now);
        let mut left = false;
        for packet in rtcp::packets(compound) {
            match packet {
                RtcpPacket::SenderReport {
                    ssrc,
                    info,
                    reports,
                } => {
                    self.sender_clock.on_sender_report(at.pipeline, info.ntp);
                    for receiver in self.tracks.receivers_mut() {
                        receiver.on_sender_report(at, ssrc, &info);
                    }
                    reports.for_each(|block| self.on_report_block(now, &block));
                }
                RtcpPacket::ReceiverReport { reports, .. } => {
                    reports.for_each(|block| self.on_report_block(now, &block));
                }
                RtcpPacket::Nack { media_ssrc, lost } => {
                    self.on_nack(at, media_ssrc, lost, protect);
                }
                RtcpPacket::PictureLoss { media_ssrc } => {
                    self.with_sender(media_ssrc, |sender| sender.keyframe_requested(false));
                }
                RtcpPacket::FullIntraRequest { entries } => entries.for_each(|(ssrc, _)| {
                    self.with_sender(ssrc, |sender| sender.keyframe_requested(true));
                }),
                RtcpPacket::ReceiverEstimatedBitrate { bitrate, .. } => {
                    self.on_receiver_estimate(now, bitrate);
                }
                RtcpPacket::TransportFeedback(feedback) => {
                    self.on_transport_feedback(now, &feedback);
                }
                RtcpPacket::Goodbye { sources } => {
                    sources.for_each(|ssrc| left |= self.on_goodbye(ssrc));
                }
                _ => {}
            }
        }
        self.activity.on_rtcp(now);
        if left {
            self.activity.on_goodbye();
        }
    }

    fn with_sender(&mut self, ssrc: u32, action: impl FnOnce(&mut Sender)) {
        if let Some((_, sender)) = self.tracks.sender_of(ssrc) {
            action(sender);
        }
    }

    fn on_report_block(&mut self, now: Instant, block: &ReportBlock) {
        self.with_sender(block.ssrc, |sender| sender.on_report_block(now, block));
        self.share_round_trip();
    }

    /// Tells the receivers the round trip, which paces what they ask for.
    fn share_round_trip(&mut self) {
        if let Some(round_trip) = self.round_trip() {
            for receiver in self.tracks.receivers_mut() {
                receiver.set_round_trip(round_trip);
            }
        }
    }

    /// To the peer and back, as something else found out than reports: a peer that is sent no media has
    /// no sender report to answer.
    pub fn set_path_round_trip(&mut self, round_trip: Duration) {
        if self.path_round_trip.replace(round_trip) != Some(round_trip) {
            self.share_round_trip();
        }
    }

    /// A stream of the peer ended; `true` when it was the last one.
    fn on_goodbye(&mut self, ssrc: u32) -> bool {
        let mut ended = false;
        for receiver in self.tracks.receivers_mut() {
            ended |= receiver.on_goodbye(ssrc);
        }
        let mut receivers = self.tracks.receivers();
        ended && !receivers.any(crate::Receiver::has_streams)
    }

    fn on_nack<P: Protect>(
        &mut self,
        now: Now,
        ssrc: u32,
        lost: rtcp::LostSequences<'_>,
        protect: &mut P,
    ) {
        let pacer = self.pacer.as_ref();
        let waited = pacer.map_or(Duration::ZERO, |pacer| pacer.longest_wait());
        let Some((track, sender)) = self.tracks.sender_of(ssrc) else {
            return;
        };
        let missing = sender.on_nack(now, lost, waited);
        if self.is_paced(now.instant, track) {
            self.retransmit_paced(now.instant, track, missing, protect);
            return;
        }
        let sender = self.tracks.sender_mut(track);
        let Some(sender) = sender.filter(|_| protect.can_send()) else {
            return;
        };
        for (number, packet) in missing {
            let congestion = self.bandwidth.congestion();
            self.outbox.queue(|out| {
                sender.write_retransmission(now, protect, congestion, number, &packet, out)
            });
        }
    }
}
