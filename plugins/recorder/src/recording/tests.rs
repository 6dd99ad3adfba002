use rivero_plugin_api::Packaging;

use super::*;
use crate::{
    api::MediaProfileSpecType as Name,
    container::testing::{Memory, elements},
    track::kind_of,
};

mod changes;

const VP8: u32 = 1;
const OPUS: u32 = 2;
const H264: u32 = 3;
const AAC: u32 = 4;
const VP9: u32 = 5;
/// VP8 that is to be turned by 90 degrees.
const TURNED: u32 = 6;

fn format(id: u32) -> Option<Format> {
    let (name, rate, channels) = match id {
        VP8 | TURNED => ("VP8", 90_000, 0),
        OPUS => ("OPUS", 48_000, 2),
        H264 => ("H264", 90_000, 0),
        AAC => ("AAC", 48_000, 2),
        VP9 => ("VP9", 90_000, 0),
        _ => return None,
    };
    let format = Format {
        packaging: Packaging::Frame,
        ..Format::rtp(name, rate, channels)
    };
    Some(match id {
        TURNED => format.with("orientation", "90"),
        _ => format,
    })
}

fn recording(profile: Name) -> Recording {
    let plan = Plan {
        profile: Profile::new(&profile),
        gaps: Gaps::Keep,
        keyframe_interval: 5000 * MS,
        split: 1000 * MS,
        asked: std::time::UNIX_EPOCH,
        sync_interval: 0,
    };
    let mut recording = Recording::new(plan, Box::new(format));
    recording.begin(0);
    recording
}

fn picture(codec: u32, keyframe: bool) -> Vec<u8> {
    match (codec, keyframe) {
        (VP8, true) => vec![0x10, 2, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xf0, 0, 9, 9],
        (VP8, false) => vec![0x11, 2, 0, 9],
        (VP9, _) => vec![0x82, 0x49, 0x83, 0x42, 0x20, 0x13, 0xf0, 0x0e, 0xf0, 0],
        (_, true) => {
            let start = [0u8, 0, 0, 1];
            let sps = [
                0x67, 0x42, 0xc0, 0x0d, 0xda, 0x05, 0x07, 0xec, 0x04, 0x40, 0, 0, 3, 0, 0x40, 0, 0,
                0x0f, 3, 0xc5, 0x0a, 0xa8,
            ];
            [
                &start[..],
                &sps,
                &start,
                &[0x68, 0xce, 0x0f, 0xc8],
                &start,
                &[0x65, 1, 2],
            ]
            .concat()
        }
        (_, false) => vec![0, 0, 0, 1, 0x41, 5, 6],
    }
}

struct Live {
    recording: Recording,
    output: Memory,
    video: u32,
    audio: u32,
}

impl Live {
    fn new(profile: Name, video: u32, audio: u32) -> Self {
        let mut recording = recording(profile);
        recording.expect(MediaKind::Video, video != 0);
        recording.expect(MediaKind::Audio, audio != 0);
        Self {
            recording,
            output: Memory::default(),
            video,
            audio,
        }
    }

    fn frame(
        &mut self,
        kind: MediaKind,
        at: i64,
        format: u32,
        keyframe: bool,
        data: Vec<u8>,
    ) -> io::Result<()> {
        let frame = Frame {
            format,
            presentation_time: at * MS,
            duration: 0,
            keyframe,
            discontinuity: false,
            data: data.into(),
        };
        self.recording.push(kind, frame, at * MS, &mut self.output)
    }

    /// Runs from one millisecond to another: pictures every 40 ms with a
    /// keyframe a second, sound every 20 ms.
    fn run(&mut self, from: i64, to: i64) -> io::Result<()> {
        for at in (from..to).step_by(20) {
            if self.video != 0 && at % 40 == 0 {
                let keyframe = (at - from) % 1000 == 0;
                self.frame(
                    MediaKind::Video,
                    at,
                    self.video,
                    keyframe,
                    picture(self.video, keyframe),
                )?;
            }
            if self.audio != 0 {
                self.frame(MediaKind::Audio, at, self.audio, true, vec![0xfc, 1, 2])?;
            }
            self.recording.tick(at * MS, &mut self.output)?;
        }
        Ok(())
    }

