//! Which elements a playback may be made of.
//!
//! GStreamer offers an element for anything it ever met: formats of old games, playlists that open other URIs, drawings
//! that name files, modules of music. All of them read bytes of strangers in this process, so what nobody asked for is
//! left out: a factory is used if it is listed here.

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::{aifc, gif};

/// Containers, and what stands before or around media in a file.
const DEMULTIPLEXERS: &[&str] = &[
    "aiffparse",
    "apedemux",
    "asfdemux",
    "auparse",
    "avidemux",
    "flvdemux",
    "id3demux",
    "ivfparse",
    "matroskademux",
    "mpegpsdemux",
    "multipartdemux",
    "mxfdemux",
    "oggdemux",
    "qtdemux",
    "tsdemux",
    "wavparse",
];

/// What finds the frames of a codec.
const PARSERS: &[&str] = &[
    "aacparse",
    "ac3parse",
    "amrparse",
    "av1parse",
    "dcaparse",
    "flacparse",
    "h263parse",
    "h264parse",
    "h265parse",
    "jpeg2000parse",
    "jpegparse",
    "mpeg4videoparse",
    "mpegaudioparse",
    "mpegvideoparse",
    "oggaviparse",
    "ogmaudioparse",
    "ogmvideoparse",
    "opusparse",
    "pngparse",
    "sbcparse",
    "theoraparse",
    "unalignedaudioparse",
    "unalignedvideoparse",
    "vorbisparse",
    "vp9parse",
    "wavpackparse",
];

/// Codecs, by libraries of their own.
const DECODERS: &[&str] = &[
    gif::FACTORY,
    "a52dec",
    "adpcmdec",
    "alawdec",
    "amrnbdec",
    "amrwbdec",
    "av1dec",
    "dtsdec",
    "faad",
    "flacdec",
    "gsmdec",
    "jpegdec",
    "libde265dec",
    "mpeg2dec",
    "mpg123audiodec",
    "mulawdec",
    "openh264dec",
    "openjpegdec",
    "opusdec",
    "pngdec",
    "sbcdec",
    "sirendec",
    "speexdec",
    "theoradec",
    "vorbisdec",
    "vp8alphadecodebin",
    "vp8dec",
    "vp9alphadecodebin",
    "vp9dec",
    "wavpackdec",
    "webpdec",
];

/// Codecs by FFmpeg, and a container that GStreamer reads in part.
const FFMPEG: &[&str] = &[
    "avdemux_aiff",
    "avdec_aac",
    "avdec_aac_latm",
    "avdec_ac3",
    "avdec_adpcm_ima_qt",
    "avdec_adpcm_ima_wav",
    "avdec_adpcm_ms",
    "avdec_adpcm_swf",
    "avdec_alac",
    "avdec_amrnb",
    "avdec_amrwb",
    "avdec_ape",
    "avdec_dca",
    "avdec_dirac",
    "avdec_dnxhd",
    "avdec_dvvideo",
    "avdec_eac3",
    "avdec_ffv1",
    "avdec_flac",
    "avdec_flashsv",
    "avdec_flv",
    "avdec_g722",
    "avdec_g723_1",
    "avdec_g726",
    "avdec_g726le",
    "avdec_g729",
    "avdec_gsm",
    "avdec_gsm_ms",
    "avdec_h261",
    "avdec_h263",
    "avdec_h263i",
    "avdec_h263p",
    "avdec_h264",
    "avdec_h265",
    "avdec_huffyuv",
    "avdec_ilbc",
    "avdec_jpeg2000",
    "avdec_mjpeg",
    "avdec_mlp",
    "avdec_mp2float",
    "avdec_mp3",
    "avdec_mp3float",
    "avdec_mpeg2video",
    "avdec_mpeg4",
    "avdec_mpegvideo",
    "avdec_msmpeg4",
    "avdec_msmpeg4v1",
    "avdec_msmpeg4v2",
    "avdec_nellymoser",
    "avdec_opus",
    "avdec_png",
    "avdec_prores",
    "avdec_qtrle",
    "avdec_s302m",
    "avdec_speex",
    "avdec_svq1",
    "avdec_svq3",
    "avdec_truehd",
    "avdec_tta",
    "avdec_vc1",
    "avdec_vp3",
    "avdec_vp6",
    "avdec_vp6a",
    "avdec_vp6f",
    "avdec_vp8",
    "avdec_vp9",
    "avdec_webp",
    "avdec_wmalossless",
    "avdec_wmapro",
    "avdec_wmav1",
    "avdec_wmav2",
    "avdec_wmavoice",
    "avdec_wmv1",
    "avdec_wmv2",
    "avdec_wmv3",
];

/// Payloads of RTP. Not that of GStreamer itself, which carries anything.
const DEPAYLOADERS: &[&str] = &[
    "rtpL16depay",
    "rtpL24depay",
    "rtpL8depay",
    "rtpac3depay",
    "rtpamrdepay",
    "rtpg722depay",
    "rtpg723depay",
    "rtpg726depay",
    "rtpg729depay",
    "rtpgsmdepay",
    "rtph261depay",
    "rtph263depay",
    "rtph263pdepay",
    "rtph264depay",
    "rtph265depay",
    "rtpilbcdepay",
    "rtpj2kdepay",
    "rtpjpegdepay",
    "rtpmp2tdepay",
    "rtpmp4adepay",
    "rtpmp4gdepay",
    "rtpmp4vdepay",
    "rtpmpadepay",
    "rtpmparobustdepay",
    "rtpmpvdepay",
    "rtpopusdepay",
    "rtppcmadepay",
    "rtppcmudepay",
    "rtpsbcdepay",
    "rtpsirendepay",
    "rtpspeexdepay",
    "rtptheoradepay",
    "rtpvorbisdepay",
    "rtpvp8depay",
    "rtpvp9depay",
    "rtpvrawdepay",
];

