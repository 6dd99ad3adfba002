//! Offer and answer for RTP without ICE: to the addresses of the descriptions, plain or under keys that
//! stand there (RFC 3264, RFC 3551, RFC 4568).
//!
//! - [`answer_rtp`] reads a peer's offer and makes the answer;
//! - [`offer_rtp`] and [`offer_rtp_again`] make offers, [`accept_rtp_answer`] reads what the peer answered.
//!
//! The sections of an offer's group share a port where they can ([`NegotiatedRtp::bundle`]).
//!
//! All may be called again with the next version of the same [`RtpConfig`]: what the descriptions say is
//! then all that counts, and who owns the session goes on where ports, sources and keys are the same.

mod accept;
mod answer;
mod bundle;
mod config;
mod keys;
mod offer;
mod outcome;
#[cfg(test)]
mod tests;

pub use accept::accept_rtp_answer;
pub use answer::answer_rtp;
pub use config::{RtpConfig, RtpMedia, RtpPorts};
pub use offer::{offer_rtp, offer_rtp_again};
pub use outcome::{NegotiatedRtp, NegotiatedRtpMedia, SdesKeys};
