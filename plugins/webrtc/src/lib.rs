//! WebRtcEndpoint: a full-ICE DTLS-SRTP peer that forwards media as RTP.
//!
//! * [`peer`]: one transport without I/O: ICE, DTLS, SRTP.
//! * [`data`]: data channels of a transport, without I/O as well.
//! * [`track`]: media of one kind on a transport; pure logic as well.
//! * [`transport`]: a peer with its tracks, driven by
//! * [`shard`]: a thread with its sockets; endpoints are spread over one per core.
//! * [`dscp`]: the mark of an endpoint's packets.
//! * [`resolve`]: names of servers and candidates, on threads of their own.
//! * [`endpoint`]: the control side: negotiation, properties, events, statistics.

mod certificates;
mod data;
mod dscp;
mod endpoint;
mod interfaces;
// The load generator in tests/bench builds this folder as a library of its own.
#[expect(
    unreachable_pub,
    reason = "public to the library that tests/bench makes of it"
)]
mod peer;
mod resolve;
mod settings;
mod shard;
mod track;
mod transport;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! { classes: [web_rtc_endpoint()] }

fn web_rtc_endpoint() -> rivero_plugin_api::Class {
    certificates::prepare();
    api::web_rtc_endpoint::<endpoint::Endpoint>()
}
