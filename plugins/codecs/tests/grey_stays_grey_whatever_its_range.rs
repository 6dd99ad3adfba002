//! Pictures of the full range, as browsers make them of a canvas, look the same after a conversion.

use crate::rig::{Running, frames, picture, raw, rtp};
use rivero_plugin_api::{Bytes, Extension, ExtensionKind, Format, MediaKind, Packaging, Packet};
use serde_json::json;

const FULL_709: &str = "1:3:5:1";
/// Of cameras that send JPEG.
const JFIF: &str = "1:4:0:0";
const LIMITED: &str = "bt601";

/// A picture of one grey, in values of a range.
fn grey(number: u32, luma: u8, colours: &str) -> Packet {
    let mut picture = picture::picture(number, 320, 240);
    let mut planes = vec![luma; 320 * 240];
    planes.resize(320 * 240 * 3 / 2, 128);
    picture.bytes = Bytes::from(planes);
    let format = Format {
        packaging: Packaging::Raw,
        ..Format::rtp("I420", 0, 0)
    };
    let format = format
        .with("width", "320")
        .with("height", "240")
        .with("colorimetry", colours);
    picture.format = crate::rig::host::format_id(&format);
    picture
}

/// The grey that a viewer sees, from 0 to 255, by what the picture's format says of its values.
fn shown(picture: &Packet) -> f64 {
    let format = crate::rig::host::format(picture.format).unwrap();
    let mut parameters = format.parameters.iter();
    let colours = parameters.find(|(name, _)| name == "colorimetry");
    let is_full = colours.is_some_and(|(_, colours)| colours.starts_with("1:"));
    let luma = f64::from(picture.bytes[320 * 120 + 160]);
    if is_full {
        luma
    } else {
        (luma - 16.0) * 255.0 / 219.0
    }
}

fn through(from: &Format, to: &Format, packets: &[Packet]) -> Vec<Packet> {
    let settings = json!({"bitrate": 1_000_000});
    let running = Running::new(from, to, &settings).unwrap();
    packets
        .iter()
        .flat_map(|packet| running.convert(std::slice::from_ref(packet)))
        .collect()
}

fn encoded(encoding: &str, luma: u8, colours: &str) -> Vec<Packet> {
    let pictures: Vec<_> = (0..4).map(|number| grey(number, luma, colours)).collect();
    through(&raw(MediaKind::Video), &frames(&rtp(encoding)), &pictures)
}

fn decoded(encoding: &str, frames_of: &[Packet]) -> Vec<Packet> {
    through(&frames(&rtp(encoding)), &raw(MediaKind::Video), frames_of)
}

#[test]
fn what_is_encoded_is_converted_or_says_what_it_is() {
    for encoding in ["VP8", "VP9", "AV1", "H264", "H265", "JPEG"] {
        let target = match encoding {
            "JPEG" => crate::rig::format("JPEG", Packaging::Frame, 0, 0),
            encoding => frames(&rtp(encoding)),
        };
        for (luma, colours, expected) in [
            (64, FULL_709, 64.0),
            (254, FULL_709, 254.0),
            (64, JFIF, 64.0),
            (71, LIMITED, 64.0),
            (234, LIMITED, 254.0),
        ] {
            let pictures: Vec<_> = (0..4).map(|number| grey(number, luma, colours)).collect();
            let encoded = through(&raw(MediaKind::Video), &target, &pictures);
            if encoding == "VP9" {
                // Browsers decode no more than 4:2:0.
                assert_eq!(encoded[0].bytes[0] >> 4 & 3, 0, "the profile");
            }
            let decoded = through(&target, &raw(MediaKind::Video), &encoded);
            let seen = shown(decoded.last().unwrap());
            assert!(
                (seen - expected).abs() <= 2.5,
                "{encoding}: {colours} {luma} is shown as {seen}, not {expected}"
            );
        }
    }
}

/// Says at the end of a frame what its colours are.
fn state(packet: &mut Packet, [primaries, transfer, matrix, range]: [u8; 4]) {
    let mut bytes = packet.bytes.to_vec();
    packet.rtp.extensions.push(Extension {
        kind: ExtensionKind::COLOR_SPACE,
        length: 4,
        offset: u16::try_from(bytes.len()).unwrap(),
    });
    // Behind the payload, where only the extension is looked for.
    bytes.extend([primaries, transfer, matrix, range]);
    packet.rtp.padding = 4;
    packet.bytes = Bytes::from(bytes);
}

#[test]
fn what_a_browser_says_of_its_colours_counts_from_a_keyframe_to_the_next() {
    for encoding in ["VP8", "VP9"] {
        let rtp = rtp(encoding);
        // The values of full range, in a bitstream that says nothing of it.
        let frames_of = encoded(encoding, 64, LIMITED);
        let packetiser = Running::new(&frames(&rtp), &rtp, &json!({})).unwrap();
        let depacketiser = Running::new(&rtp, &frames(&rtp), &json!({})).unwrap();
        let mut received = Vec::new();
        for (number, frame) in frames_of.iter().enumerate() {
            let mut packets = packetiser.convert(std::slice::from_ref(frame));
            if number == 0 {
                state(packets.last_mut().unwrap(), [1, 1, 1, 0x20]);
            }
            received.extend(depacketiser.convert(&packets));
        }
        for picture in decoded(encoding, &received) {
            let seen = shown(&picture);
            assert!((seen - 64.0).abs() <= 2.0, "{encoding}: {seen}");
        }
        // A keyframe of which nothing is said.
        let silent = encoded(encoding, 64, LIMITED);
        let packets = packetiser.convert(&silent[..1]);
        let pictures = decoded(encoding, &depacketiser.convert(&packets));
        assert!((shown(&pictures[0]) - 55.9).abs() <= 2.0, "{encoding}");
    }
}
