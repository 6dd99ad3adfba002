//! `ImageOverlayFilter`: images at fixed places.

use std::sync::{Arc, Mutex};

use rivero_filter::{
    Formats, Image, Lanes, LoadError, Loader, Patch, PictureFormat, Place, Source, Treatment,
};
use rivero_plugin_api::{Element, ElementContext, Error, Packet, Result, supervise::lock};

use crate::api::{self, ImageOverlayFilterParams};

/// Images of one filter: each takes memory of the server and time of every picture.
const MOST_IMAGES: usize = 64;

/// A filter of the server.
pub(crate) struct ImageOverlay {
    shared: Arc<Shared>,
    /// Open until the filter is released.
    lanes: Mutex<Option<Lanes>>,
}

/// What the pads, the loaders and the control side have in common.
struct Shared {
    context: ElementContext,
    formats: Formats,
    images: Mutex<Images>,
}

#[derive(Default)]
struct Images {
    /// In the order in which they are drawn.
    entries: Vec<Entry>,
    /// Counts what was added.
    added: u64,
    /// All of them in pictures of this format, once one has come.
    drawing: Option<(PictureFormat, Arc<Vec<Patch>>)>,
}

struct Entry {
    id: String,
    /// Which of those that were added.
    number: u64,
    loader: Loader,
    space: Space,
    /// Loaded until then.
    image: Option<Image>,
}

/// Where an image goes, in shares of the picture's width and height.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Space {
    x: f32,
    y: f32,
    width: f32,
    height: f32,
    keeps_aspect_ratio: bool,
    is_centred: bool,
}

impl Element for ImageOverlay {
    fn released(&self) {
        *lock(&self.lanes) = None;
        let images = std::mem::take(&mut *lock(&self.shared.images));
        for entry in images.entries {
            entry.loader.cancel();
        }
    }
}

impl api::ImageOverlayFilter for ImageOverlay {
    fn create(context: ElementContext, _: ImageOverlayFilterParams) -> Result<Self> {
        let shared = Arc::new(Shared {
            context: context.clone(),
            formats: Formats::default(),
            images: Mutex::default(),
        });
        let treatment: Arc<dyn Treatment> = Arc::new(Pictures(shared.clone()));
        let lanes = Lanes::open(&context, &treatment)?;
        Ok(Self {
            shared,
            lanes: Mutex::new(Some(lanes)),
        })
    }

    fn remove_image(&self, id: String) -> Result<()> {
        let loader = lock(&self.shared.images).remove(&id);
        // Not under the lock, which a loader that is done takes under its own.
        if let Some(loader) = loader {
            loader.cancel();
        }
        Ok(())
    }

    fn add_image(
        &self,
        id: String,
        uri: String,
        offset_x_percent: f32,
        offset_y_percent: f32,
        width_percent: f32,
        height_percent: f32,
        keep_aspect_ratio: bool,
        center: bool,
    ) -> Result<()> {
        let space = Space {
            x: offset_x_percent,
            y: offset_y_percent,
            width: width_percent,
            height: height_percent,
            keeps_aspect_ratio: keep_aspect_ratio,
            is_centred: center,
        };
        space.check()?;
        let source = Source::parse(&uri)?;
        let loader = Loader::default();
        let (number, former) = lock(&self.shared.images).reserve(&id, space, loader.clone())?;
        if let Some(former) = former {
            former.cancel();
        }
        let shared = self.shared.clone();
        loader.load(
            source,
            Box::new(move |loaded| shared.loaded(number, loaded)),
        )
    }
}

impl Space {
    fn check(&self) -> Result<()> {
        if ![self.x, self.y].iter().all(|offset| offset.is_finite()) {
            return Err(Error::illegal_parameter("the offsets must be numbers"));
        }
        let is_size = |size: &f32| size.is_finite() && *size > 0.0;
        if ![self.width, self.height].iter().all(is_size) {
            return Err(Error::illegal_parameter(
                "widthPercent and heightPercent must be greater than 0",
            ));
        }
        Ok(())
    }

    /// Of an image that is `aspect` heights wide, in a picture of this size.
    fn place(&self, aspect: f64, picture: &PictureFormat) -> Place {
        let (across, down) = (picture.width as f64, picture.height as f64);
        let (x, y) = (f64::from(self.x) * across, f64::from(self.y) * down);
        let (wide, high) = (
            f64::from(self.width) * across,
            f64::from(self.height) * down,
        );
        let (width, height) = match self.keeps_aspect_ratio {
            true => (wide.min(high * aspect), high.min(wide / aspect)),
            false => (wide, high),
        };
        let (right, lower) = match self.is_centred {
            true => ((wide - width) / 2.0, (high - height) / 2.0),
            false => (0.0, 0.0),
        };
        Place {
            x: x + right,
            y: y + lower,
            width,
            height,
        }
    }
}

