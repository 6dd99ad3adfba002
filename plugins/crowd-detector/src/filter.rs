//! `CrowdDetectorFilter`: the control side, and pictures on their way.

use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicUsize, Ordering},
};

use rivero_filter::{
    Crew, Formats, Lanes, Lookout, PictureFormat, Reduced, Stroke, Treatment, drawn,
};
use rivero_plugin_api::{Element, ElementContext, Error, Packet, Result, supervise::lock};

use crate::{
    api::{self, CrowdDetectorFilterEvents, CrowdDetectorFilterParams},
    levels::{Direction, Level},
    regions::{self, Region},
    scene::{Scene, Seen},
};

/// Of regions, by their level of occupancy: red, green, blue.
const EDGES: [[u8; 3]; 4] = [[0, 200, 0], [230, 230, 0], [255, 140, 0], [255, 0, 0]];
/// Pixels across that pictures can be reduced to.
const WIDTHS: std::ops::RangeInclusive<usize> = 16..=1024;
const WIDTH: usize = 320;

/// A filter of the server.
pub(crate) struct CrowdDetector {
    shared: Arc<Shared>,
    /// Open until the filter is released.
    lanes: Mutex<Option<Lanes>>,
}

/// What the pads, the crew and the control side have in common.
struct Shared {
    context: ElementContext,
    crew: Arc<Crew<()>>,
    lookout: Lookout,
    formats: Formats,
    width: AtomicUsize,
    regions: Vec<Region>,
    /// Only the crew's, for one look at a time.
    watched: Mutex<Watched>,
    drawing: Mutex<Drawing>,
}

/// What is known from one look to the next.
#[derive(Default)]
struct Watched {
    scene: Option<(usize, usize, Scene)>,
    regions: Vec<WatchedRegion>,
}

/// What is known of a region.
#[derive(Default)]
struct WatchedRegion {
    /// The pixels that are in it, of pictures of the scene's size.
    mask: Vec<bool>,
    occupancy: Level,
    fluidity: Level,
    direction: Direction,
}

/// The edges of the regions.
#[derive(Default)]
struct Drawing {
    /// Of occupancy.
    levels: Vec<usize>,
    strokes: Option<(PictureFormat, Arc<Vec<Stroke>>)>,
}

/// What is to be told of a region.
enum News {
    Occupancy(f64, i32),
    Fluidity(f64, i32),
    Direction(f64),
}

impl Element for CrowdDetector {
    fn released(&self) {
        *lock(&self.lanes) = None;
    }
}

impl api::CrowdDetectorFilter for CrowdDetector {
    fn create(context: ElementContext, params: CrowdDetectorFilterParams) -> Result<Self> {
        let regions = regions::read(params.rois)?;
        let watched = regions.iter().map(|_| WatchedRegion::default());
        let shared = Arc::new(Shared {
            context: context.clone(),
            crew: crew()?,
            lookout: Lookout::default(),
            formats: Formats::default(),
            width: AtomicUsize::new(WIDTH),
            watched: Mutex::new(Watched {
                scene: None,
                regions: watched.collect(),
            }),
            drawing: Mutex::new(Drawing {
                levels: vec![0; regions.len()],
                strokes: None,
            }),
            regions,
        });
        let treatment: Arc<dyn Treatment> = Arc::new(Pictures(shared.clone()));
        let lanes = Lanes::open(&context, &treatment)?;
        Ok(Self {
            shared,
            lanes: Mutex::new(Some(lanes)),
        })
    }

    fn processing_width(&self) -> Result<i32> {
        let width = self.shared.width.load(Ordering::Relaxed);
        Ok(i32::try_from(width).unwrap_or(i32::MAX))
    }

    fn set_processing_width(&self, processing_width: i32) -> Result<()> {
        let width = usize::try_from(processing_width).unwrap_or(0);
        if !WIDTHS.contains(&width) {
            return Err(Error::illegal_parameter(format!(
                "processingWidth is from {} to {}",
                WIDTHS.start(),
                WIDTHS.end()
            )));
        }
        // The next look has it, whichever that is.
        self.shared.width.store(width, Ordering::Relaxed);
        Ok(())
    }
}

/// The threads on which crowds are looked at, the same for all filters.
fn crew() -> Result<Arc<Crew<()>>> {
    static CREW: Mutex<Weak<Crew<()>>> = Mutex::new(Weak::new());
    Crew::join(&CREW, "crowds", || Ok(()))
}

