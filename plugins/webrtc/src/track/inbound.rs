//! What one peer sends of one kind of media.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rivero_plugin_api::{Bytes, Extension, Extensions, Layer, MediaKind, Packet, Rtp, SourcePad};
use rivero_rtp::{
    ExtensionMap, RtpHeader,
    codec::{PayloadInfo, VideoCodec},
    nack::{NackGenerator, NackOutcome},
    receiver::ReceiverStatistics,
    remb::RembEstimator,
    rewriter::StreamRewriter,
    rtcp::{CompoundBuilder, ReportBlock, SenderInfo},
};

use super::{SenderClock, kind_of, outbound::Moment, timeline::Timeline};

/// Streams of one track; a peer that invents more of them is not listened to.
const MAX_STREAMS: usize = 8;

/// A format that the peer may send.
#[derive(Debug, Clone)]
pub(crate) struct ReceivedFormat {
    pub(crate) payload_type: u8,
    pub(crate) format: u32,
    pub(crate) clock_rate: u32,
    /// `None` for audio and for video that cannot be looked into.
    pub(crate) codec: Option<VideoCodec>,
    /// The peer takes generic NACKs.
    pub(crate) nack: bool,
    /// The peer takes picture loss indications.
    pub(crate) pli: bool,
    /// The peer takes full intra requests.
    pub(crate) fir: bool,
    /// The peer takes bitrate estimates.
    pub(crate) remb: bool,
}

/// The receiving side of a track.
pub(crate) struct Inbound {
    pad: Arc<SourcePad>,
    kind: MediaKind,
    formats: Vec<ReceivedFormat>,
    extensions: ExtensionMap,
    streams: Vec<Stream>,
    current: Option<u32>,
    burst: Vec<Packet>,
    lost: Vec<u16>,
    estimator: RembEstimator,
    fir_number: u8,
    wants_keyframe: bool,
    /// The present negotiation lets the peer send.
    enabled: bool,
}

struct Stream {
    ssrc: u32,
    /// What consumers know it by: a stream that comes back has new numbers, and must not be
    /// taken for the one before.
    name: u32,
    statistics: ReceiverStatistics,
    nack: NackGenerator,
    timeline: Timeline,
    /// Numbers without the gaps that padding leaves.
    numbers: StreamRewriter,
    counters: StreamCounters,
}

/// Feedback that we sent about a stream.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct StreamCounters {
    pub(crate) nack: u64,
    pub(crate) pli: u64,
    pub(crate) fir: u64,
    /// Bit/s, the last one told.
    pub(crate) remb: u64,
}

/// Counters of a received stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamSnapshot {
    pub(crate) ssrc: u32,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) jitter: Duration,
    pub(crate) lost: i32,
    pub(crate) fraction_lost: u8,
    pub(crate) counters: StreamCounters,
}

impl Inbound {
    pub(crate) fn new(
        pad: Arc<SourcePad>,
        kind: MediaKind,
        formats: Vec<ReceivedFormat>,
        extensions: ExtensionMap,
        bounds: (u64, u64),
    ) -> Self {
        let mut estimator = RembEstimator::default();
        estimator.set_bounds(bounds.0, bounds.1);
        Self {
            pad,
            kind,
            formats,
            extensions,
            streams: Vec::new(),
            current: None,
            burst: Vec::new(),
            lost: Vec::new(),
            estimator,
            fir_number: 0,
            wants_keyframe: false,
            enabled: true,
        }
    }

    /// Goes on as a later negotiation has it. `announced` are the streams that the peer names,
    /// if it does.
    pub(crate) fn renegotiated(&mut self, settings: Self, announced: &[u32]) {
        self.hand_on();
        self.formats = settings.formats;
        self.extensions = settings.extensions;
        self.enabled = true;
        if !announced.is_empty() {
            self.streams
                .retain(|stream| announced.contains(&stream.ssrc));
        }
        let kept = |current: &u32| self.formats.iter().any(|format| format.format == *current);
        if self.current.is_some_and(|current| !kept(&current)) {
            self.current = None;
            self.pad.set_format(None);
        }
    }

    /// The peer may not send any more, until a later negotiation.
    pub(crate) fn pause(&mut self) {
        self.hand_on();
        self.enabled = false;
        self.current = None;
        self.pad.set_format(None);
    }

    /// Whether a stream was received before.
    pub(crate) fn knows(&self, ssrc: u32) -> bool {
        self.streams.iter().any(|stream| stream.ssrc == ssrc)
    }

