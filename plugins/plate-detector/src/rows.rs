//! Characters that stand in a row, as those of a plate do.

use crate::{
    glyphs::{Glyph, dark_and_light},
    grey::Grey,
};

/// Copies that are looked at, each half as large as the one before.
const COPIES: u32 = 3;
/// Between two characters, in heights of theirs: a seal or a dash may be there.
const GAP: f64 = 1.3;
/// By which neighbours may differ: heights as a ratio, middles in heights.
const RATIO: f64 = 1.35;
const STEP: f64 = 0.45;
/// By which a character may be off the line through all: heights as a ratio, middles in heights. In many fonts J and Q
/// reach below the others.
const LINE_RATIO: f64 = 1.32;
const LINE_STEP: f64 = 0.2;
const STRIP_RATIO: f64 = 1.15;
/// Characters of a row. Shorter ones are no plates, longer ones are sentences.
const LENGTH: std::ops::RangeInclusive<usize> = 4..=10;
/// Slope of a plate: a camera is not turned further.
const STEEPEST: f64 = 0.4;
/// In heights of characters, how far beyond them a plate has its edge at most; and by how much of 255 that is seen.
const EDGE: f64 = 1.5;
const EDGE_CONTRAST: f64 = 24.0;
/// Rows of a picture that are read at most.
const MOST: usize = 6;

/// A row of characters: where their middles are, and how high they are along it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// From left to right.
    pub(crate) glyphs: Vec<Glyph>,
    /// They are lighter than the plate.
    pub(crate) is_light: bool,
    /// Of their middles over x.
    pub(crate) middles: Line,
    /// Of the heights of their boxes over x.
    heights: Line,
}

/// `y = at + slope * x`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) at: f64,
    pub(crate) slope: f64,
}

impl Line {
    pub(crate) fn y(&self, x: f64) -> f64 {
        self.at + self.slope * x
    }

    /// A line that most of the points are near to, whatever the others do (Theil and Sen).
    fn through(points: &[(f64, f64)]) -> Self {
        let slopes = points.iter().enumerate().flat_map(|(index, (x, y))| {
            let others = points.iter().skip(index + 1);
            others.filter_map(move |(other_x, other_y)| {
                let across = other_x - x;
                (across.abs() > 0.5).then(|| (other_y - y) / across)
            })
        });
        let slope = median(slopes.collect()).unwrap_or_default();
        let at = median(points.iter().map(|(x, y)| y - slope * x).collect());
        Self {
            at: at.unwrap_or_default(),
            slope,
        }
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    match values.len() % 2 {
        0 => Some((upper + values.get(middle.checked_sub(1)?)?) / 2.0),
        _ => Some(upper),
    }
}

/// Rows of a picture that may be plates, those with most characters first. `is_wanted` is asked about the share of
/// the picture's width that a row has.
pub(crate) fn find(grey: &Grey, is_wanted: impl Fn(f64) -> bool) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut copy = grey.clone();
    for step in 0..COPIES {
        let scale = f64::from(1 << step);
        for (glyphs, is_light) in dark_and_light(&copy).into_iter().zip([false, true]) {
            let glyphs = glyphs.into_iter().map(|glyph| glyph.scaled(scale));
            rows.extend(chains(glyphs.collect()).into_iter().filter_map(|chain| {
                let row = Row::of(chain, is_light)?;
                let share = row.length() / grey.width as f64;
                (is_wanted(share) && row.has_edges(grey)).then_some(row)
            }));
        }
        copy = copy.half();
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.glyphs.len()));
    let mut different: Vec<Row> = Vec::new();
    for row in rows {
        if different.len() < MOST && !different.iter().any(|other| other.overlaps(&row)) {
            different.push(row);
        }
    }
    different
}

/// Glyphs one after the other, each the nearest to the right of the one before.
fn chains(mut glyphs: Vec<Glyph>) -> Vec<Vec<Glyph>> {
    glyphs.sort_by(|one, other| one.left.total_cmp(&other.left));
    let mut is_taken = vec![false; glyphs.len()];
    let mut chains = Vec::new();
    for begin in 0..glyphs.len() {
        let mut chain = Vec::new();
        let mut next = Some(begin).filter(|begin| is_taken.get(*begin) == Some(&false));
        while let Some(index) = next {
            let Some((glyph, is_taken)) = glyphs.get(index).zip(is_taken.get_mut(index)) else {
                break;
            };
            *is_taken = true;
            chain.push(*glyph);
            next = neighbour(&glyphs, index);
        }
        if chain.len() >= *LENGTH.start() {
            chains.push(chain);
        }
    }
    chains
}

/// The nearest to the right that may be the next character. `glyphs` are in the order of their left edges.
fn neighbour(glyphs: &[Glyph], index: usize) -> Option<usize> {
    let glyph = glyphs.get(index)?;
    let height = glyph.height();
    let others = glyphs.iter().enumerate().skip(index + 1);
    others
        .take_while(|(_, other)| other.left - glyph.right < GAP * height)
        .find(|(_, other)| {
            let ratio = other.height() / height;
            let step = (other.middle().1 - glyph.middle().1).abs();
            (1.0 / RATIO..RATIO).contains(&ratio)
                && step < STEP * height
                && other.left > glyph.right - 0.3 * height
        })
        .map(|(index, _)| index)
}

