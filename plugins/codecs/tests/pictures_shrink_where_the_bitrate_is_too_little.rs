//! A bitrate that is too little for a size brings a smaller picture, which grows again with it.

use crate::rig::{Running, frames, picture, raw, rtp};
use rivero_plugin_api::{MediaKind, Packet, Upstream};
use serde_json::{Value, json};

const SIZE: (u32, u32) = (1280, 720);

struct Encoder {
    encoder: Running,
    decoder: Running,
    texture: Vec<Packet>,
    number: i64,
}

impl Encoder {
    fn new(encoding: &str, settings: &Value) -> Self {
        let (raw, frames) = (raw(MediaKind::Video), frames(&rtp(encoding)));
        Self {
            encoder: Running::new(&raw, &frames, settings).unwrap(),
            decoder: Running::new(&frames, &raw, &json!({})).unwrap(),
            texture: (1..5)
                .map(|number| picture::texture(number, SIZE))
                .collect(),
            number: 0,
        }
    }

    /// Encodes pictures, 30 a second; gives how many came out, and the sizes of those.
    fn seconds(&mut self, count: i64) -> (usize, Vec<(u32, u32)>) {
        let (mut came, mut sizes) = (0, Vec::new());
        for _ in 0..count * 30 {
            let which = usize::try_from(self.number).unwrap() % self.texture.len();
            let mut picture = self.texture[which].clone();
            picture.presentation_time = (self.number + 300) * 1_000_000_000 / 30;
            self.number += 1;
            let decoded = self.decoder.convert(&self.encoder.convert(&[picture]));
            came += decoded.len();
            sizes.extend(decoded.iter().map(picture::size));
        }
        sizes.dedup();
        (came, sizes)
    }

    fn limit(&self, bits_per_second: u64) {
        self.encoder
            .upstream(Upstream::TargetBitrate { bits_per_second });
    }
}

#[test]
fn a_size_follows_the_bitrate_down_and_up_without_a_pause() {
    for encoding in ["VP8", "H264"] {
        let mut encoder = Encoder::new(encoding, &json!({"bitrate": 2_000_000}));
        assert_eq!(encoder.seconds(1).1, [SIZE], "{encoding}");
        encoder.limit(300_000);
        let (came, sizes) = encoder.seconds(3);
        assert_eq!(sizes.last(), Some(&(640, 360)), "{encoding}: {sizes:?}");
        assert!(came >= 3 * 10, "{encoding}: {came} pictures in 3 s");
        encoder.limit(2_000_000);
        let (_, sizes) = encoder.seconds(4);
        assert_eq!(sizes, [(640, 360), SIZE], "{encoding}");
    }
}

#[test]
fn a_size_that_was_asked_for_stays() {
    let settings = json!({"bitrate": 200_000, "width": 1280, "height": 720});
    let mut encoder = Encoder::new("VP8", &settings);
    assert_eq!(encoder.seconds(1).1, [SIZE]);
}

#[test]
fn keyframes_come_by_themselves_only_where_nobody_can_ask_for_them() {
    let keyframes = |settings: Value, encoding: &str| {
        let (raw, frames) = (raw(MediaKind::Video), frames(&rtp(encoding)));
        let encoder = Running::new(&raw, &frames, &settings).unwrap();
        let pictures = (0..250).map(|number| picture::picture(number, 160, 120));
        let encoded = pictures.flat_map(|picture| encoder.convert(&[picture]));
        let keyframes = encoded.filter(Packet::is_keyframe);
        keyframes
            .map(|frame| picture::number(&frame))
            .collect::<Vec<_>>()
    };
    for encoding in ["VP8", "VP9", "AV1", "H264", "H265"] {
        let live = keyframes(json!({"bitrate": 500_000}), encoding);
        assert_eq!(live, [0], "{encoding}");
        let settings = json!({"bitrate": 500_000, "keyframe_interval": 2.0});
        let recorded = keyframes(settings, encoding);
        assert!(
            (4..=6).contains(&recorded.len()),
            "{encoding}: {recorded:?}"
        );
    }
}
