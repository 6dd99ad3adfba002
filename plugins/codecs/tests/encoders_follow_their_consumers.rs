//! J01: what consumers ask for shows in what comes out.

use crate::rig::{Running, frames, picture, raw, rtp};
use rivero_plugin_api::{Format, MediaKind, Packaging, Packet, Upstream};
use serde_json::{Value, json};

/// Codecs whose encoders run at a bitrate.
const VIDEO: [&str; 5] = ["VP8", "VP9", "AV1", "H264", "H265"];

fn encoder(encoding: &str, settings: &Value) -> Running {
    Running::new(&raw(MediaKind::Video), &frames(&rtp(encoding)), settings).unwrap()
}

fn decoded(encoding: &str, encoded: &[Packet]) -> Vec<Packet> {
    let frames = frames(&rtp(encoding));
    let decoder = Running::new(&frames, &raw(MediaKind::Video), &json!({})).unwrap();
    decoder.convert(encoded)
}

/// Bytes of pictures of noise, one second.
fn second_of_noise(encoder: &Running, from: u32) -> usize {
    let pictures: Vec<_> = (from..from + 25)
        .map(|number| picture::noise(number, 320, 240))
        .collect();
    let encoded = encoder.convert(&pictures);
    encoded.iter().map(|frame| frame.bytes.len()).sum()
}

#[test]
fn a_keyframe_comes_when_it_is_asked_for() {
    for encoding in VIDEO {
        let encoder = encoder(encoding, &json!({"bitrate": 500_000}));
        let mut keyframes = Vec::new();
        for number in 0..20 {
            if number == 9 {
                encoder.upstream(Upstream::KeyframeRequest);
            }
            let encoded = encoder.convert(&[picture::picture(number, 320, 240)]);
            keyframes.extend(
                encoded
                    .iter()
                    .filter(|p| p.is_keyframe())
                    .map(picture::number),
            );
        }
        assert_eq!(keyframes, [0, 9], "{encoding}");
    }
}

#[test]
fn a_decoder_can_begin_at_the_second_keyframe() {
    for encoding in VIDEO {
        let encoder = encoder(encoding, &json!({"bitrate": 500_000}));
        let pictures = |range: std::ops::Range<u32>| -> Vec<_> {
            range
                .map(|number| picture::picture(number, 320, 240))
                .collect()
        };
        encoder.convert(&pictures(0..5));
        encoder.upstream(Upstream::KeyframeRequest);
        let rest = encoder.convert(&pictures(5..10));
        let decoded = decoded(encoding, &rest);
        assert_eq!(decoded.len(), 5, "{encoding}");
        for packet in &decoded {
            picture::assert_shows(packet, (320, 240));
        }
    }
}

#[test]
fn the_bitrate_changes_while_it_runs() {
    // What noise takes at the least and at the most differs from codec to codec.
    let middles = [600_000, 1_000_000, 1_400_000, 600_000, 600_000];
    for (encoding, middle) in VIDEO.into_iter().zip(middles) {
        let encoder = encoder(encoding, &json!({"bitrate": middle}));
        // Below and above what it began with.
        let wanted = [middle, middle * 2 / 3, middle * 4 / 3];
        let mut got = Vec::new();
        for (round, bits_per_second) in (0..).zip(wanted) {
            encoder.upstream(Upstream::TargetBitrate { bits_per_second });
            // In the first second the rate control finds its way.
            second_of_noise(&encoder, round * 50);
            got.push(8 * u64::try_from(second_of_noise(&encoder, round * 50 + 25)).unwrap());
        }
        // Noise that changes whole is more than the encoder of AV1 can hold to a rate.
        for (wanted, got) in wanted.iter().zip(&got).filter(|_| encoding != "AV1") {
            let about = wanted * 6 / 10..wanted * 14 / 10;
            assert!(
                about.contains(got),
                "{encoding}: {got} bit/s instead of {wanted}"
            );
        }
        assert!(got[1] < got[0] && got[0] < got[2], "{encoding}: {got:?}");
    }
}

#[test]
fn pictures_of_any_size_and_changing_sizes_are_encoded() {
    for encoding in VIDEO {
        let encoder = encoder(encoding, &json!({"bitrate": 800_000}));
        let mut all = Vec::new();
        let mut number = 0;
        for size in [(320, 240), (641, 479), (198, 354), (320, 240)] {
            for _ in 0..4 {
                let encoded = encoder.convert(&[picture::picture(number, size.0, size.1)]);
                all.extend(encoded.into_iter().map(|packet| (packet, size)));
                number += 1;
            }
        }
        assert_eq!(all.len(), 16, "{encoding}");
        let packets: Vec<_> = all.iter().map(|(packet, _)| packet.clone()).collect();
        let decoded = decoded(encoding, &packets);
        assert_eq!(decoded.len(), 16, "{encoding}");
        for (packet, (_, size)) in decoded.iter().zip(&all) {
            let even = matches!(encoding, "H264" | "H265");
            let side = |side: u32| if even { side & !1 } else { side };
            assert_eq!(
                picture::size(packet),
                (side(size.0), side(size.1)),
                "{encoding}"
            );
            picture::assert_shows(packet, *size);
        }
    }
}

