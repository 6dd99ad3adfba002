//! WebRtcEndpoint: a full-ICE DTLS-SRTP peer that forwards media as RTP.
//!
//! * [`peer`]: one transport without I/O: ICE, DTLS, SRTP.
//! * [`data`]: data channels of a transport, without I/O as well.
//! * [`link`]: a peer with its data channels and its RTP session, which is `rivero-rtp-session`'s;
//!   driven by
//! * [`shard`]: a thread with its sockets, which is `rivero-net`'s; endpoints are spread over one per
//!   core. Here is how datagrams find their links, and what connections those have of their own.
//! * [`dscp`]: the mark of an endpoint's packets.
//! * [`resolve`]: names of servers and candidates, on threads of their own.
//! * [`endpoint`]: the control side: negotiation, properties, events, statistics.

mod certificates;
mod data;
mod dscp;
mod endpoint;
mod interfaces;
mod link;
// The load generator in tests/bench builds this folder as a library of its own.
#[expect(
    unreachable_pub,
    reason = "public to the library that tests/bench makes of it"
)]
mod peer;
mod resolve;
mod settings;
mod shard;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [web_rtc_endpoint()] }

fn web_rtc_endpoint() -> rivero_plugin_api::Class {
    certificates::prepare();
    api::web_rtc_endpoint::<endpoint::Endpoint>()
}
