//! What one peer is sent of one kind of media.

mod config;
mod continuity;
mod mid;
mod padding;
mod repair;
mod reports;
mod retransmit;
mod source_limit;

use std::{sync::Arc, time::Instant};

use rivero_congestion::CongestionController;
use rivero_plugin_api::{Packet, Upstream};
use rivero_rtp::{
    ExtensionBlock, OutgoingHeader,
    dependency::DescriptorFront,
    ntp,
    picture::{Front, PacketNumbers},
    rewriter::{Mark, Rewritten, StreamRewriter},
    sender::SenderStatistics,
};

use crate::{clock::Now, extensions, losses::Losses, pads::Feed, protect::Protect};
use config::{Epoch, Negotiated};
use continuity::MediaNumbers;
use repair::Repair;
use source_limit::SourceLimit;

pub use config::{Retransmissions, SenderConfig, SentFormat};
pub use source_limit::SendBounds;

/// The sending side of a track: one continuous stream for one peer out of whatever feeds it.
pub struct Sender {
    feed: Arc<dyn Feed>,
    ssrc: u32,
    cname: Arc<str>,
    epoch: Epoch,
    negotiated: Negotiated,
    rewriter: StreamRewriter,
    numbers: MediaNumbers,
    repair: Repair,
    statistics: SenderStatistics,
    limit: SourceLimit,
    /// What the peer asked for.
    feedback: FeedbackCounters,
    sending: CurrentEncoding,
}

/// How a stream is sent at present.
#[derive(Debug, Default, Clone, Copy)]
pub struct CurrentEncoding {
    /// Of the latest packet, events left aside.
    pub payload_type: u8,
    /// Of the same, Hz; 0 before the first.
    pub clock_rate: u32,
    /// Number of the source's encoding.
    pub encoding: u8,
    /// The highest one that was sent between the latest reports.
    pub temporal_layer: u8,
    /// The highest one since the latest report.
    latest_temporal_layer: u8,
}

/// Feedback that the peer sent about a stream.
#[derive(Debug, Default, Clone, Copy)]
pub struct FeedbackCounters {
    /// Generic NACK messages (RFC 4585 §6.2.1).
    pub nack: u64,
    /// Picture loss indications (RFC 4585 §6.3.1).
    pub pli: u64,
    /// Full intra requests (RFC 5104 §4.3.1).
    pub fir: u64,
    /// The latest estimate (REMB), bit/s, 0 before the first.
    pub remb: u64,
    /// Packets sent again because the peer asked for them.
    pub retransmitted: u64,
}

/// A packet on its way out, but for its payload.
struct OutgoingPacket<'a> {
    ssrc: u32,
    payload_type: u8,
    numbers: Rewritten,
    /// The transport-wide sequence number.
    transport_sequence: Option<u16>,
    /// What goes in front of the payload: the original number of a retransmission (RFC 4588 §4).
    prefix: &'a [u8],
    /// What replaces the beginning of the payload: picture numbers that go on.
    front: Front,
    /// What its dependency descriptor begins with: frame numbers that go on.
    descriptor: Option<DescriptorFront>,
    /// The time of sending (abs-send-time).
    send_time: [u8; 3],
    /// It has the name of its section.
    has_mid: bool,
    /// Bytes of padding behind the payload.
    padding: u8,
}

impl Sender {
    /// A sender of what `feed` gets.
    #[must_use]
    pub fn new(feed: Arc<dyn Feed>, config: SenderConfig) -> Self {
        let clock_rate = config
            .formats
            .first()
            .map_or(90_000, |format| format.clock_rate);
        Self {
            feed,
            ssrc: config.ssrc,
            cname: config.cname,
            epoch: Epoch::new(config.epoch),
            negotiated: Negotiated {
                events: config.events,
                ..Negotiated::new(&config.formats, config.extensions)
            },
            rewriter: StreamRewriter::new(clock_rate, config.sequence, config.timestamp),
            numbers: MediaNumbers::default(),
            repair: Repair::new(config.retransmissions),
            statistics: SenderStatistics::new(clock_rate),
            limit: SourceLimit::new(config.bounds, config.described_limit),
            feedback: FeedbackCounters::default(),
            sending: CurrentEncoding::default(),
        }
    }

