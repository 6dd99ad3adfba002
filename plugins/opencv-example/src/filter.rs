//! `OpenCVExample`: the control side, and pictures on their way.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
};

use opencv::{core::Mat, imgproc, prelude::*};
use rivero_filter::{Formats, Lanes, PictureFormat, Planes, Treatment, drawn};
use rivero_plugin_api::{Element, ElementContext, Error, Packet, Result, supervise::lock};

use crate::api::{self, OpenCVExampleParams};

/// Of edges, until another one is set.
const THRESHOLD: u8 = 125;
/// Brightness of what is an edge, and of what is none, as television has white and black (ITU-R BT.601).
const WHITE: u8 = 235;
const BLACK: u8 = 16;
/// Of both colours in what has none.
const NO_COLOUR: u8 = 128;

/// A filter of the server.
pub(crate) struct Example {
    shared: Arc<Shared>,
    /// Open until the filter is released.
    lanes: Mutex<Option<Lanes>>,
}

/// What the pads and the control side have in common.
struct Shared {
    context: ElementContext,
    formats: Formats,
    /// Shades of grey instead of edges.
    is_grey: AtomicBool,
    threshold: AtomicU8,
    /// OpenCV failed, and the client knows.
    has_failed: AtomicBool,
}

impl Element for Example {
    fn released(&self) {
        *lock(&self.lanes) = None;
    }
}

impl api::OpenCVFilter for Example {}

impl api::OpenCVExample for Example {
    fn create(context: ElementContext, _: OpenCVExampleParams) -> Result<Self> {
        let shared = Arc::new(Shared {
            context: context.clone(),
            formats: Formats::default(),
            is_grey: AtomicBool::new(false),
            threshold: AtomicU8::new(THRESHOLD),
            has_failed: AtomicBool::new(false),
        });
        let treatment: Arc<dyn Treatment> = Arc::new(Pictures(shared.clone()));
        let lanes = Lanes::open(&context, &treatment)?;
        Ok(Self {
            shared,
            lanes: Mutex::new(Some(lanes)),
        })
    }

    fn set_filter_type(&self, filter_type: i32) -> Result<()> {
        let is_grey = match filter_type {
            0 => false,
            1 => true,
            _ => {
                return Err(Error::illegal_parameter(
                    "filterType must be 0 (edges) or 1 (shades of grey)",
                ));
            }
        };
        self.shared.is_grey.store(is_grey, Relaxed);
        Ok(())
    }

    fn set_edge_threshold(&self, edge_value: i32) -> Result<()> {
        let threshold = u8::try_from(edge_value)
            .map_err(|_| Error::illegal_parameter("edgeValue must be 0 to 255"))?;
        self.shared.threshold.store(threshold, Relaxed);
        Ok(())
    }
}

/// White where a picture has edges of this strength, black elsewhere, by its brightness.
fn edges(luma: &[u8], format: &PictureFormat, threshold: u8) -> opencv::Result<Vec<u8>> {
    let side = |pixels: usize| i32::try_from(pixels).unwrap_or(i32::MAX);
    let picture = Mat::new_rows_cols_with_data(side(format.height), side(format.width), luma)?;
    let mut edges = Mat::default();
    let strong = f64::from(threshold);
    // Weaker ones count where they go on from strong ones.
    imgproc::canny(&picture, &mut edges, strong / 2.0, strong, 3, false)?;
    let values = edges.data_bytes()?.iter();
    Ok(values
        .map(|value| if *value > 0 { WHITE } else { BLACK })
        .collect())
}

/// The filter as its pads know it.
struct Pictures(Arc<Shared>);

impl Treatment for Pictures {
    fn drawn(&self, picture: &Packet) -> Option<Packet> {
        let shared = &self.0;
        let format = shared.formats.get(picture.format)?;
        let found = match shared.is_grey.load(Relaxed) {
            true => None,
            false => {
                let luma = picture.bytes.get(..format.luma_size())?;
                match edges(luma, &format, shared.threshold.load(Relaxed)) {
                    Ok(found) => Some(found),
                    Err(error) => {
                        shared.fails(&error);
                        return None;
                    }
                }
            }
        };
        drawn(picture, &format, |Planes([luma, blue, red])| {
            for (plane, _) in [blue, red] {
                plane.fill(NO_COLOUR);
            }
            if let Some(found) = found.filter(|found| found.len() == luma.0.len()) {
                luma.0.copy_from_slice(&found);
            }
        })
    }
}

impl Shared {
    /// OpenCV failed: once is enough to know.
    fn fails(&self, error: &opencv::Error) {
        if !self.has_failed.swap(true, Relaxed) {
            let text = format!("edges are not found: {error}");
            self.context.error("UNEXPECTED_ELEMENT_ERROR", 0, &text);
        }
    }
}

#[cfg(test)]
mod tests {
    use rivero_filter::Colours;

    use super::*;

    #[test]
    fn edges_are_shown_that_are_strong_enough() {
        let format = PictureFormat {
            width: 33,
            height: 21,
            colours: Colours::default(),
        };
        // A weak step on the left and a strong one on the right.
        let row: Vec<u8> = (0..33)
            .map(|x| {
                if x < 10 {
                    60
                } else if x < 22 {
                    80
                } else {
                    200
                }
            })
            .collect();
        let luma = row.repeat(21);
        let columns = |threshold| {
            let edges = edges(&luma, &format, threshold).unwrap();
            let middle = edges[10 * 33..11 * 33].iter().enumerate();
            let white = middle.filter(|(_, value)| **value == WHITE);
            white.map(|(x, _)| x).collect::<Vec<_>>()
        };
        let near =
            |columns: &[usize], x: usize| columns.iter().any(|column| column.abs_diff(x) <= 1);
        let all = columns(40);
        assert!(near(&all, 10) && near(&all, 22), "{all:?}");
        let strong = columns(255);
        assert!(!near(&strong, 10) && near(&strong, 22), "{strong:?}");
    }

    #[test]
    fn small_pictures_have_edges_too() {
        for (width, height) in [(1, 1), (2, 1), (1, 5)] {
            let format = PictureFormat {
                width,
                height,
                colours: Colours::default(),
            };
            let edges = edges(&vec![9; width * height], &format, 10).unwrap();
            assert_eq!(edges, vec![BLACK; width * height]);
        }
    }
}
