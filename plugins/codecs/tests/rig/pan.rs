//! A camera that moves slowly over hills.

use rivero_plugin_api::{Bytes, Packet};

use super::picture;

/// Pixels from one picture to the next.
const STEP: (f64, f64) = (0.75, 0.25);

/// A height from 0 to 1 at each crossing of a grid.
fn crossing(x: i64, y: i64) -> f64 {
    let mut state = (x.wrapping_mul(374_761_393) + y.wrapping_mul(668_265_263)).cast_unsigned();
    state = (state ^ (state >> 13)).wrapping_mul(1_274_126_177);
    let low = u32::try_from((state ^ (state >> 16)) & 0xffff).unwrap();
    f64::from(low) / 65_535.0
}

/// Hills between the crossings of a grid whose lines are `spacing` pixels apart.
fn hills(x: f64, y: f64, spacing: f64) -> f64 {
    let (x, y) = (x / spacing, y / spacing);
    let (left, top) = (x.floor(), y.floor());
    let smooth = |part: f64| part * part * (3.0 - 2.0 * part);
    let (right, down) = (smooth(x - left), smooth(y - top));
    #[allow(clippy::cast_possible_truncation)]
    let (left, top) = (left as i64, top as i64);
    let row = |y| crossing(left, y) * (1.0 - right) + crossing(left + 1, y) * right;
    row(top) * (1.0 - down) + row(top + 1) * down
}

/// What a camera sees that moves over hills of several sizes.
pub fn seen(number: u32, (width, height): (u32, u32)) -> Packet {
    let mut packet = picture::picture(number, width, height);
    let mut planes = packet.bytes.to_vec();
    let (right, down) = (STEP.0 * f64::from(number), STEP.1 * f64::from(number));
    for y in 0..height {
        for x in 0..width {
            let at = (f64::from(x) + right, f64::from(y) + down);
            let value = [(40.0, 90.0), (12.0, 60.0), (4.0, 40.0)]
                .iter()
                .map(|(spacing, weight)| hills(at.0, at.1, *spacing) * weight)
                .sum::<f64>();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let luma = (20.0 + value) as u8;
            planes[usize::try_from(y * width + x).unwrap()] = luma;
        }
    }
    packet.bytes = Bytes::from(planes);
    packet
}

/// The mean square of what pixels of luma differ by.
pub fn difference(sent: &Packet, shown: &Packet) -> f64 {
    let (width, height) = picture::size(sent);
    let luma = usize::try_from(width * height).unwrap();
    let pixels = sent.bytes[..luma].iter().zip(&shown.bytes[..luma]);
    let sum: f64 = pixels
        .map(|(sent, shown)| f64::from(sent.abs_diff(*shown)).powi(2))
        .sum();
    sum / f64::from(width * height)
}
