//! VideoSampler: sends pictures of a video to a gRPC service.
//!
//! `sampler` answers the client and sees each picture on its way; `schedule` says which are due. A crew (`rivero-filter`)
//! makes files of those (`encode`), the latest of which waits in the `outbox`. One thread (`runtime`) sends for all
//! samplers: `delivery` takes them, `channel` is a connection to the `target`, `message` what is said over it, `failure`
//! why it was in vain, and `gate` says for how long the service is left alone then. `tally` tells and counts what became
//! of each picture.

mod channel;
mod delivery;
mod encode;
mod failure;
mod gate;
mod message;
mod outbox;
mod runtime;
mod sampler;
mod schedule;
mod tally;
mod target;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [api::video_sampler::<sampler::VideoSampler>()] }
