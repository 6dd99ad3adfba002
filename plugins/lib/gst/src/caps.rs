//! Formats of the host and caps of GStreamer, both ways.
//!
//! Only what a packet carries by itself: encoded frames and raw media. RTP stays outside.

use gstreamer as gst;
use rivero_codec::hex;
use rivero_plugin_api::{Format, Packaging};

/// The parameter of a format that holds what a decoder needs beside the frames, in hexadecimal:
/// AudioSpecificConfig of AAC (ISO/IEC 14496-3), the three headers of Vorbis with Xiph lacing
/// (RFC 9559 §5.1.4.1.22 has the layout of `CodecPrivate`), STREAMINFO and its marker of FLAC.
pub const CONFIG: &str = "config";

/// Caps of the media of a format; `None` for RTP and encodings that GStreamer has no name for here.
pub fn from_format(format: &Format) -> Option<gst::Caps> {
    let caps = match (format.encoding.as_str(), format.packaging) {
        (_, Packaging::Rtp) => return None,
        ("I420", Packaging::Raw) => raw_video(format)?,
        ("S16LE", Packaging::Raw) => audio(
            format,
            gst::Caps::builder("audio/x-raw")
                .field("format", "S16LE")
                .field("layout", "interleaved"),
        ),
        (_, Packaging::Raw) => return None,
        ("L16", _) => audio(
            format,
            gst::Caps::builder("audio/x-raw")
                .field("format", "S16BE")
                .field("layout", "interleaved"),
        ),
        ("VP8", _) => gst::Caps::new_empty_simple("video/x-vp8"),
        ("VP9", _) => gst::Caps::new_empty_simple("video/x-vp9"),
        ("AV1", _) => gst::Caps::builder("video/x-av1")
            .field("stream-format", "obu-stream")
            .field("alignment", "tu")
            .build(),
        ("H264", _) => annex_b("video/x-h264"),
        ("H265", _) => annex_b("video/x-h265"),
        ("JPEG", _) => gst::Caps::new_empty_simple("image/jpeg"),
        ("PNG", _) => gst::Caps::new_empty_simple("image/png"),
        ("OPUS", _) => gst::Caps::builder("audio/x-opus")
            .field("channel-mapping-family", 0)
            .build(),
        ("PCMU", _) => audio(format, gst::Caps::builder("audio/x-mulaw")),
        ("PCMA", _) => audio(format, gst::Caps::builder("audio/x-alaw")),
        // Its clock counts bytes of two samples each (RFC 3551 §4.5.2).
        ("G722", _) => gst::Caps::builder("audio/G722")
            .field("rate", 16_000)
            .field("channels", 1)
            .build(),
        ("AMR", _) => audio(format, gst::Caps::builder("audio/AMR")),
        ("AMR-WB", _) => audio(format, gst::Caps::builder("audio/AMR-WB")),
        ("AAC", _) => aac(format)?,
        ("MP3", _) => audio(
            format,
            gst::Caps::builder("audio/mpeg")
                .field("mpegversion", 1)
                .field("layer", 3)
                .field("parsed", true),
        ),
        ("VORBIS", _) => vorbis(format)?,
        _ => return None,
    };
    Some(caps)
}

fn annex_b(name: &str) -> gst::Caps {
    gst::Caps::builder(name)
        .field("stream-format", "byte-stream")
        .field("alignment", "au")
        .build()
}

/// Rate and channels as far as the format has them; 1 channel unless it says more.
fn audio(format: &Format, caps: gst::caps::Builder<gst::caps::NoFeature>) -> gst::Caps {
    let channels = i32::from(format.channels.max(1));
    match i32::try_from(format.clock_rate) {
        Ok(rate) if rate > 0 => caps.field("rate", rate).field("channels", channels).build(),
        _ => caps.build(),
    }
}

fn raw_video(format: &Format) -> Option<gst::Caps> {
    let dimension = |name| {
        parameter(format, name)?
            .parse::<i32>()
            .ok()
            .filter(|size| *size > 0)
    };
    let caps = gst::Caps::builder("video/x-raw").field("format", "I420");
    let caps = match (dimension("width"), dimension("height")) {
        (Some(width), Some(height)) => caps.field("width", width).field("height", height),
        (None, None) => caps,
        _ => return None,
    };
    Some(match parameter(format, "colorimetry") {
        Some(colorimetry) => caps.field("colorimetry", colorimetry).build(),
        None => caps.build(),
    })
}

