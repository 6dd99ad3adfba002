//! Packets that go out once more: because the peer misses them (RFC 4585 §6.2.1), or to find out
//! whether the path carries more.

use std::time::{Duration, Instant};

use rivero_congestion::CongestionController;
use rivero_plugin_api::{Packet, Upstream};
use rivero_rtp::{picture::Front, rewriter::Rewritten, rtcp::LostSequences};

use super::{OutgoingPacket, Sender, repair::longest_age};
use crate::{clock::Now, protect::Protect};

/// Retransmissions that one request may cause: more do not fit into one round trip of any path that
/// has lost as many.
const MAX_RETRANSMISSIONS: usize = 100;
/// Latest packets that probes repeat: recent ones, so that one which the peer misses is of use to it,
/// and several, so that a probe has packets of usual sizes.
const PROBE_PACKETS: u16 = 16;

impl Sender {
    /// The packets that the peer misses, with the numbers they had, as far as they are still to be had
    /// and may be sent again now. A peer that misses pictures too old for that, after its network was
    /// away say, gets a keyframe instead. `waited`: how long packets may have waited here before they
    /// were sent.
    pub(crate) fn on_nack(
        &mut self,
        now: Now,
        lost: LostSequences<'_>,
        waited: Duration,
    ) -> Vec<(u16, Packet)> {
        self.feedback.nack += 1;
        let round_trip = self.statistics.round_trip().unwrap_or_default();
        let longest =
            i64::try_from((longest_age(round_trip) + waited).as_nanos()).unwrap_or(i64::MAX);
        let is_old = |packet: &Packet| now.pipeline - packet.ingress_time > longest;
        let mut found = Vec::new();
        for sent in lost.take(MAX_RETRANSMISSIONS) {
            let packet = self.sent_as(sent);
            let is_gone = packet
                .as_ref()
                .map_or_else(|| self.rewriter.is_forgotten(sent), is_old);
            if is_gone && self.needs_keyframe_instead(now.instant, sent) {
                // What is missing after it would be of no use without that keyframe, either.
                return Vec::new();
            }
            let Some(packet) = packet.filter(|_| !is_gone) else {
                continue;
            };
            let length = packet.payload().len();
            if self
                .repair
                .may_repeat(now.instant, sent, length, round_trip)
            {
                found.push((sent, packet));
            }
        }
        found
    }

    /// Whether the peer, which will not get what was sent under this number, needs a keyframe;
    /// asks for it.
    fn needs_keyframe_instead(&mut self, now: Instant, sent: u16) -> bool {
        let number = self.rewriter.extended(sent);
        let mut formats = self.negotiated.formats.iter();
        let is_video = formats.any(|format| format.codec.is_some());
        let is_needed = is_video && self.repair.keyframe.is_needed(number);
        if is_needed && self.repair.keyframe.is_due(now) {
            self.feed.upstream(Upstream::KeyframeRequest);
        }
        is_needed
    }

