//! What one peer is sent of one kind of media.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use rivero_plugin_api::{Extensions, Packet, SinkPad, Upstream};
use rivero_rtp::{
    ExtensionBlock, ExtensionMap, HeaderExtension, OutgoingHeader, ntp,
    rewriter::{Rewritten, StreamRewriter},
    rtcp::{CompoundBuilder, LostSequences, ReportBlock},
    sender::SenderStatistics,
};

use super::{extension_of, limit::ViewerLimit};
use crate::peer::Peer;

/// A format that the peer accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentFormat {
    pub(crate) format: u32,
    pub(crate) payload_type: u8,
    pub(crate) clock_rate: u32,
}

/// Retransmissions that one request may cause.
const MAX_RETRANSMISSIONS: usize = 100;

/// The sending side of a track.
pub(crate) struct Outbound {
    sink: Arc<SinkPad>,
    ssrc: u32,
    cname: Arc<str>,
    formats: Vec<SentFormat>,
    extensions: ExtensionMap,
    rewriter: StreamRewriter,
    statistics: SenderStatistics,
    /// The wall clock at pipeline time 0. Fixed: a packet that is sent again
    /// must be the same to the bit.
    epoch: SystemTime,
    block: ExtensionBlock,
    limit: ViewerLimit,
    pub(crate) feedback: FeedbackCounters,
    /// The present negotiation lets us send.
    enabled: bool,
}

/// Feedback that the peer sent about this stream.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct FeedbackCounters {
    pub(crate) nack: u64,
    pub(crate) pli: u64,
    pub(crate) fir: u64,
    /// Bit/s, 0 before the first.
    pub(crate) remb: u64,
    pub(crate) retransmitted: u64,
}

/// The moment of a packet on the two clocks that an outgoing packet needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    /// `now` on the pipeline clock, ns.
    pub(crate) pipeline: i64,
}

impl Moment {
    /// When something that has a pipeline time happened.
    fn instant(&self, time: i64) -> Instant {
        let age = u64::try_from(self.pipeline.saturating_sub(time)).unwrap_or(0);
        self.now
            .checked_sub(Duration::from_nanos(age))
            .unwrap_or(self.now)
    }
}

impl Outbound {
    /// `sequence` and `timestamp` are where the stream begins, chosen at random;
    /// `epoch` is the wall clock at pipeline time 0.
    pub(crate) fn new(
        sink: Arc<SinkPad>,
        ssrc: u32,
        cname: Arc<str>,
        formats: Vec<SentFormat>,
        extensions: ExtensionMap,
        (sequence, timestamp): (u16, u32),
        epoch: SystemTime,
    ) -> Self {
        let clock_rate = formats.first().map_or(90_000, |format| format.clock_rate);
        Self {
            sink,
            ssrc,
            cname,
            formats,
            extensions,
            rewriter: StreamRewriter::new(clock_rate, sequence, timestamp),
            statistics: SenderStatistics::new(clock_rate),
            epoch,
            block: ExtensionBlock::default(),
            limit: ViewerLimit::default(),
            feedback: FeedbackCounters::default(),
            enabled: true,
        }
    }

    /// Goes on as a later negotiation has it, with the numbers it has reached: the keys are the
    /// same, so none may be used for two packets.
    pub(crate) fn renegotiated(&mut self, settings: Self) {
        if self.formats != settings.formats || self.extensions != settings.extensions {
            self.rewriter.begin_section();
        }
        if !std::mem::replace(&mut self.enabled, true) {
            self.rewriter.forget_source();
        }
        self.formats = settings.formats;
        self.extensions = settings.extensions;
    }

    /// Nothing may be sent any more, until a later negotiation.
    pub(crate) fn pause(&mut self) {
        self.enabled = false;
        self.shut();
    }

    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(crate) fn statistics(&self) -> &SenderStatistics {
        &self.statistics
    }

    /// The peer can be sent media from now on: lets the source begin, with a
    /// keyframe that does not come too early.
    pub(crate) fn open(&self) {
        if !self.enabled {
            return;
        }
        let accepted: Vec<u32> = self.formats.iter().map(|format| format.format).collect();
        self.sink.set_accepted(&accepted);
    }

    /// Nothing can be sent any more.
    pub(crate) fn shut(&self) {
        self.sink.set_accepted(&[]);
    }

    /// The pad that feeds it.
    pub(crate) fn sink(&self) -> &SinkPad {
        &self.sink
    }

    /// Appends a packet as this peer is to get it; `false` when it has no place
    /// in the peer's stream.
    pub(crate) fn write(
        &mut self,
        moment: Moment,
        peer: &mut Peer,
        packet: &Packet,
        out: &mut Vec<u8>,
    ) -> bool {
        if !self.accepts(packet) {
            self.skip(packet);
            return false;
        }
        let (source, rtp) = (source_of(packet), &packet.rtp);
        let numbers = self
            .rewriter
            .rewrite(moment.now, source, rtp.sequence, rtp.timestamp);
        let Some(numbers) = numbers else { return false };
        if !self.protect(peer, packet, numbers, out) {
            return false;
        }
        let at = moment.instant(packet.presentation_time);
        self.statistics
            .sent(at, numbers.timestamp, packet.payload().len());
        true
    }

