//! A row of characters as it is read: straight, upright, black on white, always of one height.

use crate::{
    glyphs::{Glyph, Patches},
    grey::Grey,
    rows::Row,
};

/// Pixels, of a character's height, and of what is white around the row.
const HEIGHT: usize = 36;
const MARGIN: usize = 14;
/// Pixels, of white between characters that are set apart, and above and below those that are seen closely.
const GAP: usize = 12;
const CLOSE: usize = 6;
/// Pixels; a row of as many characters as one may have is shorter.
const WIDEST: usize = 900;
/// By how much a row is tried to be leaning, pixels across for each one down.
const LEANS: [f64; 11] = [
    0.0, -0.08, 0.08, -0.16, 0.16, -0.24, 0.24, -0.32, 0.32, -0.4, 0.4,
];
/// What is seen above and below characters, in their heights: not the edge of the plate.
const BAND: f64 = 0.12;
/// Pixels, to both sides of a row, where other characters of it may be: those that touch the edge of the plate.
const BESIDE: usize = 46;
/// Of 255, by how much what is black differs from what is around it, in so many pixels to each side.
const CONTRAST: i16 = 24;
const REACH: usize = 18;
/// By which the upper and the lower end of a character may be off, pixels.
const OFF: usize = 9;

/// Grey values, row by row.
#[derive(Clone, Debug)]
pub(crate) struct Strip {
    /// Pixels.
    pub(crate) width: usize,
    /// Pixels.
    pub(crate) height: usize,
    pub(crate) values: Vec<u8>,
}

/// How a row lies in a picture.
struct Pose<'a> {
    grey: &'a Grey,
    row: &'a Row,
    /// Along the row, for each pixel of the strip.
    along: (f64, f64),
    /// Down a character, for a character's height of 1.
    down: (f64, f64),
    /// Pixels of the strip between the ends of the row.
    length: usize,
}

impl<'a> Pose<'a> {
    fn new(grey: &'a Grey, row: &'a Row) -> Self {
        let (left, right) = (row.left(), row.right());
        let height = row.height((left + right) / 2.0);
        let (sin, cos) = row.middles.slope.atan().sin_cos();
        let across = (right - left) / cos;
        let length = (across / height * HEIGHT as f64).round() as usize;
        let step = height / HEIGHT as f64;
        let mut pose = Self {
            grey,
            row,
            along: (cos * step, sin * step),
            down: (-sin, cos),
            length: length.clamp(1, WIDEST),
        };
        pose.down = pose.upright((cos, sin));
        pose
    }

    /// The direction in which characters stand: the one along which most of what is dark lies above each other.
    fn upright(&self, (cos, sin): (f64, f64)) -> (f64, f64) {
        let mut best = (f64::MIN, self.down);
        for lean in LEANS {
            let down = (self.down.0 + lean * cos, self.down.1 + lean * sin);
            let columns = (0..self.length).step_by(2).map(|column| {
                let values = (0..9).map(|step| (f64::from(step) - 4.0) / 9.0);
                values
                    .map(|share| self.at(column as f64, share, down).2)
                    .sum::<f64>()
            });
            let columns: Vec<f64> = columns.collect();
            let steps = columns.iter().zip(columns.iter().skip(1));
            let clear = steps.map(|(one, next)| (one - next).powi(2)).sum::<f64>();
            // The first is preferred: a little of what is seen is chance.
            if clear > best.0 * 1.02 || best.0 < 0.0 {
                best = (clear, down);
            }
        }
        best.1
    }

    /// Where in the picture a place of the strip is, and its value.
    fn at(&self, column: f64, share: f64, down: (f64, f64)) -> (f64, f64, f64) {
        let x = self.row.left() + column * self.along.0;
        let height = self.row.height(x);
        let y = self.row.middles.y(x) + share * height * down.1;
        let x = x + share * height * down.0;
        (x, y, self.grey.at(x, y))
    }
}

