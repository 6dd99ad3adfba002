//! RecorderEndpoint: writes media into files and uploads.
//!
//! `endpoint` answers the client and takes packets from its pads into an
//! `intake`. A `writer`, one task for each recording, feeds them to a
//! `recording`: the `timeline` gives every frame its place, `track` reads what
//! has to be known of it (with `rivero-codec`), a `container` makes bytes of it, an `output` takes them.
//! What goes to a store of objects is written into the `spool` and brought away by `s3`.

mod colorimetry;
mod container;
mod endpoint;
mod intake;
mod kinds;
mod memory;
mod output;
mod profile;
mod recording;
mod s3;
mod sample;
mod settings;
mod spool;
mod stats;
mod threads;
mod timeline;
mod track;
mod uploads;
mod writer;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [recorder_endpoint()] }

/// Asked for when the module starts: so what an earlier server has left goes on then. Where the module is only tried out there
/// is no server, and nothing goes on.
fn recorder_endpoint() -> rivero_plugin_api::Class {
    spool::resume();
    api::recorder_endpoint::<endpoint::Recorder>()
}
