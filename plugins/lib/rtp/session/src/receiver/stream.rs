//! One received stream of a track.

use std::time::{Duration, Instant};

use rivero_plugin_api::{Bytes, Layer};
use rivero_rtp::{
    RtpHeader,
    codec::{PayloadInfo, VideoCodec},
    nack::NackGenerator,
    receiver::ReceiverStatistics,
    rewriter::{Rewritten, StreamRewriter},
    rtcp::SenderInfo,
    window::ReceivedWindow,
};

use crate::clock::Now;

use super::{
    keyframe::AwaitedKeyframe,
    parameter_sets::{Beginning, ParameterSets},
    rate::StreamRate,
    timeline::Timeline,
    timestamps::Timestamps,
};

/// Bytes of an RTP header without anything optional, which packets of our own have room for.
pub(super) const PLAIN_HEADER: usize = 12;

/// A received stream. It has many fields because each is a state machine of its own, with its own
/// file and tests, and each packet passes all of them once.
pub(super) struct Stream {
    pub(super) ssrc: u32,
    /// The SSRC that consumers know it by, chosen at random (RFC 3550 §8.1): a stream that comes back
    /// under its SSRC has new numbers, and must not be taken for the one before.
    pub(super) forwarded_ssrc: u32,
    /// The stream of its retransmissions, once one came.
    pub(super) rtx_ssrc: Option<u32>,
    /// Index into the encodings of the track.
    pub(super) encoding: u8,
    pub(super) statistics: ReceiverStatistics,
    pub(super) nack: NackGenerator,
    pub(super) keyframe: AwaitedKeyframe,
    pub(super) window: ReceivedWindow,
    pub(super) timeline: Timeline,
    timestamps: Timestamps,
    /// Numbers without the gaps that padding leaves: consumers would ask for it again.
    pub(super) numbers: StreamRewriter,
    pub(super) counters: StreamCounters,
    pub(super) rate: StreamRate,
    sets: ParameterSets,
    frames: LayeredFrames,
    /// What follows a packet that was far from all others.
    probation: Option<u16>,
    clock_rate: u32,
}

/// Frames of a coding whose packets say their temporal layer, but not where a receiver of lower
/// ones may go up. In the structures that senders use (AV1 specification §6.7.5, L1T2 and L1T3) no
/// frame depends on one before the latest of the base layer: so it may go up with the first frame
/// of a layer after that, as long as it misses none between.
#[derive(Debug, Default)]
struct LayeredFrames {
    /// Timestamp and temporal layer of the latest frame.
    latest: (u32, u8),
    began: bool,
    /// The lowest layer above the base since the latest frame of the base layer.
    lowest: u8,
}

impl LayeredFrames {
    /// The layer of a packet of a frame, of which only the first says it, and whether its frame is
    /// one to go up with.
    fn on_packet(&mut self, timestamp: u32, temporal: u8) -> (u8, bool) {
        let (latest, layer) = self.latest;
        if timestamp == latest {
            let temporal = temporal.max(layer);
            self.latest = (timestamp, temporal);
            return (temporal, false);
        }
        if latest.wrapping_sub(timestamp).cast_signed() > 0 && self.began {
            // A late packet of an earlier frame changes nothing for the later ones.
            return (temporal, false);
        }
        self.began = true;
        self.latest = (timestamp, temporal);
        let lowest = self.lowest;
        self.lowest = if temporal == 0 {
            u8::MAX
        } else {
            lowest.min(temporal)
        };
        (temporal, temporal > 0 && temporal < lowest)
    }
}

/// Feedback that we sent about a stream.
#[derive(Debug, Default, Clone, Copy)]
pub struct StreamCounters {
    /// Generic NACK messages (RFC 4585 §6.2.1), however many packets each asks for.
    pub nack: u64,
    /// Picture loss indications (RFC 4585 §6.3.1).
    pub pli: u64,
    /// Full intra requests (RFC 5104 §4.3.1).
    pub fir: u64,
    /// Bit/s, the last one sent (REMB).
    pub remb: u64,
    /// Packets that came as retransmissions.
    pub repaired: u64,
}

/// Counters of a received stream.
#[derive(Debug, Clone)]
pub struct StreamSnapshot {
    /// As the peer sends it.
    pub ssrc: u32,
    /// The name of its encoding (RFC 8852), empty without simulcast.
    pub rid: String,
    /// Of the format that the track has now.
    pub payload_type: u8,
    /// Packets received, retransmissions in a stream of their own excepted.
    pub packets: u64,
    /// Of their payloads.
    pub bytes: u64,
    /// RFC 3550 §6.4.1.
    pub jitter: Duration,
    /// Packets, negative where more came than were sent (RFC 3550 §6.4.1).
    pub lost: i32,
    /// In 1/256, of the latest interval.
    pub fraction_lost: u8,
    /// Bit/s, 0 for a stream that is not being sent.
    pub bitrate: u64,
    /// Frames a second, of video.
    pub frame_rate: f64,
    /// Temporal layers seen, 0 before the first packet.
    pub temporal_layers: u8,
    /// What the peer was asked for.
    pub counters: StreamCounters,
}

