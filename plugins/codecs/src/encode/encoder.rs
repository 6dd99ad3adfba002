//! The encoders' elements and how they are set for live media.

use rivero_gst::{element, gst};
use rivero_plugin_api::{Error, Format, Result};

use crate::picture::Layout;
use crate::settings::Settings;

/// Pictures a second that encoders are told of, and by their times get, whatever they come at: x264, x265 and openh264 count pictures,
/// and begin with a keyframe again where they are told another rate. Those of libvpx take each interval for a rate of its own, so that
/// pictures that tremble, or of which some are missing, are starved or left out. The bitrate that they are asked for makes up for
/// the difference.
pub(super) const NOMINAL_RATE: i32 = 30;
pub(super) const NOMINAL_INTERVAL: gst::ClockTime = gst::ClockTime::from_nseconds(33_333_333);
/// How far x264 may be ahead of its bitrate, ms…
const BUFFER: f64 = 500.0;
/// …but so many pictures at least: with fewer it keeps back a part of its bitrate for fear of them.
const BUFFERED_PICTURES: f64 = 7.0;
/// The same of libvpx, ms: how much it may have saved, how much it saves, how much it begins with.
const VPX_BUFFER: [(&str, f64); 3] = [
    ("buffer-size", 1000.0),
    ("buffer-optimal-size", 600.0),
    ("buffer-initial-size", 500.0),
];
/// Of pictures that are never due: keyframes come when they are asked for. The largest that all
/// encoders take.
const NEVER: &str = "1000000";

/// Of libvpx's VP8 encoder; negative: this speed, whatever the time that pictures take. With a positive number it looks
/// for one itself, which with 16 is the fastest there is, and that looks for motion by whole pixels only: what
/// moves slowly is smeared. This one finds quarters of a pixel, for about the same time, and is WebRTC's.
const VP8_SPEED: &str = "-6";

/// Bytes of a slice where a unit must fit into a packet (H.264, packetization-mode 0).
const SLICE: &str = "1100";

/// The elements that encode an encoding, in order of preference.
fn encoders(encoding: &str) -> &'static [&'static str] {
    match encoding {
        "VP8" => &["vp8enc"],
        "VP9" => &["vp9enc"],
        "AV1" => &["av1enc"],
        "H264" => &["x264enc", "openh264enc"],
        "H265" => &["x265enc"],
        "JPEG" => &["jpegenc"],
        "PNG" => &["pngenc"],
        "OPUS" => &["opusenc"],
        "PCMU" => &["mulawenc"],
        "PCMA" => &["alawenc"],
        "G722" => &["avenc_g722"],
        "AMR" => &["amrnbenc"],
        "AMR-WB" => &["voamrwbenc"],
        // Samples in another byte order: what stands before the encoder turns them round.
        "L16" => &["identity"],
        "AAC" => &["avenc_aac", "voaacenc"],
        "VORBIS" => &["vorbisenc"],
        _ => &[],
    }
}

/// An encoder's element.
#[derive(Clone)]
pub(super) struct Encoder {
    pub(super) element: gst::Element,
    kind: Kind,
    /// The settings say how large its buffer is.
    has_given_buffer: bool,
}

/// Elements that take the same settings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Vpx,
    Aom,
    X264,
    OpenH264,
    X265,
    Opus,
    /// Bit/s in a property `bitrate`.
    Plain,
    /// No bitrate: the format says it all.
    Fixed,
}

impl Encoder {
    /// The first installed one, set for live media of `target`, and then as the settings say: these
    /// have the last word.
    ///
    /// # Errors
    /// None is installed.
    pub(super) fn new(target: &Format, settings: &Settings, size: Option<Layout>) -> Result<Self> {
        let names = encoders(&target.encoding);
        let element = element::make_first(names)?;
        let encoder = Self {
            kind: kind(&element),
            element,
            has_given_buffer: { settings.options.iter() }.any(|(name, _)| name.contains("buf")),
        };
        encoder.configure(target)?;
        if let Some(size) = size {
            encoder.set_threads(threads(&target.encoding, size));
        }
        if encoder.kind == Kind::Aom && settings.keyframe_interval > 0.0 {
            let pictures = settings.keyframe_interval * f64::from(NOMINAL_RATE);
            encoder.set(&[("keyframe-max-dist", &format!("{pictures:.0}"))]);
        }
        for (name, value) in &settings.options {
            element::set(&encoder.element, name, value);
        }
        Ok(encoder)
    }

