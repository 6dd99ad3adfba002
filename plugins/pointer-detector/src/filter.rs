//! `PointerDetectorFilter`: the control side, and pictures on their way.

use std::sync::{Arc, Mutex, Weak};

use rivero_filter::{
    Crew, Formats, Image, Lanes, LoadError, Loader, Lookout, Patch, PictureFormat, Place, Region,
    Source, Treatment,
};
use rivero_plugin_api::{Element, ElementContext, Error, Packet, Result, supervise::lock};

use crate::{
    api::{
        self, PointerDetectorFilterEvents, PointerDetectorFilterParams,
        PointerDetectorWindowMediaParam,
    },
    tracker::{Spot, Tracker},
    windows::{Change, Shown, Window, Windows},
};

/// Edges of the calibration region, and of the pointer: red, green, blue.
const CALIBRATION: [u8; 3] = [0, 255, 0];
const POINTER: [u8; 3] = [255, 0, 255];
/// A pointer that is not found any more is taken to be where it was for so long, ns: somebody's hand may be before
/// it, and it blurs where it moves fast.
const MISSED: i64 = 500_000_000;

/// A filter of the server.
pub(crate) struct PointerDetector {
    shared: Arc<Shared>,
    /// Open until the filter is released.
    lanes: Mutex<Option<Lanes>>,
}

/// What the pads, the crew, the loaders and the control side have in common.
struct Shared {
    context: ElementContext,
    crew: Arc<Crew<()>>,
    lookout: Lookout,
    formats: Formats,
    calibration: Region,
    stage: Mutex<Stage>,
    windows: Mutex<Windows>,
}

/// How far the filter has come.
enum Stage {
    /// Waits for `trackColorFromCalibrationRegion`.
    Calibrating,
    /// The next picture shows what to follow.
    Learning,
    /// Follows it. A look has the tracker, whose place is empty meanwhile.
    Tracking {
        tracker: Option<Box<Tracker>>,
        /// Where it was seen last, and when, ns.
        seen: Option<(Spot, i64)>,
    },
}

impl Element for PointerDetector {
    fn released(&self) {
        *lock(&self.lanes) = None;
        let windows = lock(&self.shared.windows).clear();
        forget(windows);
    }
}

impl api::PointerDetectorFilter for PointerDetector {
    fn create(context: ElementContext, params: PointerDetectorFilterParams) -> Result<Self> {
        let region = params.calibration_region;
        let calibration = Region::new(
            "the calibration region",
            (region.top_right_corner_x, region.top_right_corner_y),
            (region.width, region.height),
        )?;
        let shared = Arc::new(Shared {
            context: context.clone(),
            crew: crew()?,
            lookout: Lookout::default(),
            formats: Formats::default(),
            calibration,
            stage: Mutex::new(Stage::Calibrating),
            windows: Mutex::default(),
        });
        let treatment: Arc<dyn Treatment> = Arc::new(Pictures(shared.clone()));
        let lanes = Lanes::open(&context, &treatment)?;
        let filter = Self {
            shared,
            lanes: Mutex::new(Some(lanes)),
        };
        for window in params.windows {
            filter.add_window(window)?;
        }
        Ok(filter)
    }

    fn add_window(&self, window: PointerDetectorWindowMediaParam) -> Result<()> {
        let region = Region::new(
            &format!("window '{}'", window.id),
            (window.upper_right_x, window.upper_right_y),
            (window.width, window.height),
        )?;
        let transparency = window.image_transparency.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&transparency) {
            return Err(Error::illegal_parameter("imageTransparency is from 0 to 1"));
        }
        // Both are checked before anything changes.
        let source = |uri: Option<String>| {
            let uri = uri.filter(|uri| !uri.is_empty());
            uri.map(|uri| Source::parse(&uri)).transpose()
        };
        let sources = [
            (Shown::Usually, source(window.image)?),
            (Shown::Active, source(window.active_image)?),
        ];
        let sources = sources
            .into_iter()
            .filter_map(|(shown, source)| Some((shown, source?)));
        let sources: Vec<_> = sources.map(|source| (source, Loader::default())).collect();
        let mut added = Window::new(window.id.clone(), region);
        added.loaders = sources.iter().map(|(_, loader)| loader.clone()).collect();
        let (number, former) = lock(&self.shared.windows).add(added)?;
        forget(former);
        for ((shown, source), loader) in sources {
            let (shared, id) = (self.shared.clone(), window.id.clone());
            let done = move |loaded: Result<Image, LoadError>| match loaded {
                Ok(image) => {
                    let image = image.faded(1.0 - transparency);
                    lock(&shared.windows).loaded(number, shown, image);
                }
                Err(error) => shared.image_fails(&id, &error),
            };
            loader.load(source, Box::new(done))?;
        }
        Ok(())
    }

    fn clear_windows(&self) -> Result<()> {
        let windows = lock(&self.shared.windows).clear();
        forget(windows);
        Ok(())
    }

    fn track_color_from_calibration_region(&self) -> Result<()> {
        *lock(&self.shared.stage) = Stage::Learning;
        Ok(())
    }

    fn remove_window(&self, window_id: String) -> Result<()> {
        let window = lock(&self.shared.windows).remove(&window_id);
        forget(window);
        Ok(())
    }
}

