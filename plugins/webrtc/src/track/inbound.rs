//! What one peer sends of one kind of media.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rivero_plugin_api::{
    Bytes, Encoding, Extension, Extensions, MediaKind, Packet, Rtp, SourcePad,
};
use rivero_rtp::{
    ExtensionMap, HeaderExtension, RtpHeader,
    codec::{PayloadInfo, VideoCodec},
    nack::NackOutcome,
    remb::RembEstimator,
    rtcp::{CompoundBuilder, ReportBlock, SenderInfo},
    rtx,
};

use super::{
    Announced, SenderClock, kind_of,
    outbound::Moment,
    stream::{Stream, StreamSnapshot},
    streams::Streams,
};

/// A peer may change its format as often as it likes, and each time the ways to all consumers
/// are planned anew: not more often than this.
const FORMAT_INTERVAL: Duration = Duration::from_millis(250);

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
    /// Of its retransmissions (RFC 4588), where they have one.
    pub(crate) rtx_payload_type: Option<u8>,
    /// The peer takes transport-wide feedback.
    pub(crate) transport_cc: bool,
}

/// The receiving side of a track.
pub(crate) struct Inbound {
    pad: Arc<SourcePad>,
    kind: MediaKind,
    formats: Vec<ReceivedFormat>,
    extensions: ExtensionMap,
    announced: Announced,
    streams: Streams,
    current: Option<u32>,
    /// When `current` became what it is.
    changed: Option<Instant>,
    burst: Vec<Packet>,
    lost: Vec<u16>,
    estimator: RembEstimator,
    fir_number: u8,
    /// The source does not know yet of an encoding that began.
    has_news: bool,
    /// The present negotiation lets the peer send.
    enabled: bool,
}

impl Inbound {
    pub(crate) fn new(
        pad: Arc<SourcePad>,
        kind: MediaKind,
        formats: Vec<ReceivedFormat>,
        extensions: ExtensionMap,
        announced: Announced,
        estimator: RembEstimator,
    ) -> Self {
        Self {
            pad,
            kind,
            formats,
            extensions,
            announced,
            streams: Streams::default(),
            current: None,
            changed: None,
            burst: Vec::new(),
            lost: Vec::new(),
            estimator,
            fir_number: 0,
            has_news: false,
            enabled: true,
        }
    }

    /// Goes on as a later negotiation has it. `announced` are the streams that the peer names,
    /// if it does.
    pub(crate) fn renegotiated(&mut self, settings: Self, announced: &[u32]) {
        self.hand_on();
        self.formats = settings.formats;
        self.extensions = settings.extensions;
        let before = std::mem::replace(&mut self.announced, settings.announced);
        self.streams
            .renegotiated(&before, &self.announced, announced);
        self.enabled = true;
        let kept = |current: &u32| self.formats.iter().any(|format| format.format == *current);
        if self.current.is_some_and(|current| !kept(&current)) {
            (self.current, self.changed) = (None, None);
            self.pad.set_format(None);
        }
    }

    /// The peer may not send any more, until a later negotiation.
    pub(crate) fn pause(&mut self) {
        self.hand_on();
        self.enabled = false;
        (self.current, self.changed) = (None, None);
        self.pad.set_format(None);
    }

    /// Whether a stream was received before.
    pub(crate) fn knows(&self, ssrc: u32) -> bool {
        self.streams.knows(ssrc)
    }

    /// Whether a payload type is one of this track's.
    pub(crate) fn accepts(&self, payload_type: u8) -> bool {
        self.formats.iter().any(|format| {
            format.payload_type == payload_type || format.rtx_payload_type == Some(payload_type)
        })
    }

    /// Whether the peer wants transport-wide feedback.
    pub(crate) fn reports_arrivals(&self) -> bool {
        let is_numbered = self
            .extensions
            .id(HeaderExtension::TransportSequence)
            .is_some();
        is_numbered && self.formats.iter().any(|format| format.transport_cc)
    }

    /// The transport-wide sequence number of a packet.
    pub(crate) fn transport_sequence(&self, header: &RtpHeader, packet: &[u8]) -> Option<u16> {
        let elements = header.extensions(packet);
        let value = self
            .extensions
            .find(HeaderExtension::TransportSequence, elements)?;
        value.first_chunk().copied().map(u16::from_be_bytes)
    }

