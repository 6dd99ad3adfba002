//! The windows of a filter: which of them the pointer is in, and what they look like.

use std::sync::Arc;

use rivero_filter::{Image, Loader, Patch, PictureFormat, Region};
use rivero_plugin_api::{Error, Result};

/// Windows of one filter: each takes memory of the server and time of every picture.
const MOST: usize = 64;
/// Edges of a window without an image, and while the pointer is in it: red, green, blue.
const EDGES: [u8; 3] = [255, 255, 255];
const ACTIVE_EDGES: [u8; 3] = [255, 160, 0];
/// Share of a window's side that the pointer has to go beyond its edge before it has left, so that one that rests on
/// the edge does not come and go.
const MARGIN: f64 = 0.05;

/// What a window shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// While the pointer is elsewhere.
    Usually,
    /// While the pointer is in it.
    Active,
}

/// A window of the picture.
pub(crate) struct Window {
    pub(crate) id: String,
    pub(crate) region: Region,
    /// Of its images, whichever have been loaded.
    pub(crate) images: [Option<Image>; 2],
    /// Load them.
    pub(crate) loaders: Vec<Loader>,
    /// The pointer is in it.
    is_active: bool,
    number: u64,
}

/// See the head of this file.
#[derive(Default)]
pub(crate) struct Windows {
    windows: Vec<Window>,
    /// Counts what was added.
    added: u64,
    /// All of them in pictures of this format, until something changes.
    drawing: Option<(PictureFormat, Arc<Vec<Patch>>)>,
}

/// The pointer has entered or left a window.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    In(String),
    Out(String),
}

impl Window {
    pub(crate) fn new(id: String, region: Region) -> Self {
        Self {
            id,
            region,
            images: [None, None],
            loaders: Vec::new(),
            is_active: false,
            number: 0,
        }
    }

    /// Whether it has a point, in pixels.
    fn has(&self, (x, y): (f64, f64)) -> bool {
        let place = self.region.place();
        let margin = if self.is_active { MARGIN } else { 0.0 };
        let within = |at: f64, begin: f64, length: f64| {
            (-margin * length..(1.0 + margin) * length).contains(&(at - begin))
        };
        within(x, place.x, place.width) && within(y, place.y, place.height)
    }

    fn patches(&self, format: &PictureFormat) -> Vec<Patch> {
        let [usual, active] = &self.images;
        let image = match self.is_active {
            true => active.as_ref().or(usual.as_ref()),
            false => usual.as_ref(),
        };
        match image {
            Some(image) => Patch::new(image, self.region.place(), format)
                .into_iter()
                .collect(),
            None if self.is_active => self.region.edges(ACTIVE_EDGES, format),
            None => self.region.edges(EDGES, format),
        }
    }
}

impl Windows {
    /// Adds a window instead of one of the same id, which is given back with its number.
    pub(crate) fn add(&mut self, mut window: Window) -> Result<(u64, Option<Window>)> {
        let at = self.windows.iter().position(|known| known.id == window.id);
        if at.is_none() && self.windows.len() >= MOST {
            return Err(Error::illegal_parameter(format!(
                "a filter has {MOST} windows at most"
            )));
        }
        self.drawing = None;
        self.added += 1;
        window.number = self.added;
        let former = match at.and_then(|at| self.windows.get_mut(at)) {
            Some(known) => Some(std::mem::replace(known, window)),
            None => {
                self.windows.push(window);
                None
            }
        };
        Ok((self.added, former))
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Window> {
        let at = self.windows.iter().position(|window| window.id == id)?;
        self.drawing = None;
        Some(self.windows.remove(at))
    }

    pub(crate) fn clear(&mut self) -> Vec<Window> {
        self.drawing = None;
        std::mem::take(&mut self.windows)
    }

    /// An image of the window of this number, which may be another one by now.
    pub(crate) fn loaded(&mut self, number: u64, shown: Shown, image: Image) {
        let window = self
            .windows
            .iter_mut()
            .find(|window| window.number == number);
        let Some(window) = window else { return };
        let [usual, active] = &mut window.images;
        match shown {
            Shown::Usually => *usual = Some(image),
            Shown::Active => *active = Some(image),
        }
        self.drawing = None;
    }

    /// The pointer is at this place (pixels), or nowhere.
    pub(crate) fn pointed_at(&mut self, place: Option<(f64, f64)>) -> Vec<Change> {
        let mut changes = Vec::new();
        for window in &mut self.windows {
            let is_active = place.is_some_and(|place| window.has(place));
            if is_active == window.is_active {
                continue;
            }
            window.is_active = is_active;
            self.drawing = None;
            let change = if is_active { Change::In } else { Change::Out };
            changes.push(change(window.id.clone()));
        }
        // Who goes from one to another leaves first.
        changes.sort_by_key(|change| matches!(change, Change::In(_)));
        changes
    }

    /// All of them, in pictures of this format.
    pub(crate) fn patches(&mut self, format: &PictureFormat) -> Arc<Vec<Patch>> {
        if let Some((of, patches)) = &self.drawing
            && of == format
        {
            return patches.clone();
        }
        let patches = self
            .windows
            .iter()
            .flat_map(|window| window.patches(format));
        let patches = Arc::new(patches.collect::<Vec<_>>());
        self.drawing = Some((*format, patches.clone()));
        patches
    }
}

#[cfg(test)]
mod tests {
    use rivero_filter::Colours;

