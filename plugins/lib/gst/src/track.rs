//! The elements between what GStreamer found in the media and an outlet.

use gstreamer as gst;
use gstreamer::prelude::*;
use rivero_plugin_api::MediaKind;

use crate::{Error, element, fit};

/// Encodings that are passed on as they are, if that is asked for: what packets
/// can carry frame by frame. All others are decoded.
const PASSED_ON: [&str; 10] = [
    "video/x-vp8",
    "video/x-vp9",
    "video/x-av1",
    "video/x-h264",
    "video/x-h265",
    "image/jpeg",
    OPUS,
    MP3,
    AAC,
    "audio/x-vorbis",
];
/// One or two channels (RFC 7845 §5.1.1): others mean nothing without their mapping.
const OPUS: &str = "audio/x-opus,channel-mapping-family=(int)0";
/// AAC that can be unpacked to frames; the parser does not do that with LOAS and ADIF. And not of such a low rate that a frame
/// lasts for more than two packets of a call: what it is converted to would leave in bunches, with pauses between (128 ms at 8 kHz).
const AAC: &str =
    "audio/mpeg,mpegversion=(int){2,4},stream-format=(string){raw,adts},rate=(int)[32000,96000]";
/// The same of MP3, whose frames are half as long at low rates.
const MP3: &str = "audio/mpeg,mpegversion=(int)1,layer=(int)3,rate=(int)[16000,48000]";
/// What else media is decoded to.
const RAW: &str = "video/x-raw(ANY);audio/x-raw(ANY)";

/// Up to where media is decoded when it is to be passed on as it is.
pub(crate) fn passed_on() -> Option<gst::Caps> {
    format!("{};{RAW}", PASSED_ON.join(";")).parse().ok()
}

/// What kind of media a pad of the decoder has.
pub(crate) fn kind(caps: &gst::CapsRef) -> Option<MediaKind> {
    let name = caps.structure(0)?.name();
    match name.split_once('/')?.0 {
        "audio" => Some(MediaKind::Audio),
        "video" | "image" => Some(MediaKind::Video),
        _ => None,
    }
}

/// Sound leaves in pieces of this length, as calls have it. Files have pieces of half a second, which would all leave at
/// once.
const PIECE: &str = "1/50";

/// Samples follow each other as long as their times are no further from that, ns, or not for longer than this, ns. Times of files
/// are rounded; those of a camera are found out in its first seconds, and by its reports. What is not followed is as far
/// from the picture for good: the 40 ms and 1 s that are usual are seen.
const ASTRAY: &str = "10000000";
const PATIENCE: &str = "200000000";

/// The elements for media with these caps, in order.
///
/// # Errors
/// [`Error::MissingElement`]
pub(crate) fn elements(caps: &gst::CapsRef) -> Result<Vec<gst::Element>, Error> {
    let name = caps
        .structure(0)
        .map_or("", |structure| structure.name().as_str());
    let row: &[&str] = match name {
        // The picture as it is to be seen: upright and with square pixels.
        "video/x-raw" => &["videoconvert", "videoflip", "videoscale"],
        "audio/x-raw" => &["audioconvert", "audioresample"],
        "video/x-vp9" => &["vp9parse"],
        "video/x-av1" => &["av1parse"],
        "video/x-h264" => &["h264parse"],
        "video/x-h265" => &["h265parse"],
        "image/jpeg" => &["jpegparse"],
        "audio/x-opus" => &["opusparse"],
        "audio/x-vorbis" => &["vorbisparse"],
        "audio/mpeg" if is_mp3(caps) => &["mpegaudioparse"],
        "audio/mpeg" => &["aacparse"],
        _ => &[],
    };
    let mut elements = Vec::with_capacity(row.len() + 2);
    for factory in row {
        let made = element::make(factory)?;
        // Parameter sets with every keyframe.
        element::set(&made, "config-interval", "-1");
        if *factory == "videoflip" {
            element::set(&made, "video-direction", "auto");
        }
        elements.push(made);
    }
    if let Some(caps) = filter(name, caps) {
        let filter = element::make("capsfilter")?;
        filter.set_property("caps", caps);
        elements.push(filter);
    }
    if name == "audio/x-raw" {
        let pieces = element::make("audiobuffersplit")?;
        element::set(&pieces, "output-buffer-duration", PIECE);
        element::set(&pieces, "alignment-threshold", ASTRAY);
        element::set(&pieces, "discont-wait", PATIENCE);
        elements.push(pieces);
    }
    if name.ends_with("/x-raw") {
        fit::follow(&elements, caps);
    }
    Ok(elements)
}

fn is_mp3(caps: &gst::CapsRef) -> bool {
    let version = caps
        .structure(0)
        .and_then(|structure| structure.get::<i32>("mpegversion").ok());
    version == Some(1)
}

