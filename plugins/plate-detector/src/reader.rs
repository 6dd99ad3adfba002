//! Reads the plates of a picture, with Tesseract.

use std::ffi::CString;

use rivero_plugin_api::{Error, Result};
use tesseract_plumbing::TessBaseApi;

use crate::{
    formats,
    glyphs::Glyph,
    grey::Grey,
    rows::{self, Row},
    settings::Settings,
    strip::Strip,
};

/// Shares of the picture's width that plates have where nothing is said.
const ANY_WIDTH: (f64, f64) = (0.03, 0.98);
/// By how much a plate may be wider or narrower than was said.
const ABOUT: f64 = 3.0;

/// A plate in a picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plate {
    /// Letters and digits, without what stands between.
    pub(crate) text: String,
    /// Corners, in shares of the picture's width and height.
    pub(crate) corners: [(f64, f64); 4],
}

/// See the head of this file.
pub(crate) struct Reader {
    tesseract: TessBaseApi,
}

impl Reader {
    /// Makes Tesseract ready.
    ///
    /// # Errors
    /// 40003 saying what is missing and what to do
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let unusable = |reason: &str| {
            Error::unexpected(format!(
                "plates cannot be read with Tesseract's data for \"{}\": {reason}; install them (Debian: \
                 tesseract-ocr-{}), or set PlateDetectorFilter.language and PlateDetectorFilter.dataPath",
                settings.language, settings.language
            ))
        };
        let text = |text: &str| CString::new(text).map_err(|_| unusable("there is a 0 in a name"));
        let mut tesseract = TessBaseApi::create();
        let mut set = |name: &str, value: &str| {
            let set = tesseract.set_variable(&text(name)?, &text(value)?);
            set.map_err(|_| unusable(&format!("Tesseract knows no {name}")))
        };
        // It would write to the server's standard error, also what it says of missing files.
        set("debug_file", "/dev/null")?;
        let path = match &settings.data_path {
            path if path.is_empty() => None,
            path => Some(text(path)?),
        };
        let language = text(&settings.language)?;
        tesseract
            .init_2(path.as_deref(), Some(&language))
            .map_err(|_| unusable("they are not there"))?;
        let mut set = |name: &str, value: &str| {
            let set = tesseract.set_variable(&text(name)?, &text(value)?);
            set.map_err(|_| unusable(&format!("Tesseract knows no {name}")))
        };
        // One line of text.
        set("tessedit_pageseg_mode", "7")?;
        // With this list Tesseract says no longer how sure it is: other things than that must say what is a plate.
        set(
            "tessedit_char_whitelist",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
        )?;
        // Plates are no words.
        set("load_system_dawg", "0")?;
        set("load_freq_dawg", "0")?;
        Ok(Self { tesseract })
    }

    /// The plates in a picture of so many pixels, by its brightness. `width` is the share of the picture's width that
    /// they have about, where that is known.
    pub(crate) fn read(
        &mut self,
        luma: &[u8],
        (width, height): (usize, usize),
        expected: Option<f64>,
    ) -> Vec<Plate> {
        let Some(grey) = Grey::of(luma, width, height) else {
            return Vec::new();
        };
        let (least, most) = expected.map_or(ANY_WIDTH, |width| (width / ABOUT, width * ABOUT));
        let rows = rows::find(&grey, |share| (least..most).contains(&share));
        let plates = rows.iter().filter_map(|row| {
            let text = self.text(&grey, row)?;
            let corners = corners(row, &grey);
            Some(Plate { text, corners })
        });
        plates.collect()
    }

    /// What a row says, if it is a plate: what Tesseract reads twice where it sees the row in several ways, for a line
    /// of letters that are no word is misread now and then.
    fn text(&mut self, grey: &Grey, row: &Row) -> Option<String> {
        let strip = Strip::of(grey, row);
        let characters = strip.characters();
        if !(4..=10).contains(&characters.len()) {
            return None;
        }
        let mut before: Vec<String> = Vec::new();
        for line in strip.lines(&characters) {
            let read = self.recognize(&line);
            let Some(text) = read.and_then(|read| plate(&read, &characters)) else {
                continue;
            };
            if before.contains(&text) {
                return Some(text);
            }
            before.push(text);
        }
        None
    }

    /// Letters and digits of a line.
    pub(crate) fn recognize(&mut self, strip: &Strip) -> Option<String> {
        let side = |pixels: usize| i32::try_from(pixels).ok();
        let (width, height) = (side(strip.width)?, side(strip.height)?);
        let set = self
            .tesseract
            .set_image(&strip.values, width, height, 1, width);
        set.ok()?;
        // Without it Tesseract guesses.
        self.tesseract.set_source_resolution(200);
        self.tesseract.recognize().ok()?;
        let text = self.tesseract.get_utf8_text().ok()?;
        let text = text.as_ref().to_string_lossy();
        let text: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
        (!text.is_empty()).then_some(text)
    }
}

