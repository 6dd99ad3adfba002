//! The encoders' elements and how they are set for live media.

use rivero_gst::{element, gst};
use rivero_plugin_api::{Error, Format, Result};

use crate::settings::Settings;

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
    pub(super) fn new(target: &Format, settings: &Settings) -> Result<Self> {
        let names = encoders(&target.encoding);
        let element = element::make_first(names)?;
        let encoder = Self {
            kind: kind(&element),
            element,
        };
        encoder.configure(target)?;
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

    /// Live: no look into the future, a frame out for each one in, one thread where one is enough.
    fn configure(&self, target: &Format) -> Result<()> {
        match self.kind {
            Kind::Vpx => self.configure_vpx(&target.encoding),
            Kind::Aom => self.set(&[
                ("usage-profile", "realtime"),
                ("end-usage", "cbr"),
                ("cpu-used", "9"),
                ("lag-in-frames", "0"),
                ("threads", "2"),
                ("row-mt", "true"),
                ("tile-columns", "1"),
                ("keyframe-max-dist", "90"),
                // With both at 0, the default, libaom ends the process in this mode.
                ("min-quantizer", "8"),
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
                ("key-int-max", "90"),
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
            ("keyframe-max-dist", "128"),
            // In units of the frame rate two pictures could have the same time.
            ("timebase", "1/90000"),
            ("static-threshold", "1"),
            ("min-quantizer", "4"),
            ("max-quantizer", "56"),
            ("undershoot", "95"),
            ("buffer-size", "1000"),
            ("buffer-initial-size", "500"),
            ("buffer-optimal-size", "600"),
            ("auto-alt-ref", "false"),
        ]);
        if encoding == "VP9" {
            self.set(&[
                ("cpu-used", "8"),
                ("row-mt", "true"),
                ("threads", "2"),
                ("tile-columns", "1"),
                ("aq-mode", "cyclic-refresh"),
            ]);
        } else {
            self.set(&[("cpu-used", "16"), ("threads", "1")]);
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
            ("key-int-max", "60"),
            ("bframes", "0"),
            ("vbv-buf-capacity", "500"),
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
            ("gop-size", "60"),
            ("multi-thread", "1"),
            ("usage-type", "camera"),
        ]);
        if cuts_slices(target) {
            self.set(&[("slice-mode", "dyn"), ("max-slice-size", SLICE)]);
        }
        Ok(())
    }

    /// The target in bit/s, at once and for the frames that follow.
    pub(super) fn set_bitrate(&self, bits_per_second: u64) {
        let bits = bits_per_second.clamp(6_000, 200_000_000);
        let kilobits = (bits / 1000).max(1).to_string();
        let bits = bits.to_string();
        match self.kind {
            Kind::Vpx => self.set(&[("target-bitrate", &bits)]),
            Kind::Aom => self.set(&[("target-bitrate", &kilobits)]),
            Kind::X264 | Kind::X265 => self.set(&[("bitrate", &kilobits)]),
            // What is more does not fit into an RTP packet, and is not heard.
            Kind::Opus => self.set(&[(
                "bitrate",
                &bits_per_second.clamp(6_000, 256_000).to_string(),
            )]),
            Kind::OpenH264 | Kind::Plain => self.set(&[("bitrate", &bits)]),
            Kind::Fixed => {}
        }
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
