//! Messages into frames: the way back of [`super::Muxer`].
//!
//! Frames leave as the server has them everywhere: H.264 and H.265 as a byte stream with the parameter sets before each
//! keyframe, AV1 as temporal units with their sequence header, AAC without ADTS, with its configuration in the format.

use rivero_codec::{
    AudioParameters, Codec, DecoderRecord, ParameterSets, Shape, Track, aac, av1, h264, h265, hex,
};
use rivero_flv::{
    Coding,
    parse::{self, Body, Content},
};
use rivero_plugin_api::{Format, Packaging};

use super::{Kind, MS, Stamps};
use crate::protocol::{AUDIO, Message, VIDEO};

/// A frame of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub(crate) kind: Kind,
    /// When it is decoded, ns of the peer's time.
    pub(crate) decoded: i64,
    /// How much later it is shown, ns; may be negative where the peer is wrong.
    pub(crate) offset: i64,
    pub(crate) is_keyframe: bool,
    pub(crate) data: Vec<u8>,
}

/// What a message became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Demuxed {
    /// Frames of this kind are like this from now on.
    Format(Kind, Format),
    /// A frame.
    Frame(Incoming),
}

/// The tracks of one connection.
#[derive(Debug, Default)]
pub(crate) struct Demuxer {
    stamps: Stamps,
    video: Option<VideoTrack>,
    audio: Option<AudioTrack>,
    /// Frames that nothing was made of.
    left_out: u64,
}

#[derive(Debug)]
struct VideoTrack {
    /// As the peer names it.
    coding: Coding,
    codec: Codec,
    /// Of H.264 and H.265.
    record: Option<DecoderRecord>,
    sets: Option<ParameterSets>,
    /// Of AV1: the units that the configuration has.
    header: Vec<u8>,
    /// What was told of the frames.
    format: Option<Format>,
    order: Order,
}

/// Whether pictures travel in another order than they are shown.
#[derive(Debug, Default)]
struct Order {
    is_reordered: bool,
    /// The latest that anything was shown, ms.
    latest_shown: Option<i64>,
}

#[derive(Debug)]
struct AudioTrack {
    coding: Coding,
    /// What it was made of.
    configuration: Vec<u8>,
}

impl Demuxer {
    /// Takes a message; what it becomes is at most a format and a frame.
    pub(crate) fn read(&mut self, message: &Message, to: &mut Vec<Demuxed>) {
        let kind = match message.kind {
            AUDIO => Kind::Audio,
            VIDEO => Kind::Video,
            _ => return,
        };
        let time = self.stamps.unwrap(message.time);
        let body = match kind {
            Kind::Audio => parse::audio(&message.body),
            Kind::Video => parse::video(&message.body),
        };
        let Some(body) = body else {
            return;
        };
        let understood = match kind {
            Kind::Audio => self.sound(&body, time, to),
            Kind::Video => self.picture(&body, time, to),
        };
        if understood.is_none() && matches!(body.content, Content::Frame { .. }) {
            self.left_out += 1;
        }
    }

