//! What one peer sends of one kind of media.

mod encodings;
mod keyframe;
mod negotiated;
mod outlet;
mod parameter_sets;
mod rate;
mod reports;
mod requests;
mod stream;
mod streams;
mod timeline;
mod timestamps;

use std::{sync::Arc, time::Instant};

use rivero_plugin_api::{Bytes, Encoding, Extensions, MediaKind, Packet, Rtp};
use rivero_rtp::{
    ExtensionMap, HeaderExtension, RtpHeader,
    codec::{PayloadInfo, VideoCodec},
    remb::RembEstimator,
    rtcp::SenderInfo,
    rtx,
};

use crate::{clock::Now, extensions, losses::Losses, pads::Deliver};
use negotiated::Negotiated;
use outlet::Outlet;
use stream::{PLAIN_HEADER, Stream};
use streams::Streams;

pub use encodings::{Encodings, StreamDescription};
pub use stream::{StreamCounters, StreamSnapshot};
pub(crate) use timeline::SenderClock;

/// A format that the peer may send.
#[derive(Debug, Clone)]
pub struct ReceivedFormat {
    /// The peer's number for it.
    pub payload_type: u8,
    /// The server's number for it, the same for all peers.
    pub format: u32,
    /// Timestamp units a second.
    pub clock_rate: u32,
    /// `None` for audio and for video that cannot be looked into.
    pub codec: Option<VideoCodec>,
    /// The peer takes generic NACKs.
    pub nack: bool,
    /// The peer takes picture loss indications.
    pub pli: bool,
    /// The peer takes full intra requests.
    pub fir: bool,
    /// The peer takes bitrate estimates.
    pub remb: bool,
    /// Of its retransmissions (RFC 4588), where they have one.
    pub rtx_payload_type: Option<u8>,
    /// The peer takes transport-wide feedback.
    pub transport_cc: bool,
}

/// What was negotiated about what the peer sends.
pub struct ReceiverConfig {
    /// Audio or video.
    pub kind: MediaKind,
    /// What the peer may send.
    pub formats: Vec<ReceivedFormat>,
    /// Header extensions under the peer's ids.
    pub extensions: ExtensionMap,
    /// The streams that will come.
    pub streams: StreamDescription,
    /// Estimates the path from the peer, where it wants to be told.
    pub estimator: RembEstimator,
}

/// The receiving side of a track: puts the packets of the peer's streams in order of arrival into the
/// pad, each with its layer and its time, and asks the peer for what is missing.
pub struct Receiver {
    outlet: Outlet,
    kind: MediaKind,
    negotiated: Negotiated,
    streams: Streams,
    estimator: RembEstimator,
    /// Of the latest full intra request (RFC 5104 §4.3.1.1).
    fir_command: u8,
    /// Memory for the numbers of lost packets.
    lost: Vec<u16>,
    /// The pad does not know yet of an encoding that began, or was turned off.
    encodings_changed: bool,
    /// A keyframe does not come, which nobody was told yet.
    keyframe_missing: bool,
    /// The present negotiation lets the peer send.
    enabled: bool,
}

impl Receiver {
    /// A receiver whose packets go into `pad`.
    #[must_use]
    pub fn new(pad: Arc<dyn Deliver>, config: ReceiverConfig) -> Self {
        Self {
            outlet: Outlet::new(pad),
            kind: config.kind,
            negotiated: Negotiated {
                formats: config.formats,
                extensions: config.extensions,
                described: config.streams,
                given_sets: Vec::new(),
                byte_clocks: Vec::new(),
                mid: None,
            },
            streams: Streams::default(),
            estimator: config.estimator,
            fir_command: 0,
            lost: Vec::new(),
            encodings_changed: false,
            keyframe_missing: false,
            enabled: true,
        }
    }

