//! What GStreamer calls the codecs of segments.

use rivero_gst::gst;
use rivero_hls::demux::Codec;

/// The caps of what a track has.
pub(super) fn caps(codec: &Codec) -> gst::Caps {
    match codec {
        Codec::H264(record) => units("video/x-h264", "avc", record.as_deref()),
        Codec::H265(record) => units("video/x-h265", "hvc1", record.as_deref()),
        Codec::Av1(record) => gst::Caps::builder("video/x-av1")
            .field("stream-format", "obu-stream")
            .field("alignment", "tu")
            .field("codec_data", buffer(record))
            .build(),
        Codec::Vp9 => gst::Caps::new_empty_simple("video/x-vp9"),
        Codec::MpegVideo(version) => gst::Caps::builder("video/mpeg")
            .field("mpegversion", i32::from(*version))
            .field("systemstream", false)
            .field("parsed", false)
            .build(),
        Codec::Aac(configuration) => {
            let caps = gst::Caps::builder("audio/mpeg").field("mpegversion", 4);
            match configuration {
                Some(configuration) => caps
                    .field("stream-format", "raw")
                    .field("codec_data", buffer(configuration))
                    .build(),
                None => caps.field("stream-format", "adts").build(),
            }
        }
        Codec::AacLoas => gst::Caps::builder("audio/mpeg")
            .field("mpegversion", 4)
            .field("stream-format", "loas")
            .build(),
        Codec::MpegAudio => gst::Caps::builder("audio/mpeg")
            .field("mpegversion", 1)
            .build(),
        Codec::Ac3 => gst::Caps::new_empty_simple("audio/x-ac3"),
        Codec::Eac3 => gst::Caps::new_empty_simple("audio/x-eac3"),
        Codec::Opus(channels) => gst::Caps::builder("audio/x-opus")
            .field("rate", 48_000)
            .field("channels", i32::from(*channels))
            .field("channel-mapping-family", 0)
            .build(),
    }
}

/// Pictures in units: with their lengths where there is a record, else behind start codes.
fn units(media: &str, with_lengths: &str, record: Option<&[u8]>) -> gst::Caps {
    let caps = gst::Caps::builder(media);
    match record {
        Some(record) => caps
            .field("stream-format", with_lengths)
            .field("alignment", "au")
            .field("codec_data", buffer(record))
            .build(),
        None => caps.field("stream-format", "byte-stream").build(),
    }
}

fn buffer(bytes: &[u8]) -> gst::Buffer {
    gst::Buffer::from_slice(bytes.to_vec())
}
