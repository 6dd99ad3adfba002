//! `ChromaFilter`: the control side, and pictures on their way.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use rivero_filter::{
    Formats, Image, Key, Lanes, Loader, Patch, PictureFormat, Place, Region, Source, Treatment,
};
use rivero_plugin_api::{Element, ElementContext, Packet, Result, host, supervise::lock};

use crate::{
    api::{self, ChromaFilterParams},
    calibration::Calibration,
    matte,
};

/// Of the window while it is looked at: red, green, blue. Screens are green or blue.
const EDGES: [u8; 3] = [255, 0, 0];

/// A filter of the server.
pub(crate) struct Chroma {
    shared: Arc<Shared>,
    loader: Loader,
    /// Open until the filter is released.
    lanes: Mutex<Option<Lanes>>,
}

/// What the pads, the loader and the control side have in common.
struct Shared {
    context: ElementContext,
    formats: Formats,
    window: Region,
    stage: Mutex<Stage>,
    background: Mutex<Option<Background>>,
    /// The window is outside the picture, and the client knows.
    has_failed: AtomicBool,
}

enum Stage {
    Learning(Calibration),
    Known(Arc<Key>),
}

struct Background {
    image: Image,
    /// As a picture of this format, once one has come.
    picture: Option<(PictureFormat, Arc<[u8]>)>,
}

impl Element for Chroma {
    fn released(&self) {
        self.loader.cancel();
        *lock(&self.lanes) = None;
        *lock(&self.shared.background) = None;
    }
}

impl api::ChromaFilter for Chroma {
    fn create(context: ElementContext, params: ChromaFilterParams) -> Result<Self> {
        let window = params.window;
        let window = Region::new(
            "the window",
            (window.top_right_corner_x, window.top_right_corner_y),
            (window.width, window.height),
        )?;
        let shared = Arc::new(Shared {
            context: context.clone(),
            formats: Formats::default(),
            window,
            stage: Mutex::new(Stage::Learning(Calibration::default())),
            background: Mutex::default(),
            has_failed: AtomicBool::new(false),
        });
        let treatment: Arc<dyn Treatment> = Arc::new(Pictures(shared.clone()));
        let lanes = Lanes::open(&context, &treatment)?;
        let filter = Self {
            shared,
            loader: Loader::default(),
            lanes: Mutex::new(Some(lanes)),
        };
        if !params.background_image.is_empty() {
            filter.set_background(params.background_image)?;
        }
        Ok(filter)
    }

    fn set_background(&self, uri: String) -> Result<()> {
        let source = Source::parse(&uri)?;
        let shared = self.shared.clone();
        let done = move |loaded| match loaded {
            Ok(image) => {
                let picture = None;
                *lock(&shared.background) = Some(Background { image, picture });
            }
            Err(error) => shared.image_fails(&error),
        };
        self.loader.load(source, Box::new(done))
    }

    fn unset_background(&self) -> Result<()> {
        // First, so that no image comes after this.
        self.loader.cancel();
        *lock(&self.shared.background) = None;
        Ok(())
    }
}

impl Shared {
    fn image_fails(&self, error: &rivero_filter::LoadError) {
        tracing::info!(%error, "a background is not shown");
        self.context.error(error.kind(), 0, &error.to_string());
    }

    /// The key, when it is known before this picture.
    fn key(&self, picture: &Packet, format: &PictureFormat) -> Option<Arc<Key>> {
        let mut stage = lock(&self.stage);
        let calibration = match &mut *stage {
            Stage::Known(key) => return Some(key.clone()),
            Stage::Learning(calibration) => calibration,
        };
        let Some(area) = self.window.within(format) else {
            drop(stage);
            self.window_fails(format);
            return None;
        };
        if let Some(key) = calibration.add(&format.views(&picture.bytes)?, &area) {
            *stage = Stage::Known(Arc::new(key));
        }
        None
    }

    /// Once is enough to know.
    fn window_fails(&self, format: &PictureFormat) {
        if !self.has_failed.swap(true, Ordering::AcqRel) {
            let text = format!(
                "the window is outside of the picture, which has {} x {} pixels: no colour is learnt",
                format.width, format.height
            );
            self.context.error("UNEXPECTED_ELEMENT_ERROR", 0, &text);
        }
    }

    /// The background as a picture of this format. Made on the way of the first such picture, which waits
    /// a little: there is nothing else to be shown.
    fn background(&self, format: &PictureFormat) -> Option<Arc<[u8]>> {
        let mut background = lock(&self.background);
        let Background { image, picture } = background.as_mut()?;
        if let Some((of, picture)) = picture
            && of == format
        {
            return Some(picture.clone());
        }
        let made: Arc<[u8]> = filled(image, format)?.into();
        *picture = Some((*format, made.clone()));
        Some(made)
    }
}

/// A picture that an image fills; it is black where the image is transparent.
fn filled(image: &Image, format: &PictureFormat) -> Option<Vec<u8>> {
    let whole = Place {
        x: 0.0,
        y: 0.0,
        width: format.width as f64,
        height: format.height as f64,
    };
    let mut bytes = vec![0; format.size()];
    let mut planes = format.planes(&mut bytes)?;
    for image in [&Image::plain([0; 3]), image] {
        Patch::new(image, whole, format)?.draw(&mut planes);
    }
    Some(bytes)
}

/// The filter as its pads know it.
struct Pictures(Arc<Shared>);

impl Treatment for Pictures {
    fn drawn(&self, picture: &Packet) -> Option<Packet> {
        let filter = &self.0;
        let format = filter.formats.get(picture.format)?;
        let Some(key) = filter.key(picture, &format) else {
            let edges = filter.window.edges(EDGES, &format);
            return rivero_filter::draw(picture, &format, &edges);
        };
        let background = filter.background(&format)?;
        let mut bytes = host()?.buffer(picture.bytes.len());
        matte::compose(&key, &format, (&picture.bytes, &background), &mut bytes)?;
        Some(Packet {
            bytes: bytes.freeze(),
            ..picture.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use rivero_filter::Colours;

    use super::*;

    #[test]
    fn a_background_fills_pictures_of_any_size() {
        for (width, height) in [(1, 1), (7, 5), (64, 48)] {
            let format = PictureFormat {
                width,
                height,
                colours: Colours::TELEVISION,
            };
            let bytes = filled(&Image::plain([255, 0, 0]), &format).unwrap();
            let [luma, blue, red] = format.views(&bytes).unwrap().map(|(plane, _)| plane);
            assert!(luma.iter().all(|value| *value == 81));
            assert!(blue.iter().all(|value| *value == 90));
            assert!(red.iter().all(|value| *value == 240));
        }
    }
}