    /// Frames that nothing was made of since this was asked last.
    pub(crate) fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }

    fn picture(&mut self, body: &Body<'_>, time: i64, to: &mut Vec<Demuxed>) -> Option<()> {
        match body.content {
            Content::Configuration(configuration) => {
                self.video = VideoTrack::of(body.coding, configuration);
                self.video.as_ref().map(|_| ())
            }
            Content::Frame {
                is_keyframe,
                composition_time,
                data,
            } => {
                let known = self.video.as_ref();
                if known.is_none_or(|track| track.coding != body.coding) {
                    // The codecs of which frames say all.
                    self.video = VideoTrack::of_frames(body.coding);
                }
                let track = self.video.as_mut()?;
                let data = track.frame(data, is_keyframe)?;
                let shown = time + i64::from(composition_time);
                if let Some(format) = track.look(&data, is_keyframe, shown, composition_time) {
                    to.push(Demuxed::Format(Kind::Video, format));
                }
                track.format.as_ref()?;
                to.push(Demuxed::Frame(Incoming {
                    kind: Kind::Video,
                    decoded: time * MS,
                    offset: i64::from(composition_time) * MS,
                    is_keyframe,
                    data,
                }));
                Some(())
            }
        }
    }

    fn sound(&mut self, body: &Body<'_>, time: i64, to: &mut Vec<Demuxed>) -> Option<()> {
        match body.content {
            Content::Configuration(configuration) => {
                let known = self.audio.as_ref();
                if known.is_some_and(|track| track.configuration == configuration) {
                    return Some(());
                }
                let format = audio_format(body.coding, configuration)?;
                self.audio = Some(AudioTrack {
                    coding: body.coding,
                    configuration: configuration.to_vec(),
                });
                to.push(Demuxed::Format(Kind::Audio, format));
            }
            Content::Frame { data, .. } => {
                self.audio
                    .as_ref()
                    .filter(|track| track.coding == body.coding)?;
                to.push(Demuxed::Frame(Incoming {
                    kind: Kind::Audio,
                    decoded: time * MS,
                    offset: 0,
                    is_keyframe: true,
                    data: data.to_vec(),
                }));
            }
        }
        Some(())
    }
}

impl VideoTrack {
    fn of(coding: Coding, configuration: &[u8]) -> Option<Self> {
        let record = match coding {
            Coding::Avc => Some(DecoderRecord::of_h264(configuration)?),
            Coding::Hevc => Some(DecoderRecord::of_h265(configuration)?),
            _ => None,
        };
        let codec = match &record {
            Some(record) => record.codec,
            None => codec(coding)?,
        };
        let mut sets = ParameterSets::new(codec);
        if let (Some(sets), Some(record)) = (&mut sets, &record) {
            sets.complete(&record.sets, false);
        }
        // Marker and version, profile and level, two more bytes of flags (AV1-ISOBMFF §2.3.3).
        let header = match codec {
            Codec::Av1 => configuration.get(4..).unwrap_or_default().to_vec(),
            _ => Vec::new(),
        };
        Some(Self {
            coding,
            codec,
            record,
            sets,
            header,
            format: None,
            order: Order::default(),
        })
    }

    /// Without a configuration nobody knows where H.264's and H.265's units begin.
    fn of_frames(coding: Coding) -> Option<Self> {
        (!coding.has_composition_time())
            .then(|| Self::of(coding, &[]))
            .flatten()
    }

    /// A frame as it goes on; `None` where nothing of it is left.
    fn frame(&mut self, data: &[u8], is_keyframe: bool) -> Option<Vec<u8>> {
        let frame = match (&self.record, &mut self.sets) {
            (Some(record), Some(sets)) => {
                let stream = record.byte_stream(data);
                if stream.is_empty() {
                    return None;
                }
                sets.complete(&stream, is_keyframe).unwrap_or(stream)
            }
            _ if self.codec == Codec::Av1 && is_keyframe => self.with_sequence_header(data),
            _ => data.to_vec(),
        };
        (!frame.is_empty()).then_some(frame)
    }

    fn with_sequence_header(&self, data: &[u8]) -> Vec<u8> {
        let mut units = av1::obus(data);
        if units.any(|unit| unit.obu_type() == av1::SEQUENCE_HEADER) {
            return data.to_vec();
        }
        [&self.header, data].concat()
    }