    /// The same, whose section the peer's description names so.
    #[must_use]
    pub fn with_mid(mut self, mid: Option<&str>) -> Self {
        if let Some(mid) = mid {
            self.negotiated.set_mid(mid);
        }
        self
    }

    /// Goes on as a later negotiation has it, with the numbers it has reached: the keys are the
    /// same, so none may be used for two packets.
    pub(crate) fn renegotiate(&mut self, later: Self) {
        let changes = self.negotiated.writes_otherwise(&later.negotiated);
        if changes {
            // What was sent before would be written differently now, under the same number.
            self.rewriter.begin_section();
        }
        if !self.negotiated.enabled {
            // What paused goes on with whatever comes first, as after a switch.
            self.rewriter.forget_source();
            self.numbers.pictures.forget_source();
        }
        let before = std::mem::replace(&mut self.negotiated, later.negotiated);
        if !changes {
            self.negotiated.mid = before.mid;
        }
        self.limit.renegotiate(&later.limit);
        self.repair.renegotiate(&later.repair);
    }

    /// Nothing may be sent any more, until a later negotiation.
    pub(crate) fn pause(&mut self) {
        self.negotiated.enabled = false;
        self.stop();
    }

    /// The peer can be sent media from now on: lets the source begin, with a keyframe that does not
    /// come too early.
    pub(crate) fn start(&self) {
        if !self.negotiated.enabled {
            return;
        }
        let formats = self.negotiated.formats.iter();
        let formats = formats.map(|format| format.format);
        let accepted: Vec<u32> = formats.chain(self.negotiated.events).collect();
        self.feed.set_accepted(&accepted);
    }

    /// Nothing can be sent any more.
    pub(crate) fn stop(&self) {
        self.feed.set_accepted(&[]);
    }

    /// Changes the bounds of what the source is asked for.
    pub(crate) fn set_bounds(&mut self, bounds: SendBounds) {
        self.limit.set_bounds(bounds);
    }

    /// Bit/s of the next better encoding that the source has and that this peer may be sent.
    pub(crate) fn next_bitrate(&self) -> Option<u64> {
        let next = self.feed.next_bitrate();
        next.filter(|next| *next <= self.limit.upper_bound())
    }

    /// Whether the peer reports when packets arrive.
    pub(crate) fn gets_transport_feedback(&self) -> bool {
        self.negotiated.transport_id.is_some()
    }

    #[inline]
    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(crate) fn cname(&self) -> &str {
        &self.cname
    }

    pub(crate) fn statistics(&self) -> &SenderStatistics {
        &self.statistics
    }

    /// What the peer asked for.
    pub(crate) fn feedback(&self) -> &FeedbackCounters {
        &self.feedback
    }

    /// The format that is sent now, as the host numbers it.
    pub(crate) fn format(&self) -> Option<u32> {
        let payload_type = self.sending.payload_type;
        let mut formats = self.negotiated.formats.iter();
        let format = formats.find(|format| format.payload_type == payload_type);
        format.map(|format| format.format)
    }

    /// What the peer says that it has lost, and what it asked for.
    pub(crate) fn losses(&self) -> Losses {
        let lost = self
            .statistics
            .remote()
            .map_or(0, |block| block.cumulative_lost);
        Losses {
            packets: u64::try_from(lost).unwrap_or(0),
            nack: self.feedback.nack,
            pli: self.feedback.pli + self.feedback.fir,
        }
    }

    /// How the stream is sent now.
    pub(crate) fn sending(&self) -> CurrentEncoding {
        self.sending
    }

    /// A message to what feeds this stream.
    pub(crate) fn upstream(&self, message: Upstream) {
        self.feed.upstream(message);
    }

