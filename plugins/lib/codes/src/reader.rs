//! Reads the codes in a picture, by the library rxing.

use rxing::{BarcodeFormat, DecodeHints, RXingResult, helpers};

/// Pixels of a side, of what is looked at: larger pictures are halved until they fit, as their codes are
/// larger, too, and reading takes time with each pixel.
const LARGEST: usize = 1280;
/// Bars are read along rows and columns, about 15 degrees to either side. So each look turns the picture by
/// another one of these angles as well, in degrees; codes of squares are found whichever way they lie.
const TURNS: [f64; 5] = [30.0, 45.0, 60.0, -30.0, -60.0];

/// A code as clients are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// What ZBar calls it.
    pub kind: &'static str,
    /// What it says.
    pub text: String,
    /// It has a check that is worth it, so that it is hardly ever read where there is none: that of UPC-E,
    /// a digit in the pattern of six, is found in parts of longer codes.
    pub is_checked: bool,
}

/// Reads one picture after the other.
#[derive(Debug, Default)]
pub struct Reader {
    looks: usize,
}

/// A picture's brightness.
struct Luma {
    values: Vec<u8>,
    width: usize,
    height: usize,
}

impl Reader {
    /// The codes in a picture of so many pixels, each once.
    pub fn read(&mut self, luma: &[u8], width: usize, height: usize) -> Vec<Code> {
        let values = luma.get(..width * height).unwrap_or_default();
        if values.is_empty() {
            return Vec::new();
        }
        let mut picture = Luma {
            values: values.to_vec(),
            width,
            height,
        };
        while picture.width.max(picture.height) > LARGEST {
            picture = picture.half();
        }
        let angle = TURNS.get(self.looks % TURNS.len()).copied();
        self.looks = self.looks.wrapping_add(1);
        let turned = picture.turned(angle.unwrap_or_default());
        let mut codes = decode(picture, BARS.iter().chain(&OTHERS));
        for code in decode(turned, BARS.iter()) {
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        codes
    }
}

/// Codes that are bars.
const BARS: [BarcodeFormat; 10] = [
    BarcodeFormat::EAN_13,
    BarcodeFormat::EAN_8,
    BarcodeFormat::UPC_A,
    BarcodeFormat::UPC_E,
    BarcodeFormat::CODE_128,
    BarcodeFormat::CODE_39,
    BarcodeFormat::CODE_93,
    BarcodeFormat::ITF,
    BarcodeFormat::RSS_14,
    BarcodeFormat::RSS_EXPANDED,
];
/// Codes of squares, and of rows of bars.
const OTHERS: [BarcodeFormat; 4] = [
    BarcodeFormat::QR_CODE,
    BarcodeFormat::PDF_417,
    BarcodeFormat::DATA_MATRIX,
    BarcodeFormat::AZTEC,
];

fn decode<'a>(picture: Luma, formats: impl Iterator<Item = &'a BarcodeFormat>) -> Vec<Code> {
    let (Ok(width), Ok(height)) = (picture.width.try_into(), picture.height.try_into()) else {
        return Vec::new();
    };
    let mut hints = DecodeHints {
        PossibleFormats: Some(formats.copied().collect()),
        TryHarder: Some(true),
        AlsoInverted: Some(true),
        ..DecodeHints::default()
    };
    // No code is an error to the library.
    let found =
        helpers::detect_multiple_in_luma_with_hints(picture.values, width, height, &mut hints);
    let mut codes: Vec<Code> = Vec::new();
    for code in found.unwrap_or_default().iter().filter_map(code) {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

fn code(result: &RXingResult) -> Option<Code> {
    let text = result.getText();
    let (kind, is_checked) = match result.getBarcodeFormat() {
        BarcodeFormat::QR_CODE => ("QR-Code", true),
        BarcodeFormat::EAN_13 => ("EAN-13", true),
        // The same bars as those of a longer number that begins with 0, which is what ZBar tells.
        BarcodeFormat::UPC_A => {
            return Some(Code {
                kind: "EAN-13",
                text: format!("0{text}"),
                is_checked: true,
            });
        }
        BarcodeFormat::EAN_8 => ("EAN-8", true),
        BarcodeFormat::UPC_E => ("UPC-E", false),
        BarcodeFormat::CODE_128 => ("CODE-128", true),
        BarcodeFormat::CODE_39 => ("CODE-39", false),
        BarcodeFormat::CODE_93 => ("CODE-93", true),
        BarcodeFormat::ITF => ("I2/5", false),
        BarcodeFormat::RSS_14 => ("DataBar", true),
        BarcodeFormat::RSS_EXPANDED => ("DataBar-Exp", true),
        BarcodeFormat::PDF_417 => ("PDF417", true),
        BarcodeFormat::DATA_MATRIX => ("DataMatrix", true),
        BarcodeFormat::AZTEC => ("Aztec", true),
        _ => return None,
    };
    Some(Code {
        kind,
        text: text.to_owned(),
        is_checked,
    })
}

impl Luma {
    /// Half as wide and as high, each pixel the mean of four; a last odd row or column is left out.
    fn half(&self) -> Self {
        let (width, height) = (self.width / 2, self.height / 2);
        let mut values = Vec::with_capacity(width * height);
        for rows in self.values.chunks_exact(2 * self.width) {
            let (upper, lower) = rows.split_at(self.width);
            let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
            values.extend(pairs.map(|(upper, lower)| {
                let sum: u16 = upper
                    .iter()
                    .chain(lower)
                    .map(|value| u16::from(*value))
                    .sum();
                u8::try_from((sum + 2) / 4).unwrap_or(u8::MAX)
            }));
        }
        Self {
            values,
            width,
            height,
        }
    }

    /// Turned about its middle by so many degrees, in a frame that it fits into; grey around it.
    fn turned(&self, degrees: f64) -> Self {
        const GREY: u8 = 128;
        let (sin, cos) = degrees.to_radians().sin_cos();
        let (wide, high) = (self.width as f64, self.height as f64);
        let side = |along: f64, across: f64| (along * cos.abs() + across * sin.abs()).ceil();
        let (width, height) = (side(wide, high), side(high, wide));
        let mut values = Vec::with_capacity(width as usize * height as usize);
        for row in 0..height as usize {
            let y = row as f64 + 0.5 - height / 2.0;
            for column in 0..width as usize {
                let x = column as f64 + 0.5 - width / 2.0;
                let from_x = (x * cos + y * sin + wide / 2.0).floor();
                let from_y = (y * cos - x * sin + high / 2.0).floor();
                let inside = (0.0..wide).contains(&from_x) && (0.0..high).contains(&from_y);
                let at = from_y as usize * self.width + from_x as usize;
                let value = inside.then(|| self.values.get(at).copied()).flatten();
                values.push(value.unwrap_or(GREY));
            }
        }
        Self {
            values,
            width: width as usize,
            height: height as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use rxing::{MultiFormatWriter, Writer};

    use super::*;

    /// A code with `pixels` for each module, quiet around it.
    fn drawn(format: BarcodeFormat, text: &str, pixels: usize) -> Luma {
        let matrix = MultiFormatWriter.encode(text, &format, 0, 0).unwrap();
        let bars = matrix.getHeight() == 1;
        let (across, down) = (matrix.getWidth() as usize, matrix.getHeight() as usize);
        let rows = if bars { 40 } else { down };
        let quiet = 6;
        let (width, height) = ((across + 2 * quiet) * pixels, (rows + 2 * quiet) * pixels);
        let mut values = vec![235; width * height];
        for (index, value) in values.iter_mut().enumerate() {
            let (x, y) = (index % width / pixels, index / width / pixels);
            if (quiet..quiet + across).contains(&x) && (quiet..quiet + rows).contains(&y) {
                let row = if bars { 0 } else { y - quiet };
                if matrix.get((x - quiet) as u32, row as u32) {
                    *value = 20;
                }
            }
        }
        Luma {
            values,
            width,
            height,
        }
    }

    /// What is read of a picture in as many looks as it takes to turn it every way.
    fn read(picture: &Luma) -> HashSet<(&'static str, String)> {
        let mut reader = Reader::default();
        let looks = (0..TURNS.len())
            .flat_map(|_| reader.read(&picture.values, picture.width, picture.height));
        looks.map(|code| (code.kind, code.text)).collect()
    }

    fn inverted(mut picture: Luma) -> Luma {
        picture
            .values
            .iter_mut()
            .for_each(|value| *value = 255 - *value);
        picture
    }

    /// Two pictures beside each other.
    fn beside(left: &Luma, right: &Luma) -> Luma {
        let (width, height) = (left.width + right.width, left.height.max(right.height));
        let mut values = vec![235; width * height];
        for (picture, begin) in [(left, 0), (right, left.width)] {
            for (row, from) in values
                .chunks_mut(width)
                .zip(picture.values.chunks(picture.width))
            {
                row[begin..begin + picture.width].copy_from_slice(from);
            }
        }
        Luma {
            values,
            width,
            height,
        }
    }

    const LINK: &str = "http://example.org/a?b=c";

    #[test]
    fn squares_are_read_at_every_angle_small_and_white_on_black() {
        for angle in (0..360).step_by(15) {
            let picture = drawn(BarcodeFormat::QR_CODE, LINK, 3).turned(f64::from(angle));
            let expected = HashSet::from([("QR-Code", LINK.to_owned())]);
            assert_eq!(read(&picture), expected, "{angle}");
        }
        let picture = inverted(drawn(BarcodeFormat::QR_CODE, LINK, 3));
        assert_eq!(read(&picture).len(), 1);
    }

    #[test]
    fn bars_are_read_at_every_angle() {
        for angle in (0..360).step_by(15) {
            let picture = drawn(BarcodeFormat::EAN_13, "4006381333931", 3).turned(f64::from(angle));
            let found = read(&picture);
            assert!(
                found.contains(&("EAN-13", "4006381333931".to_owned())),
                "{angle}: {found:?}"
            );
        }
    }

    #[test]
    fn kinds_have_the_names_of_zbar() {
        for (format, text, kind, told) in [
            (BarcodeFormat::EAN_8, "96385074", "EAN-8", "96385074"),
            (
                BarcodeFormat::UPC_A,
                "036000291452",
                "EAN-13",
                "0036000291452",
            ),
            (
                BarcodeFormat::CODE_128,
                "Rivero 128",
                "CODE-128",
                "Rivero 128",
            ),
            (BarcodeFormat::CODE_39, "RIVERO", "CODE-39", "RIVERO"),
            (BarcodeFormat::CODE_93, "RIVERO93", "CODE-93", "RIVERO93"),
            (BarcodeFormat::ITF, "12345678", "I2/5", "12345678"),
            (BarcodeFormat::PDF_417, "Rivero 417", "PDF417", "Rivero 417"),
            (BarcodeFormat::DATA_MATRIX, "Rivero", "DataMatrix", "Rivero"),
            (BarcodeFormat::AZTEC, "Rivero", "Aztec", "Rivero"),
        ] {
            let found = read(&drawn(format, text, 3));
            assert!(
                found.contains(&(kind, told.to_owned())),
                "{kind}: {found:?}"
            );
        }
    }

    #[test]
    fn two_in_a_picture_are_both_read() {
        let (qr, ean) = (BarcodeFormat::QR_CODE, BarcodeFormat::EAN_13);
        let picture = beside(&drawn(qr, "left", 4), &drawn(qr, "right", 4));
        let texts: HashSet<String> = read(&picture).into_iter().map(|(_, text)| text).collect();
        assert_eq!(
            texts,
            HashSet::from(["left".to_owned(), "right".to_owned()])
        );
        let picture = beside(&drawn(qr, "left", 4), &drawn(ean, "4006381333931", 3));
        assert_eq!(read(&picture).len(), 2);
    }

    #[test]
    fn large_pictures_are_read() {
        let picture = drawn(BarcodeFormat::QR_CODE, LINK, 50);
        assert!(picture.width > LARGEST);
        assert_eq!(read(&picture).len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]
        #[test]
        fn noise_has_no_checked_codes(
            values in proptest::collection::vec(any::<u8>(), 96 * 64..=96 * 64),
            width in 0usize..=96, height in 0usize..=64,
        ) {
            let found = Reader::default().read(&values, width, height);
            prop_assert!(found.iter().all(|code| !code.is_checked), "{:?}", found);
        }
    }
}
