//! GStreamerExample: shows the edges in pictures, or their shades of grey.
//!
//! The smallest filter that has elements of GStreamer treat pictures: `filter` makes two rows of them, and chooses one.

mod filter;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [api::gstreamer_example::<filter::Example>()] }
