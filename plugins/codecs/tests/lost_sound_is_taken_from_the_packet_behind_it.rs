//! Opus packets carry the sound of the one before, for the case that it gets lost (RFC 6716 §2.1.7).

use crate::rig::{Running, frames, raw, rtp, tone};
use rivero_plugin_api::{MediaKind, Packet};
use serde_json::json;

const RATE: u32 = 16_000;
const LOW: f64 = 300.0;
const HIGH: f64 = 1_100.0;
/// Every tenth packet is another tone, which no concealment could guess, and gets lost.
const EVERY: u32 = 10;

fn speech() -> Vec<Packet> {
    (0..200)
        .map(|number| {
            let hertz = if number % EVERY == 5 { HIGH } else { LOW };
            tone::tone(number, hertz, RATE, 1)
        })
        .collect()
}

/// How much of a frequency there is in 20 ms that begin at a time, ns after the start.
fn strength(decoded: &[Packet], at: i64, hertz: f64) -> f64 {
    let mut samples = Vec::new();
    for packet in decoded {
        let format = crate::rig::host::format(packet.format).unwrap();
        let (rate, channels) = (i64::from(format.clock_rate), usize::from(format.channels));
        let begin = packet.presentation_time - tone::START;
        for (number, frame) in packet.bytes.chunks_exact(2 * channels).enumerate() {
            let time = begin + number as i64 * 1_000_000_000 / rate;
            if (at..at + 20_000_000).contains(&time) {
                let value = f64::from(i16::from_le_bytes([frame[0], frame[1]]));
                samples.push((time, value));
            }
        }
    }
    let (mut re, mut im) = (0.0, 0.0);
    for (time, value) in &samples {
        let phase = *time as f64 / 1e9 * hertz * std::f64::consts::TAU;
        re += value * phase.cos();
        im += value * phase.sin();
    }
    re.hypot(im) / samples.len().max(1) as f64
}

#[test]
fn the_sound_of_a_lost_packet_is_heard() {
    let settings = json!({"bitrate": 24_000, "options": {
        "audio-type": "voice", "bandwidth": "wideband", "packet-loss-percentage": "20", "inband-fec": "true",
    }});
    let (raw, opus) = (raw(MediaKind::Audio), frames(&rtp("OPUS")));
    let encoder = Running::new(&raw, &opus, &settings).unwrap();
    let encoded = encoder.convert(&speech());
    let decode = |loses: bool| {
        let decoder = Running::new(&opus, &raw, &json!({})).unwrap();
        let mut decoded = Vec::new();
        let mut lost = false;
        for (number, packet) in (0u32..).zip(&encoded) {
            if loses && number % EVERY == 5 {
                lost = true;
                continue;
            }
            let mut packet = packet.clone();
            if std::mem::take(&mut lost) {
                packet.flags |= Packet::DISCONTINUITY;
            }
            decoded.extend(decoder.convert(&[packet]));
        }
        decoded
    };
    let (whole, holed) = (decode(false), decode(true));
    // The encoder takes the input for speech after a while.
    for number in (45..190).step_by(10) {
        let at = number * tone::INTERVAL;
        let (all, got) = (strength(&whole, at, HIGH), strength(&holed, at, HIGH));
        assert!(got > all * 0.7, "packet {number}: {got:.0} of {all:.0}");
        let times = holed.iter().map(|packet| packet.presentation_time);
        let pause = times.clone().zip(times.skip(1)).map(|(a, b)| b - a).max();
        assert!(pause <= Some(tone::INTERVAL), "{pause:?}");
    }
}
