//! GStreamerFilter, ImageOverlayFilter and ZBarFilter.

mod codes;
mod gstreamer;
mod overlay;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! {
    classes: [
        api::gstreamer_filter::<gstreamer::GStreamer>(),
        api::image_overlay_filter::<overlay::ImageOverlay>(),
        api::z_bar_filter::<codes::Codes>(),
    ]
}
