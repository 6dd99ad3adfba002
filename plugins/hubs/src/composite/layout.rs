//! Where the pictures of a composite go.

use std::sync::Arc;

use rivero_mix::{Fit, Rect, Tile, even, grid};
use rivero_plugin_api::{Error, Result};

use super::label;
use crate::{
    api::{CompositeFit, CompositeLayout, CompositeLayoutName, CompositeTile},
    picture::Placed,
};

/// Places that a client may describe.
const PLACES: usize = 64;
/// Pixels between places, at most.
const WIDEST_GAP: i32 = 256;
/// Parts of the frame's height that the row below a speaker has, and of both sides a small picture has.
const ROW: i32 = 4;

/// A layout as the client described it, checked.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) name: CompositeLayoutName,
    places: Vec<Place>,
    /// Y, U and V.
    pub(super) background: [u8; 3],
    gap: i32,
}

/// A place that the client described.
#[derive(Clone, Debug)]
struct Place {
    parts: [f64; 4],
    layer: i32,
    fit: Fit,
    is_floor: bool,
    reservation: Option<String>,
    opacity: u8,
    label: Option<Arc<str>>,
}

/// Whether a candidate may have a place.
type Fits = fn(&Place, &Candidate<'_>) -> bool;

/// Who is to be placed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    /// Its number among those that have something to show.
    pub(super) number: usize,
    pub(super) reservation: Option<&'a str>,
    /// It has the floor.
    pub(super) speaks: bool,
    pub(super) label: Option<&'a Arc<str>>,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            name: CompositeLayoutName::Grid,
            places: Vec::new(),
            background: [16, 128, 128],
            gap: 0,
        }
    }
}

impl Layout {
    /// # Errors
    /// 40107 saying what makes no sense
    pub(super) fn parse(layout: CompositeLayout) -> Result<Self> {
        let tiles = layout.tiles.unwrap_or_default();
        let is_custom = matches!(layout.name, CompositeLayoutName::Custom);
        if is_custom == tiles.is_empty() {
            return Err(Error::illegal_parameter(
                "tiles belong to CUSTOM, and CUSTOM needs some",
            ));
        }
        if tiles.len() > PLACES {
            let text = format!("there are {} tiles; {PLACES} are allowed", tiles.len());
            return Err(Error::illegal_parameter(text));
        }
        let gap = layout.gap.unwrap_or(0);
        if !(0..=WIDEST_GAP).contains(&gap) {
            let text = format!("gap is {gap}; it should be from 0 to {WIDEST_GAP}");
            return Err(Error::illegal_parameter(text));
        }
        let places: Result<Vec<Place>> = tiles.into_iter().map(Place::parse).collect();
        Ok(Self {
            name: layout.name,
            places: places?,
            background: colour(layout.background.as_deref().unwrap_or("#000000"))?,
            gap,
        })
    }

