//! `ArMarkerdetector`: the control side, and pictures on their way.

use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicBool, AtomicI32, Ordering},
};

use rivero_filter::{
    Crew, Formats, Image, Lanes, LoadError, Loader, Lookout, Patch, PictureFormat, Place, Source,
    Stroke, Treatment, drawn,
};
use rivero_plugin_api::{Element, ElementContext, Error, Packet, Result, supervise::lock};

use crate::{
    api::{self, ArMarkerdetectorEvents, ArMarkerdetectorParams},
    counts::Counts,
    dictionary::Dictionaries,
    quads::{Detector, Marker},
    settings::Settings,
    text,
};

/// Of markers, where they are drawn for debugging: red, green, blue.
const EDGES: [u8; 3] = [255, 0, 0];
/// A marker that is not found any more is taken to be where it was for so long, ns.
const MISSED: i64 = 300_000_000;

/// A filter of the server.
pub(crate) struct MarkerDetector {
    shared: Arc<Shared>,
    loader: Loader,
    /// Open until the filter is released.
    lanes: Mutex<Option<Lanes>>,
}

/// What the pads, the crew, the loader and the control side have in common.
struct Shared {
    context: ElementContext,
    crew: Arc<Crew<Detector>>,
    lookout: Lookout,
    formats: Formats,
    debug_level: AtomicI32,
    overlay: Mutex<Overlay>,
    counts: Mutex<Counts>,
    drawing: Mutex<Option<Arc<Drawing>>>,
    /// OpenCV failed, and the client knows.
    has_failed: AtomicBool,
}

/// What is drawn over markers, as it was set and as it is drawn.
#[derive(Clone)]
struct Overlay {
    uri: String,
    text: String,
    /// In widths of a marker.
    scale: f32,
    /// The image, and that of the text.
    images: [Option<Arc<Image>>; 2],
}

/// What is drawn at the markers that were found last.
struct Drawing {
    format: PictureFormat,
    /// Of the picture in which they were found, ns.
    time: i64,
    patches: Vec<Patch>,
    strokes: Vec<Stroke>,
}

impl Element for MarkerDetector {
    fn released(&self) {
        self.loader.cancel();
        *lock(&self.lanes) = None;
    }
}

impl api::OpenCVFilter for MarkerDetector {}

impl api::ArMarkerdetector for MarkerDetector {
    fn create(context: ElementContext, _: ArMarkerdetectorParams) -> Result<Self> {
        let shared = Arc::new(Shared {
            context: context.clone(),
            crew: crew()?,
            lookout: Lookout::default(),
            formats: Formats::default(),
            debug_level: AtomicI32::new(0),
            overlay: Mutex::new(Overlay {
                uri: String::new(),
                text: String::new(),
                scale: 1.0,
                images: [None, None],
            }),
            counts: Mutex::default(),
            drawing: Mutex::default(),
            has_failed: AtomicBool::new(false),
        });
        let treatment: Arc<dyn Treatment> = Arc::new(Pictures(shared.clone()));
        let lanes = Lanes::open(&context, &treatment)?;
        Ok(Self {
            shared,
            loader: Loader::default(),
            lanes: Mutex::new(Some(lanes)),
        })
    }

    fn set_show_debug_level(&self, show_debug_level: i32) -> Result<()> {
        self.shared
            .debug_level
            .store(show_debug_level, Ordering::Relaxed);
        Ok(())
    }

    fn get_show_debug_level(&self) -> Result<i32> {
        Ok(self.shared.debug_level.load(Ordering::Relaxed))
    }

    fn set_overlay_image(&self, overlay_image: String) -> Result<()> {
        if overlay_image.is_empty() {
            // First, so that no image comes after this.
            self.loader.cancel();
            let mut overlay = lock(&self.shared.overlay);
            overlay.uri.clear();
            let [image, _] = &mut overlay.images;
            *image = None;
            return Ok(());
        }
        let source = Source::parse(&overlay_image)?;
        lock(&self.shared.overlay).uri = overlay_image;
        let shared = self.shared.clone();
        let done = move |loaded| match loaded {
            Ok(loaded) => {
                let [image, _] = &mut lock(&shared.overlay).images;
                *image = Some(Arc::new(loaded));
            }
            Err(error) => shared.image_fails(&error),
        };
        self.loader.load(source, Box::new(done))
    }

    fn get_overlay_image(&self) -> Result<String> {
        Ok(lock(&self.shared.overlay).uri.clone())
    }

    fn set_overlay_text(&self, overlay_text: String) -> Result<()> {
        let made = text::image(&overlay_text);
        let made =
            made.map_err(|error| Error::unexpected(format!("no image of a text: {error}")))?;
        let mut overlay = lock(&self.shared.overlay);
        let [_, image] = &mut overlay.images;
        *image = made.map(Arc::new);
        overlay.text = overlay_text;
        Ok(())
    }

    fn get_overlay_text(&self) -> Result<String> {
        Ok(lock(&self.shared.overlay).text.clone())
    }