    fn finish(&mut self, at: i64) -> Vec<u8> {
        self.recording.finish(at * MS, &mut self.output).unwrap();
        self.output.data.clone()
    }
}

#[test]
fn at_most_a_second_is_not_written_yet() {
    for (profile, video, audio) in [
        (Name::Webm, VP8, OPUS),
        (Name::Mp4, H264, OPUS),
        (Name::Flv, H264, AAC),
    ] {
        let mut live = Live::new(profile, video, audio);
        live.run(0, 3000).unwrap();
        let unwritten = live
            .recording
            .chunk
            .first()
            .map_or(3000, |first| first.time / MS);
        assert!(unwritten > 2000, "{unwritten}");
        assert!(live.output.data.len() > 1000);
    }
}

#[test]
fn a_late_track_joins_a_file_but_not_an_upload() {
    for (profile, video, audio, streams) in [
        (Name::Webm, VP8, OPUS, false),
        (Name::Mp4, H264, OPUS, false),
        (Name::Webm, VP8, OPUS, true),
    ] {
        let mut live = Live::new(profile, 0, audio);
        live.output.streams = streams;
        live.run(0, 3000).unwrap();
        live.video = video;
        live.run(3000, 5000).unwrap();
        live.finish(5000);
        let refused = live
            .recording
            .take_notices()
            .contains(&Notice::TooLate(MediaKind::Video));
        assert_eq!(refused, streams);
        assert_eq!(live.recording.tracks.len(), if streams { 1 } else { 2 });
    }
}

#[test]
fn sound_whose_duration_nobody_tells_lasts_as_long_as_it_does() {
    let mut live = Live::new(Name::WebmAudioOnly, 0, OPUS);
    live.run(0, 1000).unwrap();
    live.recording.tick(1020 * MS, &mut live.output).unwrap();
    assert_eq!(live.recording.duration(), 1000 * MS);
    live.recording.pause(1020 * MS, &mut live.output).unwrap();
    live.recording.begin(5000 * MS);
    live.run(5000, 5400).unwrap();
    live.recording.tick(5420 * MS, &mut live.output).unwrap();
    // No two frames overlap where recording went on.
    let chunk = &live.recording.chunk;
    let times: Vec<_> = chunk.iter().map(|sample| sample.time / MS).collect();
    assert_eq!(times[..3], [1000, 1020, 1040]);
    assert_eq!(live.recording.duration(), 1400 * MS);
}

#[test]
fn the_codec_stays_what_it_was() {
    let mut live = Live::new(Name::Webm, VP8, OPUS);
    live.run(0, 1000).unwrap();
    assert!(
        live.recording
            .take_notices()
            .iter()
            .any(|notice| matches!(notice, Notice::Settled(Codec::Vp8, ..)))
    );
    assert!(!live.recording.fits(
        MediaKind::Video,
        &Frame {
            format: VP9,
            presentation_time: 0,
            duration: 0,
            keyframe: true,
            discontinuity: false,
            data: picture(VP9, true).into(),
        }
    ));
}

#[test]
fn old_keyframes_are_renewed() {
    let mut live = Live::new(Name::Webm, VP8, 0);
    live.run(0, 1000).unwrap();
    live.recording.take_notices();
    for at in (1000..5000).step_by(40) {
        live.frame(MediaKind::Video, at, VP8, false, picture(VP8, false))
            .unwrap();
        live.recording.tick(at * MS, &mut live.output).unwrap();
    }
    assert!(live.recording.take_notices().is_empty());
    live.frame(MediaKind::Video, 5000, VP8, false, picture(VP8, false))
        .unwrap();
    live.recording.tick(5000 * MS, &mut live.output).unwrap();
    assert_eq!(live.recording.take_notices(), [Notice::WantsKeyframe]);
}

