//! An image of a text, in the strokes that OpenCV has built in, which need no font of the server.

use opencv::{
    core::{CV_8UC1, Mat, Point, Scalar},
    imgproc,
    prelude::*,
};
use rivero_filter::Image;

/// Letters of a text; the others are left out, since it is no longer than a marker.
const MOST: usize = 64;
const FONT: i32 = imgproc::FONT_HERSHEY_SIMPLEX;
/// Pixels.
const THICK: i32 = 3;
const OUTLINE: i32 = 8;

/// White with a dark outline; `None` for an empty text. Letters beyond ASCII are question marks.
///
/// # Errors
/// OpenCV's
pub(crate) fn image(text: &str) -> opencv::Result<Option<Image>> {
    let text: String = text.chars().take(MOST).map(drawable).collect();
    if text.trim().is_empty() {
        return Ok(None);
    }
    let mut below = 0;
    let size = imgproc::get_text_size(&text, FONT, 1.5, THICK, &mut below)?;
    let (width, height) = (size.width + 2 * OUTLINE, size.height + below + 2 * OUTLINE);
    let at = Point::new(OUTLINE, OUTLINE + size.height);
    let drawn = |thick: i32| {
        let mut mask = Mat::new_rows_cols_with_default(height, width, CV_8UC1, Scalar::default())?;
        let white = Scalar::all(255.0);
        imgproc::put_text(
            &mut mask,
            &text,
            at,
            FONT,
            1.5,
            white,
            thick,
            imgproc::LINE_AA,
            false,
        )?;
        Ok::<_, opencv::Error>(mask)
    };
    let (letters, outline) = (drawn(THICK)?, drawn(OUTLINE)?);
    let pixels = letters.data_bytes()?.iter().zip(outline.data_bytes()?);
    let pixels = pixels.flat_map(|(white, opacity)| [*white, *white, *white, *opacity]);
    let side = |pixels: i32| u32::try_from(pixels).unwrap_or(0);
    Ok(Image::of_rgba(side(width), side(height), pixels.collect()))
}

fn drawable(letter: char) -> char {
    match letter {
        ' '..='~' => letter,
        _ if letter.is_whitespace() => ' ',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_images_as_long_as_they_are() {
        let aspect = |text: &str| image(text).unwrap().map(|image| image.aspect_ratio());
        assert!(aspect("").is_none() && aspect("  \n").is_none());
        let (short, long) = (aspect("Hi").unwrap(), aspect("Hello, you there").unwrap());
        assert!(long > 3.0 * short, "{short} {long}");
        assert!(aspect("Grüße\u{0}").is_some());
        assert_eq!(aspect(&"x".repeat(10_000)), aspect(&"x".repeat(MOST)));
    }
}