    fn set_overlay_scale(&self, overlay_scale: f32) -> Result<()> {
        if !overlay_scale.is_finite() || overlay_scale <= 0.0 {
            return Err(Error::illegal_parameter(
                "overlayScale must be greater than 0",
            ));
        }
        lock(&self.shared.overlay).scale = overlay_scale;
        Ok(())
    }

    fn get_overlay_scale(&self) -> Result<f32> {
        Ok(lock(&self.shared.overlay).scale)
    }
}

/// The threads on which markers are looked for, the same for all filters.
fn crew() -> Result<Arc<Crew<Detector>>> {
    static CREW: Mutex<Weak<Crew<Detector>>> = Mutex::new(Weak::new());
    let names = Settings::load()?.dictionaries;
    Crew::join(&CREW, "markers", || {
        let detector = Detector::new(Dictionaries::of(&names)?);
        detector.map_err(|error| Error::unexpected(format!("markers cannot be found: {error}")))
    })
}

impl Overlay {
    /// What is drawn over a marker in a picture of this format.
    fn patches(&self, marker: &Marker, format: &PictureFormat) -> Vec<Patch> {
        let (width, height) = (format.width as f64, format.height as f64);
        let corners = marker.corners.map(|(x, y)| (x * width, y * height));
        let ends = corners.iter().skip(1).chain(corners.first());
        let sides = corners.iter().zip(ends);
        let around: f64 = sides
            .map(|(from, to)| (to.0 - from.0).hypot(to.1 - from.1))
            .sum();
        let across = around / 4.0 * f64::from(self.scale);
        let (x, y) = marker.middle();
        let patch = |image: &Arc<Image>| {
            let down = across / image.aspect_ratio();
            let place = Place {
                x: x * width - across / 2.0,
                y: y * height - down / 2.0,
                width: across,
                height: down,
            };
            Patch::new(image, place, format)
        };
        self.images.iter().flatten().filter_map(patch).collect()
    }
}

impl Shared {
    fn image_fails(&self, error: &LoadError) {
        tracing::info!(%error, "an image is not drawn");
        self.context.error(error.kind(), 0, &error.to_string());
    }

    /// OpenCV failed: once is enough to know.
    fn fails(&self, error: &opencv::Error) {
        if !self.has_failed.swap(true, Ordering::AcqRel) {
            let text = format!("markers are not found: {error}");
            self.context.error("UNEXPECTED_ELEMENT_ERROR", 0, &text);
        }
    }

    /// What the crew does with a picture.
    fn look(&self, detector: &mut Detector, picture: &Packet, format: &PictureFormat) {
        let luma = picture.bytes.get(..format.luma_size());
        let found = match detector.find(luma.unwrap_or_default(), format) {
            Ok(found) => found,
            Err(error) => return self.fails(&error),
        };
        let time = picture.presentation_time;
        self.draw(&found, format, time);
        let ids = found.iter().map(|marker| marker.id);
        let changes = lock(&self.counts).update(ids, time);
        for change in changes {
            self.context
                .marker_count(change.id, change.count, change.difference);
        }
    }

    fn draw(&self, found: &[Marker], format: &PictureFormat, time: i64) {
        if found.is_empty() {
            let mut drawing = lock(&self.drawing);
            let is_over =
                |drawing: &Arc<Drawing>| !(0..MISSED).contains(&time.saturating_sub(drawing.time));
            if drawing.as_ref().is_some_and(is_over) {
                *drawing = None;
            }
            return;
        }
        let overlay = lock(&self.overlay).clone();
        let patches = found
            .iter()
            .flat_map(|marker| overlay.patches(marker, format));
        let (width, height) = (format.width as f64, format.height as f64);
        let stroke = |marker: &Marker| {
            let corners = marker.corners.map(|(x, y)| (x * width, y * height));
            Stroke::new(&corners, EDGES, format)
        };
        let is_debugged = self.debug_level.load(Ordering::Relaxed) > 0;
        let strokes = found.iter().filter(|_| is_debugged).map(stroke);
        let drawing = Drawing {
            format: *format,
            time,
            patches: patches.collect(),
            strokes: strokes.collect(),
        };
        *lock(&self.drawing) = Some(Arc::new(drawing));
    }
}

/// The filter as its pads know it.
struct Pictures(Arc<Shared>);

impl Treatment for Pictures {
    /// Events tell what it sees.
    fn is_watching(&self) -> bool {
        true
    }

    fn drawn(&self, picture: &Packet) -> Option<Packet> {
        let shared = &self.0;
        let format = shared.formats.get(picture.format)?;
        shared.lookout.look(&shared.crew, || {
            let (filter, picture) = (Arc::downgrade(shared), picture.clone());
            move |detector: &mut Detector| {
                if let Some(filter) = filter.upgrade() {
                    filter.look(detector, &picture, &format);
                }
            }
        });
        let drawing = lock(&shared.drawing).clone()?;
        let is_empty = drawing.patches.is_empty() && drawing.strokes.is_empty();
        if drawing.format != format || is_empty {
            return None;
        }
        drawn(picture, &format, |planes| {
            for patch in &drawing.patches {
                patch.draw(planes);
            }
            for stroke in &drawing.strokes {
                stroke.draw(planes);
            }
        })
    }
}
