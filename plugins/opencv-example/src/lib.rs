//! OpenCVExample: shows the edges in pictures, or their shades of grey.
//!
//! The smallest filter that uses OpenCV: `filter` answers the client and changes each picture on its way.

mod filter;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [api::opencv_example::<filter::Example>()] }
