//! What moves by parts of a pixel is as sharp as with an encoder that takes its time.

use crate::rig::{Running, frames, pan, picture, raw, rtp};
use rivero_plugin_api::{MediaKind, Packet};
use serde_json::{Value, json};

const SIZE: (u32, u32) = (320, 180);
const BITRATE: u64 = 250_000;
const PICTURES: u32 = 60;
/// Pictures before any counts: the rate control finds its way.
const BEFORE: u32 = 30;
/// The mean square of what pixels of luma differ by, after encoding and decoding.
fn difference(encoding: &str, pictures: &[Packet], options: &Value) -> f64 {
    let (raw, frames) = (raw(MediaKind::Video), frames(&rtp(encoding)));
    let settings = json!({"bitrate": BITRATE, "options": options});
    let encoder = Running::new(&raw, &frames, &settings).unwrap();
    let decoder = Running::new(&frames, &raw, &json!({})).unwrap();
    let (mut sum, mut count) = (0.0, 0.0);
    for sent in pictures {
        for shown in decoder.convert(&encoder.convert(std::slice::from_ref(sent))) {
            assert_eq!(picture::number(&shown), picture::number(sent));
            if picture::number(sent) < BEFORE {
                continue;
            }
            sum += pan::difference(sent, &shown);
            count += 1.0;
        }
    }
    assert!(count > 0.0, "{encoding}: nothing came");
    sum / count
}

#[test]
fn vp8_follows_parts_of_a_pixel() {
    let pictures: Vec<_> = (0..PICTURES)
        .map(|number| pan::seen(number, SIZE))
        .collect();
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
    let pictures: Vec<_> = (0..PICTURES)
        .map(|number| pan::seen(number, SIZE))
        .collect();
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
