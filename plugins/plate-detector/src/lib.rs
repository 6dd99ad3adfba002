//! PlateDetectorFilter: reads number plates.
//!
//! `filter` answers the client and sees each picture on its way. A crew (`rivero-filter`) looks at some of them: `glyphs` finds what may
//! be characters in the brightness (`grey`), `rows` those that stand in line as on a plate, `strip` makes a straight line
//! of them, which the `reader` has Tesseract read. `formats` tells an O from a 0, and `sightings` says what is news.

mod filter;
mod formats;
mod glyphs;
mod grey;
mod reader;
mod rows;
mod settings;
mod sightings;
mod strip;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [api::plate_detector_filter::<filter::PlateDetector>()] }
