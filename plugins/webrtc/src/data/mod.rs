//! Data channels of a transport without I/O: SCTP packets, messages and [`Instant`]s go in and out.
//!
//! * [`dcep`] reads and writes the messages that open a channel (RFC 8832);
//! * [`association`] drives `rtc-sctp` over the DTLS association (RFC 8261);
//! * [`advance`] bounds what a peer may skip;
//! * [`channels`] is what there is of channels, by SCTP stream;
//! * [`track`] ties them to the DATA pads of the endpoint.
//!
//! [`Instant`]: std::time::Instant

mod advance;
mod association;
mod channels;
mod dcep;
#[cfg(test)]
mod tests;
mod track;

pub(crate) use association::{DataEvent, DataTransport};
pub(crate) use channels::{ChannelOptions, ChannelSnapshot, ChannelState, DataError, Limit};
pub(crate) use track::DataTrack;

/// Largest message that is taken from a peer, bytes: what browsers take, too, so that all that one
/// may send can be handed to another (`a=max-message-size`, RFC 8841 §6).
pub(crate) const MAX_MESSAGE_SIZE: u32 = 262_144;

/// The port of RFC 8841's examples, which all browsers use.
pub(crate) const SCTP_PORT: u16 = 5000;
