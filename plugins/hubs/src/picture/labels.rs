//! Text over pictures.

use std::{collections::HashMap, sync::Arc};

use rivero_filter::{Image, Patch, PictureFormat, Place};
use rivero_mix::Rect;

/// A label has this part of its tile's height, within these pixels.
const PART: i32 = 8;
const LOWEST: i32 = 12;
const HIGHEST: i32 = 48;

/// Labels as they are drawn: a text in a place of a frame. They are made when they are needed first, which takes a millisecond, and
/// kept while they are.
#[derive(Default)]
pub(super) struct Labels {
    known: HashMap<Key, Known>,
}

type Key = (Arc<str>, [i32; 4], usize, usize);

struct Known {
    /// `None` where nothing can be drawn.
    patch: Option<Patch>,
    is_used: bool,
}

impl Labels {
    /// A label at the lower edge of a tile.
    pub(super) fn get(
        &mut self,
        text: &Arc<str>,
        tile: Rect,
        format: &PictureFormat,
    ) -> Option<&Patch> {
        let place = [tile.x, tile.y, tile.width, tile.height];
        let key = (text.clone(), place, format.width, format.height);
        let known = self.known.entry(key).or_insert_with(|| Known {
            patch: patch(text, tile, format),
            is_used: true,
        });
        known.is_used = true;
        known.patch.as_ref()
    }

    /// Forgets what was not drawn since the last call.
    pub(super) fn sweep(&mut self) {
        self.known
            .retain(|_, known| std::mem::take(&mut known.is_used));
    }
}

fn patch(text: &str, tile: Rect, format: &PictureFormat) -> Option<Patch> {
    let height = (tile.height / PART).clamp(LOWEST, HIGHEST).min(tile.height);
    let (width, high) = (f64::from(tile.width), f64::from(height));
    if height < 2 || tile.width < 2 {
        return None;
    }
    let image = Image::label(text, (width / high) as f32)
        .inspect_err(|error| tracing::debug!(%error, "a label is not drawn"))
        .ok()?;
    let place = Place {
        x: f64::from(tile.x),
        y: f64::from(tile.y + tile.height - height),
        width,
        height: high,
    };
    Patch::new(&image, place, format)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivero_filter::{Colours, Planes};

    #[test]
    fn a_label_lies_at_the_lower_edge_of_its_tile_and_nowhere_else() {
        let format = PictureFormat {
            width: 320,
            height: 240,
            colours: Colours::default(),
        };
        let tile = Rect {
            x: 160,
            y: 120,
            width: 160,
            height: 120,
        };
        let mut labels = Labels::default();
        let text: Arc<str> = "Ada Lovelace, a name that is too long".into();
        let mut bytes = vec![100; format.size()];
        let patch = labels.get(&text, tile, &format).unwrap();
        patch.draw(&mut format.planes(&mut bytes).unwrap());
        let Planes([(luma, _), ..]) = format.planes(&mut bytes).unwrap();
        for (number, row) in luma.chunks(320).enumerate() {
            assert!(row[..160].iter().all(|value| *value == 100));
            let is_changed = row[160..].iter().any(|value| *value != 100);
            assert_eq!(is_changed, number >= 225, "row {number}");
        }
        assert!(luma.iter().any(|value| *value > 180), "letters");
        labels.sweep();
        assert_eq!(labels.known.len(), 1);
        labels.sweep();
        assert!(labels.known.is_empty());
        // A tile of no size, and one beyond the frame.
        for (x, width) in [(0, 0), (1000, 100)] {
            assert!(
                labels
                    .get(&text, Rect { x, width, ..tile }, &format)
                    .is_none()
            );
        }
    }
}
