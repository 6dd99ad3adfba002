//! ChromaFilter: another background in place of one colour.
//!
//! `filter` answers the client and sees each picture on its way. In the first ones `calibration` learns which colour is that
//! of the background, and makes a key of it (`rivero-filter`), which says of each colour how much of it belongs to the foreground;
//! `matte` does so for a picture, and lays foreground over background. All of it is plain Rust on the planes of the
//! picture as they come: OpenCV would want them converted to other colours and back, which takes longer than this does.

mod calibration;
mod filter;
mod matte;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [api::chroma_filter::<filter::Chroma>()] }
