//! PlayerEndpoint: plays files and streams.
//!
//! `endpoint` answers the client and hands what it wants to a `deck`, a thread
//! that begins with the first `play` and ends with the endpoint. It makes a
//! `playback`, a pipeline of GStreamer, out of a `source`, what a URI means for
//! it, whose tracks `rivero_gst` turns into packets. What comes by HTTP is a
//! `download`, which a `feed` brings to the pipeline; `hls` are the streams that
//! playlists of segments name, and `lists` name files and streams to be played one after the other.

mod deck;
mod download;
mod endpoint;
mod failure;
mod feed;
mod hls;
mod items;
mod jpeg;
mod lists;
mod playback;
mod range;
mod reports;
mod settings;
mod source;
#[cfg(test)]
mod tests;
mod unpacking;
mod watch;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [api::player_endpoint::<endpoint::Player>()] }