    /// Takes a plain RTP packet.
    pub(crate) fn receive(
        &mut self,
        moment: Moment,
        header: &RtpHeader,
        packet: &mut [u8],
        clock: &SenderClock,
    ) {
        let is_repair =
            |format: &&ReceivedFormat| format.rtx_payload_type == Some(header.payload_type);
        self.estimator.received(packet.len());
        let Some(payload_type) = self.formats.iter().find(is_repair).map(|f| f.payload_type) else {
            self.take(moment, header, packet, clock, false);
            return;
        };
        let repaired = self
            .streams
            .repaired(&self.announced, &self.extensions, header, packet);
        let Some(ssrc) = repaired else { return };
        let Some(start) = rtx::restore(packet, header, payload_type, ssrc) else {
            return;
        };
        let packet = packet.get(start..).unwrap_or_default();
        if let Ok(header) = RtpHeader::parse(packet) {
            self.take(moment, &header, packet, clock, true);
        }
    }

    fn take(
        &mut self,
        moment: Moment,
        header: &RtpHeader,
        packet: &[u8],
        clock: &SenderClock,
        repaired: bool,
    ) {
        let Ok(payload) = header.payload_range(packet) else {
            return;
        };
        if !self.enabled {
            return;
        }
        let of_type = |format: &&ReceivedFormat| format.payload_type == header.payload_type;
        let Some(format) = self.formats.iter().find(of_type) else {
            return;
        };
        let stream = self.streams.of_packet(
            moment.now,
            &self.announced,
            &self.extensions,
            header,
            packet,
            format.clock_rate,
        );
        let Some(stream) = stream else { return };
        stream.set_clock_rate(format.clock_rate);
        if repaired {
            stream.counters.repaired += 1;
        } else {
            stream
                .statistics
                .received(moment.now, header, payload.len());
        }
        if format.nack {
            stream.nack.received(moment.now, header.sequence);
        }
        if !stream.window.is_new(header.sequence) {
            return;
        }
        if payload.is_empty() {
            // Padding that probes the path: for us alone, so its number is closed up.
            stream.numbers.skipped(header.sequence);
            return;
        }
        let info = inspect(
            format.codec,
            packet.get(payload.clone()).unwrap_or_default(),
        );
        if info.keyframe_start && stream.keyframe.begins(header.timestamp) {
            stream.nack.keyframe(header.sequence);
        }
        self.has_news |= !stream.rate.is_active(moment.now);
        let of_keyframe = stream.keyframe.is_of(header.timestamp);
        stream
            .rate
            .received(moment.now, packet.len(), header.marker, of_keyframe);
        let numbers = stream
            .numbers
            .rewrite(moment.now, 0, header.sequence, header.timestamp);
        let Some(numbers) = numbers else { return };
        let presentation_time =
            stream
                .timeline
                .presentation(moment.pipeline, header.timestamp, clock);
        let (layer, layer_sync) = stream.layer(format.codec, header.timestamp, info);
        let info = PayloadInfo { layer_sync, ..info };
        let packet = Packet {
            bytes: Bytes::copy_from(packet),
            format: format.format,
            origin: self.pad.id(),
            kind: self.kind,
            flags: flags(info),
            layer,
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
        };
        self.gather(moment.now, packet);
    }

    /// Adds a packet to the burst, which has one format. One of another format than a moment
    /// ago has no place.
    fn gather(&mut self, now: Instant, packet: Packet) {
        if self.current != Some(packet.format) {
            let since = |at| now.saturating_duration_since(at);
            if self.changed.is_some_and(|at| since(at) < FORMAT_INTERVAL) {
                return;
            }
            self.changed = Some(now);
            self.hand_on();
            self.current = Some(packet.format);
            self.pad.set_format(self.current);
        }
        self.burst.push(packet);
    }

    /// Pushes what was received to the consumers.
    pub(crate) fn hand_on(&mut self) {
        if !self.burst.is_empty() {
            self.pad.push(&self.burst);
            self.burst.clear();
        }
    }

    /// Whether an encoding began to come, which the source should know.
    pub(crate) fn take_news(&mut self) -> bool {
        self.announced.count() > 1 && std::mem::take(&mut self.has_news)
    }

    /// Tells the source which encodings there are and what they take. Called regularly: it
    /// ends an interval of measurement.
    pub(crate) fn measure(&mut self, now: Instant) {
        self.streams
            .iter_mut()
            .for_each(|stream| stream.rate.measure(now));
        if self.formats.iter().any(|format| format.codec.is_some()) {
            self.announce(now);
        }
    }