    /// Looks at what a frame says of the track; the format where that changes. Times are in ms.
    fn look(
        &mut self,
        frame: &[u8],
        is_keyframe: bool,
        shown: i64,
        composition_time: i32,
    ) -> Option<Format> {
        let goes_back = self.order.latest_shown.is_some_and(|latest| shown < latest);
        self.order.latest_shown = self.order.latest_shown.max(Some(shown));
        if !is_keyframe {
            // What is decoded with other pictures is decoded anew from the next keyframe on.
            self.order.is_reordered |= goes_back;
            return None;
        }
        let told = match self.codec {
            Codec::H264 => h264::reordered_pictures(frame),
            Codec::H265 => h265::reordered_pictures(frame),
            _ => Some(0),
        };
        // Where nothing is told a first picture that is shown later than decoded says it.
        self.order.is_reordered = match told {
            Some(pictures) => pictures > 0,
            None => self.order.is_reordered || composition_time > 0,
        };
        let track = Track::of(self.codec, AudioParameters::default(), frame)?;
        let format = video_format(&track, self.order.is_reordered);
        let changed = self.format.as_ref() != Some(&format);
        self.format = Some(format.clone());
        changed.then_some(format)
    }
}

fn codec(coding: Coding) -> Option<Codec> {
    Some(match coding {
        Coding::Avc => Codec::H264,
        Coding::Hevc => Codec::H265,
        Coding::Av1 => Codec::Av1,
        Coding::Vp8 => Codec::Vp8,
        Coding::Vp9 => Codec::Vp9,
        Coding::Aac => Codec::Aac,
        Coding::Opus => Codec::Opus,
    })
}

fn frames(codec: Codec, clock_rate: u32, channels: u8) -> Format {
    Format {
        packaging: Packaging::Frame,
        ..Format::rtp(codec.name(), clock_rate, channels)
    }
}

/// The format of pictures. Those that decoders of calls do not take have a profile that says so, under the name that
/// such formats have it: then they are encoded anew for calls, and go as they are to whoever asks for no profile, as
/// recorders do. Pictures in another order than they are shown are of that kind: RFC 6184 allows them, WebRTC's
/// receivers do not sort them.
fn video_format(track: &Track, is_reordered: bool) -> Format {
    let (clock_rate, channels) = track.codec.default_rate();
    let format = frames(track.codec, clock_rate, channels);
    let byte = |at: usize| track.configuration.get(at).copied().unwrap_or_default();
    let (name, profile) = match track.codec {
        Codec::H264 => ("profile", h264_profile(byte(1))),
        // general_profile_idc; 1 is Main.
        Codec::H265 => ("profile-id", number_above(byte(1) & 0x1f, 1)),
        Codec::Vp9 => ("profile-id", number_above(byte(4), 0)),
        Codec::Av1 => ("profile", number_above(byte(1) >> 5, 0)),
        _ => return format,
    };
    let profile = if is_reordered {
        Some("reordered".to_owned())
    } else {
        profile
    };
    match profile {
        Some(profile) => format.with(name, profile),
        None => format,
    }
}

/// The profiles with more bits or more colour than a call has, as `plugins/lib/sdp` names them.
fn h264_profile(number: u8) -> Option<String> {
    let name = match number {
        44 => "cavlc-444",
        110 => "high-10",
        122 => "high-422",
        244 => "high-444",
        _ => return None,
    };
    Some(name.to_owned())
}

fn number_above(number: u8, plain: u8) -> Option<String> {
    (number > plain).then(|| number.to_string())
}

/// `None` for what nobody could play.
fn audio_format(coding: Coding, configuration: &[u8]) -> Option<Format> {
    match coding {
        Coding::Aac => {
            let (rate, channels) = match aac::shape(configuration) {
                Some(Shape::Audio { rate, channels }) => (rate, channels),
                // A decoder may understand it; one byte is none.
                _ if configuration.len() > 1 => Codec::Aac.default_rate(),
                _ => return None,
            };
            Some(frames(Codec::Aac, rate, channels).with("config", hex::encode(configuration)))
        }
        // OpusHead: version, channels, …, mapping family (RFC 7845 §5.1). What needs a mapping has several streams.
        Coding::Opus => {
            let family = configuration.get(18).copied().unwrap_or_default();
            let (rate, channels) = Codec::Opus.default_rate();
            (family == 0).then(|| frames(Codec::Opus, rate, channels))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
