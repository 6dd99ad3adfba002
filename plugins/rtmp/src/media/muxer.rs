//! Frames into messages: what decoders are set up with, then the frames themselves (Adobe Flash Video File Format
//! Specification 10.1, annex E, and Enhanced RTMP v2 for what that does not know; `rivero-flv` has the bodies).

use rivero_codec::{AudioParameters, Codec, Shape, Track, aac, hex};
use rivero_flv::{Coding, audio, enhanced, video};
use rivero_plugin_api::Format;

use super::{
    Frame, Kind, MS, Outgoing,
    silence::{self, SILENT_FRAME},
};
use crate::protocol::{
    AUDIO, DATA, VIDEO,
    amf0::{self, Value},
};

/// Finds the format behind a number.
pub(crate) type Formats = Box<dyn Fn(u32) -> Option<Format> + Send>;

/// Takes a message: its type, its time in ms, its body.
pub(crate) type Sender<'a> = &'a mut dyn FnMut(u8, u32, Vec<u8>);

/// The tracks of one connection.
pub(crate) struct Muxer {
    formats: Formats,
    /// Of pictures: the number of the latest format, and its codec.
    codec: Option<(u32, Codec)>,
    video: Option<Track>,
    /// With the number of its format; 0 for silence of our own.
    audio: Option<(u32, Track)>,
    /// Sound that comes behind the first picture.
    foretold: Option<Track>,
    /// There were metadata, with which every stream begins.
    has_begun: bool,
}

impl Muxer {
    pub(crate) fn new(formats: Formats) -> Self {
        Self {
            formats,
            codec: None,
            video: None,
            audio: None,
            foretold: None,
            has_begun: false,
        }
    }

    /// Whether anything was sent.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// A frame of sound comes soon: the first metadata has it already. FFmpeg takes metadata that come later than at the
    /// beginning for a track of text, for which it then waits.
    pub(crate) fn foretell(&mut self, sound: &Frame) {
        let format = (self.formats)(sound.format);
        self.foretold = format.and_then(|format| audio_track(&format, &sound.data));
    }

    /// Whether two formats have one encoding.
    pub(crate) fn is_alike(&self, one: u32, other: u32) -> bool {
        let encoding = |number| (self.formats)(number).map(|format| format.encoding);
        one == other || encoding(one) == encoding(other)
    }

    /// Sends a frame, and before it what is new about its track. `false` for a picture that nothing can be made of
    /// without a keyframe.
    pub(crate) fn write(&mut self, outgoing: &Outgoing, send: Sender<'_>) -> bool {
        match outgoing.frame.kind {
            Kind::Video => self.picture(outgoing, send),
            Kind::Audio => {
                self.sound(&outgoing.frame, stamp(outgoing.time), send);
                true
            }
        }
    }

    /// Sends a frame in which nothing is heard. `time`: ns.
    pub(crate) fn silence(&mut self, time: i64, send: Sender<'_>) {
        let time = stamp(time);
        let (rate, channels) = silence::SHAPE;
        let track = Track {
            codec: Codec::Aac,
            shape: Shape::Audio { rate, channels },
            configuration: aac::low_complexity(rate, channels),
            colour: None,
            quarter_turns: 0,
            pre_skip: 0,
        };
        self.set_audio(0, track, time, send);
        send(AUDIO, time, sound_body(Codec::Aac, &SILENT_FRAME));
    }

    /// The codec of a frame of pictures.
    fn codec(&mut self, format: u32) -> Option<Codec> {
        if let Some((known, codec)) = self.codec
            && known == format
        {
            return Some(codec);
        }
        let named = (self.formats)(format)?;
        let codec = Codec::from_name(&named.encoding)?;
        self.codec = Some((format, codec));
        Some(codec)
    }

    fn picture(&mut self, outgoing: &Outgoing, send: Sender<'_>) -> bool {
        let (frame, time) = (&outgoing.frame, stamp(outgoing.time));
        // A keyframe may come with other parameter sets: viewers that join later know only the header. They stay in
        // the frame as well, for those that heed no second header.
        let Some(codec) = self.codec(frame.format) else {
            return false;
        };
        let described = frame
            .is_keyframe
            .then(|| Track::of(codec, AudioParameters::default(), &frame.data))
            .flatten();
        if let Some(track) = described
            && self.video.as_ref() != Some(&track)
        {
            let header = video_header(&track);
            self.video = Some(track);
            self.metadata(time, send);
            send(VIDEO, time, header);
        }
        // Pictures of another codec than the latest keyframe are of no use.
        let Some(track) = self.video.as_ref().filter(|track| track.codec == codec) else {
            return false;
        };
        let form = track.container_form(&frame.data);
        let units = form.bytes(&frame.data);
        if units.is_empty() {
            return true;
        }
        let offset = (outgoing.shown / MS).saturating_sub(outgoing.time / MS);
        // 24 bits with a sign.
        let offset = i32::try_from(offset.clamp(0, 0x7f_ffff)).unwrap_or_default();
        let body = match coding(codec) {
            Some(Coding::Avc) | None => video::avc_frame(frame.is_keyframe, offset, units),
            Some(coding) => enhanced::video_frame(coding, frame.is_keyframe, offset, units),
        };
        send(VIDEO, time, body);
        true
    }

