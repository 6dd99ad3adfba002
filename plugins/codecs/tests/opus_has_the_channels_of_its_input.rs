//! RFC 7587 §4.2 calls Opus 48000/2 whatever it carries, so the format of a target says nothing about
//! the channels; each packet does (RFC 6716 §3.1).

use crate::rig::{Running, frames, raw, rtp, tone};
use rivero_plugin_api::{MediaKind, Packet};
use serde_json::{Value, json};

/// The bit of an Opus packet's first byte that says stereo.
const STEREO: u8 = 0x04;

fn encoder(settings: &Value) -> Running {
    let target = frames(&rtp("OPUS"));
    Running::new(&raw(MediaKind::Audio), &target, settings).unwrap()
}

/// What the host sends for OPUS/48000/2.
fn of_the_format() -> Value {
    json!({"sample_rate": 48_000, "channels": 2})
}

fn tones(range: std::ops::Range<u32>, rate: u32, channels: u8) -> Vec<Packet> {
    range
        .map(|number| tone::tone(number, 440.0, rate, channels))
        .collect()
}

fn channels(encoded: &[Packet]) -> Vec<u8> {
    let stereo = |packet: &Packet| packet.payload()[0] & STEREO != 0;
    encoded
        .iter()
        .map(|packet| if stereo(packet) { 2 } else { 1 })
        .collect()
}

fn all(channels: &[u8], wanted: u8) -> bool {
    channels.len() > 20 && channels.iter().all(|channels| *channels == wanted)
}

#[test]
fn mono_stays_mono_and_stereo_stays_stereo() {
    for settings in [of_the_format(), json!({})] {
        for (rate, given) in [(48_000, 1), (8_000, 1), (48_000, 2), (44_100, 2)] {
            let encoded = encoder(&settings).convert(&tones(0..50, rate, given));
            let channels = channels(&encoded);
            assert!(
                all(&channels, given),
                "{given} at {rate} Hz: {channels:?} with {settings}"
            );
        }
    }
}

#[test]
fn the_channels_may_change_on_the_way() {
    let encoder = encoder(&of_the_format());
    let mono = encoder.convert(&tones(0..50, 48_000, 1));
    let stereo = encoder.convert(&tones(50..100, 48_000, 2));
    assert!(all(&channels(&mono), 1));
    // The last of the mono sound may come out late.
    assert!(all(&channels(&stereo)[2..], 2), "{:?}", channels(&stereo));
    let times: Vec<_> = mono
        .iter()
        .chain(&stereo)
        .map(|p| p.presentation_time)
        .collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "in order");
}

#[test]
fn a_wish_for_mono_holds_for_stereo() {
    let encoded = encoder(&json!({"channels": 1})).convert(&tones(0..50, 48_000, 2));
    assert!(all(&channels(&encoded), 1), "{:?}", channels(&encoded));
}
