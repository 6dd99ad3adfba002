//! What in a picture may be a character: patches of neighbouring pixels that are darker, or lighter, than what is
//! around them.

use crate::grey::Grey;

/// Pixels to each side of one that it is compared with: more than the strokes of the largest character.
const REACH: usize = 16;
/// Of 255, by how much pixels of characters differ from the mean around them.
const CONTRAST: i16 = 18;
/// Pixels, of the height of a character. What is larger is found in a smaller copy of the picture.
const HEIGHT: std::ops::RangeInclusive<usize> = 9..=64;
/// More than this is no picture of a street: the largest ones are kept.
const MOST: usize = 3000;

/// A patch that may be a character.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Glyph {
    /// Pixels; right and bottom are beyond it.
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

impl Glyph {
    pub(crate) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(crate) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub(crate) fn middle(&self) -> (f64, f64) {
        (
            (self.left + self.right) / 2.0,
            (self.top + self.bottom) / 2.0,
        )
    }

    /// In a picture that is `scale` times as large.
    pub(crate) fn scaled(self, scale: f64) -> Self {
        Self {
            left: self.left * scale,
            top: self.top * scale,
            right: self.right * scale,
            bottom: self.bottom * scale,
        }
    }
}

/// The patches of a picture that are dark, and those that are light.
pub(crate) fn dark_and_light(grey: &Grey) -> [Vec<Glyph>; 2] {
    let contrast = grey.contrast(REACH);
    [-1, 1].map(|sign| {
        let is_set = |value: &i16| sign * *value > CONTRAST;
        let mut patches = Patches::default();
        for (y, row) in contrast.chunks_exact(grey.width.max(1)).enumerate() {
            patches.add(y, row.iter().map(is_set));
        }
        patches.glyphs()
    })
}

/// A line of set pixels, and the patch that it belongs to.
#[derive(Clone, Copy)]
struct Run {
    begin: usize,
    end: usize,
    patch: usize,
}

#[derive(Clone, Copy)]
struct Patch {
    /// The patch that this one became part of; itself if none.
    parent: usize,
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
    pixels: usize,
}

/// Joins lines of pixels to patches, row by row.
#[derive(Default)]
pub(crate) struct Patches {
    patches: Vec<Patch>,
    above: Vec<Run>,
}

impl Patches {
    /// Adds the next row, whose lines are joined to those above that they touch, corners included.
    pub(crate) fn add(&mut self, y: usize, row: impl Iterator<Item = bool>) {
        let above = std::mem::take(&mut self.above);
        let mut rest = above.as_slice();
        for (begin, end) in runs(row) {
            let patch = self.patches.len();
            self.patches.push(Patch {
                parent: patch,
                left: begin,
                right: end,
                top: y,
                bottom: y + 1,
                pixels: end - begin,
            });
            while let [first, others @ ..] = rest
                && first.end < begin
            {
                rest = others;
            }
            for touched in rest.iter().take_while(|run| run.begin <= end) {
                self.join(touched.patch, patch);
            }
            self.above.push(Run { begin, end, patch });
        }
    }

    fn root(&mut self, mut patch: usize) -> usize {
        loop {
            let parent = self.patches.get(patch).map_or(patch, |patch| patch.parent);
            if parent == patch {
                return patch;
            }
            // Halves the way for the next one who asks.
            let grandparent = self.patches.get(parent).map_or(parent, |next| next.parent);
            if let Some(patch) = self.patches.get_mut(patch) {
                patch.parent = grandparent;
            }
            patch = grandparent;
        }
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        let (to, from) = (one.min(other), one.max(other));
        let Some(joined) = self.patches.get(from).copied().filter(|_| to != from) else {
            return;
        };
        if let Some(patch) = self.patches.get_mut(to) {
            patch.left = patch.left.min(joined.left);
            patch.right = patch.right.max(joined.right);
            patch.top = patch.top.min(joined.top);
            patch.bottom = patch.bottom.max(joined.bottom);
            patch.pixels += joined.pixels;
        }
        if let Some(patch) = self.patches.get_mut(from) {
            patch.parent = to;
        }
    }