impl Stream {
    pub(super) fn new(ssrc: u32, encoding: u8, clock_rate: u32) -> Self {
        Self {
            ssrc,
            forwarded_ssrc: rand::random(),
            rtx_ssrc: None,
            encoding,
            statistics: ReceiverStatistics::new(ssrc, clock_rate),
            nack: NackGenerator::default(),
            keyframe: AwaitedKeyframe::default(),
            window: ReceivedWindow::default(),
            timeline: Timeline::new(clock_rate),
            timestamps: Timestamps::new(clock_rate),
            numbers: StreamRewriter::new(clock_rate, 0, 0),
            counters: StreamCounters::default(),
            rate: StreamRate::default(),
            sets: ParameterSets::default(),
            frames: LayeredFrames::default(),
            probation: None,
            clock_rate,
        }
    }

    /// The packets to come have `clock_rate` timestamp units a second. Where that differs from
    /// before, their times begin anew, for consumers too.
    #[inline]
    pub(super) fn set_clock_rate(&mut self, clock_rate: u32) {
        if self.clock_rate != clock_rate {
            self.clock_rate = clock_rate;
            self.forwarded_ssrc = rand::random();
            self.statistics.set_clock_rate(clock_rate);
            self.timeline = Timeline::new(clock_rate);
            self.timestamps = Timestamps::new(clock_rate);
        }
    }

    /// A packet with so many bytes of payload came, or the retransmission of one (`repaired`). `false`
    /// for one that goes no further.
    #[inline]
    pub(super) fn on_packet(
        &mut self,
        now: Instant,
        header: &RtpHeader,
        payload: usize,
        repaired: bool,
        takes_nack: bool,
    ) -> bool {
        if self.is_stray(header.sequence) {
            return false;
        }
        // A retransmission came in a stream of its own (RFC 4588): reports about this one would take
        // what is lost for received, and the delay for jitter.
        if repaired {
            self.counters.repaired += 1;
        } else {
            self.statistics.received(now, header, payload);
        }
        // Before the window: a packet that came twice is not missing, either.
        if takes_nack {
            self.nack.received(now, header.sequence);
        }
        if !self.window.is_new(header.sequence) {
            return false;
        }
        if payload == 0 {
            // Padding that probes the path: for us alone, so its number is closed up.
            self.numbers.skipped(header.sequence);
            return false;
        }
        true
    }

    /// The parameter sets that are to be sent before a packet, with their numbers for consumers. `info`
    /// says then whether decoders can begin with the packet, which is not for its own units to say.
    #[inline]
    pub(super) fn missing_sets(
        &mut self,
        now: Instant,
        header: &RtpHeader,
        codec: Option<VideoCodec>,
        content: &[u8],
        given: &[Box<[u8]>],
        info: &mut PayloadInfo,
    ) -> Vec<(u16, Bytes)> {
        let timestamp = header.timestamp;
        let beginning = codec.map_or(Beginning::Plain, |codec| {
            let numbers = (header.sequence, timestamp);
            self.sets.on_packet(codec, numbers, content, given)
        });
        match beginning {
            Beginning::Plain => return Vec::new(),
            Beginning::Undecodable => {
                info.keyframe_start = false;
                return Vec::new();
            }
            Beginning::WithoutSets => {}
        }
        let missing = self.sets.take_missing(timestamp);
        let packets = missing.map_while(|unit| {
            // A picture whose first packet is late has no room in front of it.
            let number = self.numbers.insert(now, 0, header.sequence, timestamp, 0)?;
            let mut packet = vec![0; PLAIN_HEADER];
            packet.extend_from_slice(unit);
            Some((number, Bytes::from(packet)))
        });
        packets.collect()
    }

    /// Whether a packet is far from all others and does not follow such a one: a sender that begins anew
    /// sends more, and one packet says nothing (RFC 3550 appendix A.1). Decided here for all that count
    /// by sequence numbers, so that none of them begins anew alone.
    #[inline]
    fn is_stray(&mut self, sequence: u16) -> bool {
        if !self.window.is_far(sequence) {
            return false;
        }
        let follows = self.probation == Some(sequence);
        self.probation = Some(sequence.wrapping_add(1));
        !follows
    }

