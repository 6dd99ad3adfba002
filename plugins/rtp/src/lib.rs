//! RtpEndpoint: a peer of plain RTP, or of SRTP with keys in the session description.
//!
//! * [`peer`]: one section of a description: an RTP session with its sockets, keys and the address of
//!   its peer, driven by
//! * [`shard`]: a thread, which is `rivero-net`'s; endpoints are spread over one per core.
//! * [`ports`]: pairs of UDP ports.
//! * [`address`]: which of the machine's addresses a description names.
//! * [`endpoint`]: the control side: negotiation, properties, events, statistics.

mod address;
mod endpoint;
mod peer;
mod ports;
mod settings;
mod shard;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [api::rtp_endpoint::<endpoint::Endpoint>()] }