    /// Whether a payload type is one of this track's.
    pub(crate) fn accepts(&self, payload_type: u8) -> bool {
        self.formats
            .iter()
            .any(|format| format.payload_type == payload_type)
    }

    /// Takes a plain RTP packet.
    pub(crate) fn receive(
        &mut self,
        moment: Moment,
        header: &RtpHeader,
        packet: &[u8],
        clock: &SenderClock,
    ) {
        let Ok(payload) = header.payload_range(packet) else {
            return;
        };
        if !self.enabled {
            return;
        }
        let known = self
            .formats
            .iter()
            .find(|format| format.payload_type == header.payload_type);
        let Some(format) = known else { return };
        let Some(stream) = stream(&mut self.streams, header.ssrc, format.clock_rate) else {
            return;
        };
        stream
            .statistics
            .received(moment.now, header, payload.len());
        self.estimator.received(packet.len());
        if format.nack {
            stream.nack.received(moment.now, header.sequence);
        }
        if payload.is_empty() {
            // Padding that probes the path: for us alone, so its number is closed up.
            stream.numbers.skipped(header.sequence);
            return;
        }
        let numbers = stream
            .numbers
            .rewrite(moment.now, 0, header.sequence, header.timestamp);
        let Some(numbers) = numbers else { return };
        let info = inspect(
            format.codec,
            packet.get(payload.clone()).unwrap_or_default(),
        );
        if format.nack && info.keyframe_start {
            stream.nack.keyframe(header.sequence);
        }
        let presentation_time =
            stream
                .timeline
                .presentation(moment.pipeline, header.timestamp, clock);
        if self.current != Some(format.format) {
            self.current = Some(format.format);
            // What is in the burst has the former format.
            if !self.burst.is_empty() {
                self.pad.push(&self.burst);
                self.burst.clear();
            }
            self.pad.set_format(self.current);
        }
        self.burst.push(Packet {
            bytes: Bytes::copy_from(packet),
            format: format.format,
            origin: self.pad.id(),
            kind: self.kind,
            flags: if info.keyframe_start {
                Packet::KEYFRAME
            } else {
                0
            },
            layer: Layer {
                encoding: 0,
                spatial: info.spatial_layer,
                temporal: info.temporal_layer,
            },
            presentation_time,
            ingress_time: moment.pipeline,
            duration: 0,
            rtp: Rtp {
                timestamp: header.timestamp,
                ssrc: stream.name,
                sequence: numbers.sequence,
                marker: header.marker,
                payload_offset: u16::try_from(payload.start).unwrap_or(u16::MAX),
                padding: u8::try_from(packet.len() - payload.end).unwrap_or(0),
                extensions: forwarded_extensions(&self.extensions, header, packet),
            },
        });
    }

    /// Pushes what was received to the consumers.
    pub(crate) fn hand_on(&mut self) {
        if !self.burst.is_empty() {
            self.pad.push(&self.burst);
            self.burst.clear();
        }
    }

