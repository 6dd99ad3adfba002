//! Lays the foreground of a picture over another background.

use rivero_filter::{Key, PictureFormat, Plane, Planes};

/// The opacity of the foreground, in the resolution of the planes of colour.
struct Matte {
    opacities: Vec<u8>,
    width: usize,
}

/// Writes the picture of `foreground` and `background` into `out`; all three have this format. `None` if
/// one is too short.
pub(crate) fn compose(
    key: &Key,
    format: &PictureFormat,
    (foreground, background): (&[u8], &[u8]),
    out: &mut [u8],
) -> Option<()> {
    let foreground = format.views(foreground)?;
    let background = format.views(background)?;
    let Planes(out) = format.planes(out)?;
    let matte = Matte::of(key, &foreground);
    let planes = foreground.into_iter().zip(background).zip(out);
    for (index, (((front, width), (back, _)), (out, _))) in planes.enumerate() {
        let scale = if index == 0 { 2 } else { 1 };
        let rows = out
            .chunks_mut(width)
            .zip(front.chunks(width))
            .zip(back.chunks(width));
        for (y, ((out, front), back)) in rows.enumerate() {
            matte.blend(y / scale, scale, (front, back), out);
        }
    }
    Some(())
}

impl Matte {
    fn of(key: &Key, &[(luma, luma_width), (blue, width), (red, _)]: &[Plane<'_>; 3]) -> Self {
        // Each pixel with its neighbours: noise has other colours than what it is in.
        let luma = blurred(&halved(luma, luma_width), width);
        let (blue, red) = (blurred(blue, width), blurred(red, width));
        let colours = luma.iter().zip(&blue).zip(&red);
        let opacities: Vec<u8> = colours
            .map(|((luma, blue), red)| key.opacity([*luma, *blue, *red]))
            .collect();
        Self {
            opacities: blurred(&opacities, width),
            width,
        }
    }

    fn blend(&self, row: usize, scale: usize, (front, back): (&[u8], &[u8]), out: &mut [u8]) {
        let begin = row * self.width;
        let opacities = self.opacities.get(begin..begin + self.width);
        let pixels = front
            .chunks(scale)
            .zip(back.chunks(scale))
            .zip(out.chunks_mut(scale));
        for (((front, back), out), opacity) in pixels.zip(opacities.unwrap_or_default()) {
            let opacity = u16::from(*opacity);
            for ((front, back), out) in front.iter().zip(back).zip(out) {
                let sum = u16::from(*front) * opacity + u16::from(*back) * (255 - opacity);
                *out = u8::try_from((sum + 127) / 255).unwrap_or(u8::MAX);
            }
        }
    }
}

/// The means of two by two values.
fn halved(plane: &[u8], width: usize) -> Vec<u8> {
    let mut halved = Vec::with_capacity(plane.len() / 4 + width);
    for rows in plane.chunks(2 * width) {
        let (upper, lower) = rows.split_at(width.min(rows.len()));
        let lower = if lower.is_empty() { upper } else { lower };
        for (upper, lower) in upper.chunks(2).zip(lower.chunks(2)) {
            let sum: u16 = upper.iter().chain(lower).copied().map(u16::from).sum();
            let count = u16::try_from(upper.len() + lower.len()).unwrap_or(1);
            halved.push(u8::try_from(sum / count).unwrap_or(u8::MAX));
        }
    }
    halved
}

/// The means of three by three values; at the edges values stand for the neighbours that they lack.
fn blurred(plane: &[u8], width: usize) -> Vec<u8> {
    let mut sums = Vec::with_capacity(plane.len());
    for row in plane.chunks(width.max(1)) {
        let (first, last) = (row.first().copied(), row.last().copied());
        let before = first.into_iter().chain(row.iter().copied());
        let after = row.iter().copied().skip(1).chain(last);
        let of_three = row.iter().zip(before).zip(after);
        sums.extend(of_three.map(|((here, before), after)| {
            u16::from(*here) + u16::from(before) + u16::from(after)
        }));
    }
    let rows = || sums.chunks(width.max(1));
    let above = rows().take(1).chain(rows());
    let below = rows().skip(1).chain(rows().last());
    let mut means = Vec::with_capacity(plane.len());
    for ((here, above), below) in rows().zip(above).zip(below) {
        let of_three = here.iter().zip(above).zip(below);
        means.extend(of_three.map(|((here, above), below)| {
            u8::try_from((here + above + below) / 9).unwrap_or(u8::MAX)
        }));
    }
    means
}

#[cfg(test)]
mod tests {
    use rivero_filter::{Colours, Sample};