impl Watched {
    /// Looks at a picture. Gives what it shows with what is to be told, by the place of the region.
    fn look(&mut self, regions: &[Region], picture: Reduced, time: i64) -> Vec<(usize, News)> {
        let (width, height) = (picture.width, picture.height);
        let fits = |(across, down, _): &(usize, usize, Scene)| (*across, *down) == (width, height);
        if !self.scene.as_ref().is_some_and(fits) {
            for (region, watched) in regions.iter().zip(&mut self.regions) {
                watched.mask = region.mask(width, height);
            }
            self.scene = None;
        }
        let (_, _, scene) = self
            .scene
            .get_or_insert_with(|| (width, height, Scene::new(width, height)));
        let Some(seen) = scene.look(picture, time) else {
            return Vec::new();
        };
        let regions = regions.iter().zip(&mut self.regions).enumerate();
        regions
            .flat_map(|(index, (region, watched))| {
                let news = watched.news(region, &seen);
                news.into_iter().map(move |news| (index, news))
            })
            .collect()
    }
}

impl WatchedRegion {
    fn news(&mut self, region: &Region, seen: &Seen) -> Vec<News> {
        let measures = seen.measures(&self.mask);
        let occupancy = self.occupancy.update(measures.occupancy, &region.occupancy);
        let fluidity = self.fluidity.update(measures.fluidity, &region.fluidity);
        let direction = region.directions.as_ref().and_then(|directions| {
            let movement = seen.flow(&self.mask);
            self.direction.update(movement, directions)
        });
        let news = [
            occupancy.map(|level| News::Occupancy(measures.occupancy, level)),
            fluidity.map(|level| News::Fluidity(measures.fluidity, level)),
            direction.map(News::Direction),
        ];
        news.into_iter().flatten().collect()
    }
}

impl Shared {
    /// What the crew does with a picture.
    fn look(&self, picture: &Packet, format: &PictureFormat) {
        let width = self.width.load(Ordering::Relaxed);
        let Some(reduced) = Reduced::of(format, &picture.bytes, width) else {
            return;
        };
        let news = lock(&self.watched).look(&self.regions, reduced, picture.presentation_time);
        for (index, news) in news {
            self.tell(index, &news);
        }
    }

    fn tell(&self, index: usize, news: &News) {
        let Some(region) = self.regions.get(index) else {
            return;
        };
        let id = region.id.clone();
        let context = &self.context;
        match *news {
            News::Occupancy(percentage, level) => {
                self.colour(index, level);
                context.crowd_detector_occupancy(percentage as f32, level, id);
            }
            News::Fluidity(percentage, level) => {
                context.crowd_detector_fluidity(percentage as f32, level, id);
            }
            News::Direction(angle) => context.crowd_detector_direction(angle as f32, id),
        }
    }

    fn colour(&self, index: usize, level: i32) {
        let mut drawing = lock(&self.drawing);
        if let Some(known) = drawing.levels.get_mut(index) {
            *known = usize::try_from(level).unwrap_or(0);
        }
        drawing.strokes = None;
    }

    /// The edges of all regions in pictures of this format.
    fn strokes(&self, format: &PictureFormat) -> Arc<Vec<Stroke>> {
        let mut drawing = lock(&self.drawing);
        if let Some((of, strokes)) = &drawing.strokes
            && of == format
        {
            return strokes.clone();
        }
        let stroke = |(region, level): (&Region, &usize)| {
            let corners = region.corners.iter();
            let corners: Vec<_> = corners
                .map(|(x, y)| (x * format.width as f64, y * format.height as f64))
                .collect();
            let colour = EDGES.get(*level).copied().unwrap_or_default();
            Stroke::new(&corners, colour, format)
        };
        let strokes = self.regions.iter().zip(&drawing.levels).map(stroke);
        let strokes = Arc::new(strokes.collect::<Vec<_>>());
        drawing.strokes = Some((*format, strokes.clone()));
        strokes
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
        if shared.regions.is_empty() {
            return None;
        }
        let format = shared.formats.get(picture.format)?;
        shared.lookout.look(&shared.crew, || {
            let (filter, picture) = (Arc::downgrade(shared), picture.clone());
            move |(): &mut ()| {
                if let Some(filter) = filter.upgrade() {
                    filter.look(&picture, &format);
                }
            }
        });
        let strokes = shared.strokes(&format);
        drawn(picture, &format, |planes| {
            for stroke in strokes.iter() {
                stroke.draw(planes);
            }
        })
    }
}