    use super::*;

    fn window(id: &str, corner: (i32, i32)) -> Window {
        let region = Region::new("a window", corner, (100, 100)).unwrap();
        Window::new(id.to_owned(), region)
    }

    fn windows() -> Windows {
        let mut windows = Windows::default();
        windows.add(window("left", (0, 0))).unwrap();
        windows.add(window("right", (200, 0))).unwrap();
        windows
    }

    #[test]
    fn who_goes_from_one_window_to_another_leaves_and_enters() {
        let mut windows = windows();
        let (into, out) = (
            |id: &str| Change::In(id.into()),
            |id: &str| Change::Out(id.into()),
        );
        assert_eq!(windows.pointed_at(Some((50.0, 50.0))), [into("left")]);
        assert_eq!(windows.pointed_at(Some((60.0, 50.0))), []);
        assert_eq!(
            windows.pointed_at(Some((250.0, 50.0))),
            [out("left"), into("right")]
        );
        assert_eq!(windows.pointed_at(None), [out("right")]);
        assert_eq!(windows.pointed_at(None), []);
    }

    #[test]
    fn a_pointer_on_an_edge_does_not_come_and_go() {
        let mut windows = windows();
        assert_eq!(windows.pointed_at(Some((100.5, 50.0))), []);
        assert_eq!(windows.pointed_at(Some((99.5, 50.0))).len(), 1);
        for x in [100.5, 99.0, 104.0, 98.0] {
            assert_eq!(windows.pointed_at(Some((x, 50.0))), []);
        }
        assert_eq!(windows.pointed_at(Some((106.0, 50.0))).len(), 1);
    }

    #[test]
    fn windows_are_replaced_and_removed_and_there_is_a_bound() {
        let mut windows = windows();
        assert!(windows.add(window("left", (50, 50))).unwrap().1.is_some());
        assert_eq!(windows.pointed_at(Some((20.0, 20.0))), []);
        assert!(windows.remove("left").is_some() && windows.remove("left").is_none());
        for index in 1..MOST {
            windows.add(window(&index.to_string(), (0, 0))).unwrap();
        }
        let refused = windows.add(window("one more", (0, 0))).err().unwrap();
        assert_eq!(refused.code, 40107);
        assert_eq!(windows.clear().len(), MOST);
        assert_eq!(windows.pointed_at(Some((20.0, 20.0))), []);
    }

    #[test]
    fn images_are_shown_when_they_are_there() {
        let format = PictureFormat {
            width: 320,
            height: 240,
            colours: Colours::TELEVISION,
        };
        let mut windows = Windows::default();
        let (number, _) = windows.add(window("left", (0, 0))).unwrap();
        let shown = |windows: &mut Windows| {
            let mut bytes = vec![16; format.size()];
            bytes[format.luma_size()..].fill(128);
            let mut planes = format.planes(&mut bytes).unwrap();
            for patch in windows.patches(&format).iter() {
                patch.draw(&mut planes);
            }
            bytes[50 * 320 + 50]
        };
        assert_eq!(shown(&mut windows), 16, "edges alone");
        windows.loaded(number, Shown::Usually, Image::plain([255; 3]));
        windows.loaded(number + 1, Shown::Usually, Image::plain([0; 3]));
        assert_eq!(shown(&mut windows), 235);
        windows.loaded(number, Shown::Active, Image::plain([255, 0, 0]).faded(0.5));
        assert_eq!(shown(&mut windows), 235);
        windows.pointed_at(Some((50.0, 50.0)));
        assert!((47..51).contains(&shown(&mut windows)), "half of red");
    }
}