    fn set(&self, properties: &[(&str, &str)]) {
        for (name, value) in properties {
            element::set(&self.element, name, value);
        }
    }

    fn set_buffer(&self, name: &str, size: &str) {
        if !self.has_given_buffer {
            self.set(&[(name, size)]);
        }
    }

    /// Live: no look into the future, and a frame out for each one in.
    fn configure(&self, target: &Format) -> Result<()> {
        match self.kind {
            Kind::Vpx => self.configure_vpx(&target.encoding),
            Kind::Aom => self.set(&[
                ("usage-profile", "realtime"),
                ("end-usage", "cbr"),
                ("cpu-used", "9"),
                ("lag-in-frames", "0"),
                ("row-mt", "true"),
                ("tile-columns", "1"),
                ("keyframe-max-dist", NEVER),
                // With both at 0, the default, libaom ends the process in this mode.
                ("min-quantizer", "1"),
                ("max-quantizer", "56"),
                ("buf-sz", "600"),
                ("buf-initial-sz", "400"),
                ("buf-optimal-sz", "500"),
            ]),
            Kind::X264 => self.configure_x264(target)?,
            Kind::OpenH264 => self.configure_openh264(target)?,
            Kind::X265 => self.set(&[
                ("tune", "zerolatency"),
                ("speed-preset", "ultrafast"),
                ("key-int-max", NEVER),
                (
                    "option-string",
                    "pools=none:frame-threads=1:scenecut=0:rc-lookahead=0:repeat-headers=1:open-gop=0",
                ),
            ]),
            Kind::Opus => self.set(&[
                ("inband-fec", "true"),
                ("packet-loss-percentage", "5"),
                ("frame-size", "20"),
                ("complexity", "5"),
            ]),
            Kind::Plain | Kind::Fixed => self.set(&[("max-threads", "1"), ("snapshot", "false")]),
        }
        Ok(())
    }

    fn configure_vpx(&self, encoding: &str) {
        self.set(&[
            ("deadline", "1"),
            ("lag-in-frames", "0"),
            ("end-usage", "cbr"),
            ("keyframe-max-dist", NEVER),
            // A keyframe takes what nine others have, and no more: three tenths of a second of its path.
            ("max-intra-bitrate", "900"),
            // In units of the frame rate two pictures could have the same time.
            ("timebase", "1/90000"),
            ("static-threshold", "1"),
            // No limit: where the rate control is at one, it goes astray, and gives out a third of what it did with a smaller bitrate.
            ("min-quantizer", "0"),
            ("max-quantizer", "63"),
            ("undershoot", "95"),
            ("auto-alt-ref", "false"),
        ]);
        if encoding == "VP9" {
            self.set(&[
                ("cpu-used", "8"),
                ("row-mt", "true"),
                ("tile-columns", "1"),
                ("aq-mode", "cyclic-refresh"),
            ]);
        } else {
            self.set(&[("cpu-used", VP8_SPEED)]);
        }
    }

    fn configure_x264(&self, target: &Format) -> Result<()> {
        h264_profile(target)?;
        let options = if cuts_slices(target) {
            format!("scenecut=0:slice-max-size={SLICE}")
        } else {
            "scenecut=0".to_owned()
        };
        self.set(&[
            ("tune", "zerolatency"),
            ("speed-preset", "superfast"),
            ("sliced-threads", "false"),
            ("threads", "1"),
            ("key-int-max", NEVER),
            ("bframes", "0"),
            ("aud", "false"),
            ("option-string", &options),
        ]);
        Ok(())
    }

    fn configure_openh264(&self, target: &Format) -> Result<()> {
        h264_profile(target)?;
        self.set(&[
            ("rate-control", "bitrate"),
            ("complexity", "low"),
            ("gop-size", "0"),
            ("multi-thread", "1"),
            ("usage-type", "camera"),
        ]);
        if cuts_slices(target) {
            self.set(&[("slice-mode", "dyn"), ("max-slice-size", SLICE)]);
        }
        Ok(())
    }

