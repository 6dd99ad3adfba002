//! PointerDetectorFilter: follows an object by its colour, and tells when it enters and leaves windows.
//!
//! `filter` answers the client and sees each picture on its way. A crew (`rivero-filter`) looks at some of them: `tracker`
//! learns the colours of the object and finds it. `windows` knows in which of them it is, and what they look like.
//! All of it is plain Rust on a small copy of the picture, which needs no OpenCV to be found in.

mod filter;
mod tracker;
mod windows;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [api::pointer_detector_filter::<filter::PointerDetector>()] }
