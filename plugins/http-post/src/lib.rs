//! HttpPostEndpoint: plays what is uploaded to it.
//!
//! `endpoint` answers the client. Its `desk` is where the `server`, one for all
//! endpoints, sends requests that come to the endpoint's URL; `cors` lets pages
//! of other origins ask. The desk's `session` knows who may upload and when that
//! is over. An `upload` takes the `body`, finds the file in it (`form`), sees
//! whether it can be played as it comes (`boxes`) and drives its playback.

mod body;
mod boxes;
mod cors;
mod desk;
mod endpoint;
mod failure;
mod feed;
mod form;
mod server;
mod session;
mod settings;
mod upload;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [api::http_post_endpoint::<endpoint::HttpPost>()] }
