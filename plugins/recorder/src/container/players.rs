//! What others make of our files: real codecs from FFmpeg's encoders, read
//! back by FFmpeg, whole and as a killed server leaves them.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock},
    time::UNIX_EPOCH,
};

use rivero_codec::{Codec, Track};
use rivero_plugin_api::{Format, MediaKind, supervise::lock};

use super::{Container, Flv, Matroska, Mp4, testing::Memory};
use crate::{
    sample::Sample,
    track::{container_form, track_of},
};

mod changes;
mod long;

const MS: i64 = 1_000_000;
/// Of every fixture.
const SECONDS: i64 = 4;
const PICTURES: usize = 25 * SECONDS as usize;

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    assert_eq!(errors, "", "{program} {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn ffmpeg(arguments: &str) {
    let common = ["-v", "error", "-y", "-nostdin"];
    let arguments: Vec<&str> = common.into_iter().chain(arguments.split(' ')).collect();
    run("ffmpeg", &arguments);
}

/// Where the fixtures are, made once for the process.
fn fixtures() -> &'static Path {
    static DIRECTORY: OnceLock<tempfile::TempDir> = OnceLock::new();
    DIRECTORY
        .get_or_init(|| tempfile::tempdir().unwrap())
        .path()
}

/// Frames of a codec with their times.
fn frames(codec: Codec) -> Vec<Sample> {
    frames_of(codec, "320x240", "")
}

/// The same with pictures of a size. `options`: further ones of the encoder, or an empty text.
fn frames_of(codec: Codec, size: &str, options: &str) -> Vec<Sample> {
    // Tests in threads of one process use the same files.
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = lock(&MAKING);
    let path = |name: &str| {
        fixtures()
            .join(format!("{}-{size}-{name}", codec.name()))
            .display()
            .to_string()
    };
    let picture = format!(
        "-f lavfi -i testsrc=size={size}:rate=25:duration={SECONDS} -pix_fmt yuv420p -g 25{options}"
    );
    let sound =
        format!("-f lavfi -i sine=frequency=1000:sample_rate=48000:duration={SECONDS} -ac 2");
    match codec {
        Codec::Vp8 | Codec::Vp9 | Codec::Av1 => {
            let encoder = match codec {
                Codec::Vp8 => "libvpx -deadline realtime -b:v 300k",
                Codec::Vp9 => "libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 300k",
                _ => "libaom-av1 -usage realtime -cpu-used 8 -b:v 300k",
            };
            let ivf = path("video.ivf");
            ffmpeg(&format!("{picture} -c:v {encoder} {ivf}"));
            ivf_frames(&std::fs::read(ivf).unwrap())
        }
        Codec::H264 | Codec::H265 => {
            let (encoder, filter, format) = match codec {
                Codec::H264 => (
                    "libx264 -bf 2",
                    "h264_mp4toannexb,h264_metadata=aud=insert",
                    "h264",
                ),
                _ => (
                    "libx265 -x265-params log-level=none",
                    "hevc_mp4toannexb,hevc_metadata=aud=insert",
                    "hevc",
                ),
            };
            let (mp4, raw) = (path("video.mp4"), path("video.raw"));
            ffmpeg(&format!("{picture} -c:v {encoder} {mp4}"));
            ffmpeg(&format!(
                "-i {mp4} -c copy -bsf:v {filter} -f {format} {raw}"
            ));
            access_units(&std::fs::read(raw).unwrap(), &packet_times(&mp4), codec)
        }
        Codec::Opus => {
            let ogg = path("audio.ogg");
            ffmpeg(&format!("{sound} -c:a libopus {ogg}"));
            ogg_packets(&std::fs::read(ogg).unwrap())
        }
        Codec::Aac => {
            let adts = path("audio.aac");
            ffmpeg(&format!("{sound} -c:a aac {adts}"));
            adts_frames(&std::fs::read(adts).unwrap())
        }
        other => panic!("{other:?} is no sound"),
    }
}

fn sample(kind: MediaKind, time: i64, duration: i64, keyframe: bool, data: Vec<u8>) -> Sample {
    Sample {
        kind,
        time,
        duration,
        keyframe,
        data: data.into(),
    }
}

fn timed(frames: impl Iterator<Item = Vec<u8>>, distance: i64) -> Vec<Sample> {
    let times = (0..).map(|index| index * distance);
    frames
        .zip(times)
        .map(|(data, time)| sample(MediaKind::Audio, time, distance, true, data))
        .collect()
}

fn ivf_frames(file: &[u8]) -> Vec<Sample> {
    let mut rest = &file[32..];
    let mut frames = Vec::new();
    while rest.len() >= 12 {
        let size = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
        let time = frames.len() as i64 * 40 * MS;
        let keyframe = frames.len() % 25 == 0;
        frames.push(sample(
            MediaKind::Video,
            time,
            0,
            keyframe,
            rest[12..12 + size].to_vec(),
        ));
        rest = &rest[12 + size..];
    }
    frames
}