#[test]
fn no_keyframe_is_asked_for_on_hold_or_without_a_source() {
    // The latest keyframe is old; with nothing on hold it would be renewed.
    for goes_on in [false, true] {
        let mut live = Live::new(Name::Webm, VP8, 0);
        live.run(0, 40).unwrap();
        for at in (40..5080).step_by(40) {
            live.frame(MediaKind::Video, at, VP8, false, picture(VP8, false))
                .unwrap();
        }
        if goes_on {
            live.recording.expect(MediaKind::Video, false);
        } else {
            live.recording.pause(5080 * MS, &mut live.output).unwrap();
        }
        live.recording.take_notices();
        for at in (5080..8000).step_by(200) {
            live.recording.tick(at * MS, &mut live.output).unwrap();
        }
        assert_eq!(live.recording.take_notices(), [], "goes on: {goes_on}");
    }
}

#[test]
fn a_full_disk_leaves_what_was_written() {
    for (profile, video, audio) in [(Name::Webm, VP8, OPUS), (Name::Mp4, H264, OPUS)] {
        let mut live = Live::new(profile, video, audio);
        live.run(0, 3000).unwrap();
        live.output.limit = Some(live.output.data.len());
        let before = live.output.data.len();
        assert_eq!(
            live.run(3000, 6000).unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
        let _ = live.recording.abandon(&mut live.output);
        assert_eq!(live.output.data.len(), before);
    }
}

#[test]
fn split_recordings_begin_each_file_with_a_keyframe() {
    let mut live = Live::new(Name::KurentoSplitRecorder, VP8, OPUS);
    live.run(0, 3500).unwrap();
    live.finish(3500);
    let mut files = std::mem::take(&mut live.output.files);
    files.push(live.output.data);
    assert_eq!(files.len(), 4);
    assert!(
        files
            .iter()
            .all(|file| file.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]))
    );
}

/// Times of the blocks of a kind in a Matroska file, ms, as they come.
fn block_times(file: &[u8], tracks: &[Track], kind: MediaKind) -> Vec<i64> {
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | i64::from(*byte))
    };
    let track = tracks
        .iter()
        .position(|track| kind_of(track.codec) == kind)
        .unwrap();
    let (mut cluster, mut times) = (0, Vec::new());
    for element in elements::of_matroska(file) {
        let content = &file[element.start..element.end];
        match element.id {
            0xe7 => cluster = number(content),
            0xa3 if usize::from(content[0] & 0x7f) == track + 1 => {
                times.push(cluster + i64::from(i16::from_be_bytes([content[1], content[2]])));
            }
            _ => {}
        }
    }
    times
}

/// Records in files of a second; sound comes `lag` ms after the pictures. Gives the
/// times of the sound in each file.
fn sound_of_files(lag: i64) -> Vec<Vec<i64>> {
    let mut live = Live::new(Name::KurentoSplitRecorder, VP8, OPUS);
    for at in (lag.min(0)..3600 + lag.max(0)).step_by(20) {
        let mut push = |kind, presented: i64, format, keyframe, data: Vec<u8>| {
            let frame = Frame {
                format,
                presentation_time: presented * MS,
                duration: 0,
                keyframe,
                discontinuity: false,
                data: data.into(),
            };
            live.recording
                .push(kind, frame, at * MS, &mut live.output)
                .unwrap();
        };
        if at % 40 == 0 && (0..3600).contains(&at) {
            let keyframe = at % 1000 == 0;
            push(MediaKind::Video, at, VP8, keyframe, picture(VP8, keyframe));
        }
        if (0..3600).contains(&(at - lag)) {
            push(MediaKind::Audio, at - lag, OPUS, true, vec![0xfc, 1, 2]);
        }
        live.recording.tick(at * MS, &mut live.output).unwrap();
    }
    live.finish(3600);
    let mut files = std::mem::take(&mut live.output.files);
    files.push(live.output.data);
    let tracks = live.recording.tracks;
    files
        .iter()
        .map(|file| block_times(file, &tracks, MediaKind::Audio))
        .collect()
}