/// The threads on which pointers are looked for, the same for all filters.
fn crew() -> Result<Arc<Crew<()>>> {
    static CREW: Mutex<Weak<Crew<()>>> = Mutex::new(Weak::new());
    Crew::join(&CREW, "pointers", || Ok(()))
}

/// Windows that are none any more. Not under the lock, which a loader that is done takes under its own.
fn forget(windows: impl IntoIterator<Item = Window>) {
    for loader in windows.into_iter().flat_map(|window| window.loaders) {
        loader.cancel();
    }
}

impl Shared {
    fn image_fails(&self, id: &str, error: &LoadError) {
        let text = format!("window '{id}': {error}");
        tracing::info!(error = text, "an image is not drawn");
        self.context.error(error.kind(), 0, &text);
    }

    /// What the crew does with a picture.
    fn look(&self, picture: &Packet, format: &PictureFormat) {
        let mut stage = lock(&self.stage);
        match &mut *stage {
            Stage::Calibrating => {}
            Stage::Learning => {
                // Meanwhile pictures pass: they must not wait for this.
                drop(stage);
                let learnt = self.learn(picture, format);
                let mut stage = lock(&self.stage);
                if matches!(*stage, Stage::Learning) {
                    *stage = learnt;
                }
            }
            Stage::Tracking { tracker, .. } => {
                let Some(mut with) = tracker.take() else {
                    return;
                };
                drop(stage);
                let found = with.find(format, &picture.bytes);
                self.found(with, found, picture.presentation_time);
                self.tell(format);
            }
        }
    }

    fn learn(&self, picture: &Packet, format: &PictureFormat) -> Stage {
        let area = self.calibration.within(format);
        let tracker = area.and_then(|area| Tracker::learn(format, &picture.bytes, &area));
        let Some(tracker) = tracker else {
            let text = format!(
                "the calibration region is outside of the picture, which has {} x {} pixels: nothing is followed",
                format.width, format.height
            );
            self.context.error("UNEXPECTED_ELEMENT_ERROR", 0, &text);
            return Stage::Calibrating;
        };
        Stage::Tracking {
            tracker: Some(Box::new(tracker)),
            seen: None,
        }
    }

    fn found(&self, with: Box<Tracker>, found: Option<Spot>, time: i64) {
        let mut stage = lock(&self.stage);
        // A client may have asked for another object meanwhile.
        let Stage::Tracking { tracker, seen } = &mut *stage else {
            return;
        };
        *tracker = Some(with);
        let is_missed = |(_, last): &(Spot, i64)| (0..MISSED).contains(&time.saturating_sub(*last));
        *seen = match found {
            Some(spot) => Some((spot, time)),
            None => seen.filter(is_missed),
        };
    }

    fn pointer(&self) -> Option<Spot> {
        match &*lock(&self.stage) {
            Stage::Tracking { seen, .. } => seen.map(|(spot, _)| spot),
            _ => None,
        }
    }

    /// Tells which windows the pointer has entered and left.
    fn tell(&self, format: &PictureFormat) {
        let (width, height) = (format.width as f64, format.height as f64);
        let place = self.pointer().map(|spot| (spot.x * width, spot.y * height));
        let changes = lock(&self.windows).pointed_at(place);
        for change in changes {
            match change {
                Change::In(id) => self.context.window_in(id),
                Change::Out(id) => self.context.window_out(id),
            }
        }
    }

    /// What is drawn besides the windows.
    fn marks(&self, format: &PictureFormat) -> Vec<Patch> {
        match &*lock(&self.stage) {
            Stage::Calibrating | Stage::Learning => self.calibration.edges(CALIBRATION, format),
            Stage::Tracking { seen: None, .. } => Vec::new(),
            Stage::Tracking {
                seen: Some((spot, _)),
                ..
            } => {
                let (width, height) = (format.width as f64, format.height as f64);
                let size = (spot.size.0 * width, spot.size.1 * height);
                let place = Place {
                    x: spot.x * width - size.0 / 2.0,
                    y: spot.y * height - size.1 / 2.0,
                    width: size.0,
                    height: size.1,
                };
                rivero_filter::edges(place, POINTER, format)
            }
        }
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
        if !matches!(*lock(&shared.stage), Stage::Calibrating) {
            shared.lookout.look(&shared.crew, || {
                let (filter, picture) = (Arc::downgrade(shared), picture.clone());
                move |(): &mut ()| {
                    if let Some(filter) = filter.upgrade() {
                        filter.look(&picture, &format);
                    }
                }
            });
        }
        let windows = lock(&shared.windows).patches(&format);
        let marks = shared.marks(&format);
        if windows.is_empty() && marks.is_empty() {
            return None;
        }
        rivero_filter::draw(picture, &format, windows.iter().chain(&marks))
    }
}
