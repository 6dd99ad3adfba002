//! Frames into pictures and samples.

use std::sync::{Arc, Mutex, Weak};

use rivero_gst::{caps, chain::Chain, element, gst};
use rivero_plugin_api::{
    Converter, ConverterOutput, Error, Format, MediaKind, Packet, Result, Upstream, host,
    supervise::lock,
};
use serde_json::Value;

use crate::colours;
use crate::conversions::is_pictures;
use crate::formats::{self, PerFormat};
use crate::orientation;
use crate::passage::Passage;
use crate::settings::Settings;
use crate::silence::{self, Arrival, Silence};

/// A decoder that fails this often in a row without a result between has media that it cannot read.
const FAILURES: u32 = 5;
/// Audio packets last this long as a rule, ns.
const AUDIO_PACKET: i64 = 20_000_000;
/// The longest there are: Opus (RFC 6716 §2.1.4), ns.
const LONGEST_AUDIO_PACKET: i64 = 121_000_000;
/// A hole in audio that the decoder fills, ns.
const CONCEALED: i64 = 200_000_000;

/// The elements that decode an encoding, in order of preference.
fn decoders(encoding: &str) -> &'static [&'static str] {
    match encoding {
        "VP8" => &["vp8dec"],
        "VP9" => &["vp9dec"],
        "AV1" => &["dav1ddec", "av1dec"],
        "H264" => &["avdec_h264", "openh264dec"],
        "H265" => &["avdec_h265", "libde265dec"],
        "JPEG" => &["jpegdec"],
        "PNG" => &["pngdec"],
        "OPUS" => &["opusdec"],
        "PCMU" => &["mulawdec"],
        "PCMA" => &["alawdec"],
        "G722" => &["avdec_g722"],
        "AMR" => &["amrnbdec"],
        "AMR-WB" => &["amrwbdec"],
        // Samples in another byte order: what stands behind the decoder turns them round.
        "L16" => &["identity"],
        "AAC" => &["avdec_aac"],
        "MP3" => &["mpg123audiodec", "avdec_mp3"],
        "VORBIS" => &["vorbisdec"],
        _ => &[],
    }
}

/// A decoder. That its plugin is installed shows at once.
pub(crate) fn create(
    input: u32,
    output: u32,
    settings: Value,
    sink: ConverterOutput,
) -> Result<Box<dyn Converter>> {
    let encoding = formats::format(input)?.encoding;
    let kind = if is_pictures(&formats::format(output)?.encoding) {
        MediaKind::Video
    } else {
        MediaKind::Audio
    };
    let decode = Decode {
        encoding,
        kind,
        settings: Settings::parse(settings)?,
        passage: Passage::new(output, kind, sink),
        turn: Mutex::default(),
        stream: Mutex::new(Stream {
            caps: PerFormat::default(),
            needs_keyframe: kind == MediaKind::Video,
            audio: None,
            duration: AUDIO_PACKET,
            silence: Silence::default(),
            timer: false,
            failures: 0,
            produced: 0,
        }),
    };
    decode.passage.chain(|| decode.elements())?;
    Ok(Box::new(Running(Arc::new(decode))))
}

/// What the host has of it; a timer has a weak reference beside.
struct Running(Arc<Decode>);

struct Decode {
    encoding: String,
    kind: MediaKind,
    settings: Settings,
    passage: Passage,
    /// Of the chain that runs: turns pictures the way up that their sender asks for.
    turn: Mutex<Option<gst::Element>>,
    stream: Mutex<Stream>,
}

/// What frames of a format are to a decoder.
struct Media {
    caps: gst::Caps,
    /// How their pictures are turned.
    direction: &'static str,
    /// What the values of their pictures stand for, where it is not left to the bitstream.
    colours: Option<String>,
}

struct Stream {
    caps: PerFormat<Media>,
    /// Of no use before a keyframe.
    needs_keyframe: bool,
    /// When the latest packet of audio begins, ns on the pipeline clock.
    audio: Option<i64>,
    /// How long a packet of audio lasts, ns.
    duration: i64,
    /// What Opus leaves out.
    silence: Silence,
    /// A timer runs that will make up silence.
    timer: bool,
    /// In a row.
    failures: u32,
    /// Results at the last failure.
    produced: u64,
}

