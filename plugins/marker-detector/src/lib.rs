//! ArMarkerdetector: finds ArUco markers, counts them, and draws over them.
//!
//! `filter` answers the client and sees each picture on its way. A crew (`rivero-filter`) looks at some of them: `quads`
//! finds what may be a marker (OpenCV's thresholds and contours), `dictionary` says which one it is, `counts` what of it
//! is news, and `text` makes an image of a text. The module of OpenCV that reads markers is in its contributed half, which
//! brings VTK and MPI to a server; what it has beyond this is the pose, and nobody asks for it here.

mod counts;
mod dictionary;
mod filter;
mod quads;
mod settings;
mod text;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [api::ar_markerdetector::<filter::MarkerDetector>()] }
