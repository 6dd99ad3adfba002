//! CrowdDetectorFilter: how full regions of the picture are, how much of it moves, and whereto.
//!
//! `filter` answers the client and sees each picture on its way. A crew (`rivero-filter`) looks at some of them: `scene`
//! tells what is there from the background and what of it moves, `flow` whereto; `regions` are what clients ask for,
//! and `levels` says which of what is measured is news. All of it is plain Rust on a small copy of the picture: what
//! OpenCV would add are background models that take in who stands still, which a crowd does.

mod filter;
mod flow;
mod levels;
mod regions;
mod scene;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [api::crowd_detector_filter::<filter::CrowdDetector>()] }
