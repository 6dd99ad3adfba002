//! J11: fifty times begun and ended: threads, files and memory are as before.

use std::fs;

use crate::rig::{Running, frames, picture, raw, rtp, tone};
use rivero_plugin_api::{MediaKind, Packet};
use serde_json::json;

const CYCLES: u32 = 50;

fn count(directory: &str) -> usize {
    fs::read_dir(directory).unwrap().count()
}

/// Memory of the process that is not shared, kB.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("RssAnon:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn round_trip(kind: MediaKind, encoding: &str, media: &[Packet]) {
    let (rtp, none) = (rtp(encoding), json!({}));
    let encoder = Running::new(&raw(kind), &frames(&rtp), &none).unwrap();
    let decoder = Running::new(&frames(&rtp), &raw(kind), &none).unwrap();
    let decoded = decoder.convert(&encoder.convert(media));
    assert!(!decoded.is_empty());
}

fn all() {
    let pictures: Vec<_> = (0..3)
        .map(|number| picture::picture(number, 320, 240))
        .collect();
    let tones: Vec<_> = (0..5)
        .map(|number| tone::tone(number, 440.0, 48_000, 2))
        .collect();
    for encoding in ["VP8", "VP9", "AV1", "H264", "H265"] {
        round_trip(MediaKind::Video, encoding, &pictures);
    }
    for encoding in ["OPUS", "PCMU"] {
        round_trip(MediaKind::Audio, encoding, &tones);
    }
}

#[test]
fn fifty_cycles() {
    for _ in 0..5 {
        all();
    }
    let (threads, files, before) = (count("/proc/self/task"), count("/proc/self/fd"), memory());
    for _ in 0..CYCLES {
        all();
    }
    assert_eq!(count("/proc/self/task"), threads);
    assert_eq!(count("/proc/self/fd"), files);
    let after = memory();
    assert!(
        after < before + 12_000,
        "{before} kB before, {after} kB after"
    );
}

#[test]
fn nothing_comes_out_after_the_end() {
    let rtp = rtp("VP8");
    let encoder = Running::new(&raw(MediaKind::Video), &frames(&rtp), &json!({})).unwrap();
    encoder.convert(&[picture::picture(0, 320, 240)]);
    encoder.stop();
    encoder.packets(&[picture::picture(1, 320, 240)]);
    assert!(encoder.take().packets.is_empty());
}