    /// Appends a packet as this peer is to get it, with so many bytes of padding; `false` when it has
    /// no place in the peer's stream.
    #[inline]
    pub(crate) fn write_packet<P: Protect>(
        &mut self,
        now: Now,
        protect: &mut P,
        congestion: Option<&mut CongestionController>,
        packet: &Packet,
        padding: u8,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(format) = self.negotiated.format_of(packet) else {
            self.on_skipped(packet);
            return false;
        };
        self.sending.payload_type = format.payload_type;
        self.sending.clock_rate = format.clock_rate;
        self.write_as(format, now, protect, congestion, packet, padding, out)
    }

    /// The same, as a format that need not be one of those that media may have: an event beside it.
    #[inline]
    #[allow(clippy::too_many_arguments, reason = "those of every packet, and one")]
    pub(crate) fn write_as<P: Protect>(
        &mut self,
        format: SentFormat,
        now: Now,
        protect: &mut P,
        mut congestion: Option<&mut CongestionController>,
        packet: &Packet,
        padding: u8,
        out: &mut Vec<u8>,
    ) -> bool {
        self.rewriter.set_clock_rate(format.clock_rate);
        let (source, rtp, payload) = (source_of(packet), &packet.rtp, packet.payload());
        if format.codec.is_some() && self.rewriter.has_paused(now.instant) {
            self.resume(packet);
        }
        let front = match format.codec {
            Some(codec) => self
                .numbers
                .pictures
                .rewrite(numbers_of(packet), codec, payload),
            None => Some(Front::default()),
        };
        let Some(front) = front else {
            self.rewriter.skipped(rtp.sequence);
            return false;
        };
        let numbers = self.rewriter.rewrite(
            now.instant,
            source,
            rtp.sequence,
            rtp.timestamp,
            packet.presentation_time,
        );
        let Some(numbers) = numbers else { return false };
        let outgoing = OutgoingPacket {
            ssrc: self.ssrc,
            payload_type: format.payload_type,
            numbers,
            transport_sequence: self.next_transport_sequence(&mut congestion),
            prefix: &[],
            front,
            descriptor: self.numbers.descriptor(&self.negotiated, packet),
            send_time: self.send_time(now),
            has_mid: self.has_mid(numbers.sequence),
            padding,
        };
        if !self.repeats_in_a_stream(&format) {
            self.keep_mark(&outgoing);
        }
        if !self.protect(now.instant, protect, congestion, packet, &outgoing, out) {
            return false;
        }
        let at = now.instant_of(packet.presentation_time);
        self.statistics.set_clock_rate(format.clock_rate);
        self.statistics.sent(at, numbers.timestamp, payload.len());
        self.sending.encoding = packet.layer.encoding;
        let temporal = &mut self.sending.latest_temporal_layer;
        *temporal = packet.layer.temporal.max(*temporal);
        self.repair.on_sent(payload.len());
        if packet.is_keyframe() {
            let number = self.rewriter.extended(numbers.sequence);
            self.repair.on_keyframe(number);
        }
        true
    }

    /// Pictures come again after a long pause. Where something was lost meanwhile what comes refers to
    /// what the peer does not have, and a keyframe is asked for. The numbers go on all the same: one that
    /// is left out is waited for, and for much longer than a picture would be wrong.
    fn resume(&mut self, packet: &Packet) {
        self.numbers.pictures.forget_source();
        let continues = self
            .rewriter
            .continues(source_of(packet), packet.rtp.sequence);
        if !packet.is_keyframe() && !continues {
            self.feed.upstream(Upstream::KeyframeRequest);
        }
    }

    /// Whether packets of a format are sent again in a stream of their own, and so as packets of their own.
    #[inline]
    fn repeats_in_a_stream(&self, format: &SentFormat) -> bool {
        self.repair.stream.is_some() && format.rtx_payload_type.is_some()
    }

