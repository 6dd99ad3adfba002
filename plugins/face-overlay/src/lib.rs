//! FaceOverlayFilter: draws an image over faces.
//!
//! `filter` answers the client and sees each picture on its way. Now and then one of them goes to
//! a crew (`rivero-filter`), threads on which faces are found (`rivero-faces`), and what is drawn is made there. So a picture waits for nothing but drawing.

mod filter;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [api::face_overlay_filter::<filter::FaceOverlay>()] }
