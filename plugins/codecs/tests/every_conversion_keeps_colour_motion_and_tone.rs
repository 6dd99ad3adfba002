//! J01: every conversion there is, on a way from raw media to raw media.

use crate::rig::{Running, frames, picture, raw, rtp, tone};
use rivero_codecs::conversions;
use rivero_plugin_api::{Format, MediaKind, Packaging, Packet};
use serde_json::json;

const SIZE: (u32, u32) = (320, 240);
const HERTZ: f64 = 440.0;

fn run(from: &Format, to: &Format, packets: &[Packet]) -> Vec<Packet> {
    let running = Running::new(from, to, &json!({"bitrate": 1_000_000})).unwrap();
    packets
        .iter()
        .flat_map(|packet| running.convert(std::slice::from_ref(packet)))
        .collect()
}

/// Encoded, cut into RTP, put together and decoded again.
fn through_rtp(kind: MediaKind, packets: &[Packet], rtp: &Format) -> Vec<Packet> {
    let encoded = run(&raw(kind), &frames(rtp), packets);
    let cut = run(&frames(rtp), rtp, &encoded);
    assert!(
        cut.iter().all(|packet| packet.bytes.len() <= 1200),
        "too large for a path"
    );
    let mut whole = run(rtp, &frames(rtp), &cut);
    assert_eq!(whole.len(), encoded.len());
    for (frame, original) in whole.iter_mut().zip(&encoded) {
        let codes = rtp.encoding.starts_with("H26");
        assert!(
            codes || *frame.bytes == *original.bytes,
            "the same but for start codes"
        );
        assert_eq!(frame.is_keyframe(), original.is_keyframe());
        assert_eq!(frame.presentation_time, original.presentation_time);
        assert_eq!(frame.ingress_time, original.ingress_time);
        // A configuration, which SDP carries, belongs to the frames' own format.
        frame.format = original.format;
    }
    run(&frames(rtp), &raw(kind), &whole)
}

fn pictures() -> Vec<Packet> {
    (0..12)
        .map(|number| picture::picture(number, SIZE.0, SIZE.1))
        .collect()
}

fn tones(rate: u32, channels: u8) -> Vec<Packet> {
    (0..50)
        .map(|number| tone::tone(number, HERTZ, rate, channels))
        .collect()
}

fn assert_video(decoded: &[Packet]) {
    assert_eq!(decoded.len(), 12, "one picture out for each one in");
    for packet in decoded {
        assert_eq!(picture::size(packet), SIZE);
        picture::assert_shows(packet, SIZE);
        assert_eq!(packet.presentation_time - packet.ingress_time, picture::AGE);
    }
}

fn video_through_rtp(encoding: &str) {
    assert_video(&through_rtp(MediaKind::Video, &pictures(), &rtp(encoding)));
}

#[test]
fn vp8() {
    video_through_rtp("VP8");
}

#[test]
fn vp9() {
    video_through_rtp("VP9");
}

#[test]
fn av1() {
    video_through_rtp("AV1");
}

#[test]
fn h264() {
    video_through_rtp("H264");
}

#[test]
fn h265() {
    video_through_rtp("H265");
}

#[test]
fn jpeg_and_png() {
    for encoding in ["JPEG", "PNG"] {
        let frames = crate::rig::format(encoding, Packaging::Frame, 0, 0);
        let encoded = run(&raw(MediaKind::Video), &frames, &pictures());
        assert!(encoded.iter().all(Packet::is_keyframe));
        assert_video(&run(&frames, &raw(MediaKind::Video), &encoded));
    }
}

fn audio_through_rtp(encoding: &str, rate: u32, channels: u8) {
    let decoded = through_rtp(MediaKind::Audio, &tones(rate, channels), &rtp(encoding));
    tone::assert_heard(&decoded, HERTZ);
    let times = decoded.iter().map(|packet| packet.presentation_time);
    let last = times.clone().next_back().unwrap();
    assert!(
        times.clone().zip(times.skip(1)).all(|(a, b)| a < b),
        "in order"
    );
    assert!((last - tone::START - 49 * tone::INTERVAL).abs() < 100_000_000);
}

#[test]
fn opus_mono_and_stereo_at_any_rate() {
    for (rate, channels) in [(48_000, 2), (48_000, 1), (44_100, 2), (8_000, 1)] {
        audio_through_rtp("OPUS", rate, channels);
    }
}

#[test]
fn pcmu_and_pcma_of_stereo() {
    audio_through_rtp("PCMU", 48_000, 2);
    audio_through_rtp("PCMA", 44_100, 1);
}

#[test]
fn telephones_in_wide_band_and_by_speech_codecs() {
    for encoding in ["G722", "AMR", "AMR-WB"] {
        audio_through_rtp(encoding, 48_000, 2);
    }
}

#[test]
fn aac() {
    audio_through_rtp("MPEG4-GENERIC", 48_000, 2);
}

#[test]
fn l16() {
    audio_through_rtp("L16", 48_000, 2);
}

#[test]
fn vorbis() {
    let frames = crate::rig::format("VORBIS", Packaging::Frame, 48_000, 2);
    let encoded = run(&raw(MediaKind::Audio), &frames, &tones(48_000, 2));
    tone::assert_heard(&run(&frames, &raw(MediaKind::Audio), &encoded), HERTZ);
}

#[test]
fn mp3_is_decoded() {
    use rivero_gst::{element, gst, gst::prelude::*};
    // A file that GStreamer makes, split into its frames.
    let pipeline = rivero_gst::pipeline::Pipeline::new(|_| {}).unwrap();
    let (frames, received) = std::sync::mpsc::channel();
    let sink = rivero_gst::app::output("out", None, false, move |output| {
        let _ = frames.send(output);
    });
    let names = ["audiotestsrc", "lamemp3enc", "mpegaudioparse"];
    let elements = names.map(|name| element::make(name).unwrap());
    element::set(&elements[0], "freq", "440");
    element::set(&elements[0], "num-buffers", "60");
    let [source, encoder, parser] = &elements;
    pipeline
        .add_row(&[source, encoder, parser, sink.upcast_ref()])
        .unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut encoded = Vec::new();
    while let Ok(frame) = received.recv_timeout(std::time::Duration::from_secs(2)) {
        let format = rivero_gst::caps::to_format(&frame.caps).unwrap();
        assert_eq!(format.encoding, "MP3");
        encoded.push(Packet {
            bytes: frame.bytes,
            format: crate::rig::host::format_id(&format),
            presentation_time: i64::try_from(frame.presentation.unwrap().nseconds()).unwrap(),
            ..tone::tone(0, HERTZ, 44_100, 1)
        });
    }
    let format = crate::rig::host::format(encoded[0].format).unwrap();
    tone::assert_heard(&run(&format, &raw(MediaKind::Audio), &encoded), HERTZ);
}

/// A conversion that is not listed in a test above is not tested.
#[test]
fn all_conversions_are_tested_here() {
    const TESTED: [&str; 18] = [
        "VP8",
        "VP9",
        "AV1",
        "H264",
        "H265",
        "JPEG",
        "PNG",
        "OPUS",
        "PCMU",
        "PCMA",
        "G722",
        "AMR",
        "AMR-WB",
        "L16",
        "AAC",
        "MPEG4-GENERIC",
        "VORBIS",
        "MP3",
    ];
    for factory in conversions::all() {
        for (encoding, packaging) in [factory.conversion.input, factory.conversion.output] {
            let tested = TESTED.contains(&encoding.as_str()) || packaging == Packaging::Raw;
            assert!(tested, "{encoding}");
        }
    }
}
