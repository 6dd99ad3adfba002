//! `AlphaBlending`: pictures over each other, on a frame of the size of one of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use rivero_mix::{BLACK, Fit, Rect, Tile, even};
use rivero_plugin_api::{Element, ElementContext, Error, ObjectRef, Result, supervise::lock};

use crate::{
    api::{self, AlphaBlendingParams},
    mixed::Mixed,
    picture::{Arrange, Arrangement, Placed, Shown, whole},
    switch::no_port,
};

/// Pictures a second, as Kurento has it.
const RATE: u32 = 15;
/// The layer of ports that were never placed.
const USUAL_LAYER: i32 = 1;
/// Of a frame before anything has come.
const EMPTY: (i32, i32) = (640, 480);

pub(crate) struct AlphaBlending {
    places: Arc<Mutex<Places>>,
    mixed: Mixed,
}

/// What the client has said.
#[derive(Default)]
struct Places {
    ports: HashMap<String, Place>,
    master: Option<String>,
    /// Of the frame; stays as it was while the master shows nothing.
    size: Option<(i32, i32)>,
}

/// The place of one port.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    layer: Option<i32>,
    /// Left, upper edge, width and height, 0 to 1 of the frame's sides.
    parts: Option<[f64; 4]>,
}

impl Element for AlphaBlending {
    fn released(&self) {
        self.mixed.close();
    }

    fn port_added(&self, id: &str, port: ElementContext) -> Result<()> {
        lock(&self.places)
            .ports
            .insert(id.to_owned(), Place::default());
        let opened = self.mixed.add_port(id, &port);
        // A port that is refused is not removed by the host.
        opened.inspect_err(|_| self.port_removed(id))
    }

    fn port_removed(&self, id: &str) {
        self.mixed.remove_port(id);
        let mut places = lock(&self.places);
        places.ports.remove(id);
        places.master.take_if(|master| master == id);
    }
}

impl api::AlphaBlending for AlphaBlending {
    fn create(context: ElementContext, _: AlphaBlendingParams) -> Result<Self> {
        let places: Arc<Mutex<Places>> = Arc::default();
        Ok(Self {
            mixed: Mixed::new(Layers(places.clone()), RATE, &context)?,
            places,
        })
    }

    fn set_master(&self, source: ObjectRef, z_order: i32) -> Result<()> {
        let mut places = lock(&self.places);
        let place = places
            .ports
            .get_mut(&source.0)
            .ok_or_else(|| no_port(&source.0))?;
        place.layer = Some(z_order);
        places.master = Some(source.0);
        Ok(())
    }

    fn set_port_properties(
        &self,
        relative_x: f32,
        relative_y: f32,
        z_order: i32,
        relative_width: f32,
        relative_height: f32,
        port: ObjectRef,
    ) -> Result<()> {
        let parts = [relative_x, relative_y, relative_width, relative_height].map(f64::from);
        if parts.iter().any(|part| !part.is_finite()) {
            return Err(Error::illegal_parameter("places and sizes must be numbers"));
        }
        let mut places = lock(&self.places);
        let place = places
            .ports
            .get_mut(&port.0)
            .ok_or_else(|| no_port(&port.0))?;
        place.layer = Some(z_order);
        place.parts = Some(parts);
        Ok(())
    }
}

/// All pictures over each other.
struct Layers(Arc<Mutex<Places>>);

impl Arrange for Layers {
    fn arrange(&self, shown: &[Shown<'_>], _: &str) -> Arrangement {
        lock(&self.0).arrange(shown)
    }
}

impl Places {
    fn arrange(&mut self, shown: &[Shown<'_>]) -> Arrangement {
        // Until the client has chosen a master it is whoever came first.
        let master = match &self.master {
            Some(master) => shown.iter().find(|shown| shown.port == *master),
            None if self.size.is_none() => shown.first(),
            None => None,
        };
        if let Some(master) = master {
            self.size = Some((even(master.width).max(2), even(master.height).max(2)));
        }
        let (width, height) = self.size.unwrap_or(EMPTY);
        let mut tiles: Vec<(i32, Placed)> = Vec::new();
        for (number, shown) in shown.iter().enumerate() {
            let place = self.ports.get(shown.port).copied().unwrap_or_default();
            let is_master = self.master.as_deref() == Some(shown.port);
            let rect = match place.parts {
                Some(parts) if !is_master => Rect::relative(parts, width, height),
                _ => whole(width, height),
            };
            let placed = Placed {
                number,
                tile: Tile::new(rect, Fit::Fill),
                label: None,
            };
            tiles.push((place.layer.unwrap_or(USUAL_LAYER), placed));
        }
        // Of one layer the one that came later is nearer.
        tiles.sort_by_key(|(layer, placed)| (*layer, placed.number));
        Arrangement {
            width,
            height,
            background: BLACK,
            tiles: tiles.into_iter().map(|(_, placed)| placed).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(port: &str, width: i32, height: i32) -> Shown<'_> {
        Shown {
            port,
            width,
            height,
        }
    }

    fn rects(arrangement: &Arrangement) -> Vec<(usize, i32, i32, i32, i32)> {
        let tiles = arrangement.tiles.iter();
        tiles
            .map(|Placed { number, tile, .. }| {
                let Rect {
                    x,
                    y,
                    width,
                    height,
                } = tile.rect;
                (*number, x, y, width, height)
            })
            .collect()
    }

    #[test]
    fn the_master_has_the_size_and_others_their_places_in_it() {
        let mut places = Places {
            master: Some("a".to_owned()),
            ..Places::default()
        };
        places.ports.insert(
            "a".to_owned(),
            Place {
                layer: Some(1),
                parts: None,
            },
        );
        let parts = Some([0.1, 0.1, 0.5, 0.5]);
        places.ports.insert(
            "b".to_owned(),
            Place {
                layer: Some(2),
                parts,
            },
        );
        let frame = places.arrange(&[shown("b", 320, 240), shown("a", 641, 480)]);
        assert_eq!((frame.width, frame.height), (640, 480));
        assert_eq!(rects(&frame), [(1, 0, 0, 640, 480), (0, 64, 48, 320, 240)]);
        // The master shows nothing for a while: the frame stays.
        let frame = places.arrange(&[shown("b", 320, 240)]);
        assert_eq!((frame.width, frame.height), (640, 480));
        // Another one is the master: its size counts.
        places.master = Some("b".to_owned());
        let frame = places.arrange(&[shown("b", 320, 240), shown("a", 641, 480)]);
        assert_eq!((frame.width, frame.height), (320, 240));
        assert_eq!(rects(&frame), [(1, 0, 0, 320, 240), (0, 0, 0, 320, 240)]);
    }

    #[test]
    fn ports_without_a_place_fill_the_frame_in_the_usual_layer() {
        let mut places = Places::default();
        let frame = places.arrange(&[]);
        assert_eq!((frame.width, frame.height), EMPTY);
        let frame = places.arrange(&[shown("a", 320, 240), shown("b", 64, 64)]);
        assert_eq!((frame.width, frame.height), (320, 240));
        assert_eq!(rects(&frame), [(0, 0, 0, 320, 240), (1, 0, 0, 320, 240)]);
    }
}
