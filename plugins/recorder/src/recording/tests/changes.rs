//! Streams that change, or pause, while they are recorded.

use super::*;
use crate::container::testing::Step;

/// A keyframe of VP8 of so many pixels.
fn vp8(width: u16, height: u16) -> Vec<u8> {
    let mut frame = vec![0x10, 2, 0, 0x9d, 1, 0x2a];
    frame.extend(width.to_le_bytes());
    frame.extend(height.to_le_bytes());
    frame.extend([9, 9]);
    frame
}

/// PixelWidth and PixelHeight, each in two bytes.
fn size_of(file: &[u8]) -> (u16, u16) {
    let number = |id: u8| {
        let at = file.windows(2).position(|two| two == [id, 0x82]).unwrap();
        u16::from_be_bytes(file[at + 2..at + 4].try_into().unwrap())
    };
    (number(0xb0), number(0xba))
}

fn growing(profile: Name) -> Live {
    let mut live = Live::new(profile, VP8, 0);
    for (at, (width, height)) in [(0, (320, 180)), (1000, (1280, 720)), (2000, (640, 360))] {
        live.frame(MediaKind::Video, at, VP8, true, vp8(width, height))
            .unwrap();
        for later in (at + 40..at + 1000).step_by(40) {
            live.frame(MediaKind::Video, later, VP8, false, picture(VP8, false))
                .unwrap();
            live.recording.tick(later * MS, &mut live.output).unwrap();
        }
    }
    live
}

#[test]
fn a_file_has_the_size_of_its_largest_picture() {
    for profile in [Name::Webm, Name::Mkv] {
        let mut live = growing(profile);
        // A server that is killed leaves a file that says it, too.
        let unfinished = live.output.data.clone();
        let finished = live.finish(3000);
        for file in [unfinished, finished] {
            assert_eq!(size_of(&file), (1280, 720));
        }
    }
}

#[test]
fn a_turn_in_mid_stream_is_noticed_without_a_keyframe() {
    let mut live = Live::new(Name::Webm, VP8, 0);
    live.run(0, 1000).unwrap();
    for at in (1000..4000).step_by(40) {
        live.frame(MediaKind::Video, at, TURNED, false, picture(VP8, false))
            .unwrap();
        live.recording.tick(at * MS, &mut live.output).unwrap();
    }
    let file = live.finish(4000);
    let roll = [&[0x76, 0x75, 0x88][..], &(-90f64).to_be_bytes()].concat();
    assert!(file.windows(roll.len()).any(|window| window == roll));
}

/// Units of the sample at each keyframe: the types of H.264.
fn keyframes_of(file: &[u8]) -> Vec<Vec<u8>> {
    let movie = elements::of_mp4(file).pop().unwrap();
    let movie = &file[movie.start..movie.end];
    let sizes = elements::table_u32(movie, b"stsz", 8).remove(0);
    let keyframes = elements::table_u32(movie, b"stss", 4).pop();
    // Without the table all are.
    let keyframes = keyframes.unwrap_or_else(|| (1..=sizes.len() as u32).collect());
    // One sample a block, for those are written one at a time here.
    let positions = elements::table_u64(movie, b"co64").remove(0);
    assert_eq!(positions.len(), sizes.len());
    let types = |number: u32| {
        let index = number as usize - 1;
        let start = positions[index] as usize;
        let sample = &file[start..start + sizes[index] as usize];
        let (mut types, mut at) = (Vec::new(), 0);
        while at < sample.len() {
            let length = u32::from_be_bytes(sample[at..at + 4].try_into().unwrap()) as usize;
            types.push(sample[at + 4] & 31);
            at += 4 + length;
        }
        types
    };
    keyframes.into_iter().map(types).collect()
}

/// A recording in MP4 of these pictures, one each half second.
fn mp4_of(pictures: &[(bool, Vec<u8>)]) -> Vec<u8> {
    let mut live = Live::new(Name::Mp4, H264, 0);
    for (at, (keyframe, data)) in (0..).step_by(600).zip(pictures) {
        live.frame(MediaKind::Video, at, H264, *keyframe, data.clone())
            .unwrap();
        live.recording
            .tick((at + 590) * MS, &mut live.output)
            .unwrap();
    }
    live.finish(pictures.len() as i64 * 600)
}

