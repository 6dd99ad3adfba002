//! `FaceOverlayFilter`: the control side, and pictures on their way.

use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicBool, Ordering},
};

use rivero_faces::{Detector, Faces, Frame, crew};
use rivero_filter::{
    Crew, Formats, Image, Lanes, Loader, Lookout, Patch, PictureFormat, Source, Treatment,
};
use rivero_plugin_api::{Element, ElementContext, Error, Packet, Result, supervise::lock};

use crate::api::{self, FaceOverlayFilterParams};

/// A filter of the server.
pub(crate) struct FaceOverlay {
    shared: Arc<Shared>,
    loader: Loader,
    /// Open until the filter is released.
    lanes: Mutex<Option<Lanes>>,
}

/// What the pads, the crew and the control side have in common.
struct Shared {
    context: ElementContext,
    crew: Arc<Crew<Detector>>,
    overlay: Mutex<Option<Arc<Overlay>>>,
    drawing: Mutex<Option<Arc<Drawing>>>,
    formats: Formats,
    faces: Mutex<Faces>,
    lookout: Lookout,
    /// OpenCV failed, and the client knows.
    has_failed: AtomicBool,
}

/// What is drawn over faces.
struct Overlay {
    image: Image,
    frame: Frame,
}

/// An overlay at the faces that were found last.
struct Drawing {
    overlay: Arc<Overlay>,
    format: PictureFormat,
    patches: Vec<Patch>,
}

impl Element for FaceOverlay {
    fn released(&self) {
        self.loader.cancel();
        self.shared.set_overlay(None);
        *lock(&self.lanes) = None;
    }
}

impl api::FaceOverlayFilter for FaceOverlay {
    fn create(context: ElementContext, _: FaceOverlayFilterParams) -> Result<Self> {
        let shared = Arc::new(Shared {
            context: context.clone(),
            crew: crew()?,
            overlay: Mutex::default(),
            drawing: Mutex::default(),
            formats: Formats::default(),
            faces: Mutex::default(),
            lookout: Lookout::default(),
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

    fn unset_overlayed_image(&self) -> Result<()> {
        // First, so that no image comes after this.
        self.loader.cancel();
        self.shared.set_overlay(None);
        Ok(())
    }

    fn set_overlayed_image(
        &self,
        uri: String,
        offset_x_percent: f32,
        offset_y_percent: f32,
        width_percent: f32,
        height_percent: f32,
    ) -> Result<()> {
        let frame = Frame {
            x: offset_x_percent,
            y: offset_y_percent,
            width: width_percent,
            height: height_percent,
        };
        check(frame)?;
        let source = Source::parse(&uri)?;
        let shared = self.shared.clone();
        let done = move |loaded| match loaded {
            Ok(image) => shared.set_overlay(Some(Arc::new(Overlay { image, frame }))),
            Err(error) => shared.image_fails(&error),
        };
        self.loader.load(source, Box::new(done))
    }
}

fn check(frame: Frame) -> Result<()> {
    let is_positive = |size: f32| size.is_finite() && size > 0.0;
    if !frame.x.is_finite() || !frame.y.is_finite() {
        return Err(Error::illegal_parameter("the offsets must be numbers"));
    }
    if !is_positive(frame.width) || !is_positive(frame.height) {
        return Err(Error::illegal_parameter(
            "widthPercent and heightPercent must be greater than 0",
        ));
    }
    Ok(())
}

impl Shared {
    fn set_overlay(&self, overlay: Option<Arc<Overlay>>) {
        *lock(&self.overlay) = overlay;
        *lock(&self.drawing) = None;
    }

    fn image_fails(&self, error: &rivero_filter::LoadError) {
        tracing::info!(%error, "an image is not drawn");
        self.context.error(error.kind(), 0, &error.to_string());
    }

    /// Lets the crew look at a picture, unless it is busy with one of this filter.
    fn look(self: &Arc<Self>, picture: &Packet, format: PictureFormat, overlay: &Arc<Overlay>) {
        self.lookout.look(&self.crew, || {
            let look = Look {
                filter: Arc::downgrade(self),
                picture: picture.clone(),
                format,
                overlay: overlay.clone(),
            };
            move |detector: &mut Detector| look.run(detector)
        });
    }

    fn found(&self, drawing: Drawing) {
        let current = lock(&self.overlay);
        let is_current = |overlay: &Arc<Overlay>| Arc::ptr_eq(overlay, &drawing.overlay);
        if current.as_ref().is_some_and(is_current) {
            *lock(&self.drawing) = Some(Arc::new(drawing));
        }
    }

    /// OpenCV failed: once is enough to know.
    fn fails(&self, error: &opencv::Error) {
        if !self.has_failed.swap(true, Ordering::AcqRel) {
            let text = format!("faces are not found: {error}");
            self.context.error("UNEXPECTED_ELEMENT_ERROR", 0, &text);
        }
    }
}

/// A picture in which faces are looked for.
struct Look {
    filter: Weak<Shared>,
    picture: Packet,
    format: PictureFormat,
    overlay: Arc<Overlay>,
}

impl Look {
    fn run(self, detector: &mut Detector) {
        let Some(filter) = self.filter.upgrade() else {
            return;
        };
        let luma = self.picture.bytes.get(..self.format.luma_size());
        let found = match detector.find(luma.unwrap_or_default(), &self.format) {
            Ok(found) => found,
            Err(error) => return filter.fails(&error),
        };
        let faces = lock(&filter.faces).update(found, self.picture.presentation_time);
        let Overlay { image, frame } = &*self.overlay;
        let patch = |face: &rivero_faces::Face| {
            let place = face.place(*frame, self.format.width, self.format.height);
            Patch::new(image, place, &self.format)
        };
        filter.found(Drawing {
            patches: faces.iter().filter_map(patch).collect(),
            overlay: self.overlay.clone(),
            format: self.format,
        });
    }
}

/// The filter as its pads know it.
struct Pictures(Arc<Shared>);

impl Treatment for Pictures {
    fn drawn(&self, picture: &Packet) -> Option<Packet> {
        let filter = &self.0;
        let overlay = lock(&filter.overlay).clone()?;
        let format = filter.formats.get(picture.format)?;
        filter.look(picture, format, &overlay);
        let drawing = lock(&filter.drawing).clone()?;
        let fits = Arc::ptr_eq(&drawing.overlay, &overlay) && drawing.format == format;
        if !fits || drawing.patches.is_empty() {
            return None;
        }
        rivero_filter::draw(picture, &format, &drawing.patches)
    }
}
