//! A bright square that moves to the right over one colour.

use rivero_plugin_api::{Bytes, Layer, MediaKind, Packaging, Packet, Rtp};

use super::host;

/// Luma and chroma behind the square.
pub const GROUND: [u8; 3] = [90, 100, 190];
/// Nanoseconds between pictures.
pub const INTERVAL: i64 = 40_000_000;
/// Presentation time of picture 0.
pub const START: i64 = 7_000_000_000;
/// Ingress comes this much before presentation.
pub const AGE: i64 = 5_000_000;

const SQUARE: u32 = 64;
const BRIGHT: u8 = 225;
/// Sides of the patches of [`noise`].
const PATCH: u32 = 4;

/// Left edge of the square.
pub fn left(number: u32, width: u32) -> u32 {
    (16 + number * 8) % (width - SQUARE)
}

/// Picture `number` as raw media.
pub fn picture(number: u32, width: u32, height: u32) -> Packet {
    let (chroma_width, chroma_height) = (width.div_ceil(2), height.div_ceil(2));
    let left = left(number, width);
    let top = (height - SQUARE) / 2;
    let mut planes = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let inside = (left..left + SQUARE).contains(&x) && (top..top + SQUARE).contains(&y);
            planes.push(if inside { BRIGHT } else { GROUND[0] });
        }
    }
    for colour in &GROUND[1..] {
        let size = usize::try_from(chroma_width * chroma_height).unwrap();
        planes.extend(std::iter::repeat_n(*colour, size));
    }
    packet(number, width, height, planes)
}

/// Picture `number` of patches that no encoder can foresee.
pub fn noise(number: u32, width: u32, height: u32) -> Packet {
    patches(number, (width, height), PATCH, 127)
}

/// Picture `number` of patches with such sides, whose luma differs by up to `contrast`.
pub fn patches(number: u32, size: (u32, u32), patch: u32, contrast: u8) -> Packet {
    rows_of_patches(number, size, patch, |_| contrast)
}

/// Picture `number` of patches that differ the more the lower they are: something for each quantizer.
pub fn texture(number: u32, size: (u32, u32)) -> Packet {
    let contrast = |y| u8::try_from(8 + y * 119 / size.1).unwrap();
    rows_of_patches(number, size, 3, contrast)
}

fn rows_of_patches(
    number: u32,
    (width, height): (u32, u32),
    patch: u32,
    contrast: impl Fn(u32) -> u8,
) -> Packet {
    let mut state = number.wrapping_mul(2_654_435_761) | 1;
    let across = usize::try_from(width.div_ceil(patch)).unwrap();
    let side = usize::try_from(patch).unwrap();
    let mut planes = Vec::new();
    for row in 0..height.div_ceil(patch) {
        let contrast = contrast(row * patch);
        let lumas: Vec<u8> = (0..across)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                let high = u16::try_from(state >> 24).unwrap();
                64 + u8::try_from(high * u16::from(contrast) / 255).unwrap()
            })
            .collect();
        let mut row: Vec<u8> = lumas.iter().flat_map(|luma| vec![*luma; side]).collect();
        row.truncate(usize::try_from(width).unwrap());
        (0..side).for_each(|_| planes.extend_from_slice(&row));
    }
    planes.truncate(usize::try_from(width * height).unwrap());
    let chroma = usize::try_from(width.div_ceil(2) * height.div_ceil(2)).unwrap();
    planes.resize(planes.len() + 2 * chroma, 128);
    packet(number, width, height, planes)
}

fn packet(number: u32, width: u32, height: u32, planes: Vec<u8>) -> Packet {
    let format = super::format("I420", Packaging::Raw, 0, 0)
        .with("width", width.to_string())
        .with("height", height.to_string());
    let presentation_time = START + i64::from(number) * INTERVAL;
    Packet {
        bytes: Bytes::from(planes),
        format: host::format_id(&format),
        origin: 1,
        kind: MediaKind::Video,
        flags: Packet::KEYFRAME,
        layer: Layer::default(),
        presentation_time,
        ingress_time: presentation_time - AGE,
        duration: INTERVAL,
        rtp: Rtp::default(),
        ..Packet::default()
    }
}

/// Which picture a presentation time is of.
pub fn number(packet: &Packet) -> u32 {
    let since = packet.presentation_time - START + INTERVAL / 2;
    u32::try_from(since / INTERVAL).unwrap()
}

/// Width and height of a raw picture, from its own format.
pub fn size(packet: &Packet) -> (u32, u32) {
    let format = host::format(packet.format).unwrap();
    assert_eq!(
        (format.encoding.as_str(), format.packaging),
        ("I420", Packaging::Raw)
    );
    let side = |wanted: &str| {
        let found = format.parameters.iter().find(|(name, _)| name == wanted);
        found.unwrap().1.parse().unwrap()
    };
    (side("width"), side("height"))
}

/// Mean of each plane over the top left corner, where the square never is.
pub fn ground(packet: &Packet) -> [u8; 3] {
    let (width, height) = size(packet);
    let (chroma_width, chroma_height) = (width.div_ceil(2), height.div_ceil(2));
    let luma = usize::try_from(width * height).unwrap();
    let chroma = usize::try_from(chroma_width * chroma_height).unwrap();
    assert_eq!(packet.bytes.len(), luma + 2 * chroma, "tightly packed");
    let mean = |from: usize, stride: u32, side: u32| {
        let mut sum = 0u32;
        for y in 0..side {
            for x in 0..side {
                sum += u32::from(packet.bytes[from + usize::try_from(y * stride + x).unwrap()]);
            }
        }
        u8::try_from(sum / (side * side)).unwrap()
    };
    [
        mean(0, width, 16),
        mean(luma, chroma_width, 8),
        mean(luma + chroma, chroma_width, 8),
    ]
}

/// Left edge of the square, from the middle row.
pub fn seen_left(packet: &Packet) -> Option<u32> {
    let (width, height) = size(packet);
    let row = usize::try_from(height / 2 * width).unwrap();
    (0..width).find(|x| packet.bytes[row + usize::try_from(*x).unwrap()] > 160)
}

/// Asserts that `packet` shows its picture, as its presentation time says, at the size of
/// `original`.
pub fn assert_shows(packet: &Packet, original: (u32, u32)) {
    let number = number(packet);
    for (seen, sent) in ground(packet).iter().zip(GROUND) {
        assert!(
            seen.abs_diff(sent) <= 10,
            "picture {number}: {seen} instead of {sent}"
        );
    }
    let (width, _) = size(packet);
    let expected = left(number, original.0) * width / original.0;
    let seen = seen_left(packet).unwrap_or_else(|| panic!("picture {number}: no square"));
    assert!(
        seen.abs_diff(expected) <= 6,
        "picture {number}: square at {seen}, not {expected}"
    );
}