    /// The same, knowing the parameter sets (NAL units) that the peer's description has for a payload
    /// type, for streams that bring none themselves (RFC 6184 §8.1, RFC 7798 §7.1).
    #[must_use]
    pub fn with_parameter_sets(mut self, payload_type: u8, units: Vec<Vec<u8>>) -> Self {
        if !units.is_empty() {
            let units = units.into_iter().map(Vec::into_boxed_slice).collect();
            self.negotiated.given_sets.push((payload_type, units));
        }
        self
    }

    /// The same, knowing that the clock of a payload type counts the bytes of its payload: a peer that counts more is put right.
    #[must_use]
    pub fn with_byte_clock(mut self, payload_type: u8) -> Self {
        self.negotiated.byte_clocks.push(payload_type);
        self
    }

    /// The same, whose section the peer's packets may name so (RFC 9143 §15).
    #[must_use]
    pub fn with_mid(mut self, mid: Option<&str>) -> Self {
        self.negotiated.mid = mid.map(Into::into);
        self
    }

    /// Goes on as a later negotiation has it. `named` are the SSRCs that the peer's description
    /// names, if it does: its other streams have ended.
    pub(crate) fn renegotiate(&mut self, later: Self, named: &[u32]) {
        // What was received is of the formats before.
        self.outlet.flush();
        let before = std::mem::replace(&mut self.negotiated, later.negotiated);
        let (before, described) = (&before.described, &self.negotiated.described);
        self.streams.renegotiate(before, described, named);
        self.enabled = true;
        let formats = &self.negotiated.formats;
        let is_kept = |current: u32| formats.iter().any(|format| format.format == current);
        if self
            .outlet
            .format()
            .is_some_and(|current| !is_kept(current))
        {
            self.outlet.end_format();
        }
    }

    /// The peer may not send any more, until a later negotiation. Streams and numbers are kept: its
    /// SRTP keys stay the same, and it goes on where it was.
    pub(crate) fn pause(&mut self) {
        self.outlet.flush();
        self.enabled = false;
        self.outlet.end_format();
    }

    /// Whether a stream was received before.
    #[inline]
    pub(crate) fn knows(&self, ssrc: u32) -> bool {
        self.streams.knows(ssrc)
    }

    /// Whether a payload type is one of this track's.
    pub(crate) fn accepts(&self, payload_type: u8) -> bool {
        self.negotiated.formats.iter().any(|format| {
            format.payload_type == payload_type || format.rtx_payload_type == Some(payload_type)
        })
    }

    /// Whether a packet names this track's section. A track of two sections, one for each direction, has
    /// the one that the peer sends in.
    pub(crate) fn is_named_by(&self, header: &RtpHeader, packet: &[u8]) -> bool {
        self.negotiated.is_named_by(header, packet)
    }

    /// Whether the peer numbers its packets over all streams, and takes feedback about them.
    pub(crate) fn wants_transport_feedback(&self) -> bool {
        let is_numbered = self
            .negotiated
            .extensions
            .id(HeaderExtension::TransportSequence)
            .is_some();
        is_numbered
            && self
                .negotiated
                .formats
                .iter()
                .any(|format| format.transport_cc)
    }

    /// The transport-wide sequence number of a packet.
    #[inline]
    pub(crate) fn transport_sequence(&self, header: &RtpHeader, packet: &[u8]) -> Option<u16> {
        let elements = header.extensions(packet);
        let value = self
            .negotiated
            .extensions
            .find(HeaderExtension::TransportSequence, elements)?;
        value.first_chunk().copied().map(u16::from_be_bytes)
    }

    /// Takes a plain RTP packet. A retransmission (RFC 4588) becomes the packet that it repeats.
    #[inline]
    pub(crate) fn on_rtp(
        &mut self,
        now: Now,
        header: &RtpHeader,
        packet: &mut [u8],
        clock: &SenderClock,
    ) {
        let is_repair =
            |format: &&ReceivedFormat| format.rtx_payload_type == Some(header.payload_type);
        self.estimator.received(packet.len());
        let Some(payload_type) = self
            .negotiated
            .formats
            .iter()
            .find(is_repair)
            .map(|f| f.payload_type)
        else {
            self.on_media(now, header, packet, clock, false);
            return;
        };
        let repaired = self.streams.repaired(
            &self.negotiated.described,
            &self.negotiated.extensions,
            header,
            packet,
        );
        let Some(ssrc) = repaired else { return };
        let Some(start) = rtx::restore(packet, header, payload_type, ssrc) else {
            return;
        };
        let packet = packet.get(start..).unwrap_or_default();
        if let Ok(header) = RtpHeader::parse(packet) {
            self.on_media(now, &header, packet, clock, true);
        }
    }