impl Row {
    /// What of a chain is in a line and of the same height; `None` where that is no plate.
    fn of(chain: Vec<Glyph>, is_light: bool) -> Option<Self> {
        let lines = |glyphs: &[Glyph]| {
            let points = |of: fn(&Glyph) -> f64| -> Vec<(f64, f64)> {
                let point = |glyph: &Glyph| (glyph.middle().0, of(glyph));
                glyphs.iter().map(point).collect()
            };
            let middles = Line::through(&points(|glyph| glyph.middle().1));
            (middles, Line::through(&points(Glyph::height)))
        };
        // Of what happens to stand beside a plate some may have the height of characters.
        let (middles, heights) = lines(&chain);
        let is_in_line = |glyph: &Glyph| {
            let (x, y) = glyph.middle();
            let height = heights.y(x);
            let ratio = glyph.height() / height;
            let step = (y - middles.y(x)).abs() / height;
            // What reaches as far above the others as below them is a strip of colour.
            (1.0 / LINE_RATIO..STRIP_RATIO + 2.0 * step).contains(&ratio)
                && ratio < LINE_RATIO
                && step < LINE_STEP
        };
        let glyphs: Vec<Glyph> = chain.into_iter().filter(is_in_line).collect();
        if !LENGTH.contains(&glyphs.len()) {
            return None;
        }
        let (middles, heights) = lines(&glyphs);
        let is_plate = middles.slope.abs() < STEEPEST && heights.slope.abs() < STEEPEST / 2.0;
        is_plate.then_some(Self {
            glyphs,
            is_light,
            middles,
            heights,
        })
    }

    /// Pixels from the first character to the last.
    fn length(&self) -> f64 {
        self.right() - self.left()
    }

    pub(crate) fn left(&self) -> f64 {
        self.glyphs.first().map_or(0.0, |glyph| glyph.left)
    }

    pub(crate) fn right(&self) -> f64 {
        self.glyphs.last().map_or(0.0, |glyph| glyph.right)
    }

    /// Height of characters there: boxes of turned ones are higher than they are.
    pub(crate) fn height(&self, x: f64) -> f64 {
        let angle = self.middles.slope.atan();
        let height = self.heights.y(x) / (angle.cos() + 0.5 * angle.sin().abs());
        height.max(1.0)
    }

    fn overlaps(&self, other: &Self) -> bool {
        let x = (other.left() + other.right()) / 2.0;
        let is_above = (other.middles.y(x) - self.middles.y(x)).abs() < self.height(x);
        is_above && (self.left()..self.right()).contains(&x)
    }

    /// Whether what is around the characters ends above and below them, as a plate does and a page does not.
    fn has_edges(&self, grey: &Grey) -> bool {
        const COLUMNS: usize = 9;
        let ends = |downwards: f64| {
            let columns = (0..COLUMNS).filter(|column| {
                let share = (*column as f64 + 0.5) / COLUMNS as f64;
                let x = self.left() + self.length() * share;
                let (y, height) = (self.middles.y(x), self.height(x));
                let at = |heights: f64| grey.at(x, y + downwards * heights * height);
                let beside = at(0.62);
                let steps = (1..=12).map(|step| 0.62 + (EDGE - 0.12) * f64::from(step) / 12.0);
                steps
                    .map(at)
                    .any(|value| (value - beside).abs() > EDGE_CONTRAST)
            });
            2 * columns.count() > COLUMNS
        };
        ends(-1.0) && ends(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glyph(left: f64, middle: f64, height: f64) -> Glyph {
        Glyph {
            left,
            top: middle - height / 2.0,
            right: left + height * 0.6,
            bottom: middle + height / 2.0,
        }
    }

    #[test]
    fn what_stands_in_line_is_a_row_whatever_is_beside_it() {
        let mut glyphs: Vec<Glyph> = (0..7)
            .map(|index| f64::from(index) * 18.0 + 40.0)
            .map(|left| glyph(left, 100.0 + left / 10.0, 20.0 + left / 60.0))
            .collect();
        glyphs.extend([
            glyph(20.0, 102.0, 28.0),
            glyph(60.0, 140.0, 20.0),
            glyph(300.0, 130.0, 21.0),
        ]);
        let rows = chains(glyphs).into_iter();
        let mut rows: Vec<Row> = rows.filter_map(|chain| Row::of(chain, false)).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.glyphs.len()));
        assert_eq!(rows[0].glyphs.len(), 7);
        assert!((rows[0].middles.slope - 0.1).abs() < 0.01);
        assert_eq!(rows[0].left(), 40.0);
    }

    #[test]
    fn sentences_and_single_characters_are_no_rows() {
        for length in [0, 1, 3, 11, 60] {
            let glyphs = (0..length).map(|index| glyph(f64::from(index) * 18.0, 50.0, 20.0));
            let rows = chains(glyphs.collect()).into_iter();
            let rows = rows.filter_map(|chain| Row::of(chain, false));
            assert_eq!(rows.count(), 0, "{length}");
        }
    }

    #[test]
    fn a_line_is_where_most_points_are() {
        let line = Line::through(&[(0.0, 1.0), (1.0, 3.0), (2.0, 50.0), (3.0, 7.0), (4.0, 9.0)]);
        assert_eq!(
            line,
            Line {
                at: 1.0,
                slope: 2.0
            }
        );
        assert_eq!(Line::through(&[]).y(3.0), 0.0);
    }
}
