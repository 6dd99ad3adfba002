use rivero_codec::annex_b;
use rivero_flv::{audio, enhanced, video};

use super::*;

/// 320x240 constrained baseline of x264, and its picture parameter set.
const SPS: [u8; 22] = [
    0x67, 0x42, 0xc0, 0x0d, 0xda, 0x05, 0x07, 0xec, 0x04, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00,
    0x00, 0x0f, 0x03, 0xc5, 0x0a, 0xa8,
];
const PPS: [u8; 4] = [0x68, 0xce, 0x0f, 0xc8];
/// 320x240 high profile of x264 with B-pictures that others refer to.
const REORDERED: &str = "6764000cacd94141fb0110000003001000000301e0f1429960";
const IDR: [u8; 3] = [0x65, 0x88, 0x84];

fn avcc(sps: &[u8]) -> Vec<u8> {
    let keyframe = stream(&[sps, &PPS, &IDR]);
    Track::of(Codec::H264, AudioParameters::default(), &keyframe)
        .unwrap()
        .configuration
}

fn stream(units: &[&[u8]]) -> Vec<u8> {
    let mut stream = Vec::new();
    units
        .iter()
        .for_each(|unit| annex_b::append(&mut stream, unit));
    stream
}

fn prefixed(units: &[&[u8]]) -> Vec<u8> {
    annex_b::length_prefixed(&stream(units), |_| true)
}

/// What messages become, each with its type and its time in ms.
fn demuxed(demuxer: &mut Demuxer, messages: &[(u8, u32, Vec<u8>)]) -> Vec<Demuxed> {
    let mut to = Vec::new();
    for (kind, time, body) in messages {
        let message = Message {
            kind: *kind,
            time: *time,
            stream: 1,
            body: body.clone(),
        };
        demuxer.read(&message, &mut to);
    }
    to
}

fn frames_of(demuxed: &[Demuxed]) -> Vec<&Incoming> {
    let frames = demuxed.iter().filter_map(|step| match step {
        Demuxed::Frame(frame) => Some(frame),
        Demuxed::Format(..) => None,
    });
    frames.collect()
}

fn formats_of(demuxed: &[Demuxed]) -> Vec<String> {
    let formats = demuxed.iter().filter_map(|step| match step {
        Demuxed::Format(_, format) => Some(format.to_string()),
        Demuxed::Frame(_) => None,
    });
    formats.collect()
}

#[test]
fn pictures_have_their_parameter_sets_before_each_keyframe() {
    let mut demuxer = Demuxer::default();
    let keyframe = video::avc_frame(true, 0, &prefixed(&[&IDR]));
    let slice = video::avc_frame(false, 0, &prefixed(&[&[0x41, 1]]));
    let all = demuxed(
        &mut demuxer,
        &[
            (VIDEO, 0, slice.clone()),
            (VIDEO, 0, video::avc_sequence_header(&avcc(&SPS))),
            (VIDEO, 0, slice.clone()),
            (VIDEO, 40, keyframe.clone()),
            (VIDEO, 80, slice),
        ],
    );
    assert_eq!(formats_of(&all), ["H264/90000 (Frame)"]);
    let frames = frames_of(&all);
    assert_eq!(frames.len(), 2, "nothing before a keyframe");
    assert_eq!(frames[0].data, stream(&[&SPS, &PPS, &IDR]));
    assert_eq!((frames[0].decoded, frames[0].is_keyframe), (40 * MS, true));
    assert_eq!(frames[1].data, stream(&[&[0x41, 1]]));
    assert!(!frames[1].is_keyframe);
}

/// Field report 30.
#[test]
fn parameter_sets_change_by_a_second_header_or_in_band() {
    let other: [u8; 4] = [0x68, 0xce, 0x3c, 0x80];
    let mut demuxer = Demuxer::default();
    let mut second = avcc(&SPS);
    let end = second.len() - 4;
    second[end..].copy_from_slice(&other);
    let keyframe = video::avc_frame(true, 0, &prefixed(&[&IDR]));
    let in_band = video::avc_frame(true, 0, &prefixed(&[&SPS, &PPS, &IDR]));
    let all = demuxed(
        &mut demuxer,
        &[
            (VIDEO, 0, video::avc_sequence_header(&avcc(&SPS))),
            (VIDEO, 0, keyframe.clone()),
            (VIDEO, 40, video::avc_sequence_header(&second)),
            (VIDEO, 40, keyframe.clone()),
            (VIDEO, 80, in_band),
            (VIDEO, 120, keyframe),
        ],
    );
    let sets = [&PPS, &other, &PPS, &PPS];
    let frames = frames_of(&all);
    for (frame, pps) in frames.iter().zip(sets) {
        assert_eq!(frame.data, stream(&[&SPS, pps, &IDR]));
    }
    assert_eq!(frames.len(), 4);
}

/// Field report 29.
#[test]
fn pictures_out_of_their_order_are_nothing_that_a_call_takes() {
    let reordered = hex::decode(REORDERED).unwrap();
    let mut demuxer = Demuxer::default();
    let all = demuxed(
        &mut demuxer,
        &[
            (VIDEO, 0, video::avc_sequence_header(&avcc(&reordered))),
            (VIDEO, 0, video::avc_frame(true, 80, &prefixed(&[&IDR]))),
            (
                VIDEO,
                40,
                video::avc_frame(false, -2, &prefixed(&[&[0x41]])),
            ),
        ],
    );
    assert_eq!(formats_of(&all), ["H264/90000;profile=reordered (Frame)"]);
    let offsets: Vec<_> = frames_of(&all).iter().map(|frame| frame.offset).collect();
    assert_eq!(offsets, [80 * MS, -2 * MS], "composition times have a sign");
}

