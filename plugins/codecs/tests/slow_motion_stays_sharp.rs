//! What moves by parts of a pixel is as sharp as with an encoder that takes its time.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failure here is the failure of a test"
)]

mod rig;

use rig::{Running, frames, picture, raw, rtp};
use rivero_plugin_api::{Bytes, MediaKind, Packet};
use serde_json::{Value, json};

const SIZE: (u32, u32) = (320, 180);
const BITRATE: u64 = 250_000;
const PICTURES: u32 = 60;
/// Pictures before any counts: the rate control finds its way.
const BEFORE: u32 = 30;
/// Pixels from one picture to the next.
const STEP: (f64, f64) = (0.75, 0.25);

/// A height from 0 to 1 at each crossing of a grid.
fn crossing(x: i64, y: i64) -> f64 {
    let mut state = (x.wrapping_mul(374_761_393) + y.wrapping_mul(668_265_263)).cast_unsigned();
    state = (state ^ (state >> 13)).wrapping_mul(1_274_126_177);
    let low = u32::try_from((state ^ (state >> 16)) & 0xffff).unwrap();
    f64::from(low) / 65_535.0
}

/// Hills between the crossings of a grid whose lines are `spacing` pixels apart.
fn hills(x: f64, y: f64, spacing: f64) -> f64 {
    let (x, y) = (x / spacing, y / spacing);
    let (left, top) = (x.floor(), y.floor());
    let smooth = |part: f64| part * part * (3.0 - 2.0 * part);
    let (right, down) = (smooth(x - left), smooth(y - top));
    #[allow(clippy::cast_possible_truncation)]
    let (left, top) = (left as i64, top as i64);
    let row = |y| crossing(left, y) * (1.0 - right) + crossing(left + 1, y) * right;
    row(top) * (1.0 - down) + row(top + 1) * down
}

/// What a camera sees that moves over hills of several sizes.
fn seen(number: u32) -> Packet {
    let (width, height) = SIZE;
    let mut packet = picture::picture(number, width, height);
    let mut planes = packet.bytes.to_vec();
    let (right, down) = (STEP.0 * f64::from(number), STEP.1 * f64::from(number));
    for y in 0..height {
        for x in 0..width {
            let at = (f64::from(x) + right, f64::from(y) + down);
            let value = [(40.0, 90.0), (12.0, 60.0), (4.0, 40.0)]
                .iter()
                .map(|(spacing, weight)| hills(at.0, at.1, *spacing) * weight)
                .sum::<f64>();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let luma = (20.0 + value) as u8;
            planes[usize::try_from(y * width + x).unwrap()] = luma;
        }
    }
    packet.bytes = Bytes::from(planes);
    packet
}

/// The mean square of what pixels of luma differ by, after encoding and decoding.
fn difference(encoding: &str, pictures: &[Packet], options: &Value) -> f64 {
    let (raw, frames) = (raw(MediaKind::Video), frames(&rtp(encoding)));
    let settings = json!({"bitrate": BITRATE, "options": options});
    let encoder = Running::new(&raw, &frames, &settings).unwrap();
    let decoder = Running::new(&frames, &raw, &json!({})).unwrap();
    let luma = usize::try_from(SIZE.0 * SIZE.1).unwrap();
    let (mut sum, mut count) = (0.0, 0.0);
    for sent in pictures {
        for shown in decoder.convert(&encoder.convert(std::slice::from_ref(sent))) {
            assert_eq!(picture::number(&shown), picture::number(sent));
            if picture::number(sent) < BEFORE {
                continue;
            }
            let pixels = sent.bytes[..luma].iter().zip(&shown.bytes[..luma]);
            sum += pixels
                .map(|(sent, shown)| f64::from(sent.abs_diff(*shown)).powi(2))
                .sum::<f64>();
            count += f64::from(SIZE.0 * SIZE.1);
        }
    }
    assert!(count > 0.0, "{encoding}: nothing came");
    sum / count
}

#[test]
fn vp8_follows_parts_of_a_pixel() {
    let pictures: Vec<_> = (0..PICTURES).map(seen).collect();
    let ours = difference("VP8", &pictures, &json!({}));
    let slow = difference("VP8", &pictures, &json!({"cpu-used": "-3"}));
    let whole = difference("VP8", &pictures, &json!({"cpu-used": "-16"}));
    assert!(ours < slow * 1.35, "{ours}, taking its time {slow}");
    assert!(
        whole > slow * 1.35,
        "by whole pixels {whole}, taking its time {slow}: no difference to see"
    );
}

#[test]
fn no_picture_is_left_out_that_an_encoder_can_hold() {
    let pictures: Vec<_> = (0..PICTURES).map(seen).collect();
    for encoding in ["VP8", "VP9", "H264"] {
        let settings = json!({"bitrate": BITRATE});
        let (raw, frames) = (raw(MediaKind::Video), frames(&rtp(encoding)));
        let encoder = Running::new(&raw, &frames, &settings).unwrap();
        // Twice as long: the pan goes back to its beginning, which is like another scene.
        let encoded: usize = (0..2 * PICTURES)
            .map(|number| {
                let mut picture = pictures[usize::try_from(number % PICTURES).unwrap()].clone();
                picture.presentation_time = picture::START + i64::from(number) * picture::INTERVAL;
                encoder.convert(&[picture]).len()
            })
            .sum();
        let all = usize::try_from(2 * PICTURES).unwrap();
        assert!(encoded * 20 >= all * 19, "{encoding}: {encoded} of {all}");
    }
}
