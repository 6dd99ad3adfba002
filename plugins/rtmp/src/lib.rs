//! RtmpPublisher: sends media to RTMP servers.
//!
//! `endpoint` answers the client and takes packets from its pads into a `feed`. A `task`, one for each publisher, all on one
//! thread, makes connections (`connection`) and moves media: `media` gives frames their order, their stamps and the form
//! that RTMP has them in, `protocol` is what is said to the server. Neither of the two has a clock or does I/O.

mod connection;
mod endpoint;
mod failure;
mod feed;
mod figures;
mod media;
mod protocol;
mod settings;
mod task;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [api::rtmp_publisher::<endpoint::Publisher>()] }