#[test]
fn size_and_frame_rate_are_those_asked_for() {
    for (settings, size) in [
        (json!({"width": 160, "height": 120}), (160, 120)),
        (json!({"width": 160}), (160, 120)),
        (json!({"height": 480}), (640, 480)),
    ] {
        let encoder = encoder("VP8", &settings);
        let encoded = encoder.convert(&[picture::picture(0, 320, 240)]);
        let decoded = decoded("VP8", &encoded);
        assert_eq!(picture::size(&decoded[0]), size);
        picture::assert_shows(&decoded[0], (320, 240));
    }
    let encoder = encoder("VP8", &json!({"frame_rate": 5.0}));
    let pictures: Vec<_> = (0..50)
        .map(|number| picture::picture(number, 320, 240))
        .collect();
    let encoded = encoder.convert(&pictures);
    assert!(
        (10..=11).contains(&encoded.len()),
        "{} of 2 s at 5 a second",
        encoded.len()
    );
}

#[test]
fn pictures_in_quick_succession_and_with_trembling_times_are_encoded() {
    const MS: i64 = 1_000_000;
    for encoding in VIDEO {
        let encoder = encoder(encoding, &json!({}));
        let mut encoded = Vec::new();
        // The third is no later than the second; later on another source begins in the past.
        for (number, time) in [10_000, 10_008, 10_008, 10_012, 10_017, 10_400, 2_000, 2_033]
            .into_iter()
            .enumerate()
        {
            let mut picture = picture::picture(u32::try_from(number).unwrap(), 320, 240);
            picture.presentation_time = time * MS;
            picture.duration = 0;
            encoded.extend(encoder.convert(&[picture]));
        }
        let times: Vec<_> = encoded
            .iter()
            .map(|packet| packet.presentation_time / MS)
            .collect();
        let expected = [10_000, 10_008, 10_012, 10_017, 10_400, 2_000, 2_033];
        assert_eq!(times, expected, "{encoding}");
        assert!(encoded[5].is_keyframe(), "{encoding}");
    }
}

fn h264(profile: &str, mode: &str) -> Format {
    Format::rtp("H264", 90_000, 0)
        .with("profile", profile)
        .with("packetization-mode", mode)
}

/// Types and contents of the units of a byte stream.
fn units(stream: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut units: Vec<Vec<u8>> = Vec::new();
    for (index, byte) in stream.iter().enumerate() {
        if index >= 3 && stream[index - 3..index] == [0, 0, 1] {
            units.push(Vec::new());
        }
        if let Some(unit) = units.last_mut() {
            unit.push(*byte);
        }
    }
    units
        .into_iter()
        .map(|unit| (unit[0] & 0x1f, unit))
        .collect()
}

#[test]
fn h264_has_the_profile_of_the_target() {
    for (profile, idc) in [
        ("constrained-baseline", 0x42),
        ("baseline", 0x42),
        ("main", 0x4d),
        ("high", 0x64),
        ("constrained-high", 0x64),
    ] {
        let target = frames(&h264(profile, "1"));
        let encoder = Running::new(&raw(MediaKind::Video), &target, &json!({})).unwrap();
        let encoded = encoder.convert(&[picture::picture(0, 640, 480)]);
        let units = units(&encoded[0].bytes);
        let sps = &units.iter().find(|(kind, _)| *kind == 7).unwrap().1;
        assert_eq!(sps[1], idc, "{profile}");
        if idc == 0x42 {
            assert_eq!(sps[2] & 0x40, 0x40, "constrained");
        }
    }
    let strange = frames(&h264("6e-00", "1"));
    let error = Running::new(&raw(MediaKind::Video), &strange, &json!({}))
        .err()
        .unwrap();
    assert!(error.message.contains("6e-00"), "{error}");
}

#[test]
fn single_unit_mode_has_slices_that_fit_into_packets() {
    let rtp = h264("constrained-baseline", "0");
    let target = frames(&rtp);
    let settings = json!({"bitrate": 4_000_000});
    let encoder = Running::new(&raw(MediaKind::Video), &target, &settings).unwrap();
    let packetiser = Running::new(&target, &rtp, &json!({})).unwrap();
    let noise: Vec<_> = (0..5)
        .map(|number| picture::noise(number, 640, 480))
        .collect();
    let packets = packetiser.convert(&encoder.convert(&noise));
    assert!(packets.len() > 20);
    for packet in &packets {
        assert!(packet.bytes.len() <= 1200, "{}", packet.bytes.len());
        let kind = packet.payload()[0] & 0x1f;
        assert!(kind < 24, "neither aggregate nor fragment: {kind}");
    }
}

#[test]
fn options_reach_the_element() {
    let encoder = encoder(
        "VP8",
        &json!({"options": {"keyframe-max-dist": "3", "no-such": "1"}}),
    );
    let pictures: Vec<_> = (0..10)
        .map(|number| picture::picture(number, 320, 240))
        .collect();
    let keyframes = encoder.convert(&pictures);
    let keyframes = keyframes
        .iter()
        .filter(|packet| packet.is_keyframe())
        .count();
    assert!(keyframes >= 3, "{keyframes}");
}

#[test]
fn a_decoder_scales_when_a_raw_consumer_asks_for_it() {
    let encoded = encoder("VP8", &json!({})).convert(&[picture::picture(0, 320, 240)]);
    let target = crate::rig::format("I420", Packaging::Raw, 0, 0);
    let settings = json!({"width": 160, "height": 120});
    let decoder = Running::new(&frames(&rtp("VP8")), &target, &settings).unwrap();
    let decoded = decoder.convert(&encoded);
    assert_eq!(picture::size(&decoded[0]), (160, 120));
    picture::assert_shows(&decoded[0], (320, 240));
}
