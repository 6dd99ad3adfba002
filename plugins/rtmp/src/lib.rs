//! RtmpPublisher sends media to RTMP servers, RtmpPlayer plays from them, RtmpIngest lets publishers in.
//!
//! `endpoint` answers the client. All tasks are on one thread (`runtime`). Neither `media` nor `protocol` has a clock or
//! does I/O.
//!
//! * Out: packets come from pads into a `feed`; a `task`, one for each publisher, makes connections (`connection`) and moves
//!   media over them (`publication`): `media` gives frames their order, their stamps and the form that RTMP has them in.
//! * In: a player's `playback` makes connections, an `ingest` waits for them; what comes over either goes to the pads by
//!   `output`.
//! * `protocol` is what is said, as a client and as a server.

mod attempts;
mod connection;
mod endpoint;
mod failure;
mod feed;
mod figures;
mod ingest;
mod media;
mod meter;
mod output;
mod playback;
mod protocol;
mod publication;
mod round_trip;
mod runtime;
mod settings;
mod task;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! {
    classes: [
        api::rtmp_ingest::<endpoint::Ingest>(),
        api::rtmp_player::<endpoint::Player>(),
        api::rtmp_publisher::<endpoint::Publisher>(),
    ]
}