/// What was read of a row as a plate: as many characters as can be seen, or where some of them touch, in the order of a
/// known format.
fn plate(read: &str, characters: &[Glyph]) -> Option<String> {
    let (text, is_of_a_format) = formats::fitted(read);
    let may_touch = |glyph: &Glyph| glyph.width() > 0.9 * glyph.height();
    let touching = characters.iter().filter(|glyph| may_touch(glyph)).count();
    let is_right = match read.len().checked_sub(characters.len()) {
        Some(0) => true,
        Some(more) => is_of_a_format && more <= touching,
        None => false,
    };
    (is_right && formats::is_plate(&text, is_of_a_format)).then_some(text)
}

/// Around the characters, as far as a plate reaches about.
fn corners(row: &Row, grey: &Grey) -> [(f64, f64); 4] {
    let corner = |x: f64, outwards: f64, downwards: f64| {
        let height = row.height(x);
        let x = x + outwards * 0.4 * height;
        let y = row.middles.y(x) + downwards * 0.75 * height;
        (x / grey.width as f64, y / grey.height as f64)
    };
    let (left, right) = (row.left(), row.right());
    [
        corner(left, -1.0, -1.0),
        corner(right, 1.0, -1.0),
        corner(right, 1.0, 1.0),
        corner(left, -1.0, 1.0),
    ]
}

#[cfg(test)]
mod tests {
    use ab_glyph::{Font, FontVec, Glyph as Letter, Point, ScaleFont};

    use super::*;

    const FONTS: &str = "/usr/share/fonts/truetype/dejavu";

    /// A street in grey with a plate in the middle, turned by some degrees and drawn in a font of DejaVu.
    struct Drawing {
        width: usize,
        height: usize,
        values: Vec<u8>,
    }

    impl Drawing {
        fn of(text: &str, font: &str, share: f64, degrees: f64) -> Self {
            let (width, height) = (800, 600);
            let bytes = std::fs::read(format!("{FONTS}/{font}.ttf")).unwrap();
            let font = FontVec::try_from_vec(bytes).unwrap();
            // A plate of 520 by 110 mm in pixels of half a millimetre.
            let plate = plate(&font, text);
            let (sin, cos) = degrees.to_radians().sin_cos();
            let scale = 1040.0 / (share * width as f64);
            let mut random = 7u32;
            let values = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
            let value = |(x, y): (usize, usize)| {
                let (x, y) = (x as f64 - 400.0, y as f64 - 330.0);
                let across = (x * cos + y * sin) * scale + 520.0;
                let down = (y * cos - x * sin) * scale + 110.0;
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = f64::from(random >> 24) / 32.0 - 4.0;
                let is_in = (0.0..1040.0).contains(&across) && (0.0..220.0).contains(&down);
                let street = 70.0 + y.abs() / 8.0;
                let seen = if is_in {
                    mean(&plate, across, down, scale)
                } else {
                    street
                };
                (seen * 0.8 + noise).clamp(0.0, 255.0) as u8
            };
            Self {
                width,
                height,
                values: values.map(value).collect(),
            }
        }
    }

    fn mean(plate: &[u8], across: f64, down: f64, scale: f64) -> f64 {
        let steps = scale.ceil().max(1.0) as usize;
        let (mut sum, mut count) = (0.0, 0.0);
        for (x, y) in (0..steps).flat_map(|y| (0..steps).map(move |x| (x, y))) {
            let (x, y) = (across as usize + x, down as usize + y);
            if x < 1040 && y < 220 {
                sum += f64::from(plate[y * 1040 + x]);
                count += 1.0;
            }
        }
        sum / count
    }