    fn on_media(
        &mut self,
        now: Now,
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
        let Some(format) = self.negotiated.formats.iter().find(of_type) else {
            return;
        };
        let stream = self.streams.of_packet(
            now.instant,
            &self.negotiated.described,
            &self.negotiated.extensions,
            header,
            packet,
            format.clock_rate,
        );
        let Some(stream) = stream else { return };
        stream.set_clock_rate(format.clock_rate);
        if !stream.on_packet(now.instant, header, payload.len(), repaired, format.nack) {
            return;
        }
        let content = packet.get(payload.clone()).unwrap_or_default();
        let mut info = inspect(format.codec, content);
        if !stream.rate.is_active(now.instant) {
            self.encodings_changed = true;
            stream.keyframe.on_resumed(now.instant);
        }
        let of_type = |(payload_type, _): &&(u8, _)| *payload_type == header.payload_type;
        let given = self.negotiated.given_sets.iter().find(of_type);
        let given = given.map_or(&[][..], |(_, units)| units);
        let sets =
            stream.missing_sets(now.instant, header, format.codec, content, given, &mut info);
        let numbers = stream.on_content(now.instant, header, packet.len(), info);
        let Some(numbers) = numbers else { return };
        let ticks = self.negotiated.ticks(header.payload_type, payload.len());
        let timestamp = stream.continuous_timestamp(now.pipeline, header, ticks);
        let presentation_time = stream.timeline.presentation(now.pipeline, timestamp, clock);
        let (layer, layer_sync) = stream.layer(format.codec, header.timestamp, info);
        let forwarded = extensions::forwarded(&self.negotiated.extensions, header, packet);
        let packet = Packet {
            audio_level: extensions::audio_level(&forwarded, packet),
            bytes: Bytes::copy_from(packet),
            format: format.format,
            origin: self.outlet.origin(),
            kind: self.kind,
            flags: flags(PayloadInfo { layer_sync, ..info }),
            layer,
            presentation_time,
            ingress_time: now.pipeline,
            duration: 0,
            rtp: Rtp {
                timestamp,
                ssrc: stream.forwarded_ssrc,
                sequence: numbers.sequence,
                marker: header.marker,
                payload_offset: u16::try_from(payload.start).unwrap_or(u16::MAX),
                padding: u8::try_from(packet.len() - payload.end).unwrap_or(0),
                extensions: forwarded,
            },
            ..Packet::default()
        };
        if header.marker && self.negotiated.described.count() > 1 {
            self.encodings_changed |= self.streams.on_frame_end(now.instant, header.ssrc);
        }
        for (sequence, bytes) in sets {
            self.outlet
                .add(now.instant, ahead_of(&packet, sequence, bytes));
        }
        self.outlet.add(now.instant, packet);
    }

    /// Pushes what was received to the pad. Once for all packets that were read together, so that
    /// each consumer is woken once.
    #[inline]
    pub(crate) fn deliver(&mut self) {
        self.outlet.flush();
    }

    /// Hands an event of the peer to the pad, beside its media.
    pub(crate) fn push_event(&mut self, event: Packet) {
        if self.enabled {
            self.outlet.push_event(event);
        }
    }

    /// Whether an encoding began to come since the last call, or ceased to, which the pad should know at
    /// once: a viewer may be waiting for it, or for another one in its place.
    #[inline]
    pub(crate) fn take_encodings_changed(&mut self) -> bool {
        self.negotiated.described.count() > 1 && std::mem::take(&mut self.encodings_changed)
    }