    /// Tells the source which encodings there are.
    pub(crate) fn announce(&mut self, now: Instant) {
        let encoding = |number: usize| {
            let of_encoding = |stream: &&Stream| usize::from(stream.encoding) == number;
            let rate = self
                .streams
                .iter()
                .rfind(of_encoding)
                .map(|stream| &stream.rate);
            Encoding {
                rid: self.announced.rid(number).to_owned(),
                bitrate: rate.map_or(0, |rate| rate.between_keyframes(now)),
                frame_rate: rate.map_or(0.0, |rate| rate.frames_per_second()),
                spatial_layers: 1,
                temporal_layers: rate.map_or(1, |rate| rate.layers.max(1)),
                ..Encoding::default()
            }
        };
        let encodings: Vec<Encoding> = (0..self.announced.count()).map(encoding).collect();
        self.pad.set_encodings(&encodings);
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
        self.streams.end(ssrc)
    }

    /// Adds what asks the peer for a keyframe, of every encoding that it sends.
    pub(crate) fn request_keyframe(
        &mut self,
        now: Instant,
        sender: u32,
        compound: &mut CompoundBuilder,
    ) {
        let is_single = self.announced.count() == 1;
        self.streams.need_keyframes(now, is_single);
        self.ask_for_keyframes(now, sender, compound);
    }

    /// Adds what asks for the keyframes that are due.
    fn ask_for_keyframes(&mut self, now: Instant, sender: u32, compound: &mut CompoundBuilder) {
        let mut formats = self.formats.iter();
        let format = formats
            .find(|format| Some(format.format) == self.current)
            .or(self.formats.first());
        let Some(format) = format else {
            return;
        };
        for stream in self.streams.iter_mut() {
            if !stream.keyframe.ask(now) {
                continue;
            }
            if format.pli {
                stream.counters.pli += 1;
                compound.picture_loss(sender, stream.ssrc);
            } else if format.fir {
                stream.counters.fir += 1;
                self.fir_number = self.fir_number.wrapping_add(1);
                compound.full_intra_request(sender, stream.ssrc, self.fir_number);
            }
        }
    }

    /// When [`ask_for_lost`](Self::ask_for_lost) has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.streams.poll_timeout()
    }

    /// Adds what asks for lost packets, and for a keyframe when they will not come.
    pub(crate) fn ask_for_lost(
        &mut self,
        now: Instant,
        sender: u32,
        compound: &mut CompoundBuilder,
    ) {
        for stream in self.streams.iter_mut() {
            if stream.nack.poll_timeout().is_none_or(|due| due > now) {
                continue;
            }
            let outcome = stream.nack.poll(now, &mut self.lost);
            if !self.lost.is_empty() {
                stream.counters.nack += 1;
                compound.nack(sender, stream.ssrc, &self.lost);
                self.estimator.lost(self.lost.len() as u64);
            }
            if outcome == NackOutcome::Lost && self.kind == MediaKind::Video {
                stream.keyframe.needed(now);
            }
        }
        self.ask_for_keyframes(now, sender, compound);
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
        // A peer that gets our arrival times knows its path better than we do.
        let bitrate = if self.reports_arrivals() {
            self.estimator.poll_limits(now)
        } else {
            self.estimator.poll(now)
        };
        let Some(bitrate) = bitrate else {
            return;
        };
        let sources: Vec<u32> = self.streams.iter().map(|stream| stream.ssrc).collect();
        self.streams
            .iter_mut()
            .for_each(|stream| stream.counters.remb = bitrate);
        compound.receiver_estimated_bitrate(sender, bitrate, &sources);
    }

    pub(crate) fn snapshot(&self, now: Instant) -> impl Iterator<Item = StreamSnapshot> {
        let current = self
            .formats
            .iter()
            .find(|format| Some(format.format) == self.current);
        let payload_type = current.map_or(0, |format| format.payload_type);
        self.streams.iter().map(move |stream| StreamSnapshot {
            ssrc: stream.ssrc,
            rid: self.announced.rid(usize::from(stream.encoding)).to_owned(),
            payload_type,
            packets: stream.statistics.packets(),
            bytes: stream.statistics.payload_bytes(),
            jitter: stream.statistics.jitter_duration(),
            lost: stream.statistics.cumulative_lost(),
            fraction_lost: stream.statistics.fraction_lost(),
            bitrate: stream.rate.bits_per_second(now),
            frame_rate: stream.rate.frames_per_second(),
            temporal_layers: stream.rate.layers,
            counters: stream.counters,
        })
    }
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

fn flags(info: PayloadInfo) -> u8 {
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    flag(info.keyframe_start, Packet::KEYFRAME)
        | flag(info.layer_sync, Packet::LAYER_SYNC)
        | flag(info.discardable, Packet::DISCARDABLE)
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