/// Presentation times in decoding order, ns.
fn packet_times(file: &str) -> Vec<(i64, bool)> {
    let text = run(
        "ffprobe",
        &[
            "-v",
            "error",
            "-show_entries",
            "packet=pts_time,flags",
            "-of",
            "csv=p=0",
            file,
        ],
    );
    let rows = text.lines().map(|line| {
        let mut fields = line.split(',');
        let seconds: f64 = fields.next().unwrap().parse().unwrap();
        (
            (seconds * 1e9) as i64,
            fields.next().unwrap().starts_with('K'),
        )
    });
    rows.collect()
}

fn access_units(data: &[u8], times: &[(i64, bool)], codec: Codec) -> Vec<Sample> {
    let delimiter: &[u8] = if codec == Codec::H264 {
        &[0, 0, 0, 1, 9]
    } else {
        &[0, 0, 0, 1, 0x46, 1]
    };
    let mut starts: Vec<usize> = data
        .windows(delimiter.len())
        .enumerate()
        .filter(|(_, window)| window == &delimiter)
        .map(|(at, _)| at)
        .collect();
    assert_eq!(starts.len(), times.len());
    starts.push(data.len());
    let units = starts.windows(2).map(|two| data[two[0]..two[1]].to_vec());
    units
        .zip(times)
        .map(|(unit, (time, keyframe))| sample(MediaKind::Video, *time, 0, *keyframe, unit))
        .collect()
}

/// Opus in Ogg: packets are the sums of lacing values up to one below 255.
fn ogg_packets(file: &[u8]) -> Vec<Sample> {
    let mut packets: Vec<Vec<u8>> = vec![Vec::new()];
    let mut rest = file;
    while rest.len() > 27 {
        let segments = usize::from(rest[26]);
        let lacing = &rest[27..27 + segments];
        let mut at = 27 + segments;
        for length in lacing {
            let end = at + usize::from(*length);
            packets.last_mut().unwrap().extend(&rest[at..end]);
            if *length < 255 {
                packets.push(Vec::new());
            }
            at = end;
        }
        rest = &rest[at..];
    }
    packets.pop();
    timed(packets.into_iter().skip(2), 20 * MS)
}

fn adts_frames(file: &[u8]) -> Vec<Sample> {
    let mut rest = file;
    let mut frames = Vec::new();
    while rest.len() > 7 {
        let size =
            usize::from(rest[3] & 3) << 11 | usize::from(rest[4]) << 3 | usize::from(rest[5] >> 5);
        frames.push(rest[7..size].to_vec());
        rest = &rest[size..];
    }
    timed(frames.into_iter(), 1024 * 1000 * MS / 48_000)
}

fn track(codec: Codec, first: &[u8]) -> Track {
    let (rate, channels) = codec.default_rate();
    track_of(&Format::rtp(codec.name(), rate, channels), first).unwrap()
}

/// The samples of a fixture as they are written, half a second at a time.
fn half_seconds(samples: &[Sample]) -> Vec<Vec<Sample>> {
    let chunk = |half: i64| {
        // Pictures that are reordered stay together, as they come.
        let range = half * 500 * MS..(half + 1) * 500 * MS;
        let mut latest = 0;
        let of_chunk = samples.iter().filter(|sample| {
            if sample.kind == MediaKind::Video {
                latest = latest.max(sample.time);
                range.contains(&latest)
            } else {
                range.contains(&sample.time)
            }
        });
        of_chunk.cloned().collect()
    };
    (0..2 * SECONDS).map(chunk).collect()
}

/// A recording as it grows: the file after each half second, and when finished.
fn record(mut container: Box<dyn Container>, codecs: &[Codec]) -> Vec<Vec<u8>> {
    let mut tracks = Vec::new();
    let mut samples = Vec::new();
    for codec in codecs {
        let frames = frames(*codec);
        let track = track(*codec, &frames[0].data);
        samples.extend(frames.into_iter().map(|mut sample| {
            sample.data = container_form(&track, &sample.data);
            sample
        }));
        tracks.push(track);
    }
    let mut output = Memory::default();
    let mut states = Vec::new();
    container.set_tracks(&tracks, &mut output).unwrap();
    for chunk in half_seconds(&samples) {
        container.write(&chunk, &mut output).unwrap();
        states.push(output.data.clone());
    }
    container.finish(SECONDS * 1000 * MS, &mut output).unwrap();
    states.push(output.data);
    states
}

