//! What one peer is sent of one kind of media.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use rivero_congestion::{CongestionController, RetransmissionBudget};
use rivero_plugin_api::{Extensions, Packet, SinkPad, Upstream};
use rivero_rtp::{
    ExtensionBlock, ExtensionMap, HeaderExtension, OutgoingHeader,
    codec::VideoCodec,
    ntp,
    picture::{MAX_FRONT, PictureNumbers},
    rewriter::{Rewritten, StreamRewriter},
    rtcp::{CompoundBuilder, LostSequences, ReportBlock},
    sender::SenderStatistics,
};

use smallvec::SmallVec;

use super::{
    extension_of,
    repair::{FreshStart, RepairStream, longest_age},
};
use crate::peer::Peer;

/// A format that the peer accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentFormat {
    pub(crate) format: u32,
    pub(crate) payload_type: u8,
    pub(crate) clock_rate: u32,
    /// `None` for what has no picture numbers that would have to go on.
    pub(crate) codec: Option<VideoCodec>,
    /// Of retransmissions in a stream of their own.
    pub(crate) rtx_payload_type: Option<u8>,
    /// The peer sends transport-wide feedback.
    pub(crate) transport_cc: bool,
}

/// Retransmissions that one request may cause.
const MAX_RETRANSMISSIONS: usize = 100;
/// Latest packets that probes repeat.
const PROBE_PACKETS: u16 = 16;

/// Formats that one kind of media has, but for peers that offer very many.
const USUAL_FORMATS: usize = 4;

/// The sending side of a track.
pub(crate) struct Outbound {
    sink: Arc<SinkPad>,
    ssrc: u32,
    cname: Arc<str>,
    formats: SmallVec<[SentFormat; USUAL_FORMATS]>,
    extensions: ExtensionMap,
    /// The extension for the time of sending.
    send_time_id: Option<u8>,
    /// The extension for transport-wide sequence numbers, where they are reported about.
    transport_id: Option<u8>,
    rewriter: StreamRewriter,
    pictures: PictureNumbers,
    repair: Option<RepairStream>,
    budget: RetransmissionBudget,
    fresh_start: FreshStart,
    /// Of retransmissions and probes.
    repeated_bytes: u64,
    statistics: SenderStatistics,
    /// The wall clock at pipeline time 0. Fixed: a packet that is sent again
    /// must be the same to the bit.
    epoch: SystemTime,
    /// The same in ns since 1900.
    epoch_nanoseconds: u64,
    /// Bit/s last told to the source.
    told: Option<u64>,
    /// Bounds of what the source is asked for, bit/s; an upper one of 0 is none.
    bounds: (u64, u64),
    /// What the peer's description takes at most, bit/s.
    described: Option<u64>,
    pub(crate) feedback: FeedbackCounters,
    /// The present negotiation lets us send.
    enabled: bool,
    sent: SentForm,
    /// Of `sent`, as far as the present interval has shown it.
    temporal_layer: u8,
}

/// How the stream is sent.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct SentForm {
    pub(crate) payload_type: u8,
    /// Number of the source's encoding.
    pub(crate) encoding: u8,
    /// The highest one that was sent between the latest reports.
    pub(crate) temporal_layer: u8,
}

