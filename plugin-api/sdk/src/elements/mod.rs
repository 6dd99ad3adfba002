//! What elements of other kinds than filters stand on.

pub(crate) mod endpoint;
pub(crate) mod hub;
pub(crate) mod sink;
pub(crate) mod source;

use rivero_plugin_api::{Format, MediaKind, Packaging};

/// Raw pictures; the size is each packet's own.
fn raw_pictures() -> Format {
    Format {
        packaging: Packaging::Raw,
        ..Format::rtp("I420", 0, 0)
    }
}

const VIDEO: MediaKind = MediaKind::Video;
