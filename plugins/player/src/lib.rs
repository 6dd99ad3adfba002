//! PlayerEndpoint: plays files and streams.
//!
//! `endpoint` answers the client and hands what it wants to a `deck`, a thread
//! that begins with the first `play` and ends with the endpoint. It makes a
//! `playback`, a pipeline of GStreamer, out of a `source`, what a URI means for
//! it; each `track` of it ends in an `outlet`, which pushes into a pad.

mod deck;
mod endpoint;
mod failure;
mod outlet;
mod playback;
mod range;
mod settings;
mod source;
mod track;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [api::player_endpoint::<endpoint::Player>()] }
