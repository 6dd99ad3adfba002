//! Recordings of minutes and hours.

use super::*;

/// A fixture over and over again has its length, and plays near its end.
fn long_one_plays(
    mut container: Box<dyn Container>,
    name: &str,
    fixture: &[(Codec, Vec<Sample>)],
    seconds: i64,
) {
    let tracks = fixture
        .iter()
        .map(|(codec, samples)| track(*codec, &samples[0].data));
    let tracks: Vec<Track> = tracks.collect();
    let mut samples = Vec::new();
    for (track, (_, of_track)) in tracks.iter().zip(fixture) {
        samples.extend(of_track.iter().cloned().map(|mut sample| {
            sample.data = container_form(track, &sample.data);
            sample
        }));
    }
    let chunks = half_seconds(&samples);
    let mut output = Memory::default();
    container.set_tracks(&tracks, &mut output).unwrap();
    for round in 0..seconds / SECONDS {
        for mut chunk in chunks.iter().cloned() {
            for sample in &mut chunk {
                sample.time += round * SECONDS * 1000 * MS;
            }
            container.write(&chunk, &mut output).unwrap();
        }
    }
    container.finish(seconds * 1000 * MS, &mut output).unwrap();
    let path = fixtures().join(name);
    std::fs::write(&path, &output.data).unwrap();
    let path = path.to_str().unwrap();
    let length = "-v error -show_entries format=duration -of csv=p=0";
    let arguments: Vec<&str> = length.split(' ').chain([path]).collect();
    let duration: f64 = run("ffprobe", &arguments).trim().parse().unwrap();
    assert!(
        (duration - seconds as f64).abs() < 0.2,
        "{name}: {duration} s"
    );
    let first_time = |track: &str, wanted: &str| {
        let packets = format!(
            "-v error -select_streams {track} -read_intervals {wanted}%+#1 -show_entries packet=pts_time -of csv=p=0"
        );
        let arguments: Vec<&str> = packets.split(' ').chain([path]).collect();
        let times = run("ffprobe", &arguments);
        let first = times.lines().next().unwrap_or_default();
        first.trim_end_matches(',').parse::<f64>().unwrap()
    };
    let late = seconds as f64 - 10.0;
    for (index, _) in fixture.iter().enumerate() {
        let found = first_time(&index.to_string(), &late.to_string());
        assert!(
            (late - 3.0..late + 3.0).contains(&found),
            "{name}: {found} s for {late} s"
        );
    }
    let end = format!("-v error -nostdin -ss {late} -i {path} -f null -");
    run("ffmpeg", &end.split(' ').collect::<Vec<_>>());
    std::fs::remove_file(path).unwrap();
}

#[test]
fn five_minutes_of_a_call() {
    let with_sound = |codec| [(codec, frames(codec)), (Codec::Opus, frames(Codec::Opus))];
    let seconds = 5 * 60;
    long_one_plays(
        Box::new(Matroska::webm(UNIX_EPOCH)),
        "call.webm",
        &with_sound(Codec::Vp8),
        seconds,
    );
    long_one_plays(
        Box::new(Mp4::new(UNIX_EPOCH)),
        "call.mp4",
        &with_sound(Codec::H264),
        seconds,
    );
}

#[test]
fn eight_hours_of_sound() {
    let ogg = fixtures().join("speech.ogg").display().to_string();
    ffmpeg(&format!(
        "-f lavfi -i sine=frequency=300:sample_rate=48000:duration={SECONDS} -ac 1 -c:a libopus -b:a 6k {ogg}"
    ));
    let sound = ogg_packets(&std::fs::read(ogg).unwrap());
    let sound = [(Codec::Opus, sound[..50 * SECONDS as usize].to_vec())];
    let seconds = 8 * 3600;
    long_one_plays(
        Box::new(Matroska::webm(UNIX_EPOCH)),
        "night.webm",
        &sound,
        seconds,
    );
    long_one_plays(Box::new(Mp4::new(UNIX_EPOCH)), "night.mp4", &sound, seconds);
}
