//! Phones send pictures as their sensor lies, and say how the receiver has to turn them.

use crate::rig::{Running, frames, picture, raw, rtp};
use rivero_plugin_api::{Bytes, Extension, ExtensionKind, MediaKind, Packet};
use serde_json::json;

const SIZE: (u32, u32) = (320, 240);

/// Says so at the end of a frame (`urn:3gpp:video-orientation`).
fn state(packet: &mut Packet, byte: u8) {
    let mut bytes = packet.bytes.to_vec();
    packet.rtp.extensions.push(Extension {
        kind: ExtensionKind::VIDEO_ORIENTATION,
        length: 1,
        offset: u16::try_from(bytes.len()).unwrap(),
    });
    // Behind the payload, where only the extension is looked for.
    bytes.push(byte);
    packet.rtp.padding = 1;
    packet.bytes = Bytes::from(bytes);
}

/// Where the bright square is: the middle of the bright pixels.
fn square(packet: &Packet) -> (u32, u32) {
    let (width, height) = picture::size(packet);
    let bright = |x: &u32, y: u32| packet.bytes[usize::try_from(y * width + x).unwrap()] > 160;
    let all: Vec<_> = (0..height)
        .flat_map(|y| {
            (0..width)
                .filter(move |x| bright(x, y))
                .map(move |x| (x, y))
        })
        .collect();
    let count = u32::try_from(all.len()).unwrap().max(1);
    let sum = |of: fn(&(u32, u32)) -> u32| all.iter().map(of).sum::<u32>() / count;
    (sum(|(x, _)| *x), sum(|(_, y)| *y))
}

#[test]
fn each_picture_as_was_said_of_it_and_of_those_before() {
    for encoding in ["VP8", "VP9", "H264"] {
        let (kind, rtp, none) = (MediaKind::Video, rtp(encoding), json!({}));
        let encoder = Running::new(&raw(kind), &frames(&rtp), &none).unwrap();
        let packetiser = Running::new(&frames(&rtp), &rtp, &none).unwrap();
        let depacketiser = Running::new(&rtp, &frames(&rtp), &none).unwrap();
        let decoder = Running::new(&frames(&rtp), &raw(kind), &none).unwrap();
        // What is said of each picture, and what holds then, in quarters clockwise.
        let said = [
            (None, 0),
            (Some(1), 1),
            (None, 1),
            (Some(2), 2),
            (Some(0x0b), 3),
            (Some(0), 0),
        ];
        for (number, (byte, quarters)) in (0..).zip(said) {
            let picture = picture::picture(number, SIZE.0, SIZE.1);
            let before = square(&picture);
            let mut packets = packetiser.convert(&encoder.convert(&[picture]));
            if let (Some(byte), Some(last)) = (byte, packets.last_mut()) {
                state(last, byte);
            }
            let shown = decoder.convert(&depacketiser.convert(&packets));
            assert_eq!(
                shown.len(),
                1,
                "{encoding} {number}: no keyframe is waited for"
            );
            let (x, y) = before;
            let (size, place) = match quarters {
                1 => ((SIZE.1, SIZE.0), (SIZE.1 - y, x)),
                2 => (SIZE, (SIZE.0 - x, SIZE.1 - y)),
                3 => ((SIZE.1, SIZE.0), (y, SIZE.0 - x)),
                _ => (SIZE, before),
            };
            assert_eq!(picture::size(&shown[0]), size, "{encoding} {number}");
            let seen = square(&shown[0]);
            let near = seen.0.abs_diff(place.0) <= 3 && seen.1.abs_diff(place.1) <= 3;
            assert!(near, "{encoding} {number}: at {seen:?}, not {place:?}");
        }
    }
}