    /// How many threads encode a picture. Slices of one picture, never pictures side by side: those
    /// would be held back.
    fn set_threads(&self, threads: usize) {
        let number = threads.to_string();
        match self.kind {
            Kind::Vpx | Kind::Aom => self.set(&[("threads", &number)]),
            Kind::X264 => {
                let sliced = if threads > 1 { "true" } else { "false" };
                self.set(&[("threads", &number), ("sliced-threads", sliced)]);
            }
            Kind::OpenH264 => self.set(&[("multi-thread", &number)]),
            Kind::X265 | Kind::Opus | Kind::Plain | Kind::Fixed => {}
        }
    }

    /// The target of sound in bit/s, at once and for the frames that follow.
    pub(super) fn set_bitrate(&self, bits_per_second: u64) {
        self.set_picture_bitrate(bits_per_second, f64::from(NOMINAL_RATE));
    }

    /// The target in bit/s of so many pictures a second, at once and for the frames that follow.
    pub(super) fn set_picture_bitrate(&self, bits_per_second: u64, frame_rate: f64) {
        let bits = if self.counts_pictures() {
            for_nominal_rate(bits_per_second, frame_rate)
        } else {
            bits_per_second
        };
        let bits = bits.clamp(6_000, 1_000_000_000);
        let kilobits = (bits / 1000).max(1).to_string();
        let bits = bits.to_string();
        match self.kind {
            Kind::Vpx => {
                for (name, size) in VPX_BUFFER {
                    self.set_buffer(name, &buffer(size, frame_rate, 0.0));
                }
                self.set(&[("target-bitrate", &bits)]);
            }
            Kind::Aom => self.set(&[("target-bitrate", &kilobits)]),
            Kind::X264 => {
                let size = buffer(BUFFER, frame_rate, BUFFERED_PICTURES);
                self.set_buffer("vbv-buf-capacity", &size);
                self.set(&[("bitrate", &kilobits)]);
            }
            Kind::X265 => self.set(&[("bitrate", &kilobits)]),
            // What is more does not fit into an RTP packet, and is not heard.
            Kind::Opus => self.set(&[(
                "bitrate",
                &bits_per_second.clamp(6_000, 256_000).to_string(),
            )]),
            Kind::OpenH264 | Kind::Plain => self.set(&[("bitrate", &bits)]),
            Kind::Fixed => {}
        }
    }

    /// The part by which what the element is asked for may be wrong before it is told so. To x265 each
    /// word costs a keyframe.
    pub(super) fn tolerance(&self) -> f64 {
        if self.kind == Kind::X265 { 0.25 } else { 0.03 }
    }

    /// Whether the element is to take each picture for the same part of a second, whatever its time.
    pub(super) fn counts_pictures(&self) -> bool {
        matches!(
            self.kind,
            Kind::Vpx | Kind::X264 | Kind::X265 | Kind::OpenH264
        )
    }

    /// Whether the element would spend on each picture what those before have saved that were left out, and be too large for
    /// its bitrate again.
    pub(super) fn saves_for_pictures_left_out(&self) -> bool {
        self.kind != Kind::Vpx
    }

    /// Whether there is a rate that the element could miss.
    pub(super) fn has_bitrate(&self) -> bool {
        !matches!(self.kind, Kind::Plain | Kind::Fixed)
    }

    /// Whether the element makes a keyframe when it is told to. That of AV1 does not (GStreamer
    /// 1.22): only a new one begins with a keyframe.
    pub(super) fn obeys_keyframe_requests(&self) -> bool {
        self.kind != Kind::Aom
    }

    /// What the element must put out, for a filter behind it.
    pub(super) fn output_caps(&self, target: &Format) -> Result<Option<gst::Caps>> {
        let byte_stream = |name: &str| {
            gst::Caps::builder(name)
                .field("stream-format", "byte-stream")
                .field("alignment", "au")
        };
        Ok(match target.encoding.as_str() {
            "H264" => {
                let caps = byte_stream("video/x-h264").field("profile", h264_profile(target)?);
                Some(caps.build())
            }
            "H265" => Some(byte_stream("video/x-h265").build()),
            "AV1" => Some(
                gst::Caps::builder("video/x-av1")
                    .field("stream-format", "obu-stream")
                    .field("alignment", "tu")
                    .build(),
            ),
            "AAC" => Some(
                gst::Caps::builder("audio/mpeg")
                    .field("mpegversion", 4)
                    .field("stream-format", "raw")
                    .build(),
            ),
            _ => None,
        })
    }
}