    /// Appends a packet again, under the number it had.
    pub(crate) fn write_again(
        &mut self,
        peer: &mut Peer,
        (sequence, packet): &(u16, Packet),
        out: &mut Vec<u8>,
    ) -> bool {
        let timestamp = self.rewriter.timestamp(packet.rtp.timestamp);
        let numbers = Rewritten {
            sequence: *sequence,
            timestamp,
        };
        self.accepts(packet) && self.protect(peer, packet, numbers, out)
    }

    fn accepts(&self, packet: &Packet) -> bool {
        let mut formats = self.formats.iter();
        self.enabled && formats.any(|format| format.format == packet.format)
    }

    fn protect(
        &mut self,
        peer: &mut Peer,
        packet: &Packet,
        numbers: Rewritten,
        out: &mut Vec<u8>,
    ) -> bool {
        let format = self
            .formats
            .iter()
            .find(|format| format.format == packet.format);
        self.block.clear();
        let (rtp, block) = (&packet.rtp, &mut self.block);
        copy_extensions(&rtp.extensions, &packet.bytes, &self.extensions, block);
        if let Some(id) = self.extensions.id(HeaderExtension::AbsSendTime) {
            let since = Duration::from_nanos(u64::try_from(packet.ingress_time).unwrap_or(0));
            block.push(id, &ntp::abs_send_time(ntp::to_ntp(self.epoch + since)));
        }
        let header = OutgoingHeader {
            marker: rtp.marker,
            payload_type: format.map_or(0, |format| format.payload_type),
            sequence: numbers.sequence,
            timestamp: numbers.timestamp,
            ssrc: self.ssrc,
            extensions: &self.block,
        };
        peer.protect_rtp(&header, &[packet.payload()], out).is_ok()
    }

    /// A packet of the burst that this peer is not to get.
    pub(crate) fn skip(&mut self, packet: &Packet) {
        if self.rewriter.source() == Some(source_of(packet)) {
            self.rewriter.skipped(packet.rtp.sequence);
        }
    }

    /// The packets that the peer misses, with the numbers they had, as far as
    /// they are still to be had.
    pub(crate) fn missing(&mut self, lost: LostSequences<'_>) -> Vec<(u16, Packet)> {
        self.feedback.nack += 1;
        let found = lost.take(MAX_RETRANSMISSIONS).filter_map(|sent| {
            let (source, sequence) = self.rewriter.origin(sent)?;
            // What came before a switch has other timestamps, and is of no use any more.
            if self.rewriter.source() != Some(source) {
                return None;
            }
            #[allow(
                clippy::cast_possible_truncation,
                reason = "the lower half is the SSRC"
            )]
            let packet = self.sink.history(source as u32, sequence);
            packet.map(|packet| (sent, packet))
        });
        let found: Vec<(u16, Packet)> = found.collect();
        self.feedback.retransmitted += found.len() as u64;
        found
    }

    /// A report of the peer about this stream.
    pub(crate) fn reported(&mut self, now: Instant, block: &ReportBlock) {
        self.statistics.receiver_report(now, block);
        if block.fraction_lost > 0 {
            let fraction = f32::from(block.fraction_lost) / 256.0;
            self.sink.upstream(Upstream::Loss { fraction });
        }
    }

    /// The peer needs a keyframe.
    pub(crate) fn keyframe_wanted(&mut self, full_intra: bool) {
        if full_intra {
            self.feedback.fir += 1;
        } else {
            self.feedback.pli += 1;
        }
        self.sink.upstream(Upstream::KeyframeRequest);
    }

    /// The peer's estimate of what it can receive, and the bounds of what is
    /// passed on to the source (bit/s; an upper one of 0 is none).
    pub(crate) fn estimated(&mut self, now: Instant, estimate: u64, (low, high): (u64, u64)) {
        self.feedback.remb = estimate;
        let loss = self
            .statistics
            .remote()
            .map_or(0, |block| block.fraction_lost);
        let limit = self.limit.update(now, estimate, loss).unwrap_or(u64::MAX);
        let high = if high == 0 { u64::MAX } else { high };
        let bits_per_second = limit.min(high).max(low);
        self.sink
            .upstream(Upstream::BandwidthEstimate { bits_per_second });
    }

    /// Adds a sender report once something was sent.
    pub(crate) fn report(
        &mut self,
        moment: Moment,
        blocks: &[ReportBlock],
        compound: &mut CompoundBuilder,
    ) -> bool {
        let Some(info) = self.statistics.report(moment.now, self.wall(moment)) else {
            return false;
        };
        compound
            .sender_report(self.ssrc, &info, blocks)
            .cname(self.ssrc, &self.cname);
        true
    }

    fn wall(&self, moment: Moment) -> SystemTime {
        self.epoch + Duration::from_nanos(u64::try_from(moment.pipeline).unwrap_or(0))
    }

    pub(crate) fn cname(&self) -> &str {
        &self.cname
    }
}

/// Names a stream of a source: a switch to another one is a switch of sections.
fn source_of(packet: &Packet) -> u64 {
    u64::from(packet.origin) << 32 | u64::from(packet.rtp.ssrc)
}

fn copy_extensions(
    extensions: &Extensions,
    bytes: &[u8],
    target: &ExtensionMap,
    block: &mut ExtensionBlock,
) {
    for extension in extensions.iter() {
        let start = usize::from(extension.offset);
        let data = bytes.get(start..start + usize::from(extension.length));
        let id = extension_of(extension.kind).and_then(|extension| target.id(extension));
        if let (Some(id), Some(data)) = (id, data) {
            block.push(id, data);
        }
    }
}