fn units(units: &[&[u8]]) -> Vec<u8> {
    units
        .iter()
        .flat_map(|unit| [&[0, 0, 0, 1], *unit].concat())
        .collect()
}

const SPS: [u8; 22] = [
    0x67, 0x42, 0xc0, 0x0d, 0xda, 0x05, 0x07, 0xec, 0x04, 0x40, 0, 0, 3, 0, 0x40, 0, 0, 0x0f, 3,
    0xc5, 0x0a, 0xa8,
];
const PPS: [u8; 4] = [0x68, 0xce, 0x0f, 0xc8];
const IDR: [u8; 3] = [0x65, 1, 2];
const SLICE: [u8; 3] = [0x41, 5, 6];

#[test]
fn every_keyframe_has_the_parameter_sets_that_came_once() {
    let whole = units(&[&SPS, &PPS, &IDR]);
    for (first, later) in [
        (whole.clone(), units(&[&IDR])),
        (whole.clone(), units(&[&SPS, &IDR])),
        (whole.clone(), units(&[&PPS, &IDR])),
        (units(&[&SPS, &PPS]), units(&[&IDR])),
    ] {
        let file = mp4_of(&[
            (true, first),
            (false, units(&[&SLICE])),
            (true, later),
            (false, units(&[&SLICE])),
        ]);
        let found = keyframes_of(&file);
        assert_eq!(found.last().unwrap(), &[7, 8, 5]);
        let record = [&[1, 0, 4][..], &PPS].concat();
        assert!(file.windows(record.len()).any(|window| window == record));
        assert!(file.windows(4).any(|window| window == b"avc1"), "one entry");
    }
}

#[test]
fn parameter_sets_from_before_the_recording_count() {
    let mut live = Live::new(Name::Mp4, H264, 0);
    // While it waits for its first keyframe.
    live.frame(
        MediaKind::Video,
        0,
        H264,
        false,
        units(&[&SPS, &PPS, &SLICE]),
    )
    .unwrap();
    live.frame(MediaKind::Video, 40, H264, true, units(&[&IDR]))
        .unwrap();
    live.recording.tick(900 * MS, &mut live.output).unwrap();
    let file = live.finish(1000);
    assert_eq!(keyframes_of(&file), [[7, 8, 5]]);
}

#[test]
fn another_parameter_set_is_another_entry() {
    let other = [&SPS[..21], &[0xab]].concat();
    let file = mp4_of(&[
        (true, units(&[&SPS, &PPS, &IDR])),
        (true, units(&[&other, &PPS, &IDR])),
        (true, units(&[&SPS, &PPS, &IDR])),
    ]);
    let movie = elements::of_mp4(&file).pop().unwrap();
    let movie = &file[movie.start..movie.end];
    let count = |kind: &[u8]| movie.windows(4).filter(|window| *window == kind).count();
    assert_eq!((count(b"avc3"), count(b"avcC"), count(b"avc1")), (2, 2, 0));
    // First block, samples of each, entry.
    let runs = &movie[movie.windows(4).position(|four| four == b"stsc").unwrap() + 8..];
    let words: Vec<_> = runs[..40]
        .chunks(4)
        .map(|word| u32::from_be_bytes(word.try_into().unwrap()))
        .collect();
    assert_eq!(words, [3, 1, 1, 1, 2, 1, 2, 3, 1, 1]);
}

/// What a file says of its length, ms.
fn length_of(file: &[u8]) -> i64 {
    let behind = |name: &[u8]| {
        // The movie of the fragments is still there, in front.
        let found = file.windows(name.len()).rposition(|window| window == name);
        &file[found.unwrap() + name.len()..]
    };
    if file.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
        // Duration, a number of eight bytes.
        let value = &behind(&[0x44, 0x89, 0x88])[..8];
        return f64::from_be_bytes(value.try_into().unwrap()) as i64;
    }
    // Version and flags, two times, ticks a second.
    let head = behind(b"mvhd");
    let ticks = u32::from_be_bytes(head[20..24].try_into().unwrap());
    assert_eq!(ticks, 1000);
    i64::from_be_bytes(head[24..32].try_into().unwrap())
}

