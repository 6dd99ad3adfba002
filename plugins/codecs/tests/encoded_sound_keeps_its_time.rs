//! What encoders need before and behind a sample shifts nothing: sound is decoded at the time it had.

use crate::rig::{Running, frames, raw, rtp, tone};
use rivero_plugin_api::{Bytes, MediaKind};
use serde_json::json;

const RATE: u32 = 48_000;
const SILENT: usize = 25;

#[test]
fn a_tone_of_aac_begins_when_it_began() {
    let raw = raw(MediaKind::Audio);
    let aac = frames(&rtp("MPEG4-GENERIC"));
    let mut sound: Vec<_> = (0..60)
        .map(|number| tone::tone(number, 1000.0, RATE, 1))
        .collect();
    for packet in &mut sound[..SILENT] {
        packet.bytes = Bytes::copy_from(&vec![0; packet.bytes.len()]);
    }
    let encoded = Running::new(&raw, &aac, &json!({}))
        .unwrap()
        .convert(&sound);
    let decoder = Running::new(&aac, &raw, &json!({})).unwrap();
    let decoded = decoder.convert(&encoded);
    let begun = decoded.iter().find_map(|packet| {
        let (rate, _, samples) = tone::samples(std::slice::from_ref(packet));
        let loud = samples.iter().position(|sample| sample.abs() > 1000.0)?;
        let after = i64::try_from(loud).unwrap() * 1_000_000_000 / i64::from(rate);
        Some(packet.presentation_time + after)
    });
    let off = (begun.unwrap() - sound[SILENT].presentation_time) / 1_000_000;
    assert!((-4..=4).contains(&off), "late by {off} ms");
}
