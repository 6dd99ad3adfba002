//! Encoders keep to their bitrate by time, whatever the rate of the pictures and whatever they show.

use crate::rig::{Running, frames, picture, raw, rtp};
use rivero_plugin_api::{MediaKind, Packet, Upstream};
use serde_json::json;

const SECOND: i64 = 1_000_000_000;
/// The rate control finds its way.
const BEFORE: u32 = 4;
const MEASURED: u32 = 6;

fn encoder(encoding: &str, bitrate: u64) -> Running {
    let settings = json!({"bitrate": bitrate});
    Running::new(&raw(MediaKind::Video), &frames(&rtp(encoding)), &settings).unwrap()
}

/// Pictures that are shown in turn, and that no encoder can foresee.
fn pictures(picture: impl Fn(u32) -> Packet) -> Vec<Packet> {
    (1..40).map(picture).collect()
}

/// What comes out for pictures at a rate, from one second to another.
fn encode(
    encoder: &Running,
    pictures: &[Packet],
    rate: u32,
    seconds: std::ops::Range<u32>,
) -> Vec<Packet> {
    let mut encoded = Vec::new();
    for number in seconds.start * rate..seconds.end * rate {
        let which = usize::try_from(number).unwrap() % pictures.len();
        let mut picture = pictures[which].clone();
        picture.presentation_time = 5 * SECOND + i64::from(number) * SECOND / i64::from(rate);
        picture.duration = 0;
        encoded.extend(encoder.convert(&[picture]));
    }
    encoded
}

fn bits_per_second(encoded: &[Packet], seconds: u32) -> u64 {
    let bytes: usize = encoded.iter().map(|packet| packet.bytes.len()).sum();
    u64::try_from(bytes).unwrap() * 8 / u64::from(seconds)
}

fn assert_kept(encoding: &str, size: (u32, u32), bitrate: u64) {
    // What an encoder can just hold, and what is far too much for it.
    let texture = pictures(|number| picture::texture(number, size));
    let noise = pictures(|number| picture::patches(number, size, 3, 127));
    for (what, pictures) in [("texture", texture), ("noise", noise)] {
        for rate in [5, 15, 30, 60] {
            let encoder = encoder(encoding, bitrate);
            encode(&encoder, &pictures, rate, 0..BEFORE);
            let encoded = encode(&encoder, &pictures, rate, BEFORE..BEFORE + MEASURED);
            let got = bits_per_second(&encoded, MEASURED);
            assert!(
                got.abs_diff(bitrate) <= bitrate / 10,
                "{encoding} of {what} at {rate}: {got} bit/s instead of {bitrate}"
            );
        }
    }
}

#[test]
fn vp8_keeps_its_bitrate() {
    assert_kept("VP8", (640, 360), 800_000);
}

#[test]
fn vp9_keeps_its_bitrate() {
    assert_kept("VP9", (640, 360), 800_000);
}

#[test]
fn h264_keeps_its_bitrate() {
    assert_kept("H264", (640, 360), 800_000);
}

#[test]
fn av1_keeps_its_bitrate() {
    assert_kept("AV1", (320, 180), 300_000);
}

#[test]
fn a_rate_that_changes_and_a_bitrate_that_changes_are_followed() {
    for encoding in ["H264", "VP8"] {
        let pictures = pictures(|number| picture::texture(number, (640, 360)));
        let encoder = encoder(encoding, 800_000);
        let mut second = 0;
        for (rate, bitrate) in [(30, 800_000), (10, 800_000), (10, 400_000), (30, 600_000)] {
            encoder.upstream(Upstream::TargetBitrate {
                bits_per_second: bitrate,
            });
            // Times go on from one rate to the next.
            encode(&encoder, &pictures, rate, second..second + 2);
            let encoded = encode(&encoder, &pictures, rate, second + 2..second + 8);
            let got = bits_per_second(&encoded, 6);
            assert!(
                got.abs_diff(bitrate) <= bitrate / 10,
                "{encoding} at {rate}: {got} of {bitrate}"
            );
            second += 8;
        }
        assert!(encoder.take().failures.is_empty());
    }
}