#[test]
fn silence_that_is_left_out_is_as_long_as_it_was() {
    for (profile, gaps) in [
        (Name::WebmAudioOnly, Gaps::Keep),
        (Name::Mp4AudioOnly, Gaps::Keep),
        (Name::WebmAudioOnly, Gaps::Close),
    ] {
        let mut live = Live::new(profile, 0, OPUS);
        live.recording.timeline = Timeline::new(gaps, Profile::new(&profile).media());
        live.recording.expect(MediaKind::Audio, true);
        live.recording.begin(0);
        for start in [0, 8000, 16_000] {
            live.run(start, start + 3000).unwrap();
        }
        for at in (19_000..24_000).step_by(200) {
            live.recording.tick(at * MS, &mut live.output).unwrap();
        }
        let file = live.finish(24_000);
        let expected = if gaps == Gaps::Keep { 24_000 } else { 9000 };
        let recorded = live.recording.duration() / MS;
        for length in [recorded, length_of(&file)] {
            assert!((length - expected).abs() < 50, "{gaps:?}: {length} ms");
        }
    }
}

#[test]
fn nothing_is_counted_where_no_source_is() {
    let mut live = Live::new(Name::WebmAudioOnly, 0, OPUS);
    live.run(0, 3000).unwrap();
    live.recording.expect(MediaKind::Audio, false);
    live.finish(9000);
    assert_eq!(live.recording.duration(), 3000 * MS);
}

#[test]
fn media_and_index_are_there_for_good_before_anything_refers_to_them() {
    for profile in [Name::Webm, Name::Mp4] {
        let (video, audio) = (if profile == Name::Mp4 { H264 } else { VP8 }, OPUS);
        let mut live = Live::new(profile, video, audio);
        live.run(0, 2000).unwrap();
        live.finish(2000);
        let steps = &live.output.steps;
        let synced = steps.iter().rposition(|step| *step == Step::Sync).unwrap();
        let appended = steps
            .iter()
            .rposition(|step| *step == Step::Append)
            .unwrap();
        let patched = steps.iter().rposition(|step| *step == Step::Patch).unwrap();
        assert!(appended < synced && synced < patched);
    }
}

#[test]
fn what_is_recorded_is_on_the_disk_as_often_as_is_asked_for() {
    for (interval, expected) in [(0, 0), (1000, 10), (3000, 3)] {
        let mut live = Live::new(Name::Webm, VP8, OPUS);
        live.recording.plan.sync_interval = interval * MS;
        live.run(0, 10_200).unwrap();
        let steps = live.output.steps.iter();
        let synced = steps.filter(|step| **step == Step::Sync).count();
        assert_eq!(synced, expected, "each {interval} ms");
    }
}

#[test]
fn another_codec_begins_another_file_where_there_may_be_several() {
    let mut live = Live::new(Name::KurentoSplitRecorder, VP8, OPUS);
    live.recording.plan.split = 60_000 * MS;
    live.run(0, 1500).unwrap();
    live.video = VP9;
    // In mid-stream: what comes before its keyframe belongs to no file.
    live.frame(MediaKind::Video, 1520, VP9, false, vec![0x86, 0])
        .unwrap();
    assert_eq!(live.output.files.len(), 0);
    assert!(
        live.recording
            .take_notices()
            .contains(&Notice::WantsKeyframe)
    );
    live.run(1560, 3000).unwrap();
    live.finish(3000);
    let mut files = std::mem::take(&mut live.output.files);
    files.push(live.output.data);
    assert_eq!(files.len(), 2);
    for (file, codec) in files.iter().zip(["V_VP8", "V_VP9"]) {
        let has = |name: &[u8]| file.windows(name.len()).any(|window| window == name);
        assert!(has(codec.as_bytes()) && has(b"A_OPUS"), "{codec}");
    }
    let sound = block_times(&files[1], &live.recording.tracks, MediaKind::Audio);
    assert!(sound[0] <= 20 && sound.len() > 70, "{sound:?}");
}
