//! While Opus sends nothing (DTX) what comes out goes on: most other encodings cannot leave silence out.

use crate::rig::{Running, frames, raw, rtp, tone};
use rivero_plugin_api::{Bytes, MediaKind, Packet};
use serde_json::json;

#[test]
fn sound_has_no_hole_and_silence_comes_at_its_time() {
    let (raw, opus) = (raw(MediaKind::Audio), frames(&rtp("OPUS")));
    let encoder = Running::new(&raw, &opus, &json!({})).unwrap();
    let tones: Vec<_> = (0..60)
        .map(|number| tone::tone(number, 440.0, 48_000, 1))
        .collect();
    let sound = encoder.convert(&tones);
    let decoder = Running::new(&opus, &raw, &json!({})).unwrap();
    let mut decoded = decoder.convert(&sound[..10]);
    let mut silent = sound[10].clone();
    silent.bytes = Bytes::copy_from(&silent.bytes[..1]);
    decoder.packets(&[silent.clone()]);
    // Nothing else comes in.
    let until = silent.presentation_time + 15 * tone::INTERVAL;
    while decoded
        .last()
        .is_none_or(|packet: &Packet| packet.presentation_time < until)
    {
        decoded.extend(decoder.wait().packets);
    }
    let begin = sound[40].presentation_time;
    decoded.extend(decoder.convert(&sound[40..]));
    let times: Vec<i64> = decoded
        .iter()
        .map(|packet| packet.presentation_time)
        .collect();
    let pauses = times.iter().zip(&times[1..]).map(|(a, b)| b - a);
    let longest = pauses.clone().max().unwrap();
    assert!(longest <= tone::INTERVAL * 3 / 2, "{longest} ns: {times:?}");
    assert!(pauses.min().unwrap() > 0, "{times:?}");
    let after: Vec<_> = decoded
        .into_iter()
        .filter(|packet| packet.presentation_time > begin + tone::INTERVAL)
        .collect();
    assert!(after.len() > 10);
    tone::assert_heard(&after, 440.0);
}