fn aac(format: &Format) -> Option<gst::Caps> {
    let config = hex::decode(parameter(format, CONFIG)?)?;
    let caps = gst::Caps::builder("audio/mpeg")
        .field("mpegversion", 4)
        .field("stream-format", "raw")
        .field("framed", true)
        .field("codec_data", gst::Buffer::from_slice(config));
    Some(audio(format, caps))
}

fn vorbis(format: &Format) -> Option<gst::Caps> {
    let config = hex::decode(parameter(format, CONFIG)?)?;
    let headers = unlace(&config)?;
    let headers = headers.map(|header| gst::Buffer::from_slice(header.to_vec()));
    let caps = gst::Caps::builder("audio/x-vorbis").field("streamheader", gst::Array::new(headers));
    Some(audio(format, caps))
}

/// The format of encoded frames or raw media with these caps; `None` for what packets cannot carry.
///
/// Raw video must be I420 and raw audio interleaved S16LE: convert before.
pub fn to_format(caps: &gst::CapsRef) -> Option<Format> {
    let structure = caps.structure(0)?;
    let name = structure.name().as_str();
    let text = |field: &str| structure.get::<&str>(field).ok();
    let number = |field: &str| structure.get::<i32>(field).ok();
    let frame = |encoding: &str| new(encoding, Packaging::Frame);
    let format = match name {
        "video/x-raw" if text("format") == Some("I420") => {
            let format = new("I420", Packaging::Raw)
                .with("width", number("width")?.to_string())
                .with("height", number("height")?.to_string());
            match text("colorimetry") {
                Some(colorimetry) => format.with("colorimetry", colorimetry),
                None => format,
            }
        }
        "audio/x-raw" if text("format") == Some("S16LE") => new("S16LE", Packaging::Raw),
        "audio/x-raw" if text("format") == Some("S16BE") => frame("L16"),
        "video/x-vp8" => frame("VP8"),
        "video/x-vp9" => frame("VP9"),
        "video/x-av1" => frame("AV1"),
        "video/x-h264" if text("stream-format") == Some("byte-stream") => frame("H264"),
        "video/x-h265" if text("stream-format") == Some("byte-stream") => frame("H265"),
        "image/jpeg" => frame("JPEG"),
        "image/png" => frame("PNG"),
        "audio/x-opus" => frame("OPUS"),
        "audio/x-mulaw" => frame("PCMU"),
        "audio/x-alaw" => frame("PCMA"),
        "audio/G722" => frame("G722"),
        "audio/AMR" => frame("AMR"),
        "audio/AMR-WB" => frame("AMR-WB"),
        "audio/mpeg" if number("mpegversion") == Some(1) => frame("MP3"),
        "audio/mpeg" if text("stream-format") == Some("raw") => {
            let config = structure.get::<&gst::BufferRef>("codec_data").ok()?;
            frame("AAC").with(CONFIG, hex::encode(&config.map_readable().ok()?))
        }
        "audio/x-vorbis" => {
            let headers = structure.get::<gst::ArrayRef<'_>>("streamheader").ok()?;
            frame("VORBIS").with(CONFIG, hex::encode(&lace(headers.as_slice())?))
        }
        _ => return None,
    };
    Some(if name.starts_with("audio/") {
        with_rate(format, number("rate"), number("channels"))
    } else {
        format
    })
}

fn new(encoding: &str, packaging: Packaging) -> Format {
    Format {
        packaging,
        ..Format::rtp(encoding, 0, 0)
    }
}

fn with_rate(mut format: Format, rate: Option<i32>, channels: Option<i32>) -> Format {
    let rate = match format.encoding.as_str() {
        // Opus runs at 48 kHz whatever was put in.
        "OPUS" => Some(48_000),
        "G722" => Some(8000),
        _ => rate,
    };
    format.clock_rate = rate.and_then(|rate| u32::try_from(rate).ok()).unwrap_or(0);
    format.channels = channels
        .and_then(|channels| u8::try_from(channels).ok())
        .unwrap_or(1);
    format
}

/// The value of a format's parameter.
pub fn parameter<'a>(format: &'a Format, name: &str) -> Option<&'a str> {
    let found = format.parameters.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