impl Images {
    /// A place for an image of this id, and its number, instead of the one that has it, whose loader is
    /// given back.
    fn reserve(&mut self, id: &str, space: Space, loader: Loader) -> Result<(u64, Option<Loader>)> {
        let is_full = self.entries.len() == MOST_IMAGES;
        let known = self.entries.iter_mut().find(|entry| entry.id == id);
        if known.is_none() && is_full {
            return Err(Error::illegal_parameter(format!(
                "a filter has {MOST_IMAGES} images at most"
            )));
        }
        self.added += 1;
        let entry = Entry {
            id: id.to_owned(),
            number: self.added,
            loader,
            space,
            image: None,
        };
        self.drawing = None;
        let former = match known {
            Some(known) => Some(std::mem::replace(known, entry).loader),
            None => {
                self.entries.push(entry);
                None
            }
        };
        Ok((self.added, former))
    }

    fn remove(&mut self, id: &str) -> Option<Loader> {
        let at = self.entries.iter().position(|entry| entry.id == id)?;
        self.drawing = None;
        Some(self.entries.remove(at).loader)
    }

    /// All in pictures of this format. Made here, on the way of the first such picture, for one that
    /// waits a little is better than one that lacks what covers a face.
    fn patches(&mut self, format: &PictureFormat) -> Arc<Vec<Patch>> {
        if let Some((of, patches)) = &self.drawing
            && of == format
        {
            return patches.clone();
        }
        let patch = |entry: &Entry| {
            let image = entry.image.as_ref()?;
            let place = entry.space.place(image.aspect_ratio(), format);
            Patch::new(image, place, format)
        };
        let patches = Arc::new(self.entries.iter().filter_map(patch).collect::<Vec<_>>());
        self.drawing = Some((*format, patches.clone()));
        patches
    }
}

impl Shared {
    fn loaded(&self, number: u64, loaded: std::result::Result<Image, LoadError>) {
        let mut images = lock(&self.images);
        let entry = images
            .entries
            .iter_mut()
            .find(|entry| entry.number == number);
        // Another one may have come meanwhile.
        let Some(entry) = entry else { return };
        match loaded {
            Ok(image) => {
                entry.image = Some(image);
                images.drawing = None;
            }
            Err(error) => {
                let text = format!("image '{}': {error}", entry.id);
                drop(images);
                tracing::info!(error = text, "an image is not drawn");
                self.context.error(error.kind(), 0, &text);
            }
        }
    }
}

/// The filter as its pads know it.
struct Pictures(Arc<Shared>);

impl Treatment for Pictures {
    fn drawn(&self, picture: &Packet) -> Option<Packet> {
        let format = self.0.formats.get(picture.format)?;
        let patches = lock(&self.0.images).patches(&format);
        if patches.is_empty() {
            return None;
        }
        rivero_filter::draw(picture, &format, &*patches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivero_filter::Colours;

    fn space(keeps_aspect_ratio: bool, is_centred: bool) -> Space {
        Space {
            x: 0.1,
            y: 0.2,
            width: 0.3,
            height: 0.6,
            keeps_aspect_ratio,
            is_centred,
        }
    }

    const PICTURE: PictureFormat = PictureFormat {
        width: 640,
        height: 480,
        colours: Colours::TELEVISION,
    };

    fn place(space: Space, aspect: f64) -> [i64; 4] {
        let Place {
            x,
            y,
            width,
            height,
        } = space.place(aspect, &PICTURE);
        [x, y, width, height].map(|value| value.round() as i64)
    }

    #[test]
    fn an_image_fills_its_box_or_keeps_its_proportions_within() {
        assert_eq!(place(space(false, false), 2.0), [64, 96, 192, 288]);
        // 200 x 100 pixels in a box of 192 x 288.
        assert_eq!(place(space(true, false), 2.0), [64, 96, 192, 96]);
        assert_eq!(place(space(true, true), 2.0), [64, 192, 192, 96]);
        assert_eq!(place(space(true, true), 0.5), [88, 96, 144, 288]);
    }

    #[test]
    fn spaces_without_extent_are_refused() {
        for (width, height) in [
            (0.0, 1.0),
            (1.0, -0.1),
            (f32::NAN, 1.0),
            (1.0, f32::INFINITY),
        ] {
            let space = Space {
                width,
                height,
                ..space(true, true)
            };
            assert_eq!(space.check().unwrap_err().code, 40107);
        }
    }

    #[test]
    fn an_image_of_the_same_id_is_replaced_and_there_is_a_bound() {
        let mut images = Images::default();
        for index in 0..MOST_IMAGES {
            let former = images.reserve(&index.to_string(), space(true, true), Loader::default());
            assert!(former.unwrap().1.is_none());
        }
        let mut add = |id: &str| images.reserve(id, space(true, false), Loader::default());
        assert!(add("7").unwrap().1.is_some());
        assert_eq!(add("new").err().map(|error| error.code), Some(40107));
        assert_eq!(images.entries.len(), MOST_IMAGES);
        assert!(images.remove("8").is_some() && images.remove("8").is_none());
    }
}