    fn plate(font: &FontVec, text: &str) -> Vec<u8> {
        let mut plate = vec![235; 1040 * 220];
        for (y, row) in plate.chunks_mut(1040).enumerate() {
            row[..90].fill(45);
            for (x, value) in row.iter_mut().enumerate() {
                let is_edge = !(6..1034).contains(&x) || !(6..214).contains(&y);
                *value = if is_edge { 25 } else { *value };
            }
        }
        let scaled = font.as_scaled(190.0);
        let length: f32 = text
            .chars()
            .map(|letter| scaled.h_advance(scaled.glyph_id(letter)))
            .sum();
        let narrow = (880.0 / length).min(1.0);
        let mut x = 120.0;
        for letter in text.chars() {
            let id = scaled.glyph_id(letter);
            let place = Point { x, y: 175.0 };
            let scale = ab_glyph::PxScale {
                x: 190.0 * narrow,
                y: 190.0,
            };
            let letter = Letter {
                id,
                scale,
                position: place,
            };
            x += scaled.h_advance(id) * narrow;
            let Some(outline) = font.outline_glyph(letter) else {
                continue;
            };
            let bounds = outline.px_bounds();
            outline.draw(|column, row, ink| {
                let (x, y) = (
                    bounds.min.x as usize + column as usize,
                    bounds.min.y as usize + row as usize,
                );
                if let Some(value) = plate.get_mut(y * 1040 + x).filter(|_| y < 205) {
                    *value = (f32::from(*value) * (1.0 - ink) + 20.0 * ink) as u8;
                }
            });
        }
        plate
    }

    fn read(reader: &mut Reader, drawing: &Drawing, expected: Option<f64>) -> Vec<String> {
        let size = (drawing.width, drawing.height);
        let plates = reader.read(&drawing.values, size, expected);
        plates.into_iter().map(|plate| plate.text).collect()
    }

    #[test]
    fn plates_are_read_in_many_formats_sizes_and_positions() {
        let mut reader = Reader::new(&Settings::default()).unwrap();
        let drawn = [
            ("AB-123-CD", "DejaVuSans-Bold", 0.4, 0.0),
            ("4821 KMR", "DejaVuSansMono-Bold", 0.3, 4.0),
            ("M XK 4711", "DejaVuSansCondensed-Bold", 0.25, -5.0),
            ("LB62 XWE", "DejaVuSansCondensed-Bold", 0.6, -8.0),
            ("WX 48213", "DejaVuSans-Bold", 0.2, 2.0),
            ("27-KRV-4", "DejaVuSansCondensed-Bold", 0.35, 9.0),
            ("FZG 308", "DejaVuSansMono-Bold", 0.5, -3.0),
            ("ZH 583962", "DejaVuSansCondensed-Bold", 0.28, 6.0),
            ("3B7 1946", "DejaVuSans-Bold", 0.45, -2.0),
            ("EK 204 PM", "DejaVuSansMono-Bold", 0.33, 1.0),
        ];
        let wrong = drawn.iter().filter_map(|(text, font, share, degrees)| {
            let found = read(
                &mut reader,
                &Drawing::of(text, font, *share, *degrees),
                None,
            );
            let wanted = text.replace([' ', '-'], "");
            (found != [wanted]).then(|| format!("{text} in {font}: {found:?}"))
        });
        let wrong: Vec<String> = wrong.collect();
        assert!(wrong.len() <= 1, "{wrong:?}");
    }

    #[test]
    fn plates_of_another_width_than_was_said_are_none() {
        let mut reader = Reader::new(&Settings::default()).unwrap();
        let drawing = Drawing::of("AB-123-CD", "DejaVuSans-Bold", 0.3, 0.0);
        assert_eq!(read(&mut reader, &drawing, Some(0.3)), ["AB123CD"]);
        assert_eq!(read(&mut reader, &drawing, Some(0.02)), [""; 0]);
    }

    #[test]
    fn other_texts_and_odd_pictures_are_no_plates() {
        let mut reader = Reader::new(&Settings::default()).unwrap();
        for text in ["WELCOME", "20261201", "A1", "        "] {
            let drawing = Drawing::of(text, "DejaVuSans-Bold", 0.4, 0.0);
            assert_eq!(read(&mut reader, &drawing, None), [""; 0], "{text}");
        }
        for (width, height) in [(0, 0), (1, 1), (3, 2), (2000, 1), (1, 900)] {
            assert_eq!(
                reader.read(&vec![9; width * height], (width, height), None),
                []
            );
        }
        assert_eq!(reader.read(&[0; 10], (640, 480), None), []);
    }

    #[test]
    fn what_is_missing_is_said() {
        for (language, data_path) in [("nolanguage", ""), ("eng", "/nowhere"), ("e\0ng", "")] {
            let settings = Settings {
                language: language.to_owned(),
                data_path: data_path.to_owned(),
            };
            let error = Reader::new(&settings).err().unwrap();
            assert_eq!(error.code, 40003);
            assert!(
                error.message.contains("PlateDetectorFilter.language"),
                "{error}"
            );
        }
    }
}