    /// The places of these in a frame, those that are nearer later.
    pub(super) fn tiles(
        &self,
        candidates: &[Candidate<'_>],
        width: i32,
        height: i32,
    ) -> Vec<Placed> {
        let frame = Rect {
            x: 0,
            y: 0,
            width,
            height,
        };
        // Until somebody has spoken the first one is taken for who speaks.
        let speaker = candidates
            .iter()
            .position(|candidate| candidate.speaks)
            .unwrap_or(0);
        let mut others = candidates.to_vec();
        let first = (speaker < others.len()).then(|| others.remove(speaker));
        match (self.name, first) {
            (CompositeLayoutName::Custom, _) => self.custom(candidates, width, height),
            (CompositeLayoutName::Grid, _) => {
                let rects = grid(candidates.len(), width, height);
                self.contained(candidates, rects)
            }
            (_, None) => Vec::new(),
            (CompositeLayoutName::SingleSpeaker, Some(first)) => {
                self.contained(&[first], vec![frame])
            }
            (CompositeLayoutName::Speaker, Some(first)) if others.is_empty() => {
                self.contained(&[first], vec![frame])
            }
            (CompositeLayoutName::Speaker, Some(first)) => {
                let above = even(height - height / ROW);
                let mut tiles = self.contained(
                    &[first],
                    vec![Rect {
                        height: above,
                        ..frame
                    }],
                );
                tiles.extend(
                    self.contained(&others, row(others.len(), width, above, height - above)),
                );
                tiles
            }
            (CompositeLayoutName::Pip, Some(first)) => {
                let mut tiles = self.contained(&[first], vec![frame]);
                let (across, down) = (even(width / ROW), even(height / ROW));
                let rects = others.iter().enumerate().map(|(number, _)| {
                    let number = i32::try_from(number).unwrap_or(ROW);
                    // From the right corner to the left; beyond that they are outside.
                    Rect {
                        x: width - across * (number + 1),
                        y: height - down,
                        width: across,
                        height: down,
                    }
                });
                tiles.extend(self.contained(&others, rects.collect()));
                tiles
            }
        }
    }

    fn contained(&self, candidates: &[Candidate<'_>], rects: Vec<Rect>) -> Vec<Placed> {
        let placed = candidates.iter().zip(rects);
        placed
            .map(|(candidate, rect)| Placed {
                number: candidate.number,
                tile: Tile::new(self.apart(rect), Fit::Contain),
                label: candidate.label.cloned(),
            })
            .collect()
    }

    /// A place with half of the gap on each side.
    fn apart(&self, rect: Rect) -> Rect {
        let half = even(self.gap / 2);
        Rect {
            x: rect.x + half,
            y: rect.y + half,
            width: (rect.width - 2 * half).max(0),
            height: (rect.height - 2 * half).max(0),
        }
    }

    /// Reserved places first, then that of whoever speaks, then the rest in order.
    fn custom(&self, candidates: &[Candidate<'_>], width: i32, height: i32) -> Vec<Placed> {
        let mut left = candidates.to_vec();
        let mut placed: Vec<Option<Candidate<'_>>> = vec![None; self.places.len()];
        let passes: [Fits; 3] = [
            |place, candidate| {
                place.reservation.is_some() && place.reservation.as_deref() == candidate.reservation
            },
            |place, candidate| place.is_floor && place.reservation.is_none() && candidate.speaks,
            |place, candidate| {
                !place.is_floor && place.reservation.is_none() && candidate.reservation.is_none()
            },
        ];
        for fits in passes {
            for (place, taken) in self
                .places
                .iter()
                .zip(&mut placed)
                .filter(|(_, taken)| taken.is_none())
            {
                if let Some(found) = left.iter().position(|candidate| fits(place, candidate)) {
                    *taken = Some(left.remove(found));
                }
            }
        }
        let mut tiles: Vec<(i32, Placed)> = Vec::new();
        for (place, candidate) in self.places.iter().zip(placed) {
            let rect = self.apart(Rect::relative(place.parts, width, height));
            tiles.extend(candidate.map(|candidate| {
                let placed = Placed {
                    number: candidate.number,
                    tile: Tile {
                        opacity: place.opacity,
                        ..Tile::new(rect, place.fit)
                    },
                    label: candidate.label.or(place.label.as_ref()).cloned(),
                };
                (place.layer, placed)
            }));
        }
        tiles.sort_by_key(|(layer, _)| *layer);
        tiles.into_iter().map(|(_, placed)| placed).collect()
    }
}

impl Place {
    fn parse(tile: CompositeTile) -> Result<Self> {
        let parts = [tile.x, tile.y, tile.width, tile.height].map(f64::from);
        let [.., width, height] = parts;
        if parts
            .iter()
            .any(|part| !part.is_finite() || part.abs() > 100.0)
            || width <= 0.0
            || height <= 0.0
        {
            return Err(Error::illegal_parameter(
                "x, y, width and height of a tile are parts of the output, and sizes greater than 0",
            ));
        }
        let opacity = tile.opacity.unwrap_or(1.0);
        if !(0.0..=1.0).contains(&opacity) {
            let text = format!("opacity is {opacity}; it should be from 0 to 1");
            return Err(Error::illegal_parameter(text));
        }
        Ok(Self {
            parts,
            opacity: (opacity * f32::from(u8::MAX)).round() as u8,
            label: tile.label.map_or(Ok(None), label::checked)?,
            layer: tile.z_order.unwrap_or(0),
            fit: match tile.fit {
                Some(CompositeFit::Fill) => Fit::Fill,
                Some(CompositeFit::Cover) => Fit::Cover,
                Some(CompositeFit::Contain) | None => Fit::Contain,
            },
            is_floor: tile.floor.unwrap_or(false),
            reservation: tile
                .reservation
                .filter(|reservation| !reservation.is_empty()),
        })
    }
}

/// Places beside each other.
fn row(count: usize, width: i32, y: i32, height: i32) -> Vec<Rect> {
    let count = i32::try_from(count).unwrap_or(i32::MAX).max(1);
    let edge = |number: i32| {
        even(i32::try_from(i64::from(width) * i64::from(number) / i64::from(count)).unwrap_or(0))
    };
    (0..count)
        .map(|number| Rect {
            x: edge(number),
            y,
            width: edge(number + 1) - edge(number),
            height,
        })
        .collect()
}

/// `#rrggbb` as Y, U and V (BT.601, limited range).
fn colour(text: &str) -> Result<[u8; 3]> {
    let wrong =
        || Error::illegal_parameter(format!("background is '{text}'; it should be as '#20a0ff'"));
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
    let number = digits
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .ok_or_else(wrong)?;
    let [_, red, green, blue] = number.to_be_bytes().map(f64::from);
    let value = |offset: f64, [r, g, b]: [f64; 3]| {
        (offset + (r * red + g * green + b * blue) / 256.0).round() as u8
    };
    Ok([
        value(16.0, [65.738, 129.057, 25.064]),
        value(128.0, [-37.945, -74.494, 112.439]),
        value(128.0, [112.439, -94.154, -18.285]),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(name: CompositeLayoutName, tiles: Vec<CompositeTile>) -> Layout {
        Layout::parse(CompositeLayout {
            name,
            tiles: Some(tiles).filter(|tiles| !tiles.is_empty()),
            background: Some("#ff0000".to_owned()),
            gap: None,
        })
        .unwrap()
    }

    fn tile(x: f32, floor: bool, reservation: &str) -> CompositeTile {
        CompositeTile {
            x,
            y: 0.0,
            width: 0.25,
            height: 1.0,
            z_order: None,
            fit: None,
            floor: Some(floor),
            reservation: Some(reservation.to_owned()),
            opacity: None,
            label: None,
        }
    }

    fn three<'a>() -> [Candidate<'a>; 3] {
        [0, 1, 2].map(|number| Candidate {
            number,
            reservation: None,
            speaks: number == 1,
            label: None,
        })
    }

    fn places(tiles: &[Placed]) -> Vec<(usize, [i32; 4])> {
        let of = |rect: Rect| [rect.x, rect.y, rect.width, rect.height];
        tiles
            .iter()
            .map(|placed| (placed.number, of(placed.tile.rect)))
            .collect()
    }

    #[test]
    fn whoever_speaks_has_the_large_place() {
        let of = |name| places(&layout(name, Vec::new()).tiles(&three(), 800, 600));
        assert_eq!(
            of(CompositeLayoutName::Speaker),
            [
                (1, [0, 0, 800, 450]),
                (0, [0, 450, 400, 150]),
                (2, [400, 450, 400, 150])
            ]
        );
        assert_eq!(
            of(CompositeLayoutName::SingleSpeaker),
            [(1, [0, 0, 800, 600])]
        );
        assert_eq!(
            of(CompositeLayoutName::Pip),
            [
                (1, [0, 0, 800, 600]),
                (0, [600, 450, 200, 150]),
                (2, [400, 450, 200, 150])
            ]
        );
        assert_eq!(of(CompositeLayoutName::Grid)[1], (1, [400, 0, 400, 300]));
    }

    #[test]
    fn nobody_is_nowhere_and_one_alone_fills_the_frame() {
        for name in [
            CompositeLayoutName::Grid,
            CompositeLayoutName::Speaker,
            CompositeLayoutName::Pip,
            CompositeLayoutName::SingleSpeaker,
        ] {
            let layout = layout(name, Vec::new());
            assert_eq!(places(&layout.tiles(&[], 800, 600)), []);
            assert_eq!(
                places(&layout.tiles(&three()[..1], 800, 600)),
                [(0, [0, 0, 800, 600])]
            );
        }
    }

    #[test]
    fn reservations_come_before_the_floor_and_that_before_the_rest() {
        let layout = layout(
            CompositeLayoutName::Custom,
            vec![
                tile(0.0, false, ""),
                tile(0.25, true, ""),
                tile(0.5, false, "guest"),
            ],
        );
        let mut all = three();
        all[0].reservation = Some("guest");
        assert_eq!(
            places(&layout.tiles(&all, 400, 100)),
            [
                (2, [0, 0, 100, 100]),
                (1, [100, 0, 100, 100]),
                (0, [200, 0, 100, 100])
            ]
        );
        // Nobody speaks, and the guest is not there: their places stay empty.
        let silent = Candidate {
            speaks: false,
            ..all[1]
        };
        assert_eq!(
            places(&layout.tiles(&[silent], 400, 100)),
            [(1, [0, 0, 100, 100])]
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let parse = |name, tiles, background: &str, gap| {
            Layout::parse(CompositeLayout {
                name,
                tiles,
                background: Some(background.to_owned()),
                gap,
            })
        };
        let grid = || CompositeLayoutName::Grid;
        assert!(parse(grid(), None, "#123456", Some(8)).is_ok());
        assert!(parse(grid(), None, "red", None).is_err());
        assert!(parse(grid(), None, "#12345é", None).is_err());
        assert!(parse(grid(), None, "#123456", Some(-1)).is_err());
        assert!(parse(CompositeLayoutName::Custom, None, "#123456", None).is_err());
        assert!(parse(grid(), Some(vec![tile(0.0, false, "")]), "#123456", None).is_err());
        let far = vec![tile(f32::NAN, false, "")];
        assert!(parse(CompositeLayoutName::Custom, Some(far), "#123456", None).is_err());
        let mut thick = tile(0.0, false, "");
        thick.opacity = Some(1.5);
        let thick = Some(vec![thick]);
        assert!(parse(CompositeLayoutName::Custom, thick, "#123456", None).is_err());
        assert_eq!(colour("#ff0000").unwrap(), [81, 90, 240]);
        assert_eq!(colour("#000000").unwrap(), [16, 128, 128]);
    }

    #[test]
    fn who_has_a_name_is_called_by_it_and_others_by_their_place() {
        let mut titled = tile(0.0, false, "");
        titled.label = Some("Guest".to_owned());
        titled.opacity = Some(0.5);
        let layout = layout(
            CompositeLayoutName::Custom,
            vec![titled, tile(0.25, false, "")],
        );
        let ada: Arc<str> = "Ada".into();
        let mut all = three();
        let labels = |all: &[Candidate<'_>]| {
            let tiles = layout.tiles(all, 400, 100);
            tiles
                .into_iter()
                .map(|placed| placed.label)
                .collect::<Vec<_>>()
        };
        assert_eq!(labels(&all), [Some("Guest".into()), None]);
        all[0].label = Some(&ada);
        all[1].label = Some(&ada);
        assert_eq!(labels(&all), [Some(ada.clone()), Some(ada.clone())]);
        assert_eq!(layout.tiles(&all, 400, 100)[0].tile.opacity, 128);
    }

    #[test]
    fn a_gap_lies_around_each_place() {
        let mut layout = layout(CompositeLayoutName::Grid, Vec::new());
        layout.gap = 8;
        assert_eq!(
            places(&layout.tiles(&three()[..2], 800, 600)),
            [(0, [4, 4, 392, 592]), (1, [404, 4, 392, 592])]
        );
    }
}