impl Converter for Running {
    fn packets(&self, packets: &[Packet]) {
        let decode = &self.0;
        let mut stream = lock(&decode.stream);
        for packet in packets {
            if decode.passage.is_stopped() {
                return;
            }
            if let Err(error) = decode.decode(&mut stream, packet) {
                decode.failed(&mut stream, error);
            }
        }
        decode.look_at_silence(&mut stream);
    }

    fn upstream(&self, message: Upstream) {
        self.0.passage.pass_upstream(message);
    }

    fn stop(&self) {
        self.0.passage.stop();
        *self.0.turn() = None;
    }
}

impl Decode {
    /// Has silence made up when it is time, unless that is arranged already.
    fn look_at_silence(self: &Arc<Self>, stream: &mut Stream) {
        let Some(host) = host().filter(|_| !stream.timer) else {
            return;
        };
        if let Some(wait) = stream.silence.next_look(host.now()) {
            stream.timer = true;
            let decode = Arc::downgrade(self);
            host.after(wait, move || Self::make_up_silence(&decode));
        }
    }

    fn make_up_silence(decode: &Weak<Self>) {
        let (Some(decode), Some(host)) = (decode.upgrade(), host()) else {
            return;
        };
        let mut stream = lock(&decode.stream);
        stream.timer = false;
        let Some(chain) = decode.passage.running() else {
            return;
        };
        while let Some(begin) = stream.silence.piece(host.now()) {
            decode.gap(&chain, begin, silence::PIECE);
        }
        decode.look_at_silence(&mut stream);
    }

    /// Lets the decoder make up sound, ns.
    fn gap(&self, chain: &Chain, begin: i64, length: i64) {
        let length = gst::ClockTime::from_nseconds(length.unsigned_abs());
        if let Some(begin) = self.passage.running_time_at(begin) {
            chain.gap(begin, length);
        }
    }

    fn decode(&self, stream: &mut Stream, packet: &Packet) -> Result<()> {
        if !self.is_decodable(stream, packet) {
            return Ok(());
        }
        let Some(chain) = self.passage.chain(|| self.elements())? else {
            return Ok(());
        };
        let (media, changed) = stream.caps.get(packet.format, Media::of)?;
        if changed {
            chain.set_caps(&media.caps);
            self.passage.set_colours(media.colours.clone());
            if let Some(turn) = self.turn().as_ref() {
                element::set(turn, "video-direction", media.direction);
            }
        }
        if self.kind == MediaKind::Audio && !self.conceal(stream, &chain, packet) {
            return Ok(());
        }
        let buffer = rivero_gst::buffer::from_bytes(packet.bytes.slice(payload(packet)));
        chain.push(self.passage.enter(packet, buffer))?;
        Ok(())
    }

    /// Video begins with a keyframe, and after a loss, too: what is decoded without its references
    /// is rubbish, and the encoder behind would spend its bits on it.
    fn is_decodable(&self, stream: &mut Stream, packet: &Packet) -> bool {
        if self.kind != MediaKind::Video {
            return true;
        }
        let lost = packet.flags & Packet::DISCONTINUITY != 0;
        stream.needs_keyframe = (stream.needs_keyframe || lost) && !packet.is_keyframe();
        if stream.needs_keyframe {
            self.passage.request_keyframe();
        }
        !stream.needs_keyframe
    }

    /// Lets the decoder make up for lost audio, and for what was left out. `false` if the packet comes
    /// too late for that.
    fn conceal(&self, stream: &mut Stream, chain: &Chain, packet: &Packet) -> bool {
        let time = packet.presentation_time;
        let arrival = self.after_silence(stream, packet);
        let lost = packet.flags & Packet::DISCONTINUITY != 0;
        let since = stream.audio.map(|audio| time - audio);
        match (arrival, since) {
            (Arrival::Late, _) => return false,
            (Arrival::After(pieces), _) => {
                for piece in (1..=pieces).rev() {
                    self.gap(chain, time - piece * silence::PIECE, silence::PIECE);
                }
            }
            (Arrival::Regular, Some(since)) if lost => {
                let missing = since - stream.duration;
                if (1_000_000..CONCEALED).contains(&missing) {
                    self.gap(chain, time - missing, missing);
                }
            }
            (Arrival::Regular, Some(since)) if (1..LONGEST_AUDIO_PACKET).contains(&since) => {
                stream.duration = since;
            }
            _ => {}
        }
        if packet.duration > 0 {
            stream.duration = packet.duration;
        }
        stream.audio = Some(time);
        true
    }