    /// The packet that went out under a number, or should have and came too early: before the first one
    /// of the keyframe that the stream begins with. What came before a switch has
    /// other timestamps, and is of no use any more.
    fn sent_as(&self, sequence: u16) -> Option<Packet> {
        let origin = self.rewriter.origin(sequence);
        let (source, original) = origin.or_else(|| self.rewriter.never_sent(sequence))?;
        #[allow(
            clippy::cast_possible_truncation,
            reason = "the lower half is the SSRC"
        )]
        self.feed.history(source as u32, original)
    }

    /// Appends a packet again, which the peer misses: in the stream of retransmissions, or under
    /// the number it had, and then the same to the bit.
    pub(crate) fn write_retransmission<P: Protect>(
        &mut self,
        now: Now,
        protect: &mut P,
        congestion: Option<&mut CongestionController>,
        sequence: u16,
        packet: &Packet,
        out: &mut Vec<u8>,
    ) -> bool {
        if self.rewriter.origin(sequence).is_none() {
            self.rewriter.on_sent_late(sequence, packet.rtp.sequence);
        }
        let written = self.write_again(now, protect, congestion, sequence, packet, out);
        self.feedback.retransmitted += u64::from(written);
        written
    }

    /// Whether what is sent has a stream of retransmissions, which probes need: under its own number
    /// a packet's feedback would mean nothing.
    pub(crate) fn can_probe(&self) -> bool {
        let sent = self.sending.payload_type;
        let mut formats = self.negotiated.formats.iter();
        let format = formats.find(|format| format.payload_type == sent);
        self.repair.stream.is_some()
            && format.is_some_and(|format| format.rtx_payload_type.is_some())
    }

    /// Appends one of the latest packets again, to see whether the path carries
    /// more; `turn` chooses which. Nothing without a stream of retransmissions.
    pub(crate) fn write_probe<P: Protect>(
        &mut self,
        now: Now,
        protect: &mut P,
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
        self.write_again(now, protect, Some(congestion), sequence, &packet, out)
    }

    /// Bytes that went out once more, as retransmissions or in probes.
    pub(crate) fn repeated_bytes(&self) -> u64 {
        self.repair.repeated_bytes
    }

    fn write_again<P: Protect>(
        &mut self,
        now: Now,
        protect: &mut P,
        congestion: Option<&mut CongestionController>,
        sequence: u16,
        packet: &Packet,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(format) = self.negotiated.format_of(packet) else {
            return false;
        };
        let (timestamp, payload) = (packet.rtp.timestamp, packet.payload());
        let front = match format.codec {
            Some(codec) => self
                .numbers
                .pictures
                .rewrite_again(timestamp, codec, payload),
            None => Some(Front::default()),
        };
        let Some(front) = front else {
            return false;
        };
        let repeated = OutgoingPacket {
            ssrc: self.ssrc,
            payload_type: format.payload_type,
            numbers: Rewritten {
                sequence,
                timestamp: self.rewriter.timestamp(timestamp),
            },
            transport_sequence: None,
            prefix: &[],
            front,
            descriptor: self.numbers.descriptor_again(&self.negotiated, packet),
            send_time: self.send_time(now),
            has_mid: self.has_mid(sequence),
            padding: 0,
        };
        let begin = out.len();
        let written = match self.repair.stream_for(&format) {
            Some((stream, payload_type)) => {
                let outgoing = OutgoingPacket {
                    ssrc: stream.ssrc,
                    payload_type,
                    numbers: Rewritten {
                        sequence: stream.next_sequence(),
                        ..repeated.numbers
                    },
                    prefix: &sequence.to_be_bytes(),
                    // A report about the other stream does not say that the peer knows this one, and few
                    // packets are sent in it.
                    has_mid: true,
                    ..repeated
                };
                self.write_first(now, protect, congestion, packet, outgoing, out)
            }
            None => self.write_under_its_number(now, protect, congestion, packet, repeated, out),
        };
        self.repair.repeated_bytes += (out.len() - begin) as u64;
        written
    }

    /// Appends a packet that is one of its own for whoever counts what arrives.
    fn write_first<P: Protect>(
        &mut self,
        now: Now,
        protect: &mut P,
        mut congestion: Option<&mut CongestionController>,
        packet: &Packet,
        mut outgoing: OutgoingPacket<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        outgoing.transport_sequence = self.next_transport_sequence(&mut congestion);
        self.protect(now.instant, protect, congestion, packet, &outgoing, out)
    }

    /// Appends a packet under the number that it had, and so the same to the bit; or for the first time,
    /// where it was never sent.
    fn write_under_its_number<P: Protect>(
        &mut self,
        now: Now,
        protect: &mut P,
        mut congestion: Option<&mut CongestionController>,
        packet: &Packet,
        mut outgoing: OutgoingPacket<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(mark) = self.rewriter.mark(outgoing.numbers.sequence) else {
            outgoing.transport_sequence = self.next_transport_sequence(&mut congestion);
            self.keep_mark(&outgoing);
            return self.protect(now.instant, protect, congestion, packet, &outgoing, out);
        };
        outgoing.send_time = mark.send_time;
        if let (Some(_), Some(congestion)) = (self.negotiated.transport_id, congestion) {
            outgoing.transport_sequence = Some(mark.transport_sequence);
            // It is not counted again: its feedback would mean nothing.
            congestion.on_repeated(mark.transport_sequence);
        }
        self.protect(now.instant, protect, None, packet, &outgoing, out)
    }
}