#[test]
fn the_sound_of_a_split_recording_is_in_the_file_of_its_picture() {
    for lag in [-200, 0, 60, 300] {
        let files = sound_of_files(lag);
        let second: Vec<_> = (0..1000).step_by(20).collect();
        let last: Vec<_> = (0..600).step_by(20).collect();
        assert_eq!(
            files,
            [second.clone(), second.clone(), second, last],
            "{lag} ms"
        );
    }
}

#[test]
fn sound_that_is_far_too_late_for_its_file_is_left_out() {
    let files = sound_of_files(900);
    assert!(files.len() > 2, "{files:?}");
    for file in &files[1..] {
        assert!(!file.is_empty());
        assert!(
            file.windows(2).all(|pair| pair[1] - pair[0] == 20),
            "{file:?}"
        );
    }
}

#[test]
fn nothing_recorded_is_nothing_written() {
    for profile in [Name::Webm, Name::Mp4, Name::Flv, Name::JpegVideoOnly] {
        assert!(Live::new(profile, VP8, OPUS).finish(1000).is_empty());
    }
}

#[test]
fn a_finished_webm_file_knows_its_size_its_length_and_its_index() {
    let mut live = Live::new(Name::Webm, VP8, OPUS);
    live.run(0, 3000).unwrap();
    let file = live.finish(3000);
    let found = elements::of_matroska(&file);
    let count = |id| found.iter().filter(|element| element.id == id).count();
    assert_eq!((count(0xae), count(0x1c53_bb6b)), (2, 1), "tracks, cues");
    assert_eq!(count(0xbb), 3, "a cue for each keyframe");
    let blocks = found.iter().filter(|element| element.id == 0xa3).count();
    assert_eq!(blocks, 75 + 150);
    let duration = found.iter().find(|element| element.id == 0x4489).unwrap();
    let milliseconds = f64::from_be_bytes(file[duration.start..duration.end].try_into().unwrap());
    assert!((2960.0..=3040.0).contains(&milliseconds), "{milliseconds}");
    assert_eq!(
        found.iter().map(|element| element.end).max(),
        Some(file.len())
    );
    // Every cue leads to a cluster.
    let segment = found
        .iter()
        .find(|element| element.id == 0x1853_8067)
        .unwrap()
        .start;
    let cues: Vec<_> = found.iter().filter(|element| element.id == 0xf1).collect();
    assert!(!cues.is_empty());
    for cue in cues {
        let position = file[cue.start..cue.end]
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        assert_eq!(file[segment + position..][..4], [0x1f, 0x43, 0xb6, 0x75]);
    }
}

#[test]
fn a_finished_mp4_file_is_an_ordinary_one_whose_index_fits() {
    let mut live = Live::new(Name::Mp4, H264, OPUS);
    live.run(0, 3000).unwrap();
    let top = |file: &[u8]| {
        elements::of_mp4(file)
            .iter()
            .map(|found| found.kind.clone())
            .collect::<Vec<_>>()
    };
    let unfinished = top(&live.output.data);
    assert_eq!(
        unfinished[..6],
        ["ftyp", "free", "moov", "free", "moof", "mdat"]
    );
    let file = live.finish(3000);
    assert_eq!(top(&file), ["ftyp", "mdat", "moov"]);
    let movie = elements::of_mp4(&file).pop().unwrap();
    let sizes = elements::table_u32(&file[movie.start..movie.end], b"stsz", 8);
    let positions = elements::table_u64(&file[movie.start..movie.end], b"co64");
    assert_eq!(sizes.iter().map(Vec::len).collect::<Vec<_>>(), [75, 150]);
    // The first sample of video: its first NAL unit is the parameter set.
    let first = usize::try_from(positions[0][0]).unwrap();
    assert_eq!(file[first..first + 5], [0, 0, 0, 22, 0x67]);
    // The first of each block of sound.
    assert!(!positions[1].is_empty());
    for position in &positions[1] {
        let position = usize::try_from(*position).unwrap();
        assert_eq!(file[position..position + 3], [0xfc, 1, 2]);
    }
}