/// Checks that a file has these tracks and decodes, from its start and from
/// the middle, without a complaint. Its duration in seconds.
fn plays(file: &[u8], name: &str, codecs: &[Codec]) -> f64 {
    let path: PathBuf = fixtures().join(name);
    std::fs::write(&path, file).unwrap();
    let path = path.to_str().unwrap();
    let entries = "stream=codec_name:format=duration";
    let text = run(
        "ffprobe",
        &[
            "-v",
            "error",
            "-show_entries",
            entries,
            "-of",
            "csv=p=0",
            path,
        ],
    );
    let mut lines: Vec<&str> = text.lines().collect();
    let duration = lines.pop().unwrap().parse().unwrap_or(0.0);
    let names = codecs.iter().map(|codec| match codec {
        Codec::H265 => "hevc".to_owned(),
        codec => codec.name().to_lowercase(),
    });
    assert_eq!(lines, names.collect::<Vec<_>>(), "{name}");
    run(
        "ffmpeg",
        &["-v", "error", "-nostdin", "-i", path, "-f", "null", "-"],
    );
    run(
        "ffmpeg",
        &[
            "-v",
            "error",
            "-nostdin",
            "-ss",
            "1.5",
            "-i",
            path,
            "-frames:v",
            "3",
            "-t",
            "0.2",
            "-f",
            "null",
            "-",
        ],
    );
    duration
}

/// Every state of a recording plays; the finished one has its length and all pictures.
fn every_state_plays(container: Box<dyn Container>, extension: &str, codecs: &[Codec]) {
    let names: Vec<_> = codecs.iter().map(|codec| codec.name()).collect();
    let name = format!("{}.{extension}", names.join("-"));
    let states = record(container, codecs);
    let (finished, unfinished) = states.split_last().unwrap();
    let duration = plays(finished, &name, codecs);
    assert!(
        (duration - SECONDS as f64).abs() < 0.1,
        "{name}: {duration} s"
    );
    for (half, state) in unfinished.iter().enumerate().skip(3).step_by(2) {
        plays(state, &format!("killed-{half}-{name}"), codecs);
    }
    if codecs.iter().any(|codec| !codec.is_audio()) {
        let path = fixtures().join(&name).display().to_string();
        let count = run(
            "ffprobe",
            &[
                "-v",
                "error",
                "-count_frames",
                "-select_streams",
                "v",
                "-show_entries",
                "stream=nb_read_frames",
                "-of",
                "csv=p=0",
                &path,
            ],
        );
        assert_eq!(count.trim().parse::<usize>().unwrap(), PICTURES, "{name}");
        let mut times: Vec<i64> = packet_times_of_video(&path);
        times.sort_unstable();
        let steps = times.windows(2).map(|two| two[1] - two[0]);
        assert!(
            steps.into_iter().all(|step| (39..=41).contains(&step)),
            "{name}: {times:?}"
        );
    }
}

/// ms
fn packet_times_of_video(file: &str) -> Vec<i64> {
    let text = run(
        "ffprobe",
        &[
            "-v",
            "error",
            "-select_streams",
            "v",
            "-show_entries",
            "packet=pts_time",
            "-of",
            "csv=p=0",
            file,
        ],
    );
    text.lines()
        .map(|line| (line.trim_end_matches(',').parse::<f64>().unwrap() * 1000.0).round() as i64)
        .collect()
}

#[test]
fn webm() {
    for codec in [Codec::Vp8, Codec::Vp9, Codec::Av1] {
        every_state_plays(
            Box::new(Matroska::webm(UNIX_EPOCH)),
            "webm",
            &[codec, Codec::Opus],
        );
    }
    every_state_plays(Box::new(Matroska::webm(UNIX_EPOCH)), "webm", &[Codec::Opus]);
}

#[test]
fn mkv() {
    for pair in [
        [Codec::H264, Codec::Aac],
        [Codec::H265, Codec::Aac],
        [Codec::Vp8, Codec::Opus],
        [Codec::Av1, Codec::Opus],
    ] {
        every_state_plays(Box::new(Matroska::mkv(UNIX_EPOCH)), "mkv", &pair);
    }
}

#[test]
fn mp4() {
    for pair in [
        [Codec::H264, Codec::Opus],
        [Codec::H265, Codec::Aac],
        [Codec::Av1, Codec::Opus],
        [Codec::Vp9, Codec::Opus],
    ] {
        every_state_plays(Box::new(Mp4::new(UNIX_EPOCH)), "mp4", &pair);
    }
    every_state_plays(Box::new(Mp4::new(UNIX_EPOCH)), "mp4", &[Codec::H264]);
    every_state_plays(Box::new(Mp4::new(UNIX_EPOCH)), "m4a", &[Codec::Aac]);
}

#[test]
fn flv() {
    every_state_plays(Box::new(Flv::new()), "flv", &[Codec::H264, Codec::Aac]);
}