    /// Keeps what a retransmission under the same number needs to be the same to the bit.
    #[inline]
    fn keep_mark(&mut self, outgoing: &OutgoingPacket<'_>) {
        let mark = Mark {
            transport_sequence: outgoing.transport_sequence.unwrap_or(0),
            send_time: outgoing.send_time,
        };
        self.rewriter.set_mark(outgoing.numbers.sequence, mark);
    }

    /// Whether the packet under this number has the name of the section.
    #[inline]
    fn has_mid(&self, sequence: u16) -> bool {
        let mid = self.negotiated.mid.as_ref();
        mid.is_some_and(|mid| mid.goes_with(self.rewriter.extended(sequence)))
    }

    #[inline]
    fn send_time(&self, now: Now) -> [u8; 3] {
        let since = u64::try_from(now.pipeline).unwrap_or(0);
        ntp::abs_send_time_of(self.epoch.nanoseconds + since)
    }

    #[inline]
    fn next_transport_sequence(
        &self,
        congestion: &mut Option<&mut CongestionController>,
    ) -> Option<u16> {
        self.negotiated.transport_id?;
        congestion
            .as_deref_mut()
            .map(CongestionController::next_sequence_number)
    }

    #[inline]
    fn protect<P: Protect>(
        &self,
        now: Instant,
        protect: &mut P,
        congestion: Option<&mut CongestionController>,
        packet: &Packet,
        outgoing: &OutgoingPacket<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let (rtp, negotiated) = (&packet.rtp, &self.negotiated);
        let mut block = ExtensionBlock::default();
        extensions::copy(
            &rtp.extensions,
            &packet.bytes,
            &negotiated.extensions,
            outgoing.descriptor.as_ref(),
            &mut block,
        );
        if let Some(id) = negotiated.send_time_id {
            block.push(id, &outgoing.send_time);
        }
        if let (Some(id), Some(number)) = (negotiated.transport_id, outgoing.transport_sequence) {
            block.push(id, &number.to_be_bytes());
        }
        if let Some(mid) = negotiated.mid.as_ref().filter(|_| outgoing.has_mid) {
            let (id, name) = mid.element();
            block.push(id, name);
        }
        let header = OutgoingHeader {
            marker: rtp.marker,
            payload_type: outgoing.payload_type,
            sequence: outgoing.numbers.sequence,
            timestamp: outgoing.numbers.timestamp,
            ssrc: outgoing.ssrc,
            extensions: &block,
            padding: outgoing.padding,
        };
        let rest = packet
            .payload()
            .get(usize::from(outgoing.front.replaced)..)
            .unwrap_or_default();
        let payload = [outgoing.prefix, outgoing.front.bytes(), rest];
        let Ok(length) = protect.protect_rtp(&header, &payload, out) else {
            return false;
        };
        // Not before it is protected: a number that never went out would be reported as lost.
        if let Some(congestion) = congestion.filter(|_| outgoing.transport_sequence.is_some()) {
            congestion.on_sent(now, length);
        }
        true
    }

    /// A packet of the burst that this peer is not to get: the numbers close up behind it.
    #[inline]
    pub(crate) fn on_skipped(&mut self, packet: &Packet) {
        let source = source_of(packet);
        if self.rewriter.source() != Some(source) {
            return;
        }
        self.rewriter.skipped(packet.rtp.sequence);
        if let Some(codec) = self
            .negotiated
            .format_of(packet)
            .and_then(|format| format.codec)
        {
            self.numbers
                .pictures
                .skipped(numbers_of(packet), codec, packet.payload());
        }
    }
}

/// What the number of a packet's picture depends on.
#[inline]
fn numbers_of(packet: &Packet) -> PacketNumbers {
    PacketNumbers {
        source: source_of(packet),
        sequence: packet.rtp.sequence,
        timestamp: packet.rtp.timestamp,
    }
}

/// Names a stream of a source: a switch to another one is a switch of sections.
#[inline]
fn source_of(packet: &Packet) -> u64 {
    u64::from(packet.origin) << 32 | u64::from(packet.rtp.ssrc)
}
