//! Fuzz targets: functions of bytes that must neither panic nor take long, whatever the bytes.
//!
//! To add one: a file in `targets/` with `pub fn run(input: &[u8])`, a line in [`TARGETS`], and a
//! directory of that name in `corpus/` with small inputs to begin with. `make fuzz` runs them
//! under libFuzzer; `make test` runs every committed input through its target. An input that
//! libFuzzer found a mistake with goes into the corpus together with the fix.

#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "what does not hold is to end the target"
)]

mod data;

/// What these need of the module's peer.
mod peer {
    pub(crate) use rivero_bench_peer::DtlsRole;
}

/// What servers say to the publisher of RTMP: the module's own files, since a module is no library.
#[allow(dead_code, reason = "the targets use a part of it")]
#[path = "."]
mod rtmp_module {
    #[path = "../../../plugins/rtmp/src/protocol/amf0.rs"]
    pub(crate) mod amf0;
    #[path = "../../../plugins/rtmp/src/protocol/chunk_reader.rs"]
    pub(crate) mod chunk_reader;
    #[cfg(test)]
    #[path = "../../../plugins/rtmp/src/protocol/chunk_writer.rs"]
    mod chunk_writer;
    #[path = "../../../plugins/rtmp/src/protocol/message.rs"]
    mod message;
}

mod targets {
    pub(super) mod amf0;
    pub(super) mod candidate;
    pub(super) mod configuration;
    pub(super) mod dtls;
    pub(super) mod elf;
    pub(super) mod http;
    pub(super) mod json_rpc;
    pub(super) mod kmd;
    pub(super) mod peer;
    pub(super) mod rtcp;
    pub(super) mod rtmp;
    pub(super) mod rtmp_chunks;
    pub(super) mod rtp;
    pub(super) mod rtp_negotiation;
    pub(super) mod rtsp;
    pub(super) mod sctp;
    pub(super) mod sdp;
}

/// Takes an input.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("amf0", targets::amf0::run),
    ("candidate", targets::candidate::run),
    ("configuration", targets::configuration::run),
    ("dtls", targets::dtls::run),
    ("elf", targets::elf::run),
    ("http", targets::http::run),
    ("json_rpc", targets::json_rpc::run),
    ("kmd", targets::kmd::run),
    ("peer", targets::peer::run),
    ("rtcp", targets::rtcp::run),
    ("rtmp", targets::rtmp::run),
    ("rtmp_chunks", targets::rtmp_chunks::run),
    ("rtp", targets::rtp::run),
    ("rtp_negotiation", targets::rtp_negotiation::run),
    ("rtsp", targets::rtsp::run),
    ("sctp", targets::sctp::run),
    ("sdp", targets::sdp::run),
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    let known = TARGETS.iter().find(|(known, _)| *known == name);
    known.map(|(_, target)| *target)
}