impl Strip {
    /// The row in this picture, and what is beside it.
    pub(crate) fn of(grey: &Grey, row: &Row) -> Self {
        let pose = Pose::new(grey, row);
        let band = (BAND * HEIGHT as f64).round();
        let (width, height) = (pose.length + 2 * BESIDE, HEIGHT + 2 * band as usize);
        let mut values = Vec::with_capacity(width * height);
        for line in 0..height {
            let share = (line as f64 + 0.5 - band) / HEIGHT as f64 - 0.5;
            for column in 0..width {
                let column = column as f64 + 0.5 - BESIDE as f64;
                let (_, _, value) = pose.at(column, share, pose.down);
                values.push(if row.is_light { 255.0 - value } else { value });
            }
        }
        Self {
            width,
            height,
            values: levelled(&values, width),
        }
    }

    /// Where its characters are, from left to right.
    pub(crate) fn characters(&self) -> Vec<Glyph> {
        let grey = Grey {
            width: self.width,
            height: self.height,
            values: self.values.clone(),
        };
        let contrast = grey.contrast(REACH);
        let is_black = |value: &i16| *value < -CONTRAST;
        let mut patches = Patches::default();
        for (y, line) in contrast.chunks_exact(self.width.max(1)).enumerate() {
            patches.add(y, line.iter().map(is_black));
        }
        let mut characters: Vec<Glyph> = patches
            .boxes()
            .filter(|glyph| self.is_character(glyph))
            .collect();
        characters.sort_by(|one, other| one.left.total_cmp(&other.left));
        self.joined(characters)
    }

    fn is_character(&self, glyph: &Glyph) -> bool {
        let (height, off) = (self.height as f64, OFF as f64);
        let margin = (height - HEIGHT as f64) / 2.0;
        // An edge of the plate, or a strip of colour, goes on above and below.
        let is_cut = glyph.top < 2.0 && glyph.bottom > height - 2.0;
        let is_high = glyph.top < margin + off && glyph.bottom > height - margin - off;
        let is_wide = glyph.width() > 2.2 * HEIGHT as f64 || glyph.width() < 3.0;
        is_high && !is_cut && !is_wide
    }

    /// Those that stand together with the one nearest to the middle.
    fn joined(&self, characters: Vec<Glyph>) -> Vec<Glyph> {
        let far = 1.3 * HEIGHT as f64;
        let mut groups: Vec<Vec<Glyph>> = Vec::new();
        for glyph in characters {
            match groups.last_mut() {
                Some(group)
                    if group
                        .last()
                        .is_some_and(|last| glyph.left - last.right < far) =>
                {
                    group.push(glyph);
                }
                _ => groups.push(vec![glyph]),
            }
        }
        groups.sort_by_key(Vec::len);
        groups.pop().unwrap_or_default()
    }

    /// The characters at their places and nothing else; with as much white between all of them; larger, for Tesseract has all
    /// lines equally high; and wider, as those of plates are narrow.
    pub(crate) fn lines(&self, characters: &[Glyph]) -> [Self; 4] {
        let line = self.line(characters, MARGIN, None);
        let wide = line.wider();
        [
            line,
            self.line(characters, MARGIN, Some(GAP)),
            self.line(characters, CLOSE, None),
            wide,
        ]
    }

    /// The characters with a margin, with as much between them as there is or with a gap.
    fn line(&self, characters: &[Glyph], margin: usize, gap: Option<usize>) -> Self {
        let height = self.height + 2 * margin;
        let mut columns: Vec<Vec<u8>> = Vec::new();
        let white = |count: usize| std::iter::repeat_n(vec![u8::MAX; height], count);
        columns.extend(white(margin.max(GAP)));
        let mut end = None;
        for glyph in characters {
            let (left, right) = (glyph.left as usize, glyph.right as usize);
            let between = end.map(|end| gap.unwrap_or(left.saturating_sub(end)));
            columns.extend(white(between.unwrap_or(0)));
            for column in left.max(end.unwrap_or(0))..right {
                let rows = glyph.top as usize..glyph.bottom as usize;
                let value = |y: usize| match rows.contains(&y) {
                    true => self.values.get(y * self.width + column).copied(),
                    false => None,
                };
                let values = (0..self.height).map(|y| value(y).unwrap_or(u8::MAX));
                let around = std::iter::repeat_n(u8::MAX, margin);
                columns.push(around.clone().chain(values).chain(around).collect());
            }
            end = Some(right);
        }
        columns.extend(white(margin.max(GAP)));
        let value = |y: usize, column: &Vec<u8>| column.get(y).copied().unwrap_or(u8::MAX);
        Self {
            width: columns.len(),
            height,
            values: (0..height)
                .flat_map(|y| columns.iter().map(move |column| value(y, column)))
                .collect(),
        }
    }

