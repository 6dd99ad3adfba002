//! Recordings whose pictures grow in mid-stream, as those of a call do that begins on a narrow path.

use super::*;

/// Two sizes, one behind the other, and sound all the time; the file as it is before its end, and finished.
fn growing(mut container: Box<dyn Container>, codec: Codec, sound: Codec) -> (Vec<u8>, Vec<u8>) {
    let sizes = ["160x90", "320x180"].map(|size| frames_of(codec, size, ""));
    let sound_frames = frames(sound);
    let tracks = [track(codec, &sizes[0][0].data), track(sound, &[])];
    let mut output = Memory::default();
    container.set_tracks(&tracks, &mut output).unwrap();
    for (round, pictures) in (0..).zip(&sizes) {
        let shape = track(codec, &pictures[0].data);
        container.change_track(&shape, &mut output).unwrap();
        let pictures = pictures.iter().cloned().map(|mut sample| {
            sample.data = container_form(&shape, &sample.data);
            sample
        });
        let samples: Vec<_> = pictures.chain(sound_frames.iter().cloned()).collect();
        for mut chunk in half_seconds(&samples) {
            for sample in &mut chunk {
                sample.time += round * SECONDS * 1000 * MS;
            }
            container.write(&chunk, &mut output).unwrap();
        }
    }
    let unfinished = output.data.clone();
    container
        .finish(2 * SECONDS * 1000 * MS, &mut output)
        .unwrap();
    (unfinished, output.data)
}

/// Sizes of the pictures that are decoded, each once, from a place on (s).
fn decoded_sizes(path: &str, from: i64) -> Vec<String> {
    let text = format!(
        "-v error -select_streams v -read_intervals {from} -show_entries frame=width,height -of csv=p=0 {path}"
    );
    let text = run("ffprobe", &text.split(' ').collect::<Vec<_>>());
    let mut sizes: Vec<String> = Vec::new();
    for line in text
        .lines()
        .map(|line| line.trim_end_matches(',').to_owned())
    {
        // Side data has lines of its own.
        if !line.is_empty() && sizes.last() != Some(&line) {
            sizes.push(line);
        }
    }
    sizes
}

fn grows(container: Box<dyn Container>, extension: &str, codec: Codec, sound: Codec) {
    let (unfinished, finished) = growing(container, codec, sound);
    for (state, file) in [("killed", unfinished), ("finished", finished)] {
        let name = format!("growing-{state}-{}.{extension}", codec.name());
        plays(&file, &name, &[codec, sound]);
        let path = fixtures().join(&name).display().to_string();
        assert_eq!(decoded_sizes(&path, 0), ["160,90", "320,180"], "{name}");
        assert_eq!(decoded_sizes(&path, SECONDS + 2), ["320,180"], "{name}");
    }
}

#[test]
fn an_mp4_that_grows() {
    for codec in [Codec::H264, Codec::H265, Codec::Av1, Codec::Vp9] {
        grows(Box::new(Mp4::new(UNIX_EPOCH)), "mp4", codec, Codec::Opus);
    }
}

#[test]
fn a_matroska_file_that_grows() {
    for codec in [Codec::Vp8, Codec::Vp9, Codec::Av1] {
        grows(
            Box::new(Matroska::webm(UNIX_EPOCH)),
            "webm",
            codec,
            Codec::Opus,
        );
    }
    for codec in [Codec::H264, Codec::H265] {
        grows(
            Box::new(Matroska::mkv(UNIX_EPOCH)),
            "mkv",
            codec,
            Codec::Aac,
        );
    }
}

#[test]
fn an_flv_file_that_grows() {
    grows(Box::new(Flv::new()), "flv", Codec::H264, Codec::Aac);
}

/// What ffprobe says of the first video, one after the other.
fn probed(file: &[u8], name: &str, entries: &str) -> String {
    let path = fixtures().join(name);
    std::fs::write(&path, file).unwrap();
    let text = format!(
        "-v error -select_streams v -show_entries {entries} -of csv=p=0 {}",
        path.display()
    );
    let text = run("ffprobe", &text.split(' ').collect::<Vec<_>>());
    text.trim().trim_end_matches(',').to_owned()
}

/// A finished file of one track.
fn recorded(mut container: Box<dyn Container>, track: &Track, samples: &[Sample]) -> Vec<u8> {
    let mut output = Memory::default();
    let tracks = std::slice::from_ref(track);
    container.set_tracks(tracks, &mut output).unwrap();
    let samples = samples.iter().cloned().map(|mut sample| {
        sample.data = container_form(track, &sample.data);
        sample
    });
    let samples: Vec<_> = samples.collect();
    for chunk in half_seconds(&samples) {
        container.write(&chunk, &mut output).unwrap();
    }
    container.finish(SECONDS * 1000 * MS, &mut output).unwrap();
    output.data
}

#[test]
fn colour_turn_and_date_reach_players() {
    let colour = " -color_range pc -colorspace bt709 -color_primaries bt709 -color_trc bt709";
    let pictures = frames_of(Codec::H264, "160x120", colour);
    let track = Track {
        quarter_turns: 1,
        ..track(Codec::H264, &pictures[0].data)
    };
    let date = UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000);
    for (container, extension) in [
        (Box::new(Mp4::new(date)) as Box<dyn Container>, "mp4"),
        (Box::new(Matroska::mkv(date)), "mkv"),
    ] {
        let file = recorded(container, &track, &pictures);
        let name = format!("turned.{extension}");
        let colours = "stream=color_range,color_space,color_transfer,color_primaries";
        assert_eq!(probed(&file, &name, colours), "pc,bt709,bt709,bt709");
        let when = probed(&file, &name, "format_tags=creation_time");
        assert!(when.starts_with("2020-09-13T12:26:40"), "{when}");
        if extension == "mp4" {
            let turn = probed(&file, &name, "stream_side_data=rotation");
            // Counter-clockwise, as FFmpeg counts.
            assert_eq!(turn.trim_start_matches(','), "-90");
        }
    }
}

#[test]
fn sound_is_as_late_as_its_encoder_and_no_later() {
    for (codec, containers) in [
        (
            Codec::Opus,
            [
                Box::new(Mp4::new(UNIX_EPOCH)) as Box<dyn Container>,
                Box::new(Matroska::webm(UNIX_EPOCH)),
            ],
        ),
        (
            Codec::Aac,
            [
                Box::new(Mp4::new(UNIX_EPOCH)) as Box<dyn Container>,
                Box::new(Matroska::mkv(UNIX_EPOCH)),
            ],
        ),
    ] {
        let sound = frames(codec);
        let track = track(codec, &sound[0].data);
        for (container, name) in containers.into_iter().zip(["late.mp4", "late.mkv"]) {
            let file = recorded(container, &track, &sound);
            let path = fixtures().join(format!("{}-{name}", codec.name()));
            std::fs::write(&path, file).unwrap();
            let path = path.display().to_string();
            // What the encoder put in front is cut off, or played before the beginning.
            let decoded = run(
                "ffprobe",
                &[
                    "-v",
                    "error",
                    "-show_entries",
                    "frame=pts_time,nb_samples",
                    "-read_intervals",
                    "%+0.1",
                    "-of",
                    "csv=p=0",
                    &path,
                ],
            );
            let mut times = decoded
                .lines()
                .filter_map(|line| line.split(',').next()?.parse::<f64>().ok());
            let begins = times.any(|time| time.abs() < 0.001);
            assert!(begins, "{path}: {decoded}");
        }
    }
}
