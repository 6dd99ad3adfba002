//! FaceOverlayFilter: draws an image over faces.
//!
//! `filter` answers the client and sees each picture on its way. Now and then one of them goes to
//! a crew (`rivero-filter`), threads on which a `detector` (OpenCV) finds faces; `faces`
//! remembers them, and what is drawn is made there. So a picture waits for nothing but drawing.

mod detector;
mod faces;
mod filter;
mod settings;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [api::face_overlay_filter::<filter::FaceOverlay>()] }