#[test]
fn order_that_is_not_told_shows_by_composition_times() {
    // The same without what says how pictures are reordered: main profile, no VUI.
    let silent = [0x67, 0x4d, 0x40, 0x0c, 0xf4, 0x0a, 0x0f, 0xc8];
    let mut demuxer = Demuxer::default();
    let begins = demuxed(
        &mut demuxer,
        &[
            (VIDEO, 0, video::avc_sequence_header(&avcc(&silent))),
            (VIDEO, 0, video::avc_frame(true, 0, &prefixed(&[&IDR]))),
            (
                VIDEO,
                40,
                video::avc_frame(false, 80, &prefixed(&[&[0x41]])),
            ),
            (VIDEO, 80, video::avc_frame(false, 0, &prefixed(&[&[0x01]]))),
            (VIDEO, 120, video::avc_frame(true, 0, &prefixed(&[&IDR]))),
        ],
    );
    let formats = formats_of(&begins);
    assert_eq!(formats.len(), 2, "{formats:?}");
    assert!(formats[1].contains("reordered"));
}

#[test]
fn hevc_may_come_under_three_names() {
    // 320x240 of x265: a keyframe's sets.
    let sets: Vec<Vec<u8>> = [
        "40010c01ffff01600000030090000003000003003c959409",
        "42010101600000030090000003000003003ca00a080f16595952930bc05a020000030002000003003210",
        "4401c073c189",
    ]
    .iter()
    .map(|text| hex::decode(text).unwrap())
    .collect();
    let idr = [0x26, 0x01, 0xaf];
    let units: Vec<&[u8]> = sets.iter().map(Vec::as_slice).chain([&idr[..]]).collect();
    let whole = stream(&units);
    let record = Track::of(Codec::H265, AudioParameters::default(), &whole)
        .unwrap()
        .configuration;
    let bare = prefixed(&[&idr]);
    let marked = |codec: u8, body: Vec<u8>| {
        let mut body = body;
        body[0] = body[0] & 0xf0 | codec;
        body
    };
    for codec in [7, 12] {
        let all = demuxed(
            &mut Demuxer::default(),
            &[
                (VIDEO, 0, marked(codec, video::avc_sequence_header(&record))),
                (VIDEO, 0, marked(codec, video::avc_frame(true, 0, &bare))),
            ],
        );
        assert_eq!(frames_of(&all)[0].data, whole, "codec id {codec}");
    }
    let all = demuxed(
        &mut Demuxer::default(),
        &[
            (
                VIDEO,
                0,
                enhanced::video_sequence_start(Coding::Hevc, &record),
            ),
            (
                VIDEO,
                0,
                enhanced::video_frame(Coding::Hevc, true, 0, &bare),
            ),
        ],
    );
    assert_eq!(frames_of(&all)[0].data, whole);
    assert!(formats_of(&all)[0].starts_with("H265/90000"));
}

#[test]
fn sound_has_its_configuration_in_its_format() {
    let mut demuxer = Demuxer::default();
    let all = demuxed(
        &mut demuxer,
        &[
            (AUDIO, 0, audio::aac_frame(&[1])),
            (AUDIO, 0, vec![0xaf, 0]),
            (AUDIO, 0, vec![]),
            (AUDIO, 0, audio::aac_sequence_header(&[0x12, 0x10])),
            (AUDIO, 0, audio::aac_sequence_header(&[0x12, 0x10])),
            (AUDIO, 23, audio::aac_frame(&[2])),
            (
                AUDIO,
                46,
                enhanced::audio_sequence_start(Coding::Opus, b"OpusHead\x01\x02"),
            ),
            (AUDIO, 46, enhanced::audio_frame(Coding::Opus, &[3])),
        ],
    );
    assert_eq!(
        formats_of(&all),
        ["AAC/44100/2;config=1210 (Frame)", "OPUS/48000/2 (Frame)"]
    );
    let heard: Vec<_> = frames_of(&all)
        .iter()
        .map(|frame| (frame.decoded, frame.data.clone()))
        .collect();
    assert_eq!(heard, [(23 * MS, vec![2]), (46 * MS, vec![3])]);
    assert_eq!(demuxer.take_left_out(), 1, "what is no sound is no loss");
    let several = [b"OpusHead\x01\x06".as_slice(), &[0; 8], &[1]].concat();
    assert_eq!(audio_format(Coding::Opus, &several), None);
}

/// Field report 27.
#[test]
fn odd_messages_end_nothing() {
    let mut demuxer = Demuxer::default();
    let header = video::avc_sequence_header(&avcc(&SPS));
    let mut with_empty_unit = vec![0, 0, 0, 0];
    with_empty_unit.extend(prefixed(&[&IDR]));
    let all = demuxed(
        &mut demuxer,
        &[
            (VIDEO, 0, header),
            (VIDEO, 0, vec![0x17, 2, 0, 0, 0]),
            (VIDEO, 0, vec![0x22, 0, 1, 2, 3, 4]),
            (VIDEO, 0, video::avc_frame(true, 0, &[0, 0, 0, 0])),
            (VIDEO, 0, vec![]),
            (VIDEO, 40, video::avc_frame(true, 0, &with_empty_unit)),
        ],
    );
    let frames = frames_of(&all);
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].data, stream(&[&SPS, &PPS, &IDR]));
}