    /// Measures what the encodings take, and tells the pad. Called regularly: it ends an interval.
    pub(crate) fn measure(&mut self, now: Instant) {
        self.streams
            .iter_mut()
            .for_each(|stream| stream.rate.measure(now));
        if self
            .negotiated
            .formats
            .iter()
            .any(|format| format.codec.is_some())
        {
            self.publish_encodings(now);
        }
    }

    /// Tells the pad which encodings there are.
    pub(crate) fn publish_encodings(&mut self, now: Instant) {
        let encoding = |number: usize| {
            let of_encoding = |stream: &&Stream| usize::from(stream.encoding) == number;
            let rate = self
                .streams
                .iter()
                .rfind(of_encoding)
                .map(|stream| &stream.rate);
            Encoding {
                rid: self.negotiated.described.rid(number).to_owned(),
                bitrate: rate.map_or(0, |rate| rate.between_keyframes(now)),
                frame_rate: rate.map_or(0.0, |rate| rate.frames_per_second()),
                spatial_layers: 1,
                temporal_layers: rate.map_or(1, |rate| rate.layers.max(1)),
                ..Encoding::default()
            }
        };
        let encodings: Vec<Encoding> = (0..self.negotiated.described.count())
            .map(encoding)
            .collect();
        self.outlet.set_encodings(&encodings);
    }

    /// A sender report about one of the streams.
    pub(crate) fn on_sender_report(&mut self, now: Now, ssrc: u32, info: &SenderInfo) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.ssrc == ssrc) {
            stream.on_sender_report(now, info);
        }
    }

    /// The peer says that a stream ended (RFC 3550 §6.6); `true` when it was one of these.
    pub(crate) fn on_goodbye(&mut self, ssrc: u32) -> bool {
        self.streams.on_goodbye(ssrc)
    }

    /// Whether there is a stream that has not ended.
    pub(crate) fn has_streams(&self) -> bool {
        self.streams.iter().next().is_some()
    }

    /// The format that comes now, as the host numbers it.
    pub(crate) fn format(&self) -> Option<u32> {
        self.outlet.format()
    }

    /// What the streams that there are have lost and asked for.
    pub(crate) fn losses(&self) -> Losses {
        let mut losses = Losses::default();
        for stream in self.streams.iter() {
            let lost = stream.statistics.cumulative_lost();
            losses.add(Losses {
                packets: u64::try_from(lost).unwrap_or(0),
                nack: stream.counters.nack,
                pli: stream.counters.pli + stream.counters.fir,
            });
        }
        losses
    }

    /// Counters of the streams that there are.
    pub(crate) fn snapshot(&self, now: Instant) -> impl Iterator<Item = StreamSnapshot> {
        let current = self
            .negotiated
            .formats
            .iter()
            .find(|format| Some(format.format) == self.outlet.format());
        let payload_type = current.map_or(0, |format| format.payload_type);
        self.streams.iter().map(move |stream| StreamSnapshot {
            ssrc: stream.ssrc,
            rid: self
                .negotiated
                .described
                .rid(usize::from(stream.encoding))
                .to_owned(),
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

/// A packet of our own that goes before `packet`, as a part of its picture. `bytes` begin with a plain
/// header.
fn ahead_of(packet: &Packet, sequence: u16, bytes: Bytes) -> Packet {
    Packet {
        bytes,
        rtp: Rtp {
            sequence,
            marker: false,
            payload_offset: u16::try_from(PLAIN_HEADER).unwrap_or(u16::MAX),
            padding: 0,
            extensions: Extensions::default(),
            ..packet.rtp
        },
        ..packet.clone()
    }
}

#[inline]
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

#[inline]
fn flags(info: PayloadInfo) -> u8 {
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    flag(info.keyframe_start, Packet::KEYFRAME)
        | flag(info.layer_sync, Packet::LAYER_SYNC)
        | flag(info.discardable, Packet::DISCARDABLE)
}