    use super::*;

    /// Deterministic noise of up to `size` in either direction.
    struct Noise(u32);

    impl Noise {
        fn next(&mut self, size: i32) -> i32 {
            // Xorshift, Marsaglia 2003.
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 17;
            self.0 ^= self.0 << 5;
            (self.0 >> 8) as i32 % (2 * size + 1) - size
        }
    }

    const SCREEN: [f32; 3] = [117.0, 115.0, 108.0];
    const SKIN: [f32; 3] = [172.0, 107.0, 154.0];

    /// A screen that gets darker to the right, with a person of skin in the middle third, and noise.
    fn picture(format: &PictureFormat, noise: i32) -> Vec<u8> {
        let mut random = Noise(7);
        let mut bytes = Vec::new();
        let planes = [
            (format.width, format.height),
            (format.width.div_ceil(2), format.height.div_ceil(2)),
        ];
        for (plane, (width, height)) in [planes[0], planes[1], planes[1]].into_iter().enumerate() {
            for _ in 0..height {
                for x in 0..width {
                    let is_person = (width / 3..2 * width / 3).contains(&x);
                    let colour = if is_person { SKIN } else { SCREEN }[plane];
                    let light = 1.0 - 0.4 * x as f32 / width as f32;
                    let black = if plane == 0 { 16.0 } else { 128.0 };
                    let value = black + (colour - black) * light;
                    let value = value.round() as i32 + random.next(noise);
                    bytes.push(value.clamp(0, 255) as u8);
                }
            }
        }
        bytes
    }

    #[test]
    fn a_real_screen_is_replaced_and_a_person_stays() {
        let key = Key::new(&Sample {
            colour: SCREEN,
            spread: [6.0, 4.0, 4.0],
        });
        for (width, height, noise) in [(640, 480, 6), (321, 241, 10), (1280, 720, 3), (2, 2, 0)] {
            let format = PictureFormat {
                width,
                height,
                colours: Colours::TELEVISION,
            };
            let (front, back) = (picture(&format, noise), vec![30; format.size()]);
            let mut out = vec![0; format.size()];
            compose(&key, &format, (&front, &back), &mut out).unwrap();
            let mut counts = [0usize; 4];
            for (at, (out, front)) in out.iter().zip(&front).take(format.luma_size()).enumerate() {
                let x = at % width;
                // Beside the edges of the person, where colours are mixed.
                let edge = |at: usize| x.abs_diff(at) <= 6;
                if edge(width / 3) || edge(2 * width / 3) {
                    continue;
                }
                let is_person = (width / 3..2 * width / 3).contains(&x);
                let is_kept = out.abs_diff(*front) <= 2;
                let is_replaced = out.abs_diff(30) <= 12;
                match is_person {
                    true => counts[usize::from(is_kept)] += 1,
                    false => counts[2 + usize::from(is_replaced)] += 1,
                }
            }
            if width < 20 {
                continue;
            }
            let [lost, kept, left, replaced] = counts.map(|count| count as f64);
            assert!(kept / (kept + lost) > 0.999, "{width}: {counts:?}");
            assert!(replaced / (replaced + left) > 0.95, "{width}: {counts:?}");
        }
    }

    #[test]
    fn pictures_that_are_too_short_are_none() {
        let format = PictureFormat {
            width: 16,
            height: 16,
            colours: Colours::TELEVISION,
        };
        let key = Key::new(&Sample {
            colour: SCREEN,
            spread: [1.0; 3],
        });
        let (whole, short) = (vec![0; format.size()], vec![0; 16]);
        let mut out = vec![0; format.size()];
        assert!(compose(&key, &format, (&short, &whole), &mut out).is_none());
        assert!(compose(&key, &format, (&whole, &short), &mut out).is_none());
        assert!(compose(&key, &format, (&whole, &whole), &mut out).is_some());
    }
}