    fn sound(&mut self, frame: &Frame, time: u32, send: Sender<'_>) {
        if frame.data.is_empty() {
            return;
        }
        if self
            .audio
            .as_ref()
            .is_none_or(|(format, _)| *format != frame.format)
        {
            let format = (self.formats)(frame.format);
            let Some(track) = format.and_then(|format| audio_track(&format, &frame.data)) else {
                return;
            };
            self.set_audio(frame.format, track, time, send);
        }
        if let Some((_, track)) = &self.audio {
            send(AUDIO, time, sound_body(track.codec, &frame.data));
        }
    }

    fn set_audio(&mut self, format: u32, track: Track, time: u32, send: Sender<'_>) {
        let before = self.audio.take().map(|(_, track)| track);
        let header = (before.as_ref() != Some(&track)).then(|| audio_header(&track));
        let is_told = self.has_begun && self.foretold.take().as_ref() == Some(&track);
        self.audio = Some((format, track));
        if let Some(header) = header {
            if !is_told {
                self.metadata(time, send);
            }
            send(AUDIO, time, header);
        }
    }

    /// `onMetaData`, which promises nothing that is not there: players wait for what it does.
    fn metadata(&mut self, time: u32, send: Sender<'_>) {
        let mut entries = Vec::new();
        let mut entry = |name: &str, value: Value| entries.push((name.to_owned(), value));
        let number = |codec| coding(codec).map_or(0, Coding::number);
        if let Some(track) = &self.video
            && let Shape::Video { width, height } = track.shape
        {
            entry("width", Value::Number(f64::from(width)));
            entry("height", Value::Number(f64::from(height)));
            entry("videocodecid", Value::Number(number(track.codec).into()));
        }
        let audio = self.audio.as_ref().map(|(_, track)| track);
        if let Some(track) = audio.or(self.foretold.as_ref())
            && let Shape::Audio { rate, channels } = track.shape
        {
            entry("audiocodecid", Value::Number(number(track.codec).into()));
            entry("audiosamplerate", Value::Number(f64::from(rate)));
            entry("audiosamplesize", Value::Number(16.0));
            entry("stereo", Value::Boolean(channels > 1));
        }
        entry("encoder", Value::text("Rivero"));
        let values = [
            Value::text("@setDataFrame"),
            Value::text("onMetaData"),
            Value::EcmaArray(entries),
        ];
        send(DATA, time, amf0::write(&values));
        self.has_begun = true;
    }
}

/// Names of encodings in RTMP.
pub(crate) fn coding(codec: Codec) -> Option<Coding> {
    Some(match codec {
        Codec::H264 => Coding::Avc,
        Codec::H265 => Coding::Hevc,
        Codec::Av1 => Coding::Av1,
        Codec::Vp8 => Coding::Vp8,
        Codec::Vp9 => Coding::Vp9,
        Codec::Aac => Coding::Aac,
        Codec::Opus => Coding::Opus,
        Codec::Jpeg => return None,
    })
}

/// H.264 and AAC as every server knows them, everything else by its four characters.
fn video_header(track: &Track) -> Vec<u8> {
    match coding(track.codec) {
        Some(Coding::Avc) | None => video::avc_sequence_header(&track.configuration),
        Some(coding) => enhanced::video_sequence_start(coding, &track.configuration),
    }
}

fn audio_header(track: &Track) -> Vec<u8> {
    match coding(track.codec) {
        Some(Coding::Aac) | None => audio::aac_sequence_header(&track.configuration),
        Some(coding) => enhanced::audio_sequence_start(coding, &track.configuration),
    }
}

fn sound_body(codec: Codec, frame: &[u8]) -> Vec<u8> {
    match coding(codec) {
        Some(Coding::Aac) | None => audio::aac_frame(frame),
        Some(coding) => enhanced::audio_frame(coding, frame),
    }
}

/// Sound as its format describes it.
fn audio_track(format: &Format, frame: &[u8]) -> Option<Track> {
    // AudioSpecificConfig, in hexadecimal as all parameters of formats are text.
    let configuration = format.parameters.iter().find(|(name, _)| name == "config");
    let configuration = configuration.and_then(|(_, text)| hex::decode(text));
    let parameters = AudioParameters {
        rate: format.clock_rate,
        channels: format.channels,
        configuration: configuration.as_deref(),
    };
    Track::of(Codec::from_name(&format.encoding)?, parameters, frame)
}

/// ns into ms of 32 bits, which begin anew after 49 days.
fn stamp(time: i64) -> u32 {
    u32::try_from((time / MS).rem_euclid(1 << 32)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