    /// What a packet of `length` bytes carries is this. Gives its numbers for consumers; `None` for one
    /// that is too old to have any.
    #[inline]
    pub(super) fn on_content(
        &mut self,
        now: Instant,
        header: &RtpHeader,
        length: usize,
        info: PayloadInfo,
    ) -> Option<Rewritten> {
        if info.keyframe_start && self.keyframe.on_keyframe(header.timestamp) {
            self.nack.keyframe(header.sequence);
        }
        // After `on_keyframe`, so that a keyframe's first packet counts as one of it.
        let of_keyframe = self.keyframe.is_of(header.timestamp);
        self.rate.on_packet(now, length, header.marker, of_keyframe);
        self.numbers
            .rewrite(now, 0, header.sequence, header.timestamp, 0)
    }

    /// The timestamp of a packet as consumers get it, without the jumps of its sender.
    ///
    /// `ticks`: the timestamp units that it lasts, 0 where that is not known.
    #[inline]
    pub(super) fn continuous_timestamp(
        &mut self,
        arrival: i64,
        header: &RtpHeader,
        ticks: u32,
    ) -> u32 {
        let (sequence, timestamp) = (header.sequence, header.timestamp);
        self.timestamps
            .on_lasting(arrival, sequence, timestamp, ticks)
    }

    /// A sender report about this stream.
    pub(super) fn on_sender_report(&mut self, now: Now, info: &SenderInfo) {
        self.statistics.sender_report(now.instant, info);
        let timestamp = self.timestamps.map(info.rtp_timestamp);
        self.timeline
            .on_sender_report(now.pipeline, info.ntp, timestamp);
    }

    /// The layer of a packet, and whether a receiver of lower ones may go up to it here.
    pub(super) fn layer(
        &mut self,
        codec: Option<VideoCodec>,
        timestamp: u32,
        info: PayloadInfo,
    ) -> (Layer, bool) {
        let (temporal, sync) = match codec {
            Some(VideoCodec::Av1) => self.frames.on_packet(timestamp, info.temporal_layer),
            _ => (info.temporal_layer, info.layer_sync),
        };
        self.rate.layers = self.rate.layers.max(temporal.saturating_add(1));
        let layer = Layer {
            encoding: self.encoding,
            spatial: info.spatial_layer,
            temporal,
        };
        (layer, sync)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::timeline::SenderClock;

    #[test]
    fn one_packet_from_far_away_changes_nothing_and_two_begin_anew() {
        let mut stream = Stream::new(1, 0, 90_000);
        let now = Instant::now();
        let mut take = |sequence: u16| {
            let mut packet = vec![0x80, 96];
            packet.extend_from_slice(&sequence.to_be_bytes());
            packet.extend_from_slice(&[0; 9]);
            let header = RtpHeader::parse(&packet).unwrap();
            stream.on_packet(now, &header, 1, false, true)
        };
        assert!(take(100) && take(101));
        assert!(!take(40_000) && take(102), "a stray one");
        assert!(!take(40_000) && !take(50_000) && take(103), "two of them");
        assert!(
            !take(20_000) && take(20_001) && take(20_002),
            "a new beginning"
        );
        assert!(!take(104) && take(20_003));
    }

    #[test]
    fn times_go_on_with_another_clock_rate() {
        let mut stream = Stream::new(1, 0, 48_000);
        let clock = SenderClock::default();
        let forwarded = stream.forwarded_ssrc;
        // A packet each 20 ms, of Opus for 10 s and of PCMU then.
        for packet in 0..1500i64 {
            let (clock_rate, step) = if packet < 500 {
                (48_000, 960)
            } else {
                (8000, 160)
            };
            stream.set_clock_rate(clock_rate);
            let arrival = packet * 20_000_000;
            let timestamp = u32::try_from(packet * step).unwrap();
            let time = stream.timeline.presentation(arrival, timestamp, &clock);
            assert!((time - arrival).abs() < 1_000_000, "{packet}: {time}");
            assert_eq!(stream.forwarded_ssrc == forwarded, packet < 500);
        }
    }

    #[test]
    fn av1_goes_up_with_the_first_frame_of_a_layer_after_the_base() {
        let mut frames = LayeredFrames::default();
        let syncs: Vec<bool> = [1, 0, 2, 1, 2, 0, 2, 1, 2, 0, 1, 2, 1]
            .into_iter()
            .zip(1u32..)
            .map(|(temporal, number)| frames.on_packet(number, temporal).1)
            .collect();
        let wanted = [2, 3, 6, 7, 10];
        for (number, sync) in syncs.into_iter().enumerate() {
            assert_eq!(sync, wanted.contains(&number), "frame {number}");
        }
    }

    #[test]
    fn later_packets_of_a_frame_have_its_layer() {
        let mut frames = LayeredFrames::default();
        assert_eq!(frames.on_packet(1, 0), (0, false));
        assert_eq!(frames.on_packet(2, 2), (2, true));
        assert_eq!(frames.on_packet(2, 0), (2, false));
        assert_eq!(frames.on_packet(3, 1), (1, true));
        assert_eq!(frames.on_packet(2, 2), (2, false), "late");
        assert_eq!(frames.on_packet(3, 0), (1, false), "still the same frame");
    }
}
