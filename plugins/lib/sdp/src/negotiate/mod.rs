//! Offer and answer (RFC 3264, RFC 9429) for a peer over ICE and DTLS-SRTP.
//!
//! - [`answer`] reads a peer's offer and makes the answer;
//! - [`offer`] makes an offer, [`accept_answer`] reads what the peer answered;
//! - [`answer_again`], [`offer_again`] and [`accept_answer_again`] do the same in a session that
//!   has been negotiated before.
//!
//! Every path ends in a [`Negotiated`], seen from the local side.
//!
//! How sections are treated: one acceptable audio, video and application section is taken, all
//! others are rejected with port 0. Of several of a kind it is one that is not inactive, rather one
//! on which the peer sends, rather the one that was taken before, else the first. Where the peer only
//! sends on it, one of the same bundle on which it only receives is taken as well. One that stays
//! behind but was taken before, or that is inactive, is answered inactive in a bundle and not
//! rejected: it is *idle*. Rejecting it would end the peer's transceiver, and browsers refuse an
//! answer that rejects the section whose transport the others of the bundle share. Every offered
//! codec that [`LocalMedia`] names is kept, in the offerer's order and with its payload types; of the
//! profiles of one codec the one that most can decode comes first.
//! Header extensions, RTCP feedback, RTX and simulcast are accepted where both sides have them.

mod accept;
mod answer;
mod capability;
mod codecs;
mod completion;
mod config;
mod continuity;
#[cfg(test)]
mod field_tests;
#[cfg(test)]
mod lenient_tests;
mod local;
mod offer;
mod offer_again;
mod outcome;
mod preference;
#[cfg(test)]
mod properties;
mod rtp;
#[cfg(test)]
mod sections_tests;
mod sources;
mod transport;

pub use accept::{accept_answer, accept_answer_again};
pub use answer::{answer, answer_again};
pub use capability::CodecCapability;
pub use config::{
    DATA_CHANNEL_FORMAT, Features, LocalConfig, LocalData, LocalMedia, LocalTransport,
};
pub use offer::{OfferOptions, offer};
pub use offer_again::offer_again;
pub use outcome::{
    DtlsRole, Negotiated, NegotiatedCodec, NegotiatedMedia, NegotiatedTransport, RemoteStream,
    SctpParameters,
};
pub use rtp::{
    NegotiatedRtp, NegotiatedRtpMedia, RtpConfig, RtpMedia, RtpPorts, SdesKeys, accept_rtp_answer,
    answer_rtp, offer_rtp, offer_rtp_again,
};
