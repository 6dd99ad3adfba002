//! RecorderEndpoint: writes media into files and uploads.
//!
//! `endpoint` answers the client and takes packets from its pads into an
//! `intake`. A `writer`, one task for each recording, feeds them to a
//! `recording`: the `timeline` gives every frame its place, `track` reads what
//! has to be known of it (with `rivero-codec`), a `container` makes bytes of it, an `output` takes them.

mod colorimetry;
mod container;
mod endpoint;
mod intake;
mod kinds;
mod memory;
mod output;
mod profile;
mod recording;
mod sample;
mod settings;
mod stats;
mod timeline;
mod track;
mod writer;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [api::recorder_endpoint::<endpoint::Recorder>()] }
