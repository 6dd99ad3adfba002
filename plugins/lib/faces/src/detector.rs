//! Finds faces with OpenCV.

use std::path::Path;

use opencv::{
    core::{self, Mat, Rect, Size, Vector},
    imgproc,
    objdetect::CascadeClassifier,
    prelude::*,
};
use rivero_filter::PictureFormat;
use rivero_plugin_api::Error;

use crate::Face;

/// Pixels; faces are looked for in a copy that is no wider.
const WIDTH: usize = 320;
/// How much larger faces are looked for from one step to the next.
const STEP: f64 = 1.2;
/// So many places must agree on a face.
const NEIGHBOURS: i32 = 3;
/// Pixels of the copy; smaller faces are not looked for.
const SMALLEST: i32 = 24;
/// More faces than this are no faces.
const MOST: usize = 32;

/// See the head of this file.
pub struct Detector {
    classifier: CascadeClassifier,
    small: Mat,
    even: Mat,
}

impl Detector {
    /// Reads the file of a cascade.
    ///
    /// # Errors
    /// 40003 saying what is wrong with it and what to do
    pub fn new(cascade: &Path) -> Result<Self, Error> {
        let unusable = |reason: String| {
            Error::unexpected(format!(
                "faces cannot be found without the cascade {}: {reason}; install OpenCV's data \
                 (Debian: opencv-data), or set FaceOverlayFilter.cascade",
                cascade.display()
            ))
        };
        std::fs::File::open(cascade).map_err(|error| unusable(error.to_string()))?;
        // Each detector has a thread of the crew; OpenCV is not to start more.
        core::set_num_threads(1).map_err(|error| unusable(error.message))?;
        let mut classifier =
            CascadeClassifier::default().map_err(|error| unusable(error.message))?;
        let is_loaded = classifier.load(cascade);
        match is_loaded {
            Ok(true) => {}
            Ok(false) => return Err(unusable("it is no cascade".to_owned())),
            Err(error) => return Err(unusable(error.message)),
        }
        Ok(Self {
            classifier,
            small: Mat::default(),
            even: Mat::default(),
        })
    }

    /// The faces in a picture, by its brightness.
    ///
    /// # Errors
    /// OpenCV's
    pub fn find(
        &mut self,
        luma: &[u8],
        format: &PictureFormat,
    ) -> Result<Vec<Face>, opencv::Error> {
        let picture = Mat::new_rows_cols_with_data(side(format.height), side(format.width), luma)?;
        let width = format.width.min(WIDTH);
        let height = (format.height * width / format.width.max(1)).max(1);
        let size = Size::new(side(width), side(height));
        imgproc::resize(
            &picture,
            &mut self.small,
            size,
            0.0,
            0.0,
            imgproc::INTER_AREA,
        )?;
        imgproc::equalize_hist(&self.small, &mut self.even)?;
        let mut found = Vector::<Rect>::new();
        let smallest = Size::new(SMALLEST, SMALLEST);
        self.classifier.detect_multi_scale(
            &self.even,
            &mut found,
            STEP,
            NEIGHBOURS,
            0,
            smallest,
            Size::default(),
        )?;
        let relative = |place: i32, side: usize| f64::from(place) / side as f64;
        let faces = found.iter().take(MOST).map(|found| Face {
            x: relative(found.x, width),
            y: relative(found.y, height),
            width: relative(found.width, width),
            height: relative(found.height, height),
        });
        Ok(faces.collect())
    }
}

fn side(pixels: usize) -> i32 {
    i32::try_from(pixels).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use rivero_filter::Colours;

    const FACE: &[u8] = include_bytes!("../../../../tests/pages/face.png");

    fn detector() -> Detector {
        Detector::new(&Settings::default().cascade).unwrap()
    }

    fn format(width: usize, height: usize) -> PictureFormat {
        PictureFormat {
            width,
            height,
            colours: Colours::default(),
        }
    }

    /// A grey picture with drawn faces, `height` pixels high, at these places.
    fn picture(format: &PictureFormat, faces: &[(usize, usize)], height: u32) -> Vec<u8> {
        let face = image::load_from_memory(FACE).unwrap();
        let face = face.resize(4000, height, image::imageops::FilterType::Triangle);
        let face = face.to_luma_alpha8();
        let mut luma = vec![120; format.luma_size()];
        for (left, top) in faces {
            for (x, y, pixel) in face.enumerate_pixels() {
                let [value, opacity] = pixel.0.map(u32::from);
                let at = (top + y as usize) * format.width + left + x as usize;
                let below = u32::from(luma[at]);
                luma[at] = ((value * opacity + below * (255 - opacity)) / 255) as u8;
            }
        }
        luma
    }

    /// Whether the middle of a face is where it was drawn.
    fn is_at(face: &Face, (x, y): (f64, f64)) -> bool {
        let middle = (face.x + face.width / 2.0, face.y + face.height / 2.0);
        (middle.0 - x).abs() < 0.06 && (middle.1 - y).abs() < 0.1
    }

    #[test]
    fn a_drawn_face_is_found_at_its_place() {
        let format = format(640, 480);
        let found = |left| {
            let luma = picture(&format, &[(left, 120)], 225);
            detector().find(&luma, &format).unwrap()
        };
        let left = found(60);
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(is_at(&left[0], (150.0 / 640.0, 240.0 / 480.0)), "{left:?}");
        let right = found(380);
        assert!(is_at(&right[0], (470.0 / 640.0, 0.5)), "{right:?}");
    }

    #[test]
    fn all_faces_are_found_in_pictures_of_any_size() {
        let large = format(1280, 721);
        let luma = picture(&large, &[(100, 100), (800, 300)], 320);
        assert_eq!(detector().find(&luma, &large).unwrap().len(), 2);
        let small = format(161, 121);
        let luma = picture(&small, &[(40, 10)], 90);
        assert_eq!(detector().find(&luma, &small).unwrap().len(), 1);
        for (width, height) in [(1, 1), (3, 2), (16, 400), (4000, 1)] {
            let format = format(width, height);
            let luma = vec![7; format.luma_size()];
            assert_eq!(detector().find(&luma, &format).unwrap().len(), 0);
        }
    }

    #[test]
    fn a_picture_that_is_too_short_is_an_error() {
        assert!(detector().find(&[0; 10], &format(640, 480)).is_err());
    }

    #[test]
    fn what_is_no_cascade_is_an_error_that_says_what_to_do() {
        let file = |name: &str, text: &str| {
            let path = std::env::temp_dir().join(format!("rivero-{}-{name}", std::process::id()));
            std::fs::write(&path, text).unwrap();
            path
        };
        let broken = [
            "/nowhere.xml".into(),
            file("empty.xml", ""),
            file("text.xml", "just a text"),
            file(
                "other.xml",
                "<?xml version=\"1.0\"?><opencv_storage><a>1</a></opencv_storage>",
            ),
            file(
                "cut.xml",
                "<?xml version=\"1.0\"?><opencv_storage><cascade>",
            ),
        ];
        for path in broken {
            let error = Detector::new(&path).err().unwrap();
            assert_eq!(error.code, 40003);
            assert!(
                error.message.contains("FaceOverlayFilter.cascade"),
                "{error}"
            );
            let _ = std::fs::remove_file(path);
        }
    }
}