/// Three headers one after the other, with the lengths of the first two in front.
fn lace(headers: &[gst::glib::SendValue]) -> Option<Vec<u8>> {
    let headers: Option<Vec<Vec<u8>>> = headers
        .iter()
        .map(|value| {
            Some(
                value
                    .get::<gst::Buffer>()
                    .ok()?
                    .map_readable()
                    .ok()?
                    .to_vec(),
            )
        })
        .collect();
    let [first, second, third] = headers?.try_into().ok()?;
    let mut laced = vec![2];
    for header in [&first, &second] {
        laced.extend(std::iter::repeat_n(255, header.len() / 255));
        laced.push(u8::try_from(header.len() % 255).ok()?);
    }
    laced.extend([first, second, third].concat());
    Some(laced)
}

fn unlace(config: &[u8]) -> Option<[&[u8]; 3]> {
    let (&2, mut rest) = config.split_first()? else {
        return None;
    };
    let mut lengths = [0usize; 2];
    for length in &mut lengths {
        loop {
            let (&part, after) = rest.split_first()?;
            rest = after;
            *length += usize::from(part);
            if part < 255 {
                break;
            }
        }
    }
    let [first, second] = lengths;
    let (first, rest) = rest.split_at_checked(first)?;
    let (second, third) = rest.split_at_checked(second)?;
    Some([first, second, third])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(format: Format) {
        let caps = from_format(&format).unwrap();
        assert_eq!(to_format(&caps).as_ref(), Some(&format), "{caps}");
    }

    #[test]
    fn formats_survive_the_way_to_gstreamer_and_back() {
        crate::init().unwrap();
        for video in ["VP8", "VP9", "AV1", "H264", "H265", "JPEG", "PNG"] {
            there_and_back(new(video, Packaging::Frame));
        }
        for name in ["PCMU", "PCMA", "G722", "AMR", "L16"] {
            there_and_back(with_rate(new(name, Packaging::Frame), Some(8_000), Some(1)));
        }
        there_and_back(with_rate(
            new("MP3", Packaging::Frame),
            Some(44_100),
            Some(2),
        ));
        let aac = new("AAC", Packaging::Frame).with(CONFIG, "1190");
        there_and_back(with_rate(aac, Some(48_000), Some(2)));
        let headers = "02020361626364656667";
        let vorbis = new("VORBIS", Packaging::Frame).with(CONFIG, headers);
        there_and_back(with_rate(vorbis, Some(44_100), Some(2)));
        there_and_back(with_rate(
            new("S16LE", Packaging::Raw),
            Some(48_000),
            Some(2),
        ));
        let picture = new("I420", Packaging::Raw)
            .with("width", "641")
            .with("height", "479")
            .with("colorimetry", "bt601");
        there_and_back(picture);
    }

    #[test]
    fn what_packets_cannot_carry_has_no_format() {
        crate::init().unwrap();
        assert_eq!(from_format(&Format::rtp("VP8", 90_000, 0)), None);
        assert_eq!(
            from_format(&new("AAC", Packaging::Frame)),
            None,
            "without its configuration"
        );
        let half = new("I420", Packaging::Raw).with("width", "640");
        assert_eq!(from_format(&half), None);
        let avc = gst::Caps::builder("video/x-h264")
            .field("stream-format", "avc")
            .build();
        assert_eq!(to_format(&avc), None);
        let nv12 = gst::Caps::builder("video/x-raw")
            .field("format", "NV12")
            .build();
        assert_eq!(to_format(&nv12), None);
    }

    #[test]
    fn long_headers_are_laced() {
        crate::init().unwrap();
        let headers: Vec<gst::glib::SendValue> = [300usize, 255, 4]
            .iter()
            .map(|length| {
                use gst::prelude::*;
                gst::Buffer::from_slice(vec![7u8; *length]).to_send_value()
            })
            .collect();
        let laced = lace(&headers).unwrap();
        assert_eq!(laced.get(..5), Some(&[2, 255, 45, 255, 0][..]));
        assert_eq!(unlace(&laced).unwrap().map(<[u8]>::len), [300, 255, 4]);
        assert_eq!(unlace(&laced[..400]), None);
        assert_eq!(unlace(&[2, 255]), None);
        assert_eq!(unlace(&[]), None);
    }
}
