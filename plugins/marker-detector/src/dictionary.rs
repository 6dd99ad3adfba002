//! Which markers there are.

use rivero_plugin_api::{Error, Result};

/// The generated ones.
const TABLE: &str = include_str!("dictionaries.txt");
/// How a row of the original dictionary has two bits of a number, by a Hamming code.
const ORIGINAL_ROWS: [u64; 4] = [0b10000, 0b10111, 0b01001, 0b01110];
const ORIGINAL: &str = "ARUCO_ORIGINAL";
const ORIGINAL_COUNT: i32 = 1024;
/// Cells on the side of the largest.
const LARGEST: usize = 7;

/// Markers with so many cells on a side.
#[derive(Debug)]
struct Dictionary {
    side: usize,
    /// Cells that may be wrong: fewer than half of those in which its markers differ.
    correctable: u32,
    /// Row by row, white being 1, by the marker's number.
    markers: Vec<u64>,
}

/// The dictionaries whose markers are found.
#[derive(Debug)]
pub(crate) struct Dictionaries(Vec<Dictionary>);

impl Dictionaries {
    /// Those of these names.
    ///
    /// # Errors
    /// 40003 naming one that there is not
    pub(crate) fn of(names: &[String]) -> Result<Self> {
        let dictionary = |name: &String| {
            Dictionary::of(name).ok_or_else(|| {
                Error::unexpected(format!(
                    "ArMarkerdetector.dictionaries: there is no '{name}', only 4X4, 5X5, 6X6, 7X7 and {ORIGINAL}"
                ))
            })
        };
        let dictionaries: Result<_> = names.iter().map(dictionary).collect();
        Ok(Self(dictionaries?))
    }

    /// Sides of markers, in cells without the border.
    pub(crate) fn sides(&self) -> impl Iterator<Item = usize> {
        (1..=LARGEST).filter(|side| self.0.iter().any(|dictionary| dictionary.side == *side))
    }

    /// The number of the marker with these cells, whichever way it is turned. One that fits whole goes before one that
    /// almost does.
    pub(crate) fn find(&self, side: usize, cells: u64) -> Option<i32> {
        let turns = turns(side, cells);
        let fitting = self.0.iter().filter(|dictionary| dictionary.side == side);
        let nearest = fitting.filter_map(|dictionary| dictionary.nearest(&turns));
        nearest.min_by_key(|(errors, _)| *errors).map(|(_, id)| id)
    }
}

impl Dictionary {
    fn of(name: &str) -> Option<Self> {
        if name == ORIGINAL {
            let row = |id: i32, row: i32| {
                let bits = usize::try_from((id >> (8 - 2 * row)) & 3).unwrap_or(0);
                ORIGINAL_ROWS.get(bits).copied().unwrap_or(0)
            };
            let marker = |id: i32| (0..5).fold(0, |cells, at| (cells << 5) | row(id, at));
            return Some(Self {
                side: 5,
                correctable: 0,
                markers: (0..ORIGINAL_COUNT).map(marker).collect(),
            });
        }
        let (side, correctable) = match name {
            "4X4" => (4, 0),
            "5X5" => (5, 1),
            "6X6" => (6, 3),
            "7X7" => (7, 4),
            _ => return None,
        };
        let lines = TABLE.lines().skip_while(|line| *line != name).skip(1);
        let lines = lines.take_while(|line| !line.contains('X'));
        let markers = lines.flat_map(str::split_whitespace);
        Some(Self {
            side,
            correctable,
            markers: markers
                .filter_map(|marker| u64::from_str_radix(marker, 16).ok())
                .collect(),
        })
    }

    /// The marker that differs in fewest cells, and in how many.
    fn nearest(&self, turns: &[u64; 4]) -> Option<(u32, i32)> {
        let errors = |marker: &u64| {
            let errors = turns.iter().map(|cells| (cells ^ marker).count_ones());
            errors.min().unwrap_or(u32::MAX)
        };
        let numbered = (0..).zip(&self.markers);
        let (id, errors) = numbered
            .map(|(id, marker)| (id, errors(marker)))
            .min_by_key(|(_, errors)| *errors)?;
        (errors <= self.correctable).then_some((errors, id))
    }
}

/// The cells in all four directions.
fn turns(side: usize, cells: u64) -> [u64; 4] {
    let turned = |cells: u64| {
        let places = (0..side).flat_map(|row| (0..side).map(move |column| (row, column)));
        places.fold(0, |turned, (row, column)| {
            // What comes to a row and column was in the column and, from below, the row.
            let from = side * (side - 1 - column) + row;
            (turned << 1) | ((cells >> (side * side - 1 - from)) & 1)
        })
    };
    let once = turned(cells);
    let twice = turned(once);
    [cells, once, twice, turned(twice)]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::settings::Settings;

    pub(crate) fn all() -> Dictionaries {
        Dictionaries::of(&Settings::default().dictionaries).unwrap()
    }

    /// The cells of a marker.
    pub(crate) fn cells(name: &str, id: usize) -> (usize, u64) {
        let dictionary = Dictionary::of(name).unwrap();
        (dictionary.side, dictionary.markers[id])
    }

    #[test]
    fn every_marker_is_found_in_every_direction() {
        for (name, count) in [
            ("4X4", 250),
            ("5X5", 250),
            ("6X6", 250),
            ("7X7", 250),
            (ORIGINAL, 1024),
        ] {
            let dictionary = Dictionary::of(name).unwrap();
            assert_eq!(dictionary.markers.len(), count, "{name}");
            let dictionaries = Dictionaries::of(&[name.to_owned()]).unwrap();
            for (id, marker) in dictionary.markers.iter().enumerate() {
                for cells in turns(dictionary.side, *marker) {
                    let found = dictionaries.find(dictionary.side, cells).unwrap();
                    // Of the original ones some are the same when they are turned.
                    assert!(found == id as i32 || name == ORIGINAL, "{name} {id}");
                }
            }
        }
    }

    #[test]
    fn some_wrong_cells_are_corrected() {
        let (side, cells) = cells("6X6", 23);
        assert_eq!(all().find(side, cells ^ 0b1000_0000_0101), Some(23));
        assert_eq!(all().find(side, cells ^ 0xff_ffff), None);
        assert_eq!(all().find(side, 0), None);
        assert_eq!(all().find(3, 5), None);
    }

    #[test]
    fn a_quarter_turn_four_times_is_none() {
        assert_eq!(turns(2, 0b1000), [0b1000, 0b0100, 0b0001, 0b0010]);
        let (side, cells) = cells("7X7", 100);
        let [_, _, _, last] = turns(side, cells);
        assert_eq!(turns(side, last)[1], cells);
    }

    #[test]
    fn a_dictionary_that_there_is_not_is_named() {
        let error = Dictionaries::of(&["9X9".to_owned()]).unwrap_err();
        assert!(error.message.contains("9X9"), "{error}");
    }
}