/// What a packet gets on its way out.
struct Form<'a> {
    ssrc: u32,
    payload_type: u8,
    numbers: Rewritten,
    /// The transport-wide sequence number.
    transport: Option<u16>,
    /// What goes in front of the payload.
    prefix: &'a [u8],
    /// What replaces the beginning of the payload.
    front: &'a [u8],
    /// Bytes of padding behind the payload.
    padding: u8,
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
        let transport_id = extensions.id(HeaderExtension::TransportSequence);
        let is_reported = formats.iter().any(|format| format.transport_cc);
        Self {
            sink,
            ssrc,
            cname,
            formats: SmallVec::from_slice(&formats),
            send_time_id: extensions.id(HeaderExtension::AbsSendTime),
            extensions,
            transport_id: transport_id.filter(|_| is_reported),
            rewriter: StreamRewriter::new(clock_rate, sequence, timestamp),
            pictures: PictureNumbers::default(),
            repair: None,
            budget: RetransmissionBudget::default(),
            fresh_start: FreshStart::default(),
            repeated_bytes: 0,
            statistics: SenderStatistics::new(clock_rate),
            epoch,
            epoch_nanoseconds: ntp::nanoseconds(epoch),
            told: None,
            bounds: (0, 0),
            described: None,
            feedback: FeedbackCounters::default(),
            enabled: true,
            sent: SentForm::default(),
            temporal_layer: 0,
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
            self.pictures.forget_source();
        }
        self.formats = settings.formats;
        self.extensions = settings.extensions;
        self.send_time_id = settings.send_time_id;
        self.transport_id = settings.transport_id;
        self.bounds = settings.bounds;
        self.described = settings.described;
        // One that is not negotiated now keeps its number for when it is again.
        if let Some(repair) = settings.repair {
            self.repair = self
                .repair
                .filter(|known| known.ssrc == repair.ssrc)
                .or(Some(repair));
        }
    }

    /// Nothing may be sent any more, until a later negotiation.
    pub(crate) fn pause(&mut self) {
        self.enabled = false;
        self.shut();
    }

    /// Retransmissions go under an SSRC of their own (RFC 4588), beginning with a sequence
    /// number chosen at random below 32768.
    pub(crate) fn with_repair_stream(self, ssrc: u32, sequence: u16) -> Self {
        Self {
            repair: Some(RepairStream::new(ssrc, sequence)),
            ..self
        }
    }

    /// The source is asked for what lies within `bounds` (bit/s; an upper one of 0 is none) and
    /// for no more than the peer's description takes.
    pub(crate) fn with_bounds(self, bounds: (u64, u64), described: Option<u64>) -> Self {
        Self {
            bounds,
            described,
            ..self
        }
    }

    /// Changes the bounds of what the source is asked for.
    pub(crate) fn set_bounds(&mut self, bounds: (u64, u64)) {
        self.bounds = bounds;
    }

    /// Bit/s that the source is asked for at most.
    pub(crate) fn upper_bound(&self) -> u64 {
        let set = Some(self.bounds.1).filter(|high| *high > 0);
        set.into_iter()
            .chain(self.described)
            .min()
            .unwrap_or(u64::MAX)
    }

    /// Whether the peer reports when packets arrive.
    pub(crate) fn gets_arrivals(&self) -> bool {
        self.transport_id.is_some()
    }

    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(crate) fn statistics(&self) -> &SenderStatistics {
        &self.statistics
    }

    /// Bytes that went out once more, as retransmissions or in probes.
    pub(crate) fn repeated_bytes(&self) -> u64 {
        self.repeated_bytes
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

    /// Whether a packet may be padded: where it would be sent again under its own number it has to
    /// be the same to the bit (two packets under one number give the key of AES-GCM away), and how
    /// it was padded is not kept.
    pub(crate) fn may_pad(&self, packet: &Packet) -> bool {
        let format = self.format(packet);
        self.repair.is_some() && format.is_some_and(|format| format.rtx_payload_type.is_some())
    }

    /// How a packet's length compares with that of others of this peer: without what all of them
    /// have, and with the extensions that some have.
    pub(crate) fn length_of(&self, packet: &Packet) -> usize {
        let extensions = packet.rtp.extensions.iter();
        let passed = extensions.filter(|extension| {
            extension_of(extension.kind).is_some_and(|kind| self.extensions.id(kind).is_some())
        });
        let length: usize = passed.map(|one| 1 + usize::from(one.length)).sum();
        packet.payload().len() + length.next_multiple_of(4)
    }

    /// Appends a packet as this peer is to get it, with so many bytes of padding; `false` when it
    /// has no place in the peer's stream.
    pub(crate) fn write(
        &mut self,
        moment: Moment,
        peer: &mut Peer,
        mut congestion: Option<&mut CongestionController>,
        packet: &Packet,
        padding: u8,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(format) = self.format(packet) else {
            self.skip(packet);
            return false;
        };
        self.rewriter.set_clock_rate(format.clock_rate);
        let (source, rtp, payload) = (source_of(packet), &packet.rtp, packet.payload());
        if format.codec.is_some() && self.rewriter.has_paused(moment.now) {
            self.resume(packet);
        }
        let mut front = [0; MAX_FRONT];
        let replaced = match format.codec {
            Some(codec) => self.pictures.rewrite(source, codec, payload, &mut front),
            None => Some(0),
        };
        let Some(replaced) = replaced else {
            self.rewriter.skipped(rtp.sequence);
            return false;
        };
        let numbers = self
            .rewriter
            .rewrite(moment.now, source, rtp.sequence, rtp.timestamp);
        let Some(numbers) = numbers else { return false };
        debug_assert!(padding == 0 || self.may_pad(packet));
        let form = Form {
            ssrc: self.ssrc,
            payload_type: format.payload_type,
            numbers,
            transport: self.next_transport(&mut congestion),
            prefix: &[],
            front: front.get(..replaced).unwrap_or_default(),
            padding,
        };
        if let Some(number) = form.transport {
            self.rewriter.set_mark(numbers.sequence, number);
        }
        if !self.protect(moment.now, peer, congestion, packet, &form, out) {
            return false;
        }
        let at = moment.instant(packet.presentation_time);
        self.statistics.set_clock_rate(format.clock_rate);
        self.statistics.sent(at, numbers.timestamp, payload.len());
        self.sent.payload_type = format.payload_type;
        self.sent.encoding = packet.layer.encoding;
        self.temporal_layer = self.temporal_layer.max(packet.layer.temporal);
        self.budget.earn(payload.len());
        if packet.is_keyframe() {
            let number = self.rewriter.extended(numbers.sequence);
            self.fresh_start.keyframe(number);
        }
        true
    }

    /// Pictures come again after a long pause. A keyframe goes on from what was sent; the rest of
    /// something else was lost on the way here, and must not look as if it followed.
    fn resume(&mut self, packet: &Packet) {
        if packet.is_keyframe() {
            self.pictures.forget_source();
        } else {
            self.rewriter.leave_gap();
        }
    }

    fn next_transport(&self, congestion: &mut Option<&mut CongestionController>) -> Option<u16> {
        self.transport_id?;
        congestion
            .as_deref_mut()
            .map(CongestionController::next_sequence_number)
    }

    /// Appends a packet again, which the peer misses: in the stream of retransmissions, or under
    /// the number it had, and then the same to the bit.
    pub(crate) fn write_again(
        &mut self,
        now: Instant,
        peer: &mut Peer,
        congestion: Option<&mut CongestionController>,
        sequence: u16,
        packet: &Packet,
        out: &mut Vec<u8>,
    ) -> bool {
        let written = self.repeat(now, peer, congestion, sequence, packet, out);
        self.feedback.retransmitted += u64::from(written);
        written
    }

    fn repeat(
        &mut self,
        now: Instant,
        peer: &mut Peer,
        mut congestion: Option<&mut CongestionController>,
        sequence: u16,
        packet: &Packet,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(format) = self.format(packet) else {
            return false;
        };
        let mut front = [0; MAX_FRONT];
        let replaced = match format.codec {
            Some(codec) => self
                .pictures
                .rewrite_again(codec, packet.payload(), &mut front),
            None => Some(0),
        };
        let Some(replaced) = replaced else {
            return false;
        };
        let timestamp = self.rewriter.timestamp(packet.rtp.timestamp);
        let mut numbers = Rewritten {
            sequence,
            timestamp,
        };
        let original = sequence.to_be_bytes();
        let repair = self.repair.as_mut().zip(format.rtx_payload_type);
        let (ssrc, payload_type, prefix) = match repair {
            Some((stream, payload_type)) => {
                numbers.sequence = stream.next();
                (stream.ssrc, payload_type, &original[..])
            }
            None => (self.ssrc, format.payload_type, &[][..]),
        };
        let transport = match (self.transport_id, congestion.as_deref_mut()) {
            (Some(_), Some(congestion)) if prefix.is_empty() => {
                let number = self.rewriter.mark(sequence);
                congestion.on_repeated(number);
                Some(number)
            }
            (Some(_), Some(congestion)) => Some(congestion.next_sequence_number()),
            _ => None,
        };
        let form = Form {
            ssrc,
            payload_type,
            numbers,
            transport,
            prefix,
            front: front.get(..replaced).unwrap_or_default(),
            padding: 0,
        };
        // Under its old number it is not counted again.
        let congestion = congestion.filter(|_| !prefix.is_empty());
        let begin = out.len();
        let written = self.protect(now, peer, congestion, packet, &form, out);
        self.repeated_bytes += (out.len() - begin) as u64;
        written
    }

    /// Whether what is sent has a stream of retransmissions, which probes need.
    pub(crate) fn can_probe(&self) -> bool {
        let sent = self.sent.payload_type;
        let mut formats = self.formats.iter();
        let format = formats.find(|format| format.payload_type == sent);
        self.repair.is_some() && format.is_some_and(|format| format.rtx_payload_type.is_some())
    }

    /// Appends one of the latest packets again, to see whether the path carries
    /// more; `turn` chooses which. Nothing without a stream of retransmissions.
    pub(crate) fn write_probe(
        &mut self,
        now: Instant,
        peer: &mut Peer,
        congestion: &mut CongestionController,
        turn: u16,
        out: &mut Vec<u8>,
    ) -> bool {
        if !self.can_probe() {
            return false;
        }
        let sequence = self.rewriter.latest().wrapping_sub(turn % PROBE_PACKETS);
        let Some(packet) = self.sent_as(sequence) else {
            return false;
        };
        self.repeat(now, peer, Some(congestion), sequence, &packet, out)
    }

    #[inline]
    fn format(&self, packet: &Packet) -> Option<SentFormat> {
        let of_packet = |format: &&SentFormat| self.enabled && format.format == packet.format;
        self.formats.iter().find(of_packet).copied()
    }

    fn protect(
        &mut self,
        now: Instant,
        peer: &mut Peer,
        congestion: Option<&mut CongestionController>,
        packet: &Packet,
        form: &Form<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let (rtp, mut block) = (&packet.rtp, ExtensionBlock::default());
        copy_extensions(&rtp.extensions, &packet.bytes, &self.extensions, &mut block);
        if let Some(id) = self.send_time_id {
            let since = u64::try_from(packet.ingress_time).unwrap_or(0);
            block.push(id, &ntp::abs_send_time_of(self.epoch_nanoseconds + since));
        }
        if let (Some(id), Some(number)) = (self.transport_id, form.transport) {
            block.push(id, &number.to_be_bytes());
        }
        let header = OutgoingHeader {
            marker: rtp.marker,
            payload_type: form.payload_type,
            sequence: form.numbers.sequence,
            timestamp: form.numbers.timestamp,
            ssrc: form.ssrc,
            extensions: &block,
            padding: form.padding,
        };
        let rest = packet.payload().get(form.front.len()..).unwrap_or_default();
        let Ok(length) = peer.protect_rtp(&header, &[form.prefix, form.front, rest], out) else {
            return false;
        };
        if let Some(congestion) = congestion.filter(|_| form.transport.is_some()) {
            congestion.on_sent(now, length);
        }
        true
    }

    /// A packet of the burst that this peer is not to get.
    pub(crate) fn skip(&mut self, packet: &Packet) {
        let source = source_of(packet);
        if self.rewriter.source() != Some(source) {
            return;
        }
        self.rewriter.skipped(packet.rtp.sequence);
        if let Some(codec) = self.format(packet).and_then(|format| format.codec) {
            self.pictures.skipped(source, codec, packet.payload());
        }
    }

    /// The packets that the peer misses, with the numbers they had, as far as
    /// they are still to be had and may be sent again now. A peer that misses
    /// pictures too old for that, after darkness say, gets a keyframe instead.
    /// `held`: how long packets may have waited here before they were sent.
    pub(crate) fn missing(
        &mut self,
        moment: Moment,
        lost: LostSequences<'_>,
        held: Duration,
    ) -> Vec<(u16, Packet)> {
        self.feedback.nack += 1;
        let round_trip = self.statistics.round_trip().unwrap_or_default();
        let longest =
            i64::try_from((longest_age(round_trip) + held).as_nanos()).unwrap_or(i64::MAX);
        let is_old = |packet: &Packet| moment.pipeline - packet.ingress_time > longest;
        let mut found = Vec::new();
        for sent in lost.take(MAX_RETRANSMISSIONS) {
            let packet = self.sent_as(sent);
            let is_gone = packet
                .as_ref()
                .map_or_else(|| self.rewriter.is_forgotten(sent), is_old);
            if is_gone && self.starts_afresh(moment.now, sent) {
                return Vec::new();
            }
            let Some(packet) = packet.filter(|_| !is_gone) else {
                continue;
            };
            let length = packet.payload().len();
            if self.budget.spend(moment.now, sent, length, round_trip) {
                found.push((sent, packet));
            }
        }
        found
    }

    /// Whether the peer, which will not get what was sent under this number, needs a keyframe;
    /// asks for it.
    fn starts_afresh(&mut self, now: Instant, sent: u16) -> bool {
        let number = self.rewriter.extended(sent);
        let is_video = self.formats.iter().any(|format| format.codec.is_some());
        let is_needed = is_video && self.fresh_start.is_needed(number);
        if is_needed && self.fresh_start.ask(now) {
            self.sink.upstream(Upstream::KeyframeRequest);
        }
        is_needed
    }

    /// The packet that went out under a number. What came before a switch has
    /// other timestamps, and is of no use any more.
    fn sent_as(&self, sequence: u16) -> Option<Packet> {
        let (source, original) = self.rewriter.origin(sequence)?;
        #[allow(
            clippy::cast_possible_truncation,
            reason = "the lower half is the SSRC"
        )]
        self.sink.history(source as u32, original)
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

    /// Tells the source what the path to the peer carries, bit/s, `u64::MAX`
    /// when nothing limits it; changes of less than a thirtieth are kept back.
    pub(crate) fn limit_source(&mut self, bits_per_second: u64) {
        let bits_per_second = bits_per_second.min(self.upper_bound()).max(self.bounds.0);
        let told = self.told.unwrap_or(u64::MAX);
        if told.abs_diff(bits_per_second) > told.min(bits_per_second) / 30 {
            self.told = Some(bits_per_second);
            self.sink
                .upstream(Upstream::BandwidthEstimate { bits_per_second });
        }
    }

    /// How the stream is sent now.
    pub(crate) fn sent_form(&self) -> SentForm {
        self.sent
    }

    /// Adds a sender report once something was sent.
    pub(crate) fn report(
        &mut self,
        moment: Moment,
        blocks: &[ReportBlock],
        compound: &mut CompoundBuilder,
    ) -> bool {
        self.sent.temporal_layer = std::mem::take(&mut self.temporal_layer);
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
