//! A tone, and how to hear it.

use std::f64::consts::TAU;

use rivero_plugin_api::{Bytes, Layer, MediaKind, Packaging, Packet, Rtp};

use super::host;

/// Nanoseconds of a packet.
pub const INTERVAL: i64 = 20_000_000;
/// Presentation time of packet 0.
pub const START: i64 = 7_000_000_000;

/// Packet `number` of a tone as raw audio.
pub fn tone(number: u32, hertz: f64, rate: u32, channels: u8) -> Packet {
    let samples = rate / 50;
    let first = number * samples;
    let mut bytes = Vec::new();
    for index in first..first + samples {
        let value = 8_000.0 * (TAU * hertz * f64::from(index) / f64::from(rate)).sin();
        #[allow(clippy::cast_possible_truncation)]
        let sample = value as i16;
        for _ in 0..channels {
            bytes.extend_from_slice(&sample.to_le_bytes());
        }
    }
    let presentation_time = START + i64::from(number) * INTERVAL;
    Packet {
        bytes: Bytes::from(bytes),
        format: host::format_id(&super::format("S16LE", Packaging::Raw, rate, channels)),
        origin: 1,
        kind: MediaKind::Audio,
        flags: Packet::KEYFRAME,
        layer: Layer::default(),
        presentation_time,
        ingress_time: presentation_time - 1_000_000,
        duration: INTERVAL,
        rtp: Rtp::default(),
        ..Packet::default()
    }
}

/// Rate, channels and the samples of the first channel.
pub fn samples(packets: &[Packet]) -> (u32, u8, Vec<f64>) {
    let format = host::format(packets.first().expect("no audio").format).unwrap();
    assert_eq!(
        (format.encoding.as_str(), format.packaging),
        ("S16LE", Packaging::Raw)
    );
    let channels = usize::from(format.channels);
    let samples = packets
        .iter()
        .flat_map(|packet| packet.bytes.chunks_exact(2 * channels))
        .map(|frame| f64::from(i16::from_le_bytes([frame[0], frame[1]])))
        .collect();
    (format.clock_rate, format.channels, samples)
}

/// The share of the sound's power that has this frequency, 0 to 1 (Goertzel).
pub fn share(samples: &[f64], rate: u32, hertz: f64) -> f64 {
    let coefficient = 2.0 * (TAU * hertz / f64::from(rate)).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        (last, before) = (sample + coefficient * last - before, last);
    }
    let power = last * last + before * before - coefficient * last * before;
    let total: f64 = samples.iter().map(|sample| sample * sample).sum();
    #[allow(clippy::cast_precision_loss)]
    let length = samples.len() as f64;
    if total == 0.0 {
        0.0
    } else {
        2.0 * power / (length * total)
    }
}

/// Asserts that what is heard after the first tenth of a second is this tone.
pub fn assert_heard(packets: &[Packet], hertz: f64) {
    let (rate, _, samples) = samples(packets);
    let skipped = usize::try_from(rate / 10).unwrap();
    let middle = &samples[skipped..samples.len() - skipped / 2];
    let share_of_tone = share(middle, rate, hertz);
    assert!(
        share_of_tone > 0.8,
        "{share_of_tone} of the power is at {hertz} Hz"
    );
    #[allow(clippy::cast_precision_loss)]
    let power = middle.iter().map(|sample| sample * sample).sum::<f64>() / middle.len() as f64;
    assert!(power > 8_000.0 * 8_000.0 / 8.0, "too quiet: {power}");
}
