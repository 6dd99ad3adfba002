//! VP8 to H.264: CPU beside the plain `gst-launch-1.0` pipeline with the same elements and
//! settings, in one run, and the time that a picture needs.
//!
//! `cargo bench -p rivero-codecs --bench transcoding`

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used
)]

#[path = "../tests/rig/mod.rs"]
mod rig;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rig::{Running, frames, picture, raw, rtp};
use rivero_plugin_api::{MediaKind, Packet};
use serde_json::json;

/// Pictures of a pass: 20 s at 30 a second.
const PICTURES: u32 = 600;
/// Passes of each, in turn; the medians are compared.
const PASSES: usize = 5;
const BITRATE: u64 = 1_500_000;

/// What `encoder.rs` sets, and the bitrate of this bench.
const X264: &str = "x264enc tune=zerolatency speed-preset=superfast sliced-threads=false threads=1 \
     key-int-max=60 bframes=0 vbv-buf-capacity=500 aud=false option-string=scenecut=0 bitrate=1500";

/// The stages of a conversion between WebRTC peers.
struct Transcoding {
    depacketiser: Running,
    decoder: Running,
    encoder: Running,
    packetiser: Running,
}

impl Transcoding {
    fn new() -> Self {
        let (vp8, h264, video) = (rtp("VP8"), rtp("H264"), raw(MediaKind::Video));
        let (none, settings) = (json!({}), json!({ "bitrate": BITRATE }));
        Self {
            depacketiser: Running::new(&vp8, &frames(&vp8), &none).unwrap(),
            decoder: Running::new(&frames(&vp8), &video, &none).unwrap(),
            encoder: Running::new(&video, &frames(&h264), &settings).unwrap(),
            packetiser: Running::new(&frames(&h264), &h264, &none).unwrap(),
        }
    }

    fn run(&self, packets: &[Packet]) -> usize {
        let whole = self.depacketiser.convert(packets);
        let decoded = self.decoder.convert(&whole);
        let encoded = self.encoder.convert(&decoded);
        self.packetiser.convert(&encoded).len()
    }
}

/// A detailed picture that moves, as VP8 frames.
fn source(width: u32, height: u32) -> Vec<Packet> {
    let settings = json!({"bitrate": 2_000_000});
    let frames = frames(&rtp("VP8"));
    let encoder = Running::new(&raw(MediaKind::Video), &frames, &settings).unwrap();
    let texture = picture::noise(1, width, height);
    let luma = usize::try_from(width * height).unwrap();
    let mut all = Vec::new();
    for number in 0..PICTURES {
        let mut planes = texture.bytes.to_vec();
        planes[..luma].rotate_right(usize::try_from(number * 2 % width).unwrap());
        // Softer than noise, so that it can be foreseen.
        for at in 1..luma {
            planes[at] = planes[at] / 4 + planes[at - 1] / 4 * 3;
        }
        let mut raw = picture::picture(number, width, height);
        raw.bytes = planes.into();
        raw.presentation_time = picture::START + i64::from(number) * 1_000_000_000 / 30;
        all.extend(encoder.convert(&[raw]));
    }
    all
}

/// The packets of each frame.
fn packets(vp8: &[Packet]) -> Vec<Vec<Packet>> {
    let format = rtp("VP8");
    let packetiser = Running::new(&frames(&format), &format, &json!({})).unwrap();
    vp8.iter()
        .map(|frame| packetiser.convert(std::slice::from_ref(frame)))
        .collect()
}

/// User and system time in ms: of this process and of its children that have ended.
fn cpu() -> (u64, u64) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<u64> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .skip(11)
        .take(4)
        .map(|field| field.parse().unwrap())
        .collect();
    // Clock ticks of 10 ms.
    ((fields[0] + fields[1]) * 10, (fields[2] + fields[3]) * 10)
}

fn of_rivero(packets: &[Vec<Packet>]) -> u64 {
    let transcoding = Transcoding::new();
    let before = cpu().0;
    let sent: usize = packets.iter().map(|frame| transcoding.run(frame)).sum();
    assert!(sent > packets.len());
    cpu().0 - before
}

fn of_gst_launch(ivf: &Path) -> u64 {
    let before = cpu().1;
    let pipeline = format!(
        "filesrc location={} ! ivfparse ! vp8dec threads=1 ! {X264} ! \
         video/x-h264,profile=constrained-baseline,stream-format=byte-stream ! fakesink sync=false",
        ivf.display()
    );
    let status = Command::new("gst-launch-1.0")
        .arg("-q")
        .args(pipeline.split_whitespace())
        .stdout(Stdio::null())
        .status()
        .expect("gst-launch-1.0 is in the package gstreamer1.0-tools");
    assert!(status.success());
    cpu().1 - before
}

/// IVF: a header, and each frame behind its length and time.
fn write_ivf(path: &Path, vp8: &[Packet], width: u16, height: u16) {
    let mut file = b"DKIF\0\0\x20\0VP80".to_vec();
    for side in [width, height] {
        file.extend(side.to_le_bytes());
    }
    for number in [30, 1, PICTURES, 0] {
        file.extend(number.to_le_bytes());
    }
    for (time, frame) in (0u64..).zip(vp8) {
        file.extend(u32::try_from(frame.bytes.len()).unwrap().to_le_bytes());
        file.extend(time.to_le_bytes());
        file.extend_from_slice(&frame.bytes);
    }
    fs::write(path, file).unwrap();
}

fn median<T: Ord + Copy>(values: &mut [T]) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

fn compare_cpu() {
    let vp8 = source(1280, 720);
    let path = std::env::temp_dir().join(format!("rivero-bench-{}.ivf", std::process::id()));
    write_ivf(&path, &vp8, 1280, 720);
    let packets = packets(&vp8);
    let (mut rivero, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..PASSES {
        rivero.push(of_rivero(&packets));
        plain.push(of_gst_launch(&path));
    }
    fs::remove_file(&path).unwrap();
    let (rivero, plain) = (median(&mut rivero), median(&mut plain));
    let [rivero_ms, plain_ms] = [rivero, plain].map(|time| f64::from(u32::try_from(time).unwrap()));
    let ratio = rivero_ms / plain_ms;
    let of_a_core = rivero_ms / (f64::from(PICTURES) / 30.0) / 10.0;
    println!(
        "VP8 720p30 to H264: {of_a_core:.1} % of a core; CPU {ratio:.2} times gst-launch ({rivero} and {plain} ms for {PICTURES} pictures)"
    );
}

fn measure_latency() {
    let packets = packets(&source(640, 480));
    let transcoding = Transcoding::new();
    let mut times: Vec<Duration> = packets
        .iter()
        .map(|frame| {
            let before = Instant::now();
            transcoding.run(frame);
            before.elapsed()
        })
        .collect();
    let p50 = median(&mut times);
    let p99 = times[times.len() * 99 / 100];
    println!(
        "VP8 480p to H264, from the last packet in to the first out: p50 {p50:.1?}, p99 {p99:.1?}"
    );
}

fn main() {
    measure_latency();
    compare_cpu();
}
