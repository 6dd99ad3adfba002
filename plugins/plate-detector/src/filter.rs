//! `PlateDetectorFilter`: the control side, and pictures on their way.

use std::sync::{Arc, Mutex, Weak};

use rivero_filter::{Crew, Formats, Lanes, Lookout, PictureFormat, Stroke, Treatment, drawn};
use rivero_plugin_api::{Element, ElementContext, Error, Packet, Result, supervise::lock};
use serde_json::json;

use crate::{
    api::{self, PlateDetectorFilterParams},
    reader::{Plate, Reader},
    settings::Settings,
    sightings::Sightings,
};

/// Of plates: red, green, blue.
const EDGES: [u8; 3] = [255, 0, 0];
/// A plate that is not read any more is taken to be where it was for so long, ns.
const MISSED: i64 = 300_000_000;

/// A filter of the server.
pub(crate) struct PlateDetector {
    shared: Arc<Shared>,
    /// Open until the filter is released.
    lanes: Mutex<Option<Lanes>>,
}

/// What the pads, the crew and the control side have in common.
struct Shared {
    context: ElementContext,
    crew: Arc<Crew<Reader>>,
    lookout: Lookout,
    formats: Formats,
    /// Of plates, in shares of the picture's; `None` for any.
    width: Mutex<Option<f64>>,
    sightings: Mutex<Sightings>,
    drawing: Mutex<Option<Arc<Drawing>>>,
}

/// The edges of the plates that were read last.
struct Drawing {
    format: PictureFormat,
    /// Of the picture that showed them, ns.
    time: i64,
    strokes: Vec<Stroke>,
}

impl Element for PlateDetector {
    fn released(&self) {
        *lock(&self.lanes) = None;
    }
}

impl api::PlateDetectorFilter for PlateDetector {
    fn create(context: ElementContext, _: PlateDetectorFilterParams) -> Result<Self> {
        let shared = Arc::new(Shared {
            context: context.clone(),
            crew: crew()?,
            lookout: Lookout::default(),
            formats: Formats::default(),
            width: Mutex::default(),
            sightings: Mutex::default(),
            drawing: Mutex::default(),
        });
        let treatment: Arc<dyn Treatment> = Arc::new(Pictures(shared.clone()));
        let lanes = Lanes::open(&context, &treatment)?;
        Ok(Self {
            shared,
            lanes: Mutex::new(Some(lanes)),
        })
    }

    fn set_plate_width_percentage(&self, plate_width_percentage: f32) -> Result<()> {
        let width = f64::from(plate_width_percentage);
        if !(width > 0.0 && width <= 1.0) {
            return Err(Error::illegal_parameter(
                "plateWidthPercentage must be greater than 0 and at most 1: the part of the picture's width that a plate has",
            ));
        }
        *lock(&self.shared.width) = Some(width);
        Ok(())
    }
}

/// The threads on which plates are read, the same for all filters.
fn crew() -> Result<Arc<Crew<Reader>>> {
    static CREW: Mutex<Weak<Crew<Reader>>> = Mutex::new(Weak::new());
    let settings = Settings::load()?;
    Crew::join(&CREW, "plates", || Reader::new(&settings))
}

impl Shared {
    /// What the crew does with a picture.
    fn look(&self, reader: &mut Reader, picture: &Packet, format: &PictureFormat) {
        let luma = picture.bytes.get(..format.luma_size()).unwrap_or_default();
        let width = *lock(&self.width);
        let plates = reader.read(luma, (format.width, format.height), width);
        let time = picture.presentation_time;
        self.draw(&plates, format, time);
        let texts = plates.into_iter().map(|plate| plate.text);
        let news = lock(&self.sightings).add(texts, time);
        for plate in news {
            // Kurento's name of it within the event is not that of the event.
            let data = json!({ "plate": plate, "type": "plate-detected" });
            self.context.emit("PlateDetected", data);
        }
    }

    fn draw(&self, plates: &[Plate], format: &PictureFormat, time: i64) {
        let mut drawing = lock(&self.drawing);
        if plates.is_empty() {
            let is_over =
                |drawing: &Arc<Drawing>| !(0..MISSED).contains(&time.saturating_sub(drawing.time));
            if drawing.as_ref().is_some_and(is_over) {
                *drawing = None;
            }
            return;
        }
        let (width, height) = (format.width as f64, format.height as f64);
        let stroke = |plate: &Plate| {
            let corners = plate.corners.map(|(x, y)| (x * width, y * height));
            Stroke::new(&corners, EDGES, format)
        };
        *drawing = Some(Arc::new(Drawing {
            format: *format,
            time,
            strokes: plates.iter().map(stroke).collect(),
        }));
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
            move |reader: &mut Reader| {
                if let Some(filter) = filter.upgrade() {
                    filter.look(reader, &picture, &format);
                }
            }
        });
        let drawing = lock(&shared.drawing).clone()?;
        if drawing.format != format {
            return None;
        }
        drawn(picture, &format, |planes| {
            for stroke in &drawing.strokes {
                stroke.draw(planes);
            }
        })
    }
}
