//! What may be written over a picture.

use std::sync::Arc;

use rivero_filter::{Image, NoPicture};
use rivero_plugin_api::{Error, Result};

/// A label as a client gave it; `None` for an empty one.
///
/// # Errors
/// 40003 where no font is installed
pub(super) fn checked(text: String) -> Result<Option<Arc<str>>> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    match Image::label(&text, 1.0) {
        Err(NoPicture::NoFont) => Err(Error::unexpected(
            "labels cannot be drawn: no font is installed (Debian: fonts-dejavu-core)",
        )),
        Err(error) => Err(Error::illegal_parameter(format!("label: {error}"))),
        Ok(_) => Ok(Some(text.into())),
    }
}
