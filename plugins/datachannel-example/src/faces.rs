//! `KmsDetectFaces` notes faces in packets, `KmsShowFaces` draws what is noted.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use rivero_faces::{Detector, Face, Faces, crew};
use rivero_filter::{Crew, Formats, Lanes, Lookout, PictureFormat, Stroke, Treatment, drawn};
use rivero_plugin_api::{Element, ElementContext, Packet, Result, supervise::lock};
use serde::{Deserialize, Serialize};

use crate::api::{self, KmsDetectFacesParams, KmsShowFacesParams};

/// Of the note in packets.
const KEY: &str = "kms.faces";
/// Faces of a note: it comes from whoever is in the pipeline.
const MOST: usize = 32;
/// Of faces: red, green, blue.
const EDGES: [u8; 3] = [0, 255, 0];

/// A face as it is noted, in shares of the picture's width and height.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Noted {
    x: f32,
    y: f32,
    width: f32,
    height: f32,
}

impl From<Face> for Noted {
    fn from(face: Face) -> Self {
        // A ten thousandth is less than a pixel, and short.
        let rounded = |share: f64| ((share * 1e4).round() / 1e4) as f32;
        Self {
            x: rounded(face.x),
            y: rounded(face.y),
            width: rounded(face.width),
            height: rounded(face.height),
        }
    }
}

/// The note of these faces.
fn note(faces: &[Face]) -> Vec<u8> {
    let noted: Vec<Noted> = faces.iter().take(MOST).copied().map(Noted::from).collect();
    serde_json::to_vec(&noted).unwrap_or_default()
}

/// The faces of a note; none where it is none.
fn noted(note: &[u8]) -> Vec<Noted> {
    let mut faces: Vec<Noted> = serde_json::from_slice(note).unwrap_or_default();
    faces.truncate(MOST);
    faces
}

/// The filter that finds faces.
pub(crate) struct DetectFaces {
    /// Open until the filter is released.
    lanes: Mutex<Option<Lanes>>,
}

/// What its pads and the crew have in common.
struct Finding {
    context: ElementContext,
    crew: Arc<Crew<Detector>>,
    lookout: Lookout,
    formats: Formats,
    faces: Mutex<Faces>,
    /// Of the faces that were found last.
    note: Mutex<Arc<[u8]>>,
    /// OpenCV failed, and the client knows.
    has_failed: AtomicBool,
}

impl Element for DetectFaces {
    fn released(&self) {
        *lock(&self.lanes) = None;
    }
}

impl api::KmsDetectFaces for DetectFaces {
    fn create(context: ElementContext, _: KmsDetectFacesParams) -> Result<Self> {
        let treatment: Arc<dyn Treatment> = Arc::new(Found(Arc::new(Finding {
            context: context.clone(),
            crew: crew()?,
            lookout: Lookout::default(),
            formats: Formats::default(),
            faces: Mutex::default(),
            note: Mutex::new(note(&[]).into()),
            has_failed: AtomicBool::new(false),
        })));
        let lanes = Lanes::open(&context, &treatment)?;
        Ok(Self {
            lanes: Mutex::new(Some(lanes)),
        })
    }
}

impl Finding {
    fn look(&self, detector: &mut Detector, picture: &Packet, format: &PictureFormat) {
        let luma = picture.bytes.get(..format.luma_size()).unwrap_or_default();
        match detector.find(luma, format) {
            Ok(found) => {
                let faces = lock(&self.faces).update(found, picture.presentation_time);
                *lock(&self.note) = note(&faces).into();
            }
            Err(error) if !self.has_failed.swap(true, Relaxed) => {
                let text = format!("faces are not found: {error}");
                self.context.error("UNEXPECTED_ELEMENT_ERROR", 0, &text);
            }
            // Once is enough to know.
            Err(_) => {}
        }
    }
}

/// That filter as its pads know it.
struct Found(Arc<Finding>);

impl Treatment for Found {
    fn drawn(&self, picture: &Packet) -> Option<Packet> {
        let finding = &self.0;
        let format = finding.formats.get(picture.format)?;
        finding.lookout.look(&finding.crew, || {
            let (filter, picture) = (Arc::downgrade(finding), picture.clone());
            move |detector: &mut Detector| {
                if let Some(filter) = filter.upgrade() {
                    filter.look(detector, &picture, &format);
                }
            }
        });
        let note = lock(&finding.note).clone();
        let mut picture = picture.clone();
        match picture.set_metadata(KEY, &note) {
            Ok(()) => Some(picture),
            Err(error) => {
                tracing::debug!(%error, "no room for another note in a packet");
                None
            }
        }
    }
}

/// The filter that shows faces.
pub(crate) struct ShowFaces {
    /// Open until the filter is released.
    lanes: Mutex<Option<Lanes>>,
}

impl Element for ShowFaces {
    fn released(&self) {
        *lock(&self.lanes) = None;
    }
}

impl api::KmsShowFaces for ShowFaces {
    fn create(context: ElementContext, _: KmsShowFacesParams) -> Result<Self> {
        let treatment: Arc<dyn Treatment> = Arc::new(Shown::default());
        let lanes = Lanes::open(&context, &treatment)?;
        Ok(Self {
            lanes: Mutex::new(Some(lanes)),
        })
    }
}

/// That filter as its pads know it.
#[derive(Default)]
struct Shown {
    formats: Formats,
}

impl Noted {
    fn stroke(&self, format: &PictureFormat) -> Stroke {
        let (width, height) = (format.width as f64, format.height as f64);
        let (left, top) = (f64::from(self.x), f64::from(self.y));
        let (right, bottom) = (left + f64::from(self.width), top + f64::from(self.height));
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
        // What a note has beyond the picture is drawn at its edge, whatever it is.
        let corners = corners.map(|(x, y)| (x.clamp(0.0, 1.0) * width, y.clamp(0.0, 1.0) * height));
        Stroke::new(&corners, EDGES, format)
    }
}

impl Treatment for Shown {
    fn drawn(&self, picture: &Packet) -> Option<Packet> {
        let faces = noted(picture.metadata(KEY)?);
        let format = self
            .formats
            .get(picture.format)
            .filter(|_| !faces.is_empty())?;
        drawn(picture, &format, |planes| {
            for face in &faces {
                face.stroke(&format).draw(planes);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faces_are_noted_and_read_again() {
        let face = |x| Face {
            x,
            y: 0.25,
            width: 0.123_456,
            height: 0.2,
        };
        let faces: Vec<Face> = (0..40).map(|at| face(f64::from(at) / 100.0)).collect();
        let mut picture = Packet::default();
        picture.set_metadata(KEY, &note(&faces)).unwrap();
        let found = noted(picture.metadata(KEY).unwrap());
        assert_eq!(found.len(), MOST);
        assert_eq!((found[7].x, found[7].width), (0.07, 0.1235));
    }

    #[test]
    fn what_is_no_note_has_no_faces() {
        for bytes in [&b""[..], b"[", b"{}", b"[1]", &[0xff; 9]] {
            assert_eq!(noted(bytes), []);
        }
        assert_eq!(
            noted(b"[{\"x\":1e30,\"y\":0,\"width\":1,\"height\":1}]").len(),
            1
        );
    }
}
