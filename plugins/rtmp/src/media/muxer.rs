//! Frames into messages: what decoders are set up with, then the frames themselves (Adobe Flash Video File Format
//! Specification 10.1, annex E; `rivero-flv` has the bodies).

use rivero_codec::{AudioParameters, Codec, Shape, Track, aac, hex};
use rivero_flv::{audio, video};
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
    video: Option<Track>,
    /// With the number of its format; 0 for silence of our own.
    audio: Option<(u32, Track)>,
}

impl Muxer {
    pub(crate) fn new(formats: Formats) -> Self {
        Self {
            formats,
            video: None,
            audio: None,
        }
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
        send(AUDIO, time, audio::aac_frame(&SILENT_FRAME));
    }

    fn picture(&mut self, outgoing: &Outgoing, send: Sender<'_>) -> bool {
        let (frame, time) = (&outgoing.frame, stamp(outgoing.time));
        // A keyframe may come with other parameter sets: viewers that join later know only the header. They stay in
        // the frame as well, for those that heed no second header.
        let described = frame
            .is_keyframe
            .then(|| Track::of(Codec::H264, AudioParameters::default(), &frame.data))
            .flatten();
        if let Some(track) = described
            && self.video.as_ref() != Some(&track)
        {
            let header = video::avc_sequence_header(&track.configuration);
            self.video = Some(track);
            self.metadata(time, send);
            send(VIDEO, time, header);
        }
        let Some(track) = &self.video else {
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
        send(
            VIDEO,
            time,
            video::avc_frame(frame.is_keyframe, offset, units),
        );
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
        send(AUDIO, time, audio::aac_frame(&frame.data));
    }

    fn set_audio(&mut self, format: u32, track: Track, time: u32, send: Sender<'_>) {
        let before = self.audio.take().map(|(_, track)| track);
        let header = (before.as_ref() != Some(&track))
            .then(|| audio::aac_sequence_header(&track.configuration));
        self.audio = Some((format, track));
        if let Some(header) = header {
            self.metadata(time, send);
            send(AUDIO, time, header);
        }
    }

    /// `onMetaData`, which promises nothing that is not there: players wait for what it does.
    fn metadata(&self, time: u32, send: Sender<'_>) {
        let mut entries = Vec::new();
        let mut entry = |name: &str, value: Value| entries.push((name.to_owned(), value));
        if let Some(Shape::Video { width, height }) = self.video.as_ref().map(|track| track.shape) {
            entry("width", Value::Number(f64::from(width)));
            entry("height", Value::Number(f64::from(height)));
            entry("videocodecid", Value::Number(7.0)); // AVC
        }
        if let Some(Shape::Audio { rate, channels }) =
            self.audio.as_ref().map(|(_, track)| track.shape)
        {
            entry("audiocodecid", Value::Number(10.0)); // AAC
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
    }
}

/// AAC as its format describes it.
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