/// How many threads encode pictures of a size. One encodes a small picture in time on any machine; of more than there
/// are cores nobody has anything.
///
/// libvpx's threads of VP8 wait for each other by spinning: where something else has the processor, two of them use ten
/// times the CPU of one. So it has one as long as that is enough for 30 pictures a second.
pub(super) fn threads(encoding: &str, size: Layout) -> usize {
    let pixels = u64::from(size.width) * u64::from(size.height);
    let wanted = match pixels {
        0..=307_200 => 1,
        307_201..=1_048_576 if encoding == "VP8" => 1,
        307_201..=1_048_576 => 2,
        1_048_577..=2_500_000 if encoding == "VP8" => 2,
        1_048_577..=2_500_000 => 4,
        _ => 8,
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    wanted.min(cores)
}

/// Bit/s that give each of [`NOMINAL_RATE`] pictures a second as much as each of those that come has.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
fn for_nominal_rate(bits_per_second: u64, frame_rate: f64) -> u64 {
    (bits_per_second as f64 * f64::from(NOMINAL_RATE) / frame_rate.max(1.0)) as u64
}

/// The size of an encoder's buffer of so many ms, in the time that passes for it, which is that of the pictures.
fn buffer(milliseconds: f64, frame_rate: f64, least_pictures: f64) -> String {
    let pictures = (milliseconds / 1e3 * frame_rate).max(least_pictures);
    format!("{:.0}", pictures * 1e3 / f64::from(NOMINAL_RATE))
}

fn kind(element: &gst::Element) -> Kind {
    use gst::prelude::*;
    let name = element.factory().map(|factory| factory.name().to_string());
    match name.as_deref() {
        Some("vp8enc" | "vp9enc") => Kind::Vpx,
        Some("av1enc") => Kind::Aom,
        Some("x264enc") => Kind::X264,
        Some("openh264enc") => Kind::OpenH264,
        Some("x265enc") => Kind::X265,
        Some("opusenc") => Kind::Opus,
        Some("avenc_aac" | "voaacenc" | "vorbisenc") => Kind::Plain,
        _ => Kind::Fixed,
    }
}

/// The profile by GStreamer's name. Constrained profiles are subsets that all decoders of the
/// wider one take, too.
fn h264_profile(target: &Format) -> Result<&'static str> {
    match rivero_gst::caps::parameter(target, "profile") {
        None | Some("constrained-baseline" | "baseline") => Ok("constrained-baseline"),
        Some("main" | "extended") => Ok("main"),
        Some("constrained-high" | "high") => Ok("high"),
        Some(other) => Err(Error::unexpected(format!(
            "there is no encoder for H264 with profile {other}"
        ))),
    }
}

fn cuts_slices(target: &Format) -> bool {
    rivero_gst::caps::parameter(target, "packetization-mode") == Some("0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_picture_has_its_part_of_the_bitrate_at_any_rate() {
        for (frame_rate, expected) in [(30.0, 600_000), (15.0, 1_200_000), (60.0, 300_000)] {
            assert_eq!(for_nominal_rate(600_000, frame_rate), expected);
        }
        assert_eq!(for_nominal_rate(10_000, 0.0), 300_000);
    }

    #[test]
    fn small_pictures_have_one_thread_and_none_more_than_there_are_cores() {
        let of = |encoding, width, height| threads(encoding, Layout::new(width, height).unwrap());
        let cores = std::thread::available_parallelism().unwrap().get();
        for encoding in ["VP8", "H264"] {
            assert_eq!(of(encoding, 640, 360), 1);
            assert!(of(encoding, 3840, 2160) <= cores);
        }
        assert_eq!(of("H264", 1280, 720), 2.min(cores));
        assert_eq!(of("VP8", 1280, 720), 1);
        assert_eq!(of("VP8", 1920, 1080), 2.min(cores));
    }
}