    /// A quarter wider.
    fn wider(&self) -> Self {
        let lines = self.values.chunks_exact(self.width.max(1));
        let wider = |line: &[u8]| -> Vec<u8> {
            let quads = line.chunks(4);
            quads
                .flat_map(|quad| quad.iter().chain(quad.last()).copied())
                .collect()
        };
        let lines: Vec<Vec<u8>> = lines.map(wider).collect();
        Self {
            width: lines.first().map_or(0, Vec::len),
            height: self.height,
            values: lines.concat(),
        }
    }
}

/// Characters black, and what is around them white, by the values of the row without what is beside it.
fn levelled(values: &[f64], width: usize) -> Vec<u8> {
    let rows = values.chunks_exact(width.max(1));
    let row = rows.filter_map(|row| row.get(BESIDE..row.len().saturating_sub(BESIDE)));
    let mut shown: Vec<f64> = row.flatten().copied().collect();
    shown.sort_by(f64::total_cmp);
    let rank = |share: f64| {
        let last = shown.len().saturating_sub(1) as f64;
        shown.get((share * last) as usize).copied().unwrap_or(0.0)
    };
    let (black, white) = (rank(0.08), rank(0.8));
    // Nearly all of what is light is white, so that noise is not seen.
    let (black, white) = (
        black + 0.05 * (white - black),
        white - 0.12 * (white - black),
    );
    let scale = 255.0 / (white - black).max(8.0);
    // Conversions of floats to integers stay within the integer's range.
    let level = |value: &f64| ((value - black) * scale).round() as u8;
    values.iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A strip with bars as characters, each with its left and right side, upper and lower end.
    fn strip(bars: &[(usize, usize, usize, usize)]) -> Strip {
        let (width, height) = (300, 44);
        let mut values = vec![u8::MAX; width * height];
        for (left, right, top, bottom) in bars {
            for y in *top..*bottom {
                values[y * width + left..y * width + right].fill(0);
            }
        }
        Strip {
            width,
            height,
            values,
        }
    }

    #[test]
    fn characters_are_what_stands_in_the_band_together() {
        // The edge of a plate, four characters of which one reaches down to its edge, a dash, and something far away.
        let bars = [
            (20, 24, 0, 44),
            (50, 70, 4, 40),
            (80, 100, 5, 41),
            (106, 114, 22, 26),
            (120, 140, 4, 44),
            (150, 156, 4, 40),
            (260, 280, 4, 40),
        ];
        let strip = strip(&bars);
        let characters = strip.characters();
        let sides = characters.iter().map(|glyph| (glyph.left, glyph.right));
        let found: Vec<_> = sides.collect();
        assert_eq!(
            found,
            [(50.0, 70.0), (80.0, 100.0), (120.0, 140.0), (150.0, 156.0)]
        );
        let [line, apart, close, wide] = strip.lines(&characters);
        assert_eq!(line.width, 106 + 2 * MARGIN);
        assert_eq!(apart.width, 66 + 3 * GAP + 2 * MARGIN);
        assert_eq!(close.height, 44 + 2 * CLOSE);
        assert!(wide.width > line.width * 5 / 4 - 2 && wide.height == line.height);
        for strip in [&line, &apart, &close, &wide] {
            assert_eq!(strip.values.len(), strip.width * strip.height);
        }
        let black = line.values.iter().filter(|value| **value == 0).count();
        assert_eq!(black, 2 * 20 * 36 + 20 * 40 + 6 * 36, "no dash");
    }

    #[test]
    fn nothing_is_found_in_nothing() {
        let empty = strip(&[]);
        assert!(empty.characters().is_empty());
        let [line, ..] = empty.lines(&[]);
        assert!(line.values.iter().all(|value| *value == u8::MAX));
    }
}