    /// A sender report about one of the streams.
    pub(crate) fn sender_report(&mut self, now: Instant, ssrc: u32, info: &SenderInfo) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.ssrc == ssrc) {
            stream.statistics.sender_report(now, info);
            stream.timeline.report(info.ntp, info.rtp_timestamp);
        }
    }

    /// The round-trip time to the peer, which paces repeated requests.
    pub(crate) fn set_round_trip(&mut self, round_trip: Duration) {
        self.streams
            .iter_mut()
            .for_each(|stream| stream.nack.set_round_trip(round_trip));
    }

    /// The peer says that a stream ended; `true` when it was one of these.
    pub(crate) fn left(&mut self, ssrc: u32) -> bool {
        let before = self.streams.len();
        self.streams.retain(|stream| stream.ssrc != ssrc);
        self.streams.len() < before
    }

    /// Adds what asks the peer for a keyframe.
    pub(crate) fn request_keyframe(&mut self, sender: u32, compound: &mut CompoundBuilder) {
        let format = self
            .formats
            .iter()
            .find(|format| Some(format.format) == self.current);
        let Some(format) = format.or(self.formats.first()) else {
            return;
        };
        let Some(stream) = self.streams.last_mut() else {
            // Asked for with the first packet.
            self.wants_keyframe = true;
            return;
        };
        self.wants_keyframe = false;
        if format.pli {
            stream.counters.pli += 1;
            compound.picture_loss(sender, stream.ssrc);
        } else if format.fir {
            stream.counters.fir += 1;
            self.fir_number = self.fir_number.wrapping_add(1);
            compound.full_intra_request(sender, stream.ssrc, self.fir_number);
        }
    }

    /// When [`ask_for_lost`](Self::ask_for_lost) has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.streams
            .iter()
            .filter_map(|stream| stream.nack.poll_timeout())
            .min()
    }

    /// Adds what asks for lost packets, and for a keyframe when they will not come.
    pub(crate) fn ask_for_lost(
        &mut self,
        now: Instant,
        sender: u32,
        compound: &mut CompoundBuilder,
    ) {
        let mut needs_keyframe = self.wants_keyframe && !self.streams.is_empty();
        for stream in &mut self.streams {
            if stream.nack.poll_timeout().is_none_or(|due| due > now) {
                continue;
            }
            let outcome = stream.nack.poll(now, &mut self.lost);
            if !self.lost.is_empty() {
                stream.counters.nack += 1;
                compound.nack(sender, stream.ssrc, &self.lost);
                self.estimator.lost(self.lost.len() as u64);
            }
            needs_keyframe |= outcome == NackOutcome::Lost && self.kind == MediaKind::Video;
        }
        if needs_keyframe {
            self.request_keyframe(sender, compound);
        }
    }

    /// Adds a report block for each stream.
    pub(crate) fn report(&mut self, now: Instant, blocks: &mut Vec<ReportBlock>) {
        blocks.extend(
            self.streams
                .iter_mut()
                .filter_map(|stream| stream.statistics.report(now)),
        );
    }

    /// Adds what the peer may send, bit/s, at most `limit`.
    pub(crate) fn add_estimate(
        &mut self,
        now: Instant,
        sender: u32,
        limit: Option<u64>,
        compound: &mut CompoundBuilder,
    ) {
        if self.kind != MediaKind::Video || !self.formats.iter().any(|format| format.remb) {
            return;
        }
        if let Some(limit) = limit {
            self.estimator.set_limit(now, 0, limit);
        }
        let Some(bitrate) = self.estimator.poll(now) else {
            return;
        };
        let sources: Vec<u32> = self.streams.iter().map(|stream| stream.ssrc).collect();
        self.streams
            .iter_mut()
            .for_each(|stream| stream.counters.remb = bitrate);
        compound.receiver_estimated_bitrate(sender, bitrate, &sources);
    }

    pub(crate) fn snapshot(&self) -> impl Iterator<Item = StreamSnapshot> {
        self.streams.iter().map(|stream| StreamSnapshot {
            ssrc: stream.ssrc,
            packets: stream.statistics.packets(),
            bytes: stream.statistics.payload_bytes(),
            jitter: stream.statistics.jitter_duration(),
            lost: stream.statistics.cumulative_lost(),
            fraction_lost: stream.statistics.fraction_lost(),
            counters: stream.counters,
        })
    }
}

/// The stream of an SSRC, a new one where there is room.
fn stream(streams: &mut Vec<Stream>, ssrc: u32, clock_rate: u32) -> Option<&mut Stream> {
    let position = streams.iter().position(|stream| stream.ssrc == ssrc);
    if position.is_none() && streams.len() < MAX_STREAMS {
        streams.push(Stream {
            ssrc,
            name: rand::random(),
            statistics: ReceiverStatistics::new(ssrc, clock_rate),
            nack: NackGenerator::default(),
            timeline: Timeline::new(clock_rate),
            numbers: StreamRewriter::new(clock_rate, 0, 0),
            counters: StreamCounters::default(),
        });
        return streams.last_mut();
    }
    streams.get_mut(position?)
}

fn inspect(codec: Option<VideoCodec>, payload: &[u8]) -> PayloadInfo {
    match codec {
        Some(codec) => codec.inspect(payload),
        // Every packet is a place to begin.
        None => PayloadInfo {
            keyframe_start: true,
            ..PayloadInfo::default()
        },
    }
}

fn forwarded_extensions(map: &ExtensionMap, header: &RtpHeader, packet: &[u8]) -> Extensions {
    let mut extensions = Extensions::default();
    let start = packet.as_ptr().addr();
    for (id, data) in header.extensions(packet) {
        if let Some(kind) = map.extension(id).and_then(kind_of) {
            extensions.push(Extension {
                kind,
                length: u8::try_from(data.len()).unwrap_or(0),
                offset: u16::try_from(data.as_ptr().addr() - start).unwrap_or(0),
            });
        }
    }
    extensions
}