    /// Those that have the shape of a character, or of some that touch.
    fn glyphs(&self) -> Vec<Glyph> {
        let glyphs = self.whole().filter(|patch| patch.is_character());
        let mut glyphs: Vec<Glyph> = glyphs.map(Patch::glyph).collect();
        if glyphs.len() > MOST {
            glyphs.sort_by(|one, other| other.height().total_cmp(&one.height()));
            glyphs.truncate(MOST);
        }
        glyphs
    }

    /// All of them, whatever their shape.
    pub(crate) fn boxes(&self) -> impl Iterator<Item = Glyph> {
        self.whole().map(Patch::glyph)
    }

    /// Those that are no part of another one.
    fn whole(&self) -> impl Iterator<Item = &Patch> {
        let patches = self.patches.iter().enumerate();
        patches
            .filter(|(index, patch)| patch.parent == *index)
            .map(|(_, patch)| patch)
    }
}

impl Patch {
    fn is_character(&self) -> bool {
        let (width, height) = (self.right - self.left, self.bottom - self.top);
        HEIGHT.contains(&height)
            && 10 * width > height
            && 10 * width < 22 * height
            && 7 * self.pixels > width * height
    }

    fn glyph(&self) -> Glyph {
        Glyph {
            left: self.left as f64,
            top: self.top as f64,
            right: self.right as f64,
            bottom: self.bottom as f64,
        }
    }
}

/// Begins and ends of the lines in a row.
fn runs(row: impl Iterator<Item = bool>) -> impl Iterator<Item = (usize, usize)> {
    let mut row = row.enumerate().chain([(usize::MAX, false)]);
    std::iter::from_fn(move || {
        let (begin, _) = row.find(|(_, is_set)| *is_set)?;
        let mut last = begin;
        for (at, is_set) in row.by_ref() {
            if !is_set {
                break;
            }
            last = at;
        }
        Some((begin, last + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of letters: `#` are dark, `o` light, others grey; each is 3 pixels a side.
    fn picture(rows: &[&str]) -> Grey {
        let width = rows[0].len() * 3;
        let value = |letter| match letter {
            b'#' => 20,
            b'o' => 230,
            _ => 120,
        };
        let values = rows.iter().flat_map(|row| {
            let row: Vec<u8> = row.bytes().flat_map(|letter| [value(letter); 3]).collect();
            [row.clone(), row.clone(), row].concat()
        });
        let values: Vec<u8> = values.collect();
        Grey {
            width,
            height: rows.len() * 3,
            values,
        }
    }

    #[test]
    fn patches_are_joined_however_they_meet() {
        let rows = [
            "                    ",
            " #   #   oo    ###  ",
            " #   #  o  o    #   ",
            "  # #   o  o    #   ",
            "  # #    oo     #   ",
            "   #             ###",
            "                    ",
        ];
        let [dark, light] = dark_and_light(&picture(&rows));
        let places = |glyphs: &[Glyph]| -> Vec<[f64; 4]> {
            let place = |glyph: &Glyph| [glyph.left, glyph.top, glyph.right, glyph.bottom];
            let mut places: Vec<_> = glyphs.iter().map(place).collect();
            places.sort_by(|one, other| one[0].total_cmp(&other[0]));
            places
        };
        assert_eq!(
            places(&dark),
            [[3.0, 3.0, 18.0, 18.0], [45.0, 3.0, 60.0, 18.0]]
        );
        assert!(places(&light).contains(&[24.0, 3.0, 36.0, 15.0]));
    }

    #[test]
    fn lines_have_begins_and_ends() {
        let of = |row: &str| runs(row.bytes().map(|letter| letter == b'#')).collect::<Vec<_>>();
        assert_eq!(of("  ##  # "), [(2, 4), (6, 7)]);
        assert_eq!(of("###"), [(0, 3)]);
        assert_eq!(of(""), []);
    }
}