/// Those of packages that not every system has.
const ELSEWHERE: &[&str] = &["dav1ddec", "rtpav1depay", "rtpvp10depay", "fdkaacdec"];

/// Whether a playback may be made of a factory's elements, for media with these caps.
pub(crate) fn is_allowed(factory: &gst::ElementFactory, caps: &gst::CapsRef) -> bool {
    let is_compressed = { caps.structure(0) }.is_some_and(|own| own.has_field(aifc::COMPRESSED));
    is_listed(factory) && !(is_compressed && factory.name() == "aiffparse")
}

fn is_listed(factory: &gst::ElementFactory) -> bool {
    let name = factory.name();
    [
        DEMULTIPLEXERS,
        PARSERS,
        DECODERS,
        FFMPEG,
        DEPAYLOADERS,
        ELSEWHERE,
    ]
    .iter()
    .any(|names| names.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered() -> Vec<gst::ElementFactory> {
        crate::init().unwrap();
        gst::ElementFactory::factories_with_type(
            gst::ElementFactoryType::DECODABLE,
            gst::Rank::MARGINAL,
        )
        .into_iter()
        .collect()
    }

    #[test]
    fn every_listed_factory_exists() {
        crate::init().unwrap();
        for names in [DEMULTIPLEXERS, PARSERS, DECODERS, FFMPEG, DEPAYLOADERS] {
            for name in names {
                assert!(gst::ElementFactory::find(name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn what_opens_other_uris_or_reads_what_nobody_plays_is_left_out() {
        for name in [
            "hlsdemux",
            "hlsdemux2",
            "dashdemux",
            "dashdemux2",
            "mssdemux",
            "mssdemux2",
            "sdpdemux",
            "rsvgdec",
            "rmdemux",
            "rademux",
            "subparse",
            "ssaparse",
            "modplug",
            "gmedec",
            "siddec",
            "wildmididec",
            "fluiddec",
            "rtpgstdepay",
            "rdtdepay",
            "avdemux_smk",
            "avdec_roqvideo",
            "vmncdec",
            "giosrc",
            "souphttpsrc",
            "filesrc",
            "uridecodebin",
            "playbin",
        ] {
            crate::init().unwrap();
            if let Some(factory) = gst::ElementFactory::find(name) {
                assert!(!is_listed(&factory), "{name}");
            }
        }
    }

    /// Whether an allowed element takes such media.
    fn is_taken(caps: &str) -> bool {
        crate::init().unwrap();
        let caps: gst::Caps = caps.parse().unwrap();
        let allowed = |factory: &gst::ElementFactory| is_allowed(factory, &caps);
        let mut allowed = offered().into_iter().filter(allowed);
        allowed.any(|factory| factory.can_sink_any_caps(&caps))
    }

    #[test]
    fn what_is_promised_is_taken() {
        for caps in [
            "video/webm",
            "video/x-matroska",
            "video/quicktime",
            "video/x-msvideo",
            "application/ogg",
            "video/x-flv",
            "video/mpegts,systemstream=true",
            "video/x-ms-asf",
            "audio/x-wav",
            "audio/x-aiff",
            "audio/x-aiff,compressed=true",
            "application/x-id3",
            "video/mpeg,mpegversion=2,systemstream=true",
            "multipart/x-mixed-replace",
            "video/x-vp8",
            "video/x-vp9",
            "video/x-av1",
            "video/x-h264",
            "video/x-h265",
            "video/x-theora",
            "video/mpeg,mpegversion=4,systemstream=false",
            "video/mpeg,mpegversion=2,systemstream=false,parsed=true",
            "video/x-h263",
            "image/jpeg",
            "image/png",
            "image/gif",
            "video/x-wmv,wmvversion=3",
            "audio/x-opus",
            "audio/x-vorbis",
            "audio/mpeg,mpegversion=4,framed=true,stream-format=raw",
            "audio/mpeg,mpegversion=1,layer=3",
            "audio/x-flac",
            "audio/x-ac3",
            "audio/AMR",
            "audio/x-alaw",
            "audio/x-mulaw",
            "audio/x-wma,wmaversion=2",
            "audio/x-alac",
            "application/x-rtp,media=video,encoding-name=H264",
            "application/x-rtp,media=video,encoding-name=H265",
            "application/x-rtp,media=video,encoding-name=JPEG",
            "application/x-rtp,media=video,encoding-name=VP8",
            "application/x-rtp,media=audio,encoding-name=MPEG4-GENERIC",
            "application/x-rtp,media=audio,encoding-name=PCMU",
            "application/x-rtp,media=audio,encoding-name=OPUS",
        ] {
            assert!(is_taken(caps), "{caps}");
        }
    }

    #[test]
    fn what_is_no_media_is_taken_by_nothing() {
        for caps in [
            "application/x-hls",
            "application/dash+xml",
            "application/vnd.ms-sstr+xml",
            "application/sdp",
            "application/x-subtitle",
            "application/vnd.rn-realmedia",
            "image/svg+xml",
            "audio/midi",
            "application/x-rtp,media=application,encoding-name=X-GST",
        ] {
            assert!(!is_taken(caps), "{caps}");
        }
    }
}