/// The shape that packets have.
fn filter(name: &str, caps: &gst::CapsRef) -> Option<gst::Caps> {
    let text = match name {
        "video/x-raw" => "video/x-raw,format=I420,pixel-aspect-ratio=1/1",
        "audio/x-raw" => {
            "audio/x-raw,format=S16LE,layout=interleaved,channels=[1,2],rate=[8000,48000]"
        }
        "video/x-av1" => "video/x-av1,stream-format=obu-stream,alignment=tu",
        "video/x-vp9" => "video/x-vp9,alignment=super-frame",
        "video/x-h264" => "video/x-h264,stream-format=byte-stream,alignment=au",
        "video/x-h265" => "video/x-h265,stream-format=byte-stream,alignment=au",
        "audio/mpeg" if !is_mp3(caps) => "audio/mpeg,mpegversion={2,4},stream-format=raw",
        _ => return None,
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_passed_on_has_its_elements() {
        crate::init().unwrap();
        for caps in passed_on().unwrap().iter() {
            let caps: gst::Caps = [caps.to_owned()].into_iter().collect();
            assert!(kind(&caps).is_some(), "{caps}");
            elements(&caps).unwrap();
        }
    }

    /// Whether media with these caps is passed on, and its elements take it.
    fn passes(caps: &str) -> bool {
        let caps: gst::Caps = caps.parse().unwrap();
        let row = elements(&caps).unwrap();
        let pipeline = gst::Pipeline::new();
        pipeline.add_many(&row).unwrap();
        gst::Element::link_many(&row).unwrap();
        let taken = row[0].static_pad("sink").unwrap().query_caps(None);
        passed_on().unwrap().can_intersect(&caps) && taken.can_intersect(&caps)
    }

    #[test]
    fn aac_of_both_versions_is_passed_on_where_it_can_be_unpacked() {
        crate::init().unwrap();
        for version in [2, 4] {
            for format in ["raw", "adts"] {
                let caps = format!("audio/mpeg,mpegversion={version},stream-format={format}");
                assert!(passes(&caps), "{caps}");
            }
        }
        for format in ["loas", "adif"] {
            let caps = format!("audio/mpeg,mpegversion=4,stream-format={format}");
            assert!(!passes(&caps), "{caps}");
        }
    }

    #[test]
    fn sound_of_long_frames_is_decoded() {
        crate::init().unwrap();
        let kinds = ["mpegversion=4,stream-format=raw", "mpegversion=1,layer=3"];
        for (kind, short, long) in [
            (kinds[0], [32_000, 44_100, 96_000], [8_000, 16_000, 24_000]),
            (kinds[1], [16_000, 24_000, 48_000], [8_000, 11_025, 12_000]),
        ] {
            for rate in short {
                assert!(passes(&format!("audio/mpeg,{kind},rate={rate}")), "{rate}");
            }
            for rate in long {
                assert!(!passes(&format!("audio/mpeg,{kind},rate={rate}")), "{rate}");
            }
        }
    }

    #[test]
    fn opus_is_passed_on_where_its_channels_need_no_mapping() {
        crate::init().unwrap();
        assert!(passes("audio/x-opus"));
        assert!(passes("audio/x-opus,channels=2,channel-mapping-family=0"));
        for family in [1, 2, 255] {
            let caps = format!("audio/x-opus,channels=6,channel-mapping-family={family}");
            assert!(!passes(&caps), "{caps}");
        }
    }

    /// How long the pieces are that come out of one of so many bytes of sound, in ms.
    fn pieces(caps: &str, size: usize) -> Vec<u64> {
        let caps: gst::Caps = caps.parse().unwrap();
        let source = gstreamer_app::AppSrc::builder()
            .caps(&caps)
            .format(gst::Format::Time)
            .build();
        let sink = gstreamer_app::AppSink::builder().sync(false).build();
        let mut row = vec![source.clone().upcast()];
        row.extend(elements(&caps).unwrap());
        row.push(sink.clone().upcast());
        let pipeline = gst::Pipeline::new();
        pipeline.add_many(&row).unwrap();
        gst::Element::link_many(&row).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let mut buffer = gst::Buffer::with_size(size).unwrap();
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::ZERO);
        source.push_buffer(buffer).unwrap();
        source.end_of_stream().unwrap();
        let lengths = std::iter::from_fn(|| sink.pull_sample().ok())
            .map(|sample| sample.buffer().unwrap().duration().unwrap().mseconds())
            .collect();
        pipeline.set_state(gst::State::Null).unwrap();
        lengths
    }

    #[test]
    fn sound_leaves_in_pieces_however_it_comes() {
        crate::init().unwrap();
        // Half a second of telephone sound, and channels without places.
        let telephone = "audio/x-raw,format=S16LE,layout=interleaved,rate=8000,channels=1";
        assert_eq!(
            pieces(telephone, 8192),
            [[20; 25].as_slice(), &[12]].concat()
        );
        for channels in [4, 5, 16] {
            let caps = format!(
                "audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels={channels},channel-mask=(bitmask)0x0"
            );
            assert_eq!(
                pieces(&caps, 48 * 40 * 2 * channels),
                [20, 20],
                "{channels}"
            );
        }
    }

    #[test]
    fn text_is_no_track() {
        crate::init().unwrap();
        let caps: gst::Caps = "text/x-raw".parse().unwrap();
        assert_eq!(kind(&caps), None);
    }
}
