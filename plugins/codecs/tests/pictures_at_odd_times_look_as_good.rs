//! Whenever pictures come, each has its part of the bitrate, and more of it is better.

use crate::rig::{Running, frames, pan, raw, rtp};
use rivero_plugin_api::{MediaKind, Packet};
use serde_json::json;

const CODECS: [&str; 3] = ["VP8", "VP9", "H264"];
const SIZE: (u32, u32) = (320, 180);
const PICTURES: u32 = 120;
/// Pictures before any counts: the rate control finds its way.
const BEFORE: u32 = 40;
const BITRATE: u64 = 400_000;
/// Between pictures, ns.
const INTERVAL: i64 = 33_333_333;

/// What becomes of the pictures that count.
struct Seen {
    /// The mean square of what pixels differ by.
    difference: f64,
    bitrate: f64,
    /// The part of the pictures that is shown.
    shown: f64,
}

fn seen(encoding: &str, pictures: &[Packet], bitrate: u64) -> Seen {
    let (raw, frames) = (raw(MediaKind::Video), frames(&rtp(encoding)));
    let encoder = Running::new(&raw, &frames, &json!({"bitrate": bitrate})).unwrap();
    let decoder = Running::new(&frames, &raw, &json!({})).unwrap();
    let (mut difference, mut bytes, mut shown) = (0.0, 0, 0.0);
    let (before, counted) = pictures.split_at(usize::try_from(BEFORE).unwrap());
    for sent in before {
        decoder.convert(&encoder.convert(std::slice::from_ref(sent)));
    }
    for sent in counted {
        let encoded = encoder.convert(std::slice::from_ref(sent));
        bytes += encoded.iter().map(|frame| frame.bytes.len()).sum::<usize>();
        for picture in decoder.convert(&encoded) {
            assert_eq!(
                picture.presentation_time, sent.presentation_time,
                "{encoding}"
            );
            assert_eq!(picture.ingress_time, sent.ingress_time, "{encoding}");
            difference += pan::difference(sent, &picture);
            shown += 1.0;
        }
    }
    let times = counted.first().zip(counted.last());
    let length = times.map(|(first, last)| last.presentation_time - first.presentation_time);
    #[allow(clippy::cast_precision_loss)]
    Seen {
        difference: difference / shown,
        bitrate: bytes as f64 * 8e9 / length.unwrap() as f64,
        shown: shown / counted.len() as f64,
    }
}

/// The pictures of a pan, so many ns apart.
fn pictures(mut interval: impl FnMut(i64) -> i64) -> Vec<Packet> {
    let mut time = 7_000_000_000;
    (0..PICTURES)
        .map(|number| {
            time += interval(number.into());
            Packet {
                presentation_time: time,
                ingress_time: time - 1_000_000,
                duration: 0,
                ..pan::seen(number, SIZE)
            }
        })
        .collect()
}

#[test]
fn pictures_that_tremble_or_are_missing_change_nothing() {
    let tremble = |number| [9, -14, 6, -2, 1][usize::try_from(number % 5).unwrap()] * 1_000_000;
    let even = pictures(|_| INTERVAL);
    let trembling = pictures(|number| INTERVAL + tremble(number));
    // Where every second or third one did not arrive, or was never taken.
    let with_gaps = pictures(|number| INTERVAL * (1 + number * number % 3));
    for encoding in CODECS {
        let all = seen(encoding, &even, BITRATE);
        for (what, pictures) in [("trembling", &trembling), ("with gaps", &with_gaps)] {
            let own = seen(encoding, pictures, BITRATE);
            #[allow(clippy::cast_precision_loss)]
            let off = own.bitrate / BITRATE as f64 - 1.0;
            assert!(off.abs() < 0.2, "{encoding}, {what}: {} bit/s", own.bitrate);
            assert!(own.shown > 0.97, "{encoding}, {what}: {} shown", own.shown);
            assert!(
                own.difference < all.difference * 1.1,
                "{encoding}, {what}: {}, even {}",
                own.difference,
                all.difference
            );
        }
    }
}

#[test]
fn a_pause_is_not_followed_by_another() {
    // A second without pictures, twice: the first one behind it must not be paid for by those that follow.
    let pauses = pictures(|number| INTERVAL * if number % 50 == 0 { 30 } else { 1 });
    for encoding in CODECS {
        let own = seen(encoding, &pauses, BITRATE / 2);
        assert!(own.shown > 0.97, "{encoding}: {} shown", own.shown);
    }
}

#[test]
fn more_bits_are_never_worse() {
    let pictures = pictures(|_| INTERVAL);
    for encoding in CODECS.into_iter().chain(["AV1"]) {
        let mut before = f64::INFINITY;
        for bitrate in [200_000, 400_000, 800_000, 1_600_000] {
            let own = seen(encoding, &pictures, bitrate).difference;
            assert!(
                own < before,
                "{encoding} at {bitrate}: {own}, with less {before}"
            );
            before = own;
        }
    }
}