    fn after_silence(&self, stream: &mut Stream, packet: &Packet) -> Arrival {
        let Some(host) = host().filter(|_| self.encoding == "OPUS") else {
            return Arrival::Regular;
        };
        let duration = if packet.duration > 0 {
            packet.duration
        } else {
            stream.duration
        };
        let size = payload(packet).len();
        let silence = &mut stream.silence;
        silence.on_packet(host.now(), packet.presentation_time, duration, size)
    }

    /// Begins anew with the next keyframe, until that has failed too often.
    fn failed(&self, stream: &mut Stream, error: Error) {
        self.passage.end_chain();
        stream.caps.forget();
        stream.needs_keyframe = self.kind == MediaKind::Video;
        let produced = self.passage.produced();
        if produced != stream.produced {
            stream.failures = 0;
        }
        stream.produced = produced;
        stream.failures += 1;
        if stream.failures >= FAILURES {
            self.passage.fail(error);
        } else {
            tracing::debug!(%error, encoding = self.encoding, "a decoder begins anew");
            if stream.needs_keyframe {
                self.passage.request_keyframe();
            }
        }
    }

    fn elements(&self) -> Result<Vec<gst::Element>> {
        let decoder = element::make_first(decoders(&self.encoding))?;
        // One picture in, one picture out: threads that work on several pictures hold them back.
        element::set(&decoder, "max-threads", "1");
        element::set(&decoder, "threads", "1");
        element::set(&decoder, "n-threads", "1");
        element::set(&decoder, "max-frame-delay", "1");
        element::set(&decoder, "max-errors", "-1");
        element::set(&decoder, "automatic-request-sync-points", "true");
        element::set(&decoder, "plc", "true");
        element::set(&decoder, "use-inband-fec", "true");
        let mut elements = vec![decoder];
        match self.kind {
            MediaKind::Video => elements.extend(self.picture_elements()?),
            _ => elements.extend(self.sample_elements()?),
        }
        Ok(elements)
    }

    fn picture_elements(&self) -> Result<Vec<gst::Element>> {
        let mut caps = gst::Caps::builder("video/x-raw").field("format", "I420");
        let turn = element::make("videoflip")?;
        let mut elements = vec![element::make("videoconvert")?, turn.clone()];
        *self.turn() = Some(turn);
        let sides = [
            ("width", self.settings.width),
            ("height", self.settings.height),
        ];
        if sides.iter().any(|(_, side)| *side > 0) {
            elements.push(element::make("videoscale")?);
            for (name, side) in sides {
                if let Ok(side @ 1..) = i32::try_from(side) {
                    caps = caps.field(name, side);
                }
            }
            caps = caps.field("pixel-aspect-ratio", gst::Fraction::new(1, 1));
        }
        elements.push(filter(&caps.build())?);
        Ok(elements)
    }

    fn turn(&self) -> std::sync::MutexGuard<'_, Option<gst::Element>> {
        lock(&self.turn)
    }

    fn sample_elements(&self) -> Result<Vec<gst::Element>> {
        let mut caps = gst::Caps::builder("audio/x-raw")
            .field("format", "S16LE")
            .field("layout", "interleaved");
        let mut elements = vec![element::make("audioconvert")?];
        if let Ok(rate @ 1..) = i32::try_from(self.settings.sample_rate) {
            elements.push(element::make("audioresample")?);
            caps = caps.field("rate", rate);
        }
        caps = match i32::try_from(self.settings.channels) {
            Ok(channels @ 1..) => caps.field("channels", channels),
            // More are mixed: their places would not be known any more behind.
            _ => caps.field("channels", gst::IntRange::new(1, 2)),
        };
        elements.push(filter(&caps.build())?);
        Ok(elements)
    }
}

/// An element that lets only these caps through, so that those before it convert.
pub(crate) fn filter(caps: &gst::Caps) -> Result<gst::Element> {
    use gst::prelude::*;
    let filter = element::make("capsfilter")?;
    filter.set_property("caps", caps);
    Ok(filter)
}

impl Media {
    fn of(format: &Format) -> Result<Self> {
        let caps = caps::from_format(format)
            .ok_or_else(|| Error::unexpected(format!("{format} says too little for a decoder")))?;
        Ok(Self {
            caps,
            direction: orientation::direction(format),
            colours: colours::of_frames(format),
        })
    }
}

fn payload(packet: &Packet) -> std::ops::Range<usize> {
    usize::from(packet.rtp.payload_offset)..packet.bytes.len()
}
